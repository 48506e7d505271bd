import { Interner, NO_STATE } from "./interner.js";
import { type Lookahead, lookahead, type Progress } from "./lookahead.js";
import { type Ledger, OutOfMemory, TupleSet } from "./memory.js";
import type { History, Model } from "./model.js";
import { NEVER, type Schedule, schedule } from "./schedule.js";

/** How a search stands. `out-of-memory` is final, as both answers are. */
export type Standing = "running" | "linearizable" | "not-linearizable" | "out-of-memory";

/** Stands in configurations for every state that no result will show. States count from 1. */
const FORGOTTEN = -1;

/**
 * A depth-first search for a linearization of one partition, after Wing and Gong with Lowe's
 * memory of configurations. It can be run in slices. Beyond the published algorithm it
 *
 * - puts an operation that only reads in place as soon as it is legal and never takes that back:
 *   in any linearization it can move forward to there;
 * - is done when every operation that returned has its place: the others may never have happened;
 * - orders operations of one kind by their intervals (`Schedule.twin`);
 * - leaves an operation that never returned out if the next change comes out the same without it;
 * - turns back where a result still to come can no longer be explained, and takes states that no
 *   result will show for one (`Lookahead`).
 *
 * The middle three keep the answer: among the linearizations of a history with the fewest operations
 * that never returned, one obeys them all.
 */
export class Search<State, Input, Output> implements Progress {
  private readonly plan: Schedule;
  private readonly interner: Interner<State, Input, Output>;
  private readonly ahead: Lookahead;
  private readonly seen: TupleSet;
  private readonly tuple: Int32Array;
  /** Three circular lists of operations without a place, in call order, behind their heads. */
  readonly next: Int32Array;
  private readonly previous: Int32Array;
  readonly reads: number;
  private readonly writes: number;
  private readonly unreturned: number;
  readonly placed: Uint8Array;
  /** The operations in place, in order; with the state and the deadline before each. */
  private readonly stack: Int32Array;
  private readonly stateBefore: Int32Array;
  private readonly deadlineBefore: Int32Array;
  private depth = 0;
  private state: number;
  /** Rank of the first operation to return among those without a place: nothing called after its return can go before it. */
  private deadline = 0;
  private cursor: number;
  private standing: Standing = "running";
  private readonly longest: (readonly number[] | undefined)[] | null;
  /** Candidates looked at so far. */
  steps = 0;

  /**
   * With `explain`, without foresight: it keeps the longest partial linearizations.
   *
   * @throws OutOfMemory if not even empty tables fit
   */
  constructor(
    model: Model<State, Input, Output>,
    history: History<Input, Output>,
    members: readonly number[],
    ledger: Ledger,
    explain: boolean,
  ) {
    const plan = schedule(model, history, members);
    const n = plan.source.length;
    this.plan = plan;
    this.interner = new Interner(model, history, plan.example, ledger);
    this.tuple = new Int32Array(2 + Math.ceil(plan.bits / 32));
    this.seen = new TupleSet(this.tuple.length, ledger);
    this.reads = n;
    this.writes = n + 1;
    this.unreturned = n + 2;
    this.next = new Int32Array(n + 3);
    this.previous = new Int32Array(n + 3);
    this.placed = new Uint8Array(n);
    const foresight = explain ? undefined : model.foresight;
    this.ahead = lookahead(foresight, history, plan, this, this.interner, ledger);
    this.stack = new Int32Array(n);
    this.stateBefore = new Int32Array(n);
    this.deadlineBefore = new Int32Array(n);
    this.longest = explain ? new Array(n).fill(undefined) : null;
    this.link();
    this.state = this.interner.initial();
    this.cursor = this.writes;
    this.placeReads();
    this.cursor = this.next[this.writes] ?? 0;
    if (this.complete()) this.standing = "linearizable";
  }

  /** Looks at up to `steps` more candidates. */
  run(steps: number): Standing {
    if (this.standing !== "running") return this.standing;
    try {
      this.standing = this.advance(steps);
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      this.standing = "out-of-memory";
    }
    return this.standing;
  }

  /** The operations in place now, as indices in the history: a linearization once it is found. */
  placedNow(): number[] {
    return Array.from(this.stack.subarray(0, this.depth), (op) => this.plan.source[op] ?? 0);
  }

  /** The longest partial linearizations met that hold each operation, without repetitions. */
  partials(): (readonly number[])[] {
    const found = new Set(this.longest?.filter((list) => list !== undefined));
    return [...found].sort((a, b) => b.length - a.length);
  }

  /** Gives the memory back. The standing and the linearizations stay. */
  free(): void {
    this.seen.free();
    this.ahead.free();
    this.interner.free();
  }

  private advance(steps: number): Standing {
    const { plan, next, placed, interner } = this;
    const end = this.steps + steps;
    while (this.steps < end) {
      const op = this.cursor;
      if (op === this.unreturned) {
        if (!this.backtrack()) return "not-linearizable";
        continue;
      }
      if (op === this.writes || (plan.call[op] ?? NEVER) > this.bound()) {
        // Past the last candidate of one list; the list of unreturned operations is the second.
        const second = op === this.writes || (plan.rank[op] ?? -1) >= 0;
        this.cursor = second ? (next[this.unreturned] ?? 0) : this.unreturned;
        continue;
      }
      this.steps++;
      const twin = plan.twin[op] ?? -1;
      if (twin < 0 || placed[twin] === 1) {
        const after = interner.next(this.state, plan.kind[op] ?? 0);
        if (after !== NO_STATE && !this.redundant(op, after)) {
          this.place(op, after);
          this.placeReads();
          if (this.complete()) return "linearizable";
          if (this.promising(op)) this.cursor = next[this.writes] ?? 0;
          else this.backtrack();
          continue;
        }
      }
      this.cursor = next[op] ?? 0;
    }
    return "running";
  }

  /** Position after which no operation can be called and still go next. */
  private bound(): number {
    const { byReturn, return: returns } = this.plan;
    return this.deadline < byReturn.length ? (returns[byReturn[this.deadline] ?? 0] ?? 0) : NEVER;
  }

  private complete(): boolean {
    return this.deadline === this.plan.byReturn.length;
  }

  /**
   * True if an unreturned operation is of no use: it changes nothing, or it is the one put last
   * and `op` makes the same state without it.
   */
  private redundant(op: number, after: number): boolean {
    const { rank, kind } = this.plan;
    if (after === this.state && (rank[op] ?? -1) < 0) return true;
    if (this.depth === 0) return false;
    const last = this.stack[this.depth - 1] ?? 0;
    if ((rank[last] ?? -1) >= 0) return false;
    return this.interner.next(this.stateBefore[this.depth - 1] ?? 0, kind[op] ?? 0) === after;
  }

  private place(op: number, after: number): void {
    const { depth, plan, next, previous, placed } = this;
    const before = previous[op] ?? 0;
    const behind = next[op] ?? 0;
    next[before] = behind;
    previous[behind] = before;
    placed[op] = 1;
    this.stack[depth] = op;
    this.stateBefore[depth] = this.state;
    this.deadlineBefore[depth] = this.deadline;
    this.depth = depth + 1;
    this.state = after;
    if (plan.readOnly[op] === 0) this.ahead.place(op);
    this.flip(op);
    while (!this.complete()) {
      const first = plan.byReturn[this.deadline] ?? 0;
      if (placed[first] === 0) break;
      this.flip(first);
      this.deadline++;
    }
  }

  private takeBack(): number {
    const { plan, next, previous, placed } = this;
    const depth = --this.depth;
    const op = this.stack[depth] ?? 0;
    const deadline = this.deadlineBefore[depth] ?? 0;
    while (this.deadline > deadline) {
      this.deadline--;
      this.flip(plan.byReturn[this.deadline] ?? 0);
    }
    this.flip(op);
    this.state = this.stateBefore[depth] ?? 0;
    placed[op] = 0;
    if (plan.readOnly[op] === 0) this.ahead.takeBack(op);
    next[previous[op] ?? 0] = op;
    previous[next[op] ?? 0] = op;
    return op;
  }

  /** Bits of the tuple tell which operations are in place though the deadline has not passed them. */
  private flip(op: number): void {
    const bit = this.plan.bit[op] ?? 0;
    const word = 2 + (bit >>> 5);
    this.tuple[word] = (this.tuple[word] ?? 0) ^ (1 << (bit & 31));
  }

  /** True if this configuration, which the choice of `op` led to, is new and worth a search. */
  private promising(op: number): boolean {
    const { tuple, ahead, state } = this;
    const outlook = ahead.outlook(state, this.deadline);
    if (outlook === "hopeless") return false;
    const forgotten = outlook === "forgotten";
    // No result shows what an unreturned operation did last: it may as well not have happened.
    if (forgotten && (this.plan.rank[op] ?? -1) < 0 && this.stack[this.depth - 1] === op) {
      return false;
    }
    tuple[0] = forgotten ? FORGOTTEN : state;
    tuple[1] = this.deadline;
    return this.seen.add(tuple);
  }

  private placeReads(): void {
    const { plan, next, reads, interner } = this;
    let op = next[reads] ?? reads;
    while (op !== reads && (plan.call[op] ?? NEVER) <= this.bound()) {
      const behind = next[op] ?? reads;
      if (interner.next(this.state, plan.kind[op] ?? 0) === this.state) this.place(op, this.state);
      op = behind;
    }
  }

  /** Takes back the last choice and points at the one after it; false if there was none. */
  private backtrack(): boolean {
    if (this.longest !== null) this.note(this.longest);
    while (this.depth > 0) {
      const op = this.takeBack();
      if (this.plan.readOnly[op] === 0) {
        this.cursor = this.next[op] ?? 0;
        return true;
      }
    }
    return false;
  }

  private note(longest: (readonly number[] | undefined)[]): void {
    let copy: readonly number[] | null = null;
    for (let i = 0; i < this.depth; i++) {
      const op = this.stack[i] ?? 0;
      if ((longest[op]?.length ?? 0) >= this.depth) continue;
      copy ??= this.placedNow();
      longest[op] = copy;
    }
  }

  private link(): void {
    const { plan, next, previous } = this;
    for (const head of [this.reads, this.writes, this.unreturned]) {
      next[head] = head;
      previous[head] = head;
    }
    for (let op = 0; op < plan.source.length; op++) {
      const returned = (plan.rank[op] ?? -1) >= 0;
      const head = !returned ? this.unreturned : plan.readOnly[op] === 1 ? this.reads : this.writes;
      const last = previous[head] ?? head;
      next[last] = op;
      previous[op] = last;
      next[op] = head;
      previous[head] = op;
    }
  }
}
