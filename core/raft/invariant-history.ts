import type { Violation } from "./invariants.js";
import { lastIndex, termAt } from "./log.js";
import type { RawNode } from "./node.js";
import type { LogIndex, Term } from "./types.js";

/**
 * Where a member is in applying its log, and a hash of it in two integers of 32 bits: of the entry,
 * or of everything applied so far in order, which tells more.
 */
export interface AppliedPosition {
  readonly index: LogIndex;
  readonly term: Term;
  readonly hashX: number;
  readonly hashY: number;
}

/** A breach, by the numbers the caller tells members apart by. */
export interface PastViolation extends Omit<Violation, "members"> {
  readonly members: readonly number[];
}

/** Positions kept unless told otherwise. */
const KEPT = 65_536;

/**
 * What a group's past says about its future: who led in which term, and what was applied where. It
 * catches what no single state shows, such as two leaders of a term one after the other, and costs
 * a few comparisons per event, so that every run can keep it. Members are told apart by numbers of
 * the caller's choice: ids, or their hosts.
 */
export class GroupHistory {
  readonly #leaders = new Map<Term, number>();
  /** A ring, by index: what the first to apply there had applied. */
  readonly #index: Float64Array;
  readonly #term: Float64Array;
  readonly #hashX: Int32Array;
  readonly #hashY: Int32Array;
  readonly #member: Float64Array;
  readonly #mask: number;
  /** The highest entry anybody applied. */
  #lastIndex: LogIndex = 0;
  #lastTerm: Term = 0;

  /**
   * @param kept - latest positions to remember, a power of two: a member further behind is not
   *   compared until it is closer
   */
  constructor(kept = KEPT) {
    this.#index = new Float64Array(kept);
    this.#term = new Float64Array(kept);
    this.#hashX = new Int32Array(kept);
    this.#hashY = new Int32Array(kept);
    this.#member = new Float64Array(kept);
    this.#mask = kept - 1;
  }

  /**
   * To be told of every member that has just become leader: nobody else led in its term (election
   * safety), and its log holds everything applied in its term or before (leader completeness). Who
   * wins an old term, by votes that came late, need not have what a newer one has committed.
   */
  recordLeader<D, S>(member: number, node: RawNode<D, S>, term: Term = node.term): PastViolation[] {
    const violations: PastViolation[] = [];
    const earlier = this.#leaders.get(term);
    if (earlier !== undefined && earlier !== member) {
      const members = [earlier, member];
      const detail = `two leaders in term ${term}`;
      violations.push({ invariant: "election-safety", members, index: 0, term, detail });
    }
    this.#leaders.set(term, member);
    const index = this.#lastIndex;
    const held = termAt(node.log, index);
    if (index === 0 || this.#lastTerm > term || held === "compacted" || held === this.#lastTerm) {
      return violations;
    }
    const detail =
      `the leader of term ${term} ends at ${lastIndex(node.log)} and lacks ` +
      `entry ${index} of term ${this.#lastTerm}`;
    const members = [member];
    violations.push({ invariant: "leader-completeness", members, index, term, detail });
    return violations;
  }

  /**
   * To be told what a member has applied: whoever applies an index applies the same entry
   * (state-machine safety).
   */
  recordApplied(member: number, position: AppliedPosition): PastViolation | null {
    const { index, term, hashX, hashY } = position;
    const slot = index & this.#mask;
    const known = this.#index[slot] as number;
    if (known > index) return null;
    if (known < index) {
      this.#index[slot] = index;
      this.#term[slot] = term;
      this.#hashX[slot] = hashX;
      this.#hashY[slot] = hashY;
      this.#member[slot] = member;
      if (index > this.#lastIndex) {
        this.#lastIndex = index;
        this.#lastTerm = term;
      }
      return null;
    }
    const knownTerm = this.#term[slot] as number;
    const same =
      knownTerm === term && this.#hashX[slot] === (hashX | 0) && this.#hashY[slot] === (hashY | 0);
    if (same) return null;
    const members = [this.#member[slot] as number, member];
    const detail =
      knownTerm === term
        ? `index ${index}, term ${term}: different entries, there or before`
        : `index ${index}: an entry of term ${knownTerm} and one of term ${term}`;
    return { invariant: "state-machine-safety", members, index, term, detail };
  }
}
