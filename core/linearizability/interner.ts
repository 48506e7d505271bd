import { type Ledger, OutOfMemory, PairMap } from "./memory.js";
import type { History, Model } from "./model.js";

/** What `next` answers where an operation is not legal. */
export const NO_STATE = 0;

/** Rough cost of a state beside its key: the state, a map entry, an array item. */
const STATE_BYTES = 160;
/** A JavaScript Map holds 2^24 entries at most. */
const STATES_MAX = 2 ** 24 - 1;

/** Numbers the states of a model from 1, and remembers what every kind of operation does to each. */
export class Interner<State, Input, Output> {
  private readonly numbers = new Map<string | number, number>();
  private readonly states: State[] = [];
  private readonly steps: PairMap;
  private bytes = 0;

  /** `example[kind]` is the index of an operation of that kind. @throws OutOfMemory */
  constructor(
    private readonly model: Model<State, Input, Output>,
    private readonly history: History<Input, Output>,
    private readonly example: readonly number[],
    private readonly ledger: Ledger,
  ) {
    this.steps = new PairMap(ledger);
  }

  initial(): number {
    return this.intern(this.model.init());
  }

  /** The state of that number. */
  state(number: number): State {
    const found = this.states[number - 1];
    if (found === undefined) throw new RangeError(`no state ${number} in this search`);
    return found;
  }

  /** The state after an operation of this kind, or `NO_STATE`. @throws OutOfMemory */
  next(state: number, kind: number): number {
    const known = this.steps.get(state, kind);
    if (known >= 0) return known;
    const operation = this.history[this.example[kind] ?? -1];
    if (operation === undefined) throw new RangeError(`no kind ${kind} in this search`);
    const step = this.model.step(this.state(state), operation.input, operation.output);
    const after = step.ok ? this.intern(step.state) : NO_STATE;
    this.steps.set(state, kind, after);
    return after;
  }

  free(): void {
    this.steps.free();
    this.ledger.release(this.bytes);
    this.numbers.clear();
    this.states.length = 0;
  }

  private intern(state: State): number {
    const key = this.model.stateKey(state);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const bytes = STATE_BYTES + (typeof key === "string" ? 2 * key.length : 0);
    if (this.states.length >= STATES_MAX || !this.ledger.reserve(bytes)) throw new OutOfMemory();
    this.bytes += bytes;
    this.states.push(state);
    this.numbers.set(key, this.states.length);
    return this.states.length;
  }
}
