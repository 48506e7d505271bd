import {
  createGenerator,
  type Machine,
  type Outcome,
  stepImmutable,
  stepInPlace,
} from "../../kernel/index.js";
import {
  advance,
  append,
  applyConfChange,
  applySnapshot,
  type ConfChange,
  type ConfState,
  campaign,
  checkInvariants,
  compact,
  confChangeOf,
  createMemoryStorage,
  createRawNode,
  createSnapshot,
  EMPTY_CONF_STATE,
  type Entry,
  GroupHistory,
  type HardState,
  hasReady,
  type MemoryStorage,
  type Message,
  propose,
  proposeConfChange,
  type RaftConfig,
  type RaftFact,
  type RaftId,
  type RawNode,
  type Ready,
  readIndex,
  ready,
  reportSnapshot,
  type Snapshot,
  setHardState,
  step,
  storageTerm,
  tick,
  transferLeader,
  type Violation,
} from "../index.js";

export type Node = RawNode<string, string>;
export type Storage = MemoryStorage<string, string>;
export type Wire = Message<string, string>;

/** Everything a test does to a member, as data, so that it can run in place and under immer alike. */
export type Operation =
  | { readonly kind: "tick" }
  | { readonly kind: "campaign" }
  | { readonly kind: "step"; readonly message: Wire }
  | { readonly kind: "propose"; readonly data: string }
  | { readonly kind: "propose-conf-change"; readonly change: ConfChange<string> | null }
  | { readonly kind: "apply-conf-change"; readonly change: ConfChange<string> }
  | { readonly kind: "transfer"; readonly to: RaftId }
  | { readonly kind: "read"; readonly context: string }
  | { readonly kind: "report-snapshot"; readonly to: RaftId; readonly arrived: boolean }
  | { readonly kind: "ready" }
  | { readonly kind: "advance" }
  | { readonly kind: "persist"; readonly write: Write }
  | { readonly kind: "compact"; readonly snapshot: Snapshot<string> };

/** What goes to disk in one piece. */
export interface Write {
  readonly hardState: HardState | null;
  readonly entries: readonly Entry<string>[];
  readonly snapshot: Snapshot<string> | null;
}

type Result = Ready<string, string> | ConfState;

const memberMachine: Machine<never, Node, Operation, RaftFact, Result> = {
  name: "raft",
  create: (config) => config,
  step(node, operation, _now, { facts, effects }) {
    switch (operation.kind) {
      case "tick":
        return tick(node, facts);
      case "campaign":
        return campaign(node, facts);
      case "step":
        step(node, operation.message, facts);
        return;
      case "propose":
        propose(node, operation.data, operation.data.length, facts);
        return;
      case "propose-conf-change":
        proposeConfChange(node, operation.change, facts);
        return;
      case "apply-conf-change":
        effects.push(applyConfChange(node, operation.change, facts));
        return;
      case "transfer":
        return transferLeader(node, operation.to, facts);
      case "read":
        return readIndex(node, operation.context, facts);
      case "report-snapshot":
        return reportSnapshot(node, operation.to, operation.arrived ? "finished" : "failed", facts);
      case "ready":
        if (hasReady(node)) effects.push(ready(node, facts));
        return;
      case "advance":
        return advance(node, facts);
      case "persist":
        return persist(node.log.storage, operation.write);
      case "compact":
        return compactTo(node.log.storage, operation.snapshot);
    }
  },
};

export function persist(storage: Storage, { hardState, entries, snapshot }: Write): void {
  if (hardState !== null) setHardState(storage, hardState);
  if (snapshot !== null) applySnapshot(storage, snapshot);
  append(storage, entries);
}

function compactTo(storage: Storage, { index, confState, data }: Snapshot<string>): void {
  if (createSnapshot(storage, index, confState, data) === null) compact(storage, index);
}

/** How members run: on a state they own, or on immutable ones. */
export type Mode = "in-place" | "immutable";

/** A way a member's disk may betray it, for tests that the invariants notice. */
export type Sabotage = "none" | "forget-vote" | "forget-entries";

export interface Member {
  readonly id: RaftId;
  node: Node | null;
  /** What survives a crash; `node.log.storage` dies with the process. */
  readonly durable: Storage;
  /** Writes handed to the disk and not done, with what to deliver afterwards; async storage writes only. */
  writes: Wire[];
  applies: Wire[];
  /** The application: everything applied, and the configuration that came of it. */
  applied: { index: number; data: string; confState: ConfState };
  /** The same, as of the last snapshot that is on disk. */
  savedApplied: { index: number; data: string; confState: ConfState };
  incarnation: number;
}

export interface GroupOptions {
  readonly voters: readonly RaftId[];
  /** Members that exist, voters or not. */
  readonly members: readonly RaftId[];
  readonly config: Omit<RaftConfig, "id" | "applied">;
  readonly mode: Mode;
  readonly sabotage: Sabotage;
  readonly seed: number;
}

/** Members on a network whose every message waits to be delivered, dropped or doubled. */
export interface Group {
  readonly options: GroupOptions;
  readonly members: Map<RaftId, Member>;
  network: Wire[];
  /** Pairs that cannot talk, as `from-to`. */
  readonly cut: Set<string>;
  readonly history: GroupHistory;
  readonly violations: Violation[];
  readonly facts: { readonly id: RaftId; readonly fact: RaftFact }[];
  readonly reads: {
    readonly id: RaftId;
    readonly context: string | null;
    readonly index: number;
  }[];
}

export function createGroup(options: GroupOptions): Group {
  const group: Group = {
    options,
    members: new Map(),
    network: [],
    cut: new Set(),
    history: new GroupHistory(1024),
    violations: [],
    facts: [],
    reads: [],
  };
  const confState: ConfState = {
    voters: options.voters,
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  for (const id of options.members) {
    const durable: Storage = createMemoryStorage();
    const founding = options.voters.includes(id);
    if (founding) applySnapshot(durable, { index: 1, term: 1, confState, data: "" });
    const start = {
      index: founding ? 1 : 0,
      data: "",
      confState: founding ? confState : EMPTY_CONF_STATE,
    };
    const member: Member = {
      id,
      node: null,
      durable,
      writes: [],
      applies: [],
      applied: start,
      savedApplied: start,
      incarnation: 0,
    };
    group.members.set(id, member);
    restart(group, id);
  }
  return group;
}

export function memberOf(group: Group, id: RaftId): Member {
  const member = group.members.get(id);
  if (member === undefined) throw new Error(`no member ${id}`);
  return member;
}

/** Starts a member from its disk; nothing happens if it runs. */
export function restart(group: Group, id: RaftId): void {
  const member = memberOf(group, id);
  if (member.node !== null) return;
  const { durable } = member;
  const storage: Storage = { ...durable, entries: [...durable.entries] };
  member.applied = member.savedApplied;
  const config = { ...group.options.config, id, applied: member.applied.index };
  const generator = createGenerator(group.options.seed, `${id}/${member.incarnation++}`);
  const facts: RaftFact[] = [];
  member.node = createRawNode(config, storage, generator, facts);
  note(group, id, facts);
}

/** Kills a member. What it has not written is gone, and so is what waits to be written. */
export function crash(group: Group, id: RaftId): void {
  const member = memberOf(group, id);
  member.node = null;
  member.writes = [];
  member.applies = [];
}

/** Runs one operation on a member; null if it is down. */
export function perform(
  group: Group,
  id: RaftId,
  operation: Operation,
): Outcome<RaftFact, Result> | null {
  const member = memberOf(group, id);
  if (member.node === null) return null;
  let outcome: Outcome<RaftFact, Result>;
  if (group.options.mode === "in-place") {
    outcome = stepInPlace(memberMachine, member.node, operation, 0);
  } else {
    const next = stepImmutable(memberMachine, member.node, operation, 0);
    member.node = next.state;
    outcome = next;
  }
  note(group, id, outcome.facts);
  return outcome;
}

function note(group: Group, id: RaftId, facts: readonly RaftFact[]): void {
  for (const fact of facts) {
    group.facts.push({ id, fact });
    const { node } = memberOf(group, id);
    if (fact.kind !== "raft.became-leader" || node === null) continue;
    group.violations.push(...group.history.recordLeader(id, node));
  }
}

/** Takes a Ready, if there is one, and does all that it asks for; false if there was none. */
export function handleReady(group: Group, id: RaftId, crashBeforeWrite = false): boolean {
  const [handed] = perform(group, id, { kind: "ready" })?.effects ?? [];
  if (handed === undefined || !("messages" in handed)) return false;
  const { hardState, entries, snapshot } = handed;
  for (const { context, index } of handed.readStates) group.reads.push({ id, context, index });
  if (group.options.config.asyncStorageWrites) {
    dispatchAsync(group, id, handed.messages);
    return true;
  }
  if (crashBeforeWrite) {
    crash(group, id);
    return true;
  }
  write(group, id, { hardState, entries, snapshot });
  group.network.push(...handed.messages);
  applyEntries(group, id, handed.committedEntries);
  perform(group, id, { kind: "advance" });
  return true;
}

function dispatchAsync(group: Group, id: RaftId, messages: readonly Wire[]): void {
  const member = memberOf(group, id);
  for (const message of messages) {
    if (message.type === "MsgStorageAppend") member.writes.push(message);
    else if (message.type === "MsgStorageApply") member.applies.push(message);
    else group.network.push(message);
  }
}

/** The disk, or the applying thread, finishes one piece of work (async storage writes). */
export function finishWork(group: Group, id: RaftId, queue: "writes" | "applies"): void {
  const work = memberOf(group, id)[queue].shift();
  if (work === undefined) return;
  if (queue === "writes") {
    const { term, vote, commit, entries, snapshot } = work;
    const hardState = term === 0 ? null : { term, vote, commit };
    write(group, id, { hardState, entries, snapshot });
  } else {
    applyEntries(group, id, work.entries);
  }
  for (const response of work.responses) {
    if (response.to === id) perform(group, id, { kind: "step", message: response });
    else group.network.push(response);
  }
}

function write(group: Group, id: RaftId, what: Write): void {
  const member = memberOf(group, id);
  perform(group, id, { kind: "persist", write: what });
  persist(member.durable, betray(what, group.options.sabotage));
  if (what.snapshot === null) return;
  const { index, data, confState } = what.snapshot;
  member.applied = { index, data: data ?? "", confState };
  member.savedApplied = member.applied;
}

function betray(what: Write, sabotage: Sabotage): Write {
  if (sabotage === "forget-vote" && what.hardState !== null) {
    return { ...what, hardState: { ...what.hardState, vote: 0 } };
  }
  return sabotage === "forget-entries" ? { ...what, hardState: null, entries: [] } : what;
}

function applyEntries(group: Group, id: RaftId, entries: readonly Entry<string>[]): void {
  const member = memberOf(group, id);
  for (const entry of entries) {
    let { confState } = member.applied;
    const change = confChangeOf(entry);
    if (change !== null) {
      const [made] = perform(group, id, { kind: "apply-conf-change", change })?.effects ?? [];
      if (made !== undefined && "voters" in made) confState = made;
    }
    const text = entry.type === "EntryNormal" ? (entry.data ?? "") : "";
    member.applied = { index: entry.index, data: `${member.applied.data}${text};`, confState };
    const digest = [...text].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) | 0, 0);
    const position = { index: entry.index, term: entry.term, hashX: digest, hashY: 0 };
    const violation = group.history.recordApplied(id, position);
    if (violation !== null) group.violations.push(violation);
  }
}

/** Takes a snapshot of what is applied and drops the log up to it. */
export function takeSnapshot(group: Group, id: RaftId): void {
  const member = memberOf(group, id);
  if (member.node === null) return;
  const { index, confState, data } = member.applied;
  // A log that is compacted beyond the commit index on disk would not start again.
  if (index > member.durable.hardState.commit) return;
  const term = storageTerm(member.durable, index);
  if (typeof term !== "number") return;
  const snapshot = { index, term, confState, data };
  perform(group, id, { kind: "compact", snapshot });
  compactTo(member.durable, snapshot);
  member.savedApplied = member.applied;
}

/** Delivers the message at `position` of the network, or loses it if its way is cut. */
export function deliver(group: Group, position: number, keep = false): void {
  const message = group.network[position];
  if (message === undefined) return;
  if (!keep) group.network.splice(position, 1);
  const { from, to } = message;
  const arrives = !group.cut.has(`${from}-${to}`) && (group.members.get(to)?.node ?? null) !== null;
  if (arrives) perform(group, to, { kind: "step", message });
  reportOutcome(group, message, arrives);
}

/** Loses the message at `position` of the network. */
export function lose(group: Group, position: number): void {
  const [message] = group.network.splice(position, 1);
  if (message !== undefined) reportOutcome(group, message, false);
}

/** A transport tells what became of a snapshot, or its sender would wait for an answer forever. */
function reportOutcome(group: Group, { type, from, to }: Wire, arrived: boolean): void {
  if (type === "MsgSnap") perform(group, from, { kind: "report-snapshot", to, arrived });
}

/** Does all there is to do, in order, until nothing is left or the bound is reached. */
export function settle(group: Group, bound = 1000): void {
  for (let round = 0; round < bound; round++) {
    let worked = false;
    for (const { id, writes, applies } of group.members.values()) {
      if (handleReady(group, id)) worked = true;
      while (writes.length > 0) finishWork(group, id, "writes");
      while (applies.length > 0) finishWork(group, id, "applies");
    }
    for (let count = group.network.length; count > 0; count--) {
      deliver(group, 0);
      worked = true;
    }
    if (!worked) return;
  }
}

/** Every violation so far, of the states passed through and of the one reached. */
export function violationsOf(group: Group): Violation[] {
  const replicas = [...group.members.values()].map(({ id, node, durable, writes }) => ({
    id,
    node,
    durable,
    writing: writes.length > 0,
  }));
  const found = checkInvariants(replicas, {
    sameEntry: (left, right) => entryText(left) === entryText(right),
  });
  return [...group.violations, ...found];
}

function entryText(entry: Entry<string>): string {
  return `${entry.type} ${JSON.stringify(entry.data)}`;
}

/** The member that leads the highest term, if any runs and leads. */
export function leaderOf(group: Group): Node | null {
  let leader: Node | null = null;
  for (const { node } of group.members.values()) {
    if (node?.role === "leader" && (leader === null || node.term > leader.term)) leader = node;
  }
  return leader;
}
