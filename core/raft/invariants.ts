import type { Entry } from "./entry.js";
import { lastIndex, termAt } from "./log.js";
import type { RawNode } from "./node.js";
import { type MemoryStorage, storageLastIndex, storageTerm } from "./storage.js";
import type { TrackerConfig } from "./tracker.js";
import type { LogIndex, RaftId, Term } from "./types.js";

/** A member as someone sees it who can look into every member at once. */
export interface Replica<D, S> {
  readonly id: RaftId;
  /** null while it is down. */
  readonly node: RawNode<D, S> | null;
  /** What it would find on its disk if it were started now. */
  readonly durable: MemoryStorage<D, S>;
}

/**
 * What must hold in every state of a group. The first eight are those of etcd's TLA+ specification
 * (etcd-io/raft tla/etcdraft.tla); see `checkInvariants` for where they are worded differently.
 */
export type InvariantName =
  | "committed-logs-agree"
  | "one-leader-per-term"
  | "election-safety"
  | "log-matching"
  | "quorum-holds-committed"
  | "electable-holds-committed"
  | "leader-completeness"
  | "leader-committed-is-durable"
  | "committed-is-durable"
  | "state-machine-safety";

/** An invariant that does not hold, and for whom. */
export interface Violation {
  readonly invariant: InvariantName;
  readonly members: readonly RaftId[];
  readonly index: LogIndex;
  readonly term: Term;
  readonly detail: string;
}

export interface InvariantOptions<D> {
  /** Whether two entries of one index and term are the same. Default: type and size are compared. */
  readonly sameEntry?: (left: Entry<D>, right: Entry<D>) => boolean;
  /**
   * Leaders write their own entries before anybody else acknowledges them. True without async
   * storage writes if messages wait for the disk; not of etcd, whose leader sends while it writes.
   */
  readonly leaderWritesFirst?: boolean;
}

/**
 * Every invariant that does not hold over the members given: TLA+'s eight, worded so that they hold
 * of etcd's implementation in all states and not only in those small enough to model:
 *
 * - leader completeness is about leaders whose term is at least that of the member that counts an
 *   entry as committed: a deposed leader that has not noticed may lack it;
 * - an up-to-date log holds what is committed (MoreUpToDateCorrectInv) if it is up to date for a
 *   quorum: compared with a single follower that knows more to be committed than its log can
 *   prove, a log of a deposed leader may look better and lack it;
 * - what is committed is on disk at a quorum, which is stronger than to be in a quorum's logs;
 * - a configuration counts only for a member that has applied all it has committed, since etcd's
 *   configurations change when they are applied.
 *
 * Members that were removed and then lost their disk must not be passed. Costs time in the length
 * of the logs; `invariant-history.ts` has what a hot loop can afford.
 */
export function checkInvariants<D, S>(
  replicas: readonly Replica<D, S>[],
  options: InvariantOptions<D> = {},
): Violation[] {
  const violations: Violation[] = [];
  const logs = replicas.map((replica) => viewOf(replica));
  for (const [i, left] of logs.entries()) {
    checkAlone(left, logs, options.leaderWritesFirst ?? false, violations);
    for (const right of logs.slice(i + 1)) {
      checkPair(left, right, options.sameEntry ?? sameShape, violations);
    }
  }
  return violations;
}

/** A log as far as it goes: what is compacted is not there, but for the term of its last entry. */
interface LogView<D> {
  readonly id: RaftId;
  readonly term: Term;
  readonly leads: boolean;
  /**
   * The configuration as of `committed`; null if the member has not applied that far, or is down. What it
   * has committed since may have been decided by voters it does not know of yet.
   */
  readonly config: TrackerConfig | null;
  readonly compacted: LogIndex;
  readonly last: LogIndex;
  readonly committed: LogIndex;
  readonly durableCompacted: LogIndex;
  readonly durableLast: LogIndex;
  termAt(index: LogIndex): Term | null;
  durableTermAt(index: LogIndex): Term | null;
  entryAt(index: LogIndex): Entry<D> | null;
}

function viewOf<D, S>({ id, node, durable }: Replica<D, S>): LogView<D> {
  const number = (term: Term | "compacted" | "unavailable") =>
    typeof term === "number" ? term : null;
  const durableCompacted = durable.compactedIndex;
  const durableLast = storageLastIndex(durable);
  const durableTermAt = (index: LogIndex) => number(storageTerm(durable, index));
  if (node === null) {
    const { compactedIndex, hardState, entries } = durable;
    return {
      id,
      term: hardState.term,
      leads: false,
      config: null,
      compacted: compactedIndex,
      last: durableLast,
      committed: Math.min(Math.max(hardState.commit, compactedIndex), durableLast),
      durableCompacted,
      durableLast,
      termAt: durableTermAt,
      durableTermAt,
      entryAt: (index) => entries[index - compactedIndex - 1] ?? null,
    };
  }
  const { log } = node;
  const { storage, unstable } = log;
  const compacted = unstable.snapshot?.index ?? storage.compactedIndex;
  return {
    id,
    term: node.term,
    leads: node.role === "leader",
    config: log.applied === log.committed ? node.tracker.config : null,
    compacted,
    last: lastIndex(log),
    committed: log.committed,
    durableCompacted,
    durableLast,
    termAt: (index) => number(termAt(log, index)),
    durableTermAt,
    entryAt: (index) => {
      // What storage still holds below a snapshot that is not on disk yet no longer counts.
      if (index <= compacted) return null;
      if (index >= unstable.offset) return unstable.entries[index - unstable.offset] ?? null;
      return storage.entries[index - storage.compactedIndex - 1] ?? null;
    },
  };
}

function sameShape<D>(left: Entry<D>, right: Entry<D>): boolean {
  return left.type === right.type && left.payloadBytes === right.payloadBytes;
}

/** True if the log holds the entry, or has held it and compacted it away. */
function holds<D>(log: LogView<D>, index: LogIndex, term: Term): boolean {
  return index < log.compacted || log.termAt(index) === term;
}

function holdsDurably<D>(log: LogView<D>, index: LogIndex, term: Term): boolean {
  return index < log.durableCompacted || log.durableTermAt(index) === term;
}

/** What concerns one member's committed entries, and who holds them. */
function checkAlone<D>(
  log: LogView<D>,
  logs: readonly LogView<D>[],
  leaderWritesFirst: boolean,
  violations: Violation[],
): void {
  const { id, committed: index, config } = log;
  const term = log.termAt(index) ?? 0;
  if (leaderWritesFirst && log.leads && log.durableLast < index) {
    const detail = `leader ${id} has committed ${index} and written ${log.durableLast}`;
    violations.push({
      invariant: "leader-committed-is-durable",
      members: [id],
      index,
      term,
      detail,
    });
  }
  if (config === null || index === 0) return;
  const without = (has: typeof holds<D>) =>
    logs.filter((other) => !has(other, index, term)).map((other) => other.id);
  const lacking = without(holds);
  if (containsQuorum(config, lacking)) {
    const detail = `${id} has committed ${index}, which a quorum could do without: ${lacking.join(", ")} lack it`;
    violations.push({ invariant: "quorum-holds-committed", members: lacking, index, term, detail });
  }
  const unwritten = without(holdsDurably);
  if (containsQuorum(config, unwritten)) {
    const detail = `${id} has committed ${index}, which is not on disk at ${unwritten.join(", ")}`;
    violations.push({ invariant: "committed-is-durable", members: unwritten, index, term, detail });
  }
  for (const candidate of logs) {
    if (holds(candidate, index, term)) continue;
    const supporters = logs.filter((voter) => upToDate(candidate, voter)).map(({ id }) => id);
    if (!containsQuorum(config, supporters)) continue;
    const detail = `${candidate.id} could be elected without ${index}, which ${id} has committed`;
    const members = [candidate.id, id];
    violations.push({ invariant: "electable-holds-committed", members, index, term, detail });
  }
}

/** True if `voter` would find the candidate's log good enough. */
function upToDate<D>(candidate: LogView<D>, voter: LogView<D>): boolean {
  const term = candidate.termAt(candidate.last) ?? 0;
  const own = voter.termAt(voter.last) ?? 0;
  return term > own || (term === own && candidate.last >= voter.last);
}

/** True if `ids` could elect a leader and commit entries by themselves. */
function containsQuorum(config: TrackerConfig, ids: readonly RaftId[]): boolean {
  const majority = (voters: readonly RaftId[]) =>
    voters.filter((voter) => ids.includes(voter)).length * 2 > voters.length;
  if (config.incoming.length === 0) return false;
  return majority(config.incoming) && (config.outgoing.length === 0 || majority(config.outgoing));
}

function checkPair<D>(
  left: LogView<D>,
  right: LogView<D>,
  sameEntry: (left: Entry<D>, right: Entry<D>) => boolean,
  violations: Violation[],
): void {
  const report = (invariant: InvariantName, index: LogIndex, term: Term, detail: string) => {
    violations.push({ invariant, members: [left.id, right.id], index, term, detail });
  };
  if (left.leads && right.leads && left.term === right.term) {
    report("one-leader-per-term", 0, left.term, `both lead in term ${left.term}`);
  }
  const committed = Math.min(left.committed, right.committed);
  const [a, b] = [left.termAt(committed), right.termAt(committed)];
  if (a !== null && b !== null && a !== b) {
    report("committed-logs-agree", committed, a, `committed in term ${a} and in term ${b}`);
  }
  const mismatch = firstMismatch(left, right, sameEntry);
  if (mismatch !== null) {
    const { index, above } = mismatch;
    const detail = `same term at ${above}, different entries at ${index}`;
    report("log-matching", index, left.termAt(index) ?? 0, detail);
  }
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (one.leads && lastOfTerm(other, one.term) > one.last) {
      const index = lastOfTerm(other, one.term);
      const detail = `${other.id} has ${index} of term ${one.term}, which its leader ${one.id} has not`;
      report("election-safety", index, one.term, detail);
    }
    checkLeader(one, other, report);
  }
}

/** A leader must hold what `other` counts as committed. */
function checkLeader<D>(
  one: LogView<D>,
  other: LogView<D>,
  report: (invariant: InvariantName, index: LogIndex, term: Term, detail: string) => void,
): void {
  if (!one.leads || one.term < other.term) return;
  const index = other.committed;
  const term = other.termAt(index);
  if (term === null || holds(one, index, term)) return;
  const detail = `${one.id} lacks ${index} of term ${term}, which ${other.id} has committed`;
  report("leader-completeness", index, term, detail);
}

/** The highest index below one of the same term at which two logs differ. */
function firstMismatch<D>(
  left: LogView<D>,
  right: LogView<D>,
  sameEntry: (left: Entry<D>, right: Entry<D>) => boolean,
): { index: LogIndex; above: LogIndex } | null {
  const lowest = Math.max(left.compacted, right.compacted);
  let above: LogIndex | null = null;
  for (let index = Math.min(left.last, right.last); index >= lowest; index--) {
    if (left.termAt(index) !== right.termAt(index)) {
      if (above !== null) return { index, above };
      continue;
    }
    above ??= index;
    const [a, b] = [left.entryAt(index), right.entryAt(index)];
    if (a !== null && b !== null && !sameEntry(a, b)) return { index, above };
  }
  return null;
}

/** The last index of `term` in a log, or 0. Terms never decrease along a log. */
function lastOfTerm<D>(log: LogView<D>, term: Term): LogIndex {
  for (let index = log.last; index > log.compacted; index--) {
    const own = log.termAt(index) ?? 0;
    if (own === term) return index;
    if (own < term) return 0;
  }
  return 0;
}
