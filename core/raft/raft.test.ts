import { expect, test } from "vitest";
import { createGenerator } from "../kernel/index.js";
import {
  advance,
  bootstrap,
  campaign,
  confChangeEntry,
  confChangeOf,
  createMemoryStorage,
  createRawNode,
  type Entry,
  entrySize,
  hasReady,
  NO_LIMIT,
  propose,
  proposedEntry,
  proposeEntries,
  type RaftConfig,
  type RaftFact,
  RaftPanic,
  type RawNode,
  ready,
  reportUnreachable,
  status,
  step,
  storageEntries,
} from "./index.js";
import { addInflight, createInflights, freeInflights, inflightsFull } from "./inflights.js";
import {
  crash,
  createGroup,
  deliver,
  type Group,
  type GroupOptions,
  handleReady,
  leaderOf,
  memberOf,
  perform,
  restart,
  settle,
  takeSnapshot,
} from "./testing/group.js";

const BASE: GroupOptions["config"] = {
  electionTick: 10,
  heartbeatTick: 1,
  maxSizePerMsg: NO_LIMIT,
  maxInflightMsgs: 256,
};

/** Three voters; 1 leads, and everybody has applied all there is. */
function groupOfThree(config: Partial<GroupOptions["config"]> = {}): Group {
  const group = createGroup({
    members: [1, 2, 3],
    voters: [1, 2, 3],
    config: { ...BASE, ...config },
    mode: "in-place",
    sabotage: "none",
    seed: 1,
  });
  perform(group, 1, { kind: "campaign" });
  settle(group);
  expect(leaderOf(group)?.id).toBe(1);
  return group;
}

function nodeOf(group: Group, id: number): RawNode<string, string> {
  const { node } = memberOf(group, id);
  if (node === null) throw new Error(`${id} is down`);
  return node;
}

function kindsOf(group: Group, id: number): string[] {
  return group.facts.filter((item) => item.id === id).map(({ fact }) => fact.kind);
}

function alone(config: Partial<RaftConfig> = {}): RawNode<string, string> {
  const storage = createMemoryStorage<string, string>();
  const facts: RaftFact[] = [];
  return createRawNode({ ...BASE, id: 1, ...config }, storage, createGenerator(1, "one"), facts);
}

test("a safe read is answered only after a quorum has confirmed that the leader still leads", () => {
  const group = groupOfThree();
  perform(group, 1, { kind: "read", context: "a" });
  handleReady(group, 1);
  expect(group.reads).toEqual([]);
  settle(group);
  expect(group.reads).toEqual([{ id: 1, context: "a", index: nodeOf(group, 1).log.committed }]);
});

test("one round of heartbeats confirms every read that waited when it began", () => {
  const group = groupOfThree();
  for (const context of ["a", "b", "c"]) perform(group, 1, { kind: "read", context });
  const beats = ready(nodeOf(group, 1), []).messages.filter(({ to }) => to === 2);
  expect(beats.map(({ readPosition }) => readPosition)).toEqual([1, 2, 3]);
  const last = beats.at(-1);
  if (last === undefined) throw new Error("no heartbeat");
  perform(group, 2, { kind: "step", message: last });
  const [response] = ready(nodeOf(group, 2), []).messages;
  if (response === undefined) throw new Error("no response");
  perform(group, 1, { kind: "step", message: response });
  expect(nodeOf(group, 1).readStates.map(({ context }) => context)).toEqual(["a", "b", "c"]);
});

test("a read that a follower takes is answered by the leader and comes back with its context", () => {
  const group = groupOfThree();
  perform(group, 2, { kind: "read", context: "from 2" });
  settle(group);
  expect(group.reads).toEqual([
    { id: 2, context: "from 2", index: nodeOf(group, 1).log.committed },
  ]);
});

test("a new leader keeps reads back until it has committed an entry of its own term", () => {
  const group = groupOfThree();
  group.cut.add("1-2");
  perform(group, 2, { kind: "campaign" });
  for (const id of [2, 3, 2]) {
    handleReady(group, id);
    for (let count = group.network.length; count > 0; count--) deliver(group, 0);
  }
  expect(nodeOf(group, 2).role).toBe("leader");
  perform(group, 2, { kind: "read", context: "early" });
  expect(nodeOf(group, 2).pendingReads).toHaveLength(1);
  settle(group);
  expect(group.reads.map(({ context }) => context)).toEqual(["early"]);
});

test("a read with a lease is answered at once", () => {
  const group = groupOfThree({ checkQuorum: true, readOnlyOption: "lease-based" });
  perform(group, 1, { kind: "read", context: "now" });
  expect(nodeOf(group, 1).readStates.map(({ context }) => context)).toEqual(["now"]);
});

test("lease-based reads without a checked quorum are refused with etcd's words", () => {
  expect(() => alone({ readOnlyOption: "lease-based" })).toThrow(RaftPanic);
  expect(() => alone({ readOnlyOption: "lease-based" })).toThrow(
    "CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased",
  );
});

test("a leader cut off from its quorum steps down within two election timeouts", () => {
  const group = groupOfThree({ checkQuorum: true });
  for (let i = 0; i < 20; i++) perform(group, 1, { kind: "tick" });
  expect(nodeOf(group, 1).role).toBe("follower");
  expect(kindsOf(group, 1)).toContain("raft.quorum-lost");
});

test("a follower within its lease ignores a campaign, and takes part in one its leader asked for", () => {
  const group = groupOfThree({ checkQuorum: true });
  perform(group, 3, { kind: "campaign" });
  settle(group);
  expect(kindsOf(group, 2)).toContain("raft.vote-ignored-in-lease");
  const again = groupOfThree({ checkQuorum: true });
  perform(again, 1, { kind: "transfer", to: 3 });
  settle(again);
  expect(leaderOf(again)?.id).toBe(3);
});

test("a member that was cut off and asks before it campaigns does not depose the leader", () => {
  const group = groupOfThree({ preVote: true, checkQuorum: true });
  const { term } = nodeOf(group, 1);
  for (let i = 0; i < 100; i++) perform(group, 3, { kind: "tick" });
  expect(nodeOf(group, 3).role).toBe("pre-candidate");
  settle(group);
  perform(group, 1, { kind: "tick" });
  settle(group);
  expect([leaderOf(group)?.id, nodeOf(group, 3).term]).toEqual([1, term]);
  expect(nodeOf(group, 3).lead).toBe(1);
});

test("a follower that may not forward drops proposals", () => {
  const group = groupOfThree({ disableProposalForwarding: true });
  const facts: RaftFact[] = [];
  expect(propose(nodeOf(group, 2), "x", 1, facts)).toBe("proposal-dropped");
  expect(facts).toEqual([{ kind: "raft.proposal-not-forwarded", lead: 1, term: 1 }]);
});

test("a leader takes one proposal over the limit on uncommitted payload, and no second one", () => {
  const group = groupOfThree({ maxUncommittedEntriesSize: 10 });
  const leader = nodeOf(group, 1);
  const facts: RaftFact[] = [];
  expect(propose(leader, "a".repeat(50), 50, facts)).toBeNull();
  expect(propose(leader, "b", 1, facts)).toBe("proposal-dropped");
  expect(propose(leader, null, 0, facts)).toBeNull();
  settle(group);
  expect(leader.uncommittedSize).toBe(0);
  expect(propose(leader, "b", 1, facts)).toBeNull();
});

test("appends in flight stop at the limit in bytes and go on when acknowledged", () => {
  const group = groupOfThree({ maxSizePerMsg: 0, maxInflightBytes: 20 });
  const leader = nodeOf(group, 1);
  for (let i = 0; i < 5; i++) propose(leader, "0123456789", 10, []);
  const sent = () => leader.messages.filter(({ to, type }) => to === 2 && type === "MsgApp");
  expect(sent().map(({ entries }) => entries.length)).toEqual([1, 1]);
  expect(status(leader).progress[1]?.view).toMatchObject({ inflight: 2, inflightFull: true });
  settle(group);
  expect(memberOf(group, 2).applied.data).toBe(memberOf(group, 1).applied.data);
});

test("what is handed out for application stops at its limit until some of it is applied", () => {
  const entry = { ...proposedEntry("0123456789", 10), term: 1, index: 3 };
  const group = groupOfThree({ maxCommittedSizePerReady: 2 * entrySize(entry) });
  const leader = nodeOf(group, 1);
  proposeEntries(
    leader,
    Array.from({ length: 5 }, () => proposedEntry("0123456789", 10)),
    [],
  );
  const counts: number[] = [];
  for (const id of [1, 2, 1]) {
    const before = memberOf(group, 1).applied.data.length;
    handleReady(group, id);
    counts.push((memberOf(group, 1).applied.data.length - before) / 11);
    for (let count = group.network.length; count > 0; count--) deliver(group, 0);
  }
  expect(counts).toEqual([0, 0, 2]);
  settle(group);
  expect(memberOf(group, 1).applied.index).toBe(7);
});

test("a peer that lags behind the log gets a snapshot and goes on from there", () => {
  const group = groupOfThree();
  crash(group, 3);
  for (let i = 0; i < 5; i++) perform(group, 1, { kind: "propose", data: `p${i}` });
  settle(group);
  takeSnapshot(group, 1);
  restart(group, 3);
  for (let i = 0; i < 3; i++) {
    perform(group, 1, { kind: "tick" });
    settle(group);
  }
  expect(memberOf(group, 3).applied).toEqual(memberOf(group, 1).applied);
  expect(kindsOf(group, 1)).toContain("raft.snapshot-sent");
});

test("a leader waits while a snapshot is not available, and sends it once it is", () => {
  const group = groupOfThree();
  crash(group, 3);
  perform(group, 1, { kind: "propose", data: "p" });
  settle(group);
  takeSnapshot(group, 1);
  restart(group, 3);
  nodeOf(group, 1).log.storage.offered = "temporarily-unavailable";
  const beat = () => {
    perform(group, 1, { kind: "tick" });
    settle(group);
  };
  beat();
  expect(kindsOf(group, 1)).toContain("raft.snapshot-temporarily-unavailable");
  nodeOf(group, 1).log.storage.offered = null;
  beat();
  beat();
  expect(memberOf(group, 3).applied).toEqual(memberOf(group, 1).applied);
});

test("an unreachable peer is probed, not fed", () => {
  const group = groupOfThree();
  const facts: RaftFact[] = [];
  reportUnreachable(nodeOf(group, 1), 2, facts);
  expect(facts).toMatchObject([{ kind: "raft.peer-unreachable", peer: 2 }]);
  expect(status(nodeOf(group, 1)).progress[1]?.view.state).toBe("probe");
});

test("messages that only a member's own runtime may send are refused from the network", () => {
  const group = groupOfThree();
  const [message] = [...nodeOf(group, 1).messages];
  expect(message).toBeUndefined();
  perform(group, 1, { kind: "tick" });
  const [beat] = ready(nodeOf(group, 1), []).messages;
  if (beat === undefined) throw new Error("no heartbeat");
  const node = nodeOf(group, 2);
  expect(step(node, { ...beat, type: "MsgHup", from: 3, term: 0 }, [])).toBe("local-message");
  expect(step(node, { ...beat, type: "MsgAppResp", from: 9 }, [])).toBe("peer-not-found");
});

test("members that begin with the same peers hand their addition out as committed in term 1", () => {
  const node = alone();
  const facts: RaftFact[] = [];
  const peers = [1, 2].map((id) => ({ id, context: `member ${id}`, contextBytes: 8 }));
  expect(bootstrap(node, peers, facts)).toBeNull();
  const { committedEntries, hardState, entries } = ready(node, []);
  expect(hardState).toEqual({ term: 1, vote: 0, commit: 2 });
  expect(entries).toEqual(committedEntries);
  expect(committedEntries.map(confChangeOf)).toMatchObject([
    { type: "add-node", nodeId: 1, context: "member 1" },
    { type: "add-node", nodeId: 2, context: "member 2" },
  ]);
  expect(bootstrap(alone(), [], facts)).toBe("must provide at least one peer to Bootstrap");
});

test("a single member leads only once its own vote is on disk", () => {
  const node = alone();
  const facts: RaftFact[] = [];
  bootstrap(node, [{ id: 1, context: null, contextBytes: 0 }], facts);
  ready(node, []);
  advance(node, facts);
  campaign(node, facts);
  expect(node.role).toBe("candidate");
  expect(ready(node, []).mustSync).toBe(true);
  expect(node.stepsOnAdvance.map(({ type }) => type)).toContain("MsgVoteResp");
});

test("a Ready is not due when nothing has happened", () => {
  const group = groupOfThree();
  expect([1, 2, 3].map((id) => hasReady(nodeOf(group, id)))).toEqual([false, false, false]);
  expect(hasReady(alone())).toBe(false);
});

test("what has been handed out does not change afterwards", () => {
  const group = groupOfThree({ asyncStorageWrites: true });
  const leader = nodeOf(group, 1);
  propose(leader, "a", 1, []);
  const first = ready(leader, []);
  const copy = structuredClone(first);
  propose(leader, "b", 1, []);
  perform(group, 1, { kind: "tick" });
  ready(leader, []);
  expect(first).toEqual(copy);
});

test.each([
  ["a proposal spells its type out less", proposedEntry<string>("abc", 3), 1, 1, 9],
  ["a varint grows with the index", proposedEntry<string>("abc", 3), 1, 300, 10],
  ["an empty entry has no payload at all", proposedEntry<string>(null, 0), 2, 7, 4],
  [
    "a conf change that leaves by itself has a type and no payload",
    confChangeEntry<string>(null),
    1,
    1,
    6,
  ],
])(
  "the encoded size of an entry is that of raftpb: %s",
  (_, entry: Entry<string>, term, index, size) => {
    expect(entrySize({ ...entry, term, index })).toBe(size);
  },
);

test("the encoded size of a conf change counts every field etcd's constructors set", () => {
  const change = {
    version: 2,
    transition: "joint-explicit",
    changes: [
      { type: "add-node", nodeId: 5 },
      { type: "remove-node", nodeId: 300 },
    ],
    context: null,
    contextBytes: 0,
  } as const;
  // 2 for the transition, 2 + (2 + 2) and 2 + (2 + 3) for the changes.
  expect(confChangeEntry<string>(change).payloadBytes).toBe(15);
});

test("a window in flight frees from its front, whatever way the ring is turned", () => {
  const inflights = createInflights(5, 100);
  for (let turn = 0; turn < 7; turn++) {
    const base = 10 * turn;
    for (let i = 1; i <= 3; i++) addInflight(inflights, base + i, 30);
    expect([inflights.count, inflights.bytes, inflightsFull(inflights)]).toEqual([3, 90, false]);
    addInflight(inflights, base + 4, 10);
    expect(inflightsFull(inflights)).toBe(true);
    freeInflights(inflights, base);
    expect(inflights.count).toBe(4);
    freeInflights(inflights, base + 2);
    expect([inflights.count, inflights.bytes]).toEqual([2, 40]);
    freeInflights(inflights, base + 9);
    expect([inflights.count, inflights.bytes]).toEqual([0, 0]);
  }
  for (let i = 0; i < 5; i++) addInflight(inflights, 100 + i, 0);
  expect(() => addInflight(inflights, 200, 0)).toThrow("cannot add into a Full inflights");
});

test("a storage answers what is compacted, what is there and what is not", () => {
  const group = groupOfThree();
  perform(group, 1, { kind: "propose", data: "p" });
  settle(group);
  takeSnapshot(group, 1);
  perform(group, 1, { kind: "propose", data: "q" });
  settle(group);
  const { storage } = nodeOf(group, 1).log;
  const { compactedIndex } = storage;
  expect(storageEntries(storage, compactedIndex, compactedIndex + 1, NO_LIMIT)).toBe("compacted");
  const found = storageEntries(storage, compactedIndex + 1, compactedIndex + 2, NO_LIMIT);
  expect(found).toMatchObject([{ data: "q", index: compactedIndex + 1 }]);
  expect(() => storageEntries(storage, compactedIndex + 1, 99, NO_LIMIT)).toThrow("out of bound");
});
