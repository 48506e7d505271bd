import type { Violation } from "./invariants.js";
import { lastIndex, termAt } from "./log.js";
import type { RawNode } from "./node.js";
import type { LogIndex, RaftId, Term } from "./types.js";

/**
 * What a group's past says about its future: who led in which term, and what was applied where. It
 * catches what no single state shows, such as two leaders of a term one after the other, and costs
 * a few comparisons per event, so that a hot loop can keep it. Plain data.
 */
export interface InvariantHistory {
  leaders: Map<Term, RaftId>;
  /** Entries applied anywhere, without gaps from `from` on: term and digest at position `index - from`. */
  from: LogIndex;
  terms: Term[];
  digests: number[];
}

export function createInvariantHistory(): InvariantHistory {
  return { leaders: new Map(), from: 1, terms: [], digests: [] };
}

/**
 * To be told of every member that has just become leader: nobody else led in its term (election
 * safety), and its log holds everything that was ever applied (leader completeness).
 */
export function recordLeader<D, S>(
  history: InvariantHistory,
  node: RawNode<D, S>,
): Violation | null {
  const { id, term } = node;
  const earlier = history.leaders.get(term);
  if (earlier !== undefined && earlier !== id) {
    const detail = `${earlier} and ${id} have led in term ${term}`;
    return { invariant: "one-leader-per-term", members: [earlier, id], index: 0, term, detail };
  }
  history.leaders.set(term, id);
  const index = history.from + history.terms.length - 1;
  const applied = history.terms[history.terms.length - 1];
  if (applied === undefined || termAt(node.log, index) === applied) return null;
  if (termAt(node.log, index) === "compacted") return null;
  const detail = `leader ${id} of term ${term} ends at ${lastIndex(node.log)} and lacks ${index} of term ${applied}`;
  return { invariant: "leader-completeness", members: [id], index, term, detail };
}

/**
 * To be told of every entry a member applies: whoever applies an index applies the same entry
 * (state-machine safety).
 *
 * @param digest - an integer that tells entries of one index and term apart, or always 0
 */
export function recordApplied(
  history: InvariantHistory,
  member: RaftId,
  index: LogIndex,
  term: Term,
  digest: number,
): Violation | null {
  const position = index - history.from;
  // What is forgotten cannot be compared.
  if (position < 0) return null;
  if (position >= history.terms.length) {
    if (position > history.terms.length) {
      history.from = index;
      history.terms = [];
      history.digests = [];
    }
    history.terms.push(term);
    history.digests.push(digest);
    return null;
  }
  const known = history.terms[position] ?? 0;
  if (known === term && history.digests[position] === digest) return null;
  const detail = `${member} applies at ${index} an entry of term ${term} that differs from the one of term ${known} applied before`;
  return { invariant: "state-machine-safety", members: [member], index, term, detail };
}

/** Forgets what was applied below `index`, to bound the history's size. */
export function forgetApplied(history: InvariantHistory, index: LogIndex): void {
  const count = Math.min(index - history.from, history.terms.length);
  if (count <= 0) return;
  history.terms.splice(0, count);
  history.digests.splice(0, count);
  history.from += count;
}
