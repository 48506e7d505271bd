import type { Micros } from "../../core/kernel/index.js";
import { EventQueue } from "./queue.js";

const CAPACITY = 4096;

/**
 * What is to happen, in order of time: the event queue, and beside it what each event is. Columns of
 * typed arrays, since a run takes millions; `take` puts the next event into the fields of the agenda.
 */
export class Agenda {
  /** Now: the time of the event taken last, or what `skipTo` made it. */
  at: Micros = 0;
  /** Of the event taken last. */
  what = 0;
  node = 0;
  payload: unknown = null;
  /** `seq` of what led to it; -1 for none. */
  cause = 0;
  /** What has to be as it was for the event to count: a generation, a life, a sender. */
  guard = 0;

  readonly #queue = new EventQueue(CAPACITY);
  #what = new Uint8Array(CAPACITY);
  #node = new Int32Array(CAPACITY);
  #cause = new Float64Array(CAPACITY);
  #guard = new Int32Array(CAPACITY);
  #payload: unknown[] = new Array<unknown>(CAPACITY).fill(null);

  /** Time of the next event; Infinity without one. */
  get nextAt(): Micros {
    return this.#queue.peekTime();
  }

  /** Adds what happens `delay` from now. */
  add(
    delay: Micros,
    what: number,
    node: number,
    payload: unknown,
    cause: number,
    guard: number,
  ): void {
    const slot = this.#queue.push(this.at + delay);
    if (slot >= this.#what.length) this.#grow(slot + 1);
    this.#what[slot] = what;
    this.#node[slot] = node;
    this.#payload[slot] = payload;
    this.#cause[slot] = cause;
    this.#guard[slot] = guard;
  }

  /** Lets time pass until `at`, unless it has. */
  skipTo(at: Micros): void {
    this.at = Math.max(this.at, at);
  }

  /** Takes the next event if it is due by `until`; false if it is not, or there is none. */
  take(until: Micros): boolean {
    const at = this.#queue.peekTime();
    if (at > until) return false;
    const slot = this.#queue.pop();
    if (slot < 0) return false;
    this.at = at;
    this.what = this.#what[slot] as number;
    this.node = this.#node[slot] as number;
    this.payload = this.#payload[slot];
    this.cause = this.#cause[slot] as number;
    this.guard = this.#guard[slot] as number;
    this.#payload[slot] = null;
    return true;
  }

  #grow(needed: number): void {
    const capacity = Math.max(needed, this.#what.length * 2);
    const copy = <T extends Uint8Array | Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#what = copy(this.#what, new Uint8Array(capacity));
    this.#node = copy(this.#node, new Int32Array(capacity));
    this.#cause = copy(this.#cause, new Float64Array(capacity));
    this.#guard = copy(this.#guard, new Int32Array(capacity));
    while (this.#payload.length < capacity) this.#payload.push(null);
  }
}
