import type { Entry } from "./entry.js";
import { lastIndex } from "./log.js";
import type { RawNode } from "./node.js";
import { type MemoryStorage, storageLastIndex } from "./storage.js";
import type { TrackerConfig } from "./tracker.js";
import type { LogIndex, RaftId, Term } from "./types.js";

/**
 * What must hold of a group. The first eight are those of etcd's TLA+ specification (etcd-io/raft
 * tla/etcdraft.tla), by the names there: LogInv, MoreThanOneLeaderInv, ElectionSafetyInv,
 * LogMatchingInv, QuorumLogInv, MoreUpToDateCorrectInv, LeaderCompletenessInv, CommittedIsDurableInv;
 * the ninth is a stronger QuorumLogInv. `checkInvariants` finds breaches of these nine in a state. The
 * last two, of the Raft paper's figure 3, are about a group's past, which `GroupHistory` remembers.
 */
export const RAFT_INVARIANTS = {
  "committed-logs-agree": "what two members have committed at an index has one term",
  "one-leader-per-term": "no two members lead in one term at the same time",
  "leader-holds-its-term": "nobody has an entry of a leader's term that the leader has not",
  "log-matching": "logs that agree on one entry's index and term agree up to it",
  "quorum-holds-committed":
    "no quorum of a member's configuration lacks what the member has committed",
  "electable-holds-committed": "nobody without what is committed could be elected",
  "leader-completeness": "a leader's log holds every entry committed before its term",
  "leader-committed-is-durable": "a leader that is not writing has what it has committed on disk",
  "committed-is-durable": "what is committed is on disk at a quorum",
  "election-safety": "at most one leader in a term, ever",
  "state-machine-safety": "members apply the same entry at an index",
} as const;

export type InvariantName = keyof typeof RAFT_INVARIANTS;

/** A member as someone sees it who can look into every member at once. */
export interface Replica<D, S> {
  readonly id: RaftId;
  /** null while it is down. */
  readonly node: RawNode<D, S> | null;
  /** What it would find on its disk if it were started now. */
  readonly durable: MemoryStorage<D, S>;
  /** True while entries that a Ready handed out are on their way to its disk. */
  readonly writing: boolean;
}

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
  /** The only member that has changed since all of this held: pairs of others are not compared again. */
  readonly changed?: RaftId;
}

/**
 * Every invariant of a state that does not hold over the members given. TLA+'s eight are worded so
 * that they hold of etcd's implementation in all states and not only in those small enough to model:
 *
 * - leader completeness is about leaders whose term is at least that of the member that counts an
 *   entry as committed: a deposed leader that has not noticed may lack it;
 * - an up-to-date log holds what is committed (MoreUpToDateCorrectInv) if it is up to date for a
 *   quorum: compared with a single follower that knows more to be committed than its log can
 *   prove, a log of a deposed leader may look better and lack it;
 * - a leader has what it has committed on disk (CommittedIsDurableInv) unless it is writing: etcd's
 *   leader sends while it writes, and a quorum of others may have written before it (in 24 runs of
 *   two scenarios, 1.66 million steps, the specification's own words failed after 12 steps, in 9
 *   runs; never while the leader was not writing). etcd applies nothing that it has not written;
 * - what is said of quorums begins with the first entry that a leader commits: what `bootstrap` puts
 *   into a log counts as committed before anybody has written it;
 * - a configuration counts only for a member that has applied all it has committed, since etcd's
 *   configurations change when they are applied.
 *
 * Raft promises nothing to a group whose disks forget what was synced: a member that comes back
 * under its id with an empty disk breaks what is said of quorums, and must not be passed if it was
 * removed before. Costs time in the length of the logs.
 */
export function checkInvariants<D, S>(
  replicas: readonly Replica<D, S>[],
  options: InvariantOptions<D> = {},
): Violation[] {
  const violations: Violation[] = [];
  const { changed, sameEntry = sameShape } = options;
  const logs = replicas.map((replica) => viewOf(replica));
  for (const [i, left] of logs.entries()) {
    checkAlone(left, logs, violations);
    for (const right of logs.slice(i + 1)) {
      if (changed !== undefined && left.id !== changed && right.id !== changed) continue;
      checkPair(left, right, sameEntry, violations);
    }
  }
  return violations;
}

/** Consecutive entries after one that is known by index and term only, because it is compacted away. */
interface Stretch<D> {
  readonly compacted: LogIndex;
  readonly compactedTerm: Term;
  readonly entries: readonly Entry<D>[];
}

/** A log as far as it goes, on disk and in memory. */
interface LogView<D> extends Stretch<D> {
  readonly id: RaftId;
  readonly term: Term;
  readonly leads: boolean;
  readonly writing: boolean;
  /**
   * The configuration as of `committed`; null if the member has not applied that far, or is down. What it
   * has committed since may have been decided by voters it does not know of yet.
   */
  readonly config: TrackerConfig | null;
  /** `unstable[i]` has index `offset + i`, whatever `entries` has there. */
  readonly unstable: readonly Entry<D>[];
  readonly offset: LogIndex;
  readonly last: LogIndex;
  readonly committed: LogIndex;
  readonly durable: Stretch<D>;
}

const NO_ENTRIES: readonly never[] = [];

function viewOf<D, S>({ id, node, durable, writing }: Replica<D, S>): LogView<D> {
  const onDisk = stretchOf(durable);
  if (node === null) {
    const { hardState, compactedIndex } = durable;
    const last = storageLastIndex(durable);
    return {
      compacted: onDisk.compacted,
      compactedTerm: onDisk.compactedTerm,
      entries: onDisk.entries,
      id,
      term: hardState.term,
      leads: false,
      writing: false,
      config: null,
      unstable: NO_ENTRIES,
      offset: last + 1,
      last,
      committed: Math.min(Math.max(hardState.commit, compactedIndex), last),
      durable: onDisk,
    };
  }
  const { log } = node;
  const { storage, unstable } = log;
  const { snapshot } = unstable;
  // What storage still holds below a snapshot that is not on disk yet no longer counts.
  return {
    compacted: snapshot === null ? storage.compactedIndex : snapshot.index,
    compactedTerm: snapshot === null ? storage.compactedTerm : snapshot.term,
    entries: snapshot === null ? storage.entries : NO_ENTRIES,
    id,
    term: node.term,
    leads: node.role === "leader",
    writing,
    config: log.applied === log.committed ? node.tracker.config : null,
    unstable: unstable.entries,
    offset: unstable.offset,
    last: lastIndex(log),
    committed: log.committed,
    durable: onDisk,
  };
}

function stretchOf<D, S>(storage: MemoryStorage<D, S>): Stretch<D> {
  const { compactedIndex, compactedTerm, entries } = storage;
  return { compacted: compactedIndex, compactedTerm, entries };
}

function entryAt<D>(log: LogView<D>, index: LogIndex): Entry<D> | null {
  if (index >= log.offset) {
    const entry = log.unstable[index - log.offset];
    if (entry !== undefined) return entry;
  }
  return index > log.compacted ? (log.entries[index - log.compacted - 1] ?? null) : null;
}

function termAt<D>(log: LogView<D>, index: LogIndex): Term | null {
  return index === log.compacted ? log.compactedTerm : (entryAt(log, index)?.term ?? null);
}

function sameShape<D>(left: Entry<D>, right: Entry<D>): boolean {
  return left.type === right.type && left.payloadBytes === right.payloadBytes;
}

/** True if the log holds the entry, or has held it and compacted it away. */
function holds<D>(log: LogView<D>, index: LogIndex, term: Term): boolean {
  return index < log.compacted || termAt(log, index) === term;
}

function holdsDurably<D>({ durable }: LogView<D>, index: LogIndex, term: Term): boolean {
  const { compacted, compactedTerm, entries } = durable;
  if (index <= compacted) return index < compacted || compactedTerm === term;
  return entries[index - compacted - 1]?.term === term;
}

/** What concerns one member's committed entries, and who holds them. */
function checkAlone<D>(
  log: LogView<D>,
  logs: readonly LogView<D>[],
  violations: Violation[],
): void {
  const { id, committed: index, config, durable } = log;
  const term = termAt(log, index) ?? 0;
  const written = durable.compacted + durable.entries.length;
  if (log.leads && !log.writing && written < index) {
    const detail = `leader ${id} has committed ${index} and written ${written}`;
    violations.push({
      invariant: "leader-committed-is-durable",
      members: [id],
      index,
      term,
      detail,
    });
  }
  if (config === null || index === 0 || isFounding(log, term)) return;
  const lacking = idsWithout(logs, holds, index, term);
  if (containsQuorum(config, lacking)) {
    const detail = `${id} has committed ${index}, which a quorum could do without: ${lacking.join(", ")} lack it`;
    violations.push({ invariant: "quorum-holds-committed", members: lacking, index, term, detail });
  }
  const unwritten = idsWithout(logs, holdsDurably, index, term);
  if (containsQuorum(config, unwritten)) {
    const detail = `${id} has committed ${index}, which is not on disk at ${unwritten.join(", ")}`;
    violations.push({ invariant: "committed-is-durable", members: unwritten, index, term, detail });
  }
  // Whoever lacks it, and could win.
  for (const candidate of lacking.length === 0 ? NO_LOGS : logs) {
    if (holds(candidate, index, term)) continue;
    const supporters = logs.filter((voter) => upToDate(candidate, voter)).map(({ id }) => id);
    if (!containsQuorum(config, supporters)) continue;
    const detail = `${candidate.id} could be elected without ${index}, which ${id} has committed`;
    const members = [candidate.id, id];
    violations.push({ invariant: "electable-holds-committed", members, index, term, detail });
  }
}

/**
 * True if a log that ends its committed part in `term` has committed nothing but what its group was
 * founded with: `bootstrap` is in term 1, and the first leader in a later one.
 */
function isFounding<D>(log: LogView<D>, term: Term): boolean {
  const first = entryAt(log, 1);
  return term === 1 && first !== null && first.type === "EntryConfChange" && first.term === 1;
}

const NO_LOGS: readonly never[] = [];

function idsWithout<D>(
  logs: readonly LogView<D>[],
  has: (log: LogView<D>, index: LogIndex, term: Term) => boolean,
  index: LogIndex,
  term: Term,
): RaftId[] {
  const ids: RaftId[] = [];
  for (const log of logs) if (!has(log, index, term)) ids.push(log.id);
  return ids;
}

/** True if `voter` would find the candidate's log good enough. */
function upToDate<D>(candidate: LogView<D>, voter: LogView<D>): boolean {
  const term = termAt(candidate, candidate.last) ?? 0;
  const own = termAt(voter, voter.last) ?? 0;
  return term > own || (term === own && candidate.last >= voter.last);
}

/** True if `ids` could elect a leader and commit entries by themselves. */
function containsQuorum(config: TrackerConfig, ids: readonly RaftId[]): boolean {
  const majority = (voters: readonly RaftId[]) =>
    voters.filter((voter) => ids.includes(voter)).length * 2 > voters.length;
  if (ids.length === 0 || config.incoming.length === 0) return false;
  return majority(config.incoming) && (config.outgoing.length === 0 || majority(config.outgoing));
}

function checkPair<D>(
  left: LogView<D>,
  right: LogView<D>,
  sameEntry: (left: Entry<D>, right: Entry<D>) => boolean,
  violations: Violation[],
): void {
  const members = [left.id, right.id];
  if (left.leads && right.leads && left.term === right.term) {
    const { term } = left;
    const detail = `both lead in term ${term}`;
    violations.push({ invariant: "one-leader-per-term", members, index: 0, term, detail });
  }
  const index = Math.min(left.committed, right.committed);
  const term = termAt(left, index);
  const other = termAt(right, index);
  if (term !== null && other !== null && term !== other) {
    const detail = `committed in term ${term} and in term ${other}`;
    violations.push({ invariant: "committed-logs-agree", members, index, term, detail });
  }
  const mismatch = firstMismatch(left, right, sameEntry);
  if (mismatch !== null) {
    const { index, above } = mismatch;
    const term = termAt(left, index) ?? 0;
    const detail = `same term at ${above}, different entries at ${index}`;
    violations.push({ invariant: "log-matching", members, index, term, detail });
  }
  if (left.leads) checkLeader(left, right, violations);
  if (right.leads) checkLeader(right, left, violations);
}

/** A leader must hold all there is of its term, and what `other` counts as committed. */
function checkLeader<D>(leader: LogView<D>, other: LogView<D>, violations: Violation[]): void {
  const members = [leader.id, other.id];
  const last = lastOfTerm(other, leader.term);
  if (last > leader.last) {
    const { id, term } = leader;
    const detail = `${other.id} has ${last} of term ${term}, which its leader ${id} has not`;
    const invariant = "leader-holds-its-term";
    violations.push({ invariant, members, index: last, term, detail });
  }
  if (leader.term < other.term) return;
  const index = other.committed;
  const term = termAt(other, index);
  if (term === null || holds(leader, index, term)) return;
  const detail = `${leader.id} lacks ${index} of term ${term}, which ${other.id} has committed`;
  violations.push({ invariant: "leader-completeness", members, index, term, detail });
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
    const same = sameDownTo(left, right, index);
    if (same < index) {
      above ??= index;
      index = same + 1;
      continue;
    }
    if (termAt(left, index) !== termAt(right, index)) {
      if (above !== null) return { index, above };
      continue;
    }
    above ??= index;
    const [a, b] = [entryAt(left, index), entryAt(right, index)];
    if (a !== null && b !== null && !sameEntry(a, b)) return { index, above };
  }
  return null;
}

/**
 * Members of one process hold one object for an entry, which is never changed, and most entries are
 * in `entries`: goes down from `index` while that is so, and returns where it is not.
 */
function sameDownTo<D>(left: LogView<D>, right: LogView<D>, index: LogIndex): LogIndex {
  if (index >= left.offset || index >= right.offset) return index;
  const [one, other] = [left.entries, right.entries];
  let i = index - left.compacted - 1;
  const apart = left.compacted - right.compacted;
  while (i >= 0 && i + apart >= 0 && one[i] !== undefined && one[i] === other[i + apart]) i--;
  return i + left.compacted + 1;
}

/** The last index of `term` in a log, or 0. Terms never decrease along a log. */
function lastOfTerm<D>(log: LogView<D>, term: Term): LogIndex {
  for (let index = log.last; index > log.compacted; index--) {
    const own = termAt(log, index) ?? 0;
    if (own === term) return index;
    if (own < term) return 0;
  }
  return 0;
}
