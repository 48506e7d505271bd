import { expect, test } from "vitest";
import { createGenerator } from "../kernel/index.js";
import {
  advance,
  append,
  bootstrap,
  checkInvariants,
  createMemoryStorage,
  createRawNode,
  type Entry,
  GroupHistory,
  NO_LIMIT,
  type RaftId,
  type Replica,
  ready,
} from "./index.js";
import { createGroup, type Group, memberOf, type Node, perform, settle } from "./testing/group.js";

/** Three members, of which 1 leads in term 1, with four applied entries after the snapshot at 1. */
function healthy(): Group {
  const group = createGroup({
    members: [1, 2, 3],
    voters: [1, 2, 3],
    config: { electionTick: 10, heartbeatTick: 1, maxSizePerMsg: NO_LIMIT, maxInflightMsgs: 8 },
    mode: "in-place",
    sabotage: "none",
    seed: 1,
  });
  perform(group, 1, { kind: "campaign" });
  settle(group);
  for (const data of ["a", "b", "c"]) perform(group, 1, { kind: "propose", data });
  settle(group);
  return group;
}

function node(group: Group, id: number): Node {
  const found = memberOf(group, id).node;
  if (found === null) throw new Error(`${id} is down`);
  return found;
}

/** Names of what is broken, while some members are writing; all are looked at unless one alone has changed. */
function broken(group: Group, writing: readonly RaftId[] = [], changed?: RaftId): string[] {
  const replicas = [...group.members.values()].map((member) => ({
    id: member.id,
    node: member.node,
    durable: member.durable,
    writing: writing.includes(member.id),
  }));
  const found = checkInvariants(replicas, changed === undefined ? {} : { changed });
  return [...new Set(found.map(({ invariant }) => invariant))].sort();
}

function entry(term: number, index: number, data: string): Entry<string> {
  return { type: "EntryNormal", term, index, data, payloadBytes: data.length, typePresent: false };
}

test("a healthy group breaks no invariant, whoever is down", () => {
  const group = healthy();
  expect(broken(group)).toEqual([]);
  for (const id of [1, 2, 3]) {
    memberOf(group, id).node = null;
    expect(broken(group)).toEqual([]);
  }
});

test("two leaders of one term are noticed", () => {
  const group = healthy();
  node(group, 2).role = "leader";
  expect(broken(group)).toContain("one-leader-per-term");
});

test("commits of different entries at one index are noticed", () => {
  const group = healthy();
  const { entries } = node(group, 3).log.storage;
  entries[entries.length - 1] = entry(2, 5, "c");
  expect(broken(group)).toContain("committed-logs-agree");
});

test("different entries of one index and term are noticed", () => {
  const group = healthy();
  node(group, 3).log.storage.entries[2] = entry(1, 4, "other");
  expect(broken(group)).toEqual(["log-matching"]);
});

test("an index of a leader's term that the leader does not have is noticed", () => {
  const group = healthy();
  node(group, 3).log.storage.entries.push(entry(1, 6, "d"));
  expect(broken(group)).toContain("leader-holds-its-term");
});

test("a commit that a quorum's logs do not hold is noticed", () => {
  const group = healthy();
  for (const id of [2, 3]) {
    const { log } = node(group, id);
    log.storage.entries.pop();
    log.unstable.offset--;
    log.unstable.offsetInProgress--;
    log.committed = 4;
    log.applied = 4;
  }
  expect(broken(group)).toEqual(["electable-holds-committed", "quorum-holds-committed"]);
});

test("a commit that is in memory at a quorum but not on its disks is noticed", () => {
  const group = healthy();
  for (const id of [2, 3]) memberOf(group, id).durable.entries.pop();
  expect(broken(group)).toEqual(["committed-is-durable"]);
});

/** Three founders whose logs `bootstrap` has filled, of which the first alone has written. */
function founded(): Replica<string, string>[] {
  const peers = [1, 2, 3].map((id) => ({ id, context: null, contextBytes: 0 }));
  return peers.map(({ id }) => {
    const storage = createMemoryStorage<string, string>();
    const sizes = { maxSizePerMsg: NO_LIMIT, maxInflightMsgs: 8 };
    const config = { id, electionTick: 10, heartbeatTick: 1, ...sizes };
    const founder = createRawNode(config, storage, createGenerator(id, "founder"), []);
    bootstrap(founder, peers, []);
    if (id === 1) {
      append(storage, ready(founder, []).entries);
      advance(founder, []);
    }
    return { id, node: founder, durable: storage, writing: id !== 1 };
  });
}

test("what a group is founded with is committed before it is on a quorum's disks, and nothing after it", () => {
  const founders = founded();
  expect(founders[0]?.node?.log).toMatchObject({ committed: 3, applied: 3 });
  expect(checkInvariants(founders)).toEqual([]);
  const log = founders[0]?.node?.log;
  log?.storage.entries.push(entry(2, 4, ""));
  if (log !== undefined) Object.assign(log, { committed: 4, applied: 4 });
  const names = checkInvariants(founders).map(({ invariant }) => invariant);
  expect(names).toEqual(expect.arrayContaining(["quorum-holds-committed", "committed-is-durable"]));
});

test("a leader of a later term that lacks what is committed is noticed", () => {
  const group = healthy();
  const usurper = node(group, 3);
  usurper.log.storage.entries.length = 2;
  usurper.log.unstable.offset = 4;
  usurper.log.unstable.offsetInProgress = 4;
  usurper.log.unstable.entries.push(entry(2, 4, ""));
  usurper.log.unstable.offsetInProgress = 5;
  usurper.log.committed = 3;
  usurper.log.applied = 3;
  usurper.role = "leader";
  usurper.term = 2;
  node(group, 1).role = "follower";
  expect(broken(group)).toContain("leader-completeness");
});

test("a leader that commits before it writes is noticed unless it is writing", () => {
  const group = healthy();
  memberOf(group, 1).durable.entries.pop();
  expect(broken(group, [1])).toEqual([]);
  expect(broken(group, [2])).toEqual(["leader-committed-is-durable"]);
});

test("of a member that alone has changed, all is noticed that concerns it", () => {
  const group = healthy();
  node(group, 3).log.storage.entries[2] = entry(1, 4, "other");
  expect(broken(group, [], 3)).toEqual(["log-matching"]);
  expect(broken(group, [], 1)).toEqual(["log-matching"]);
  node(group, 3).log.storage.entries[2] = node(group, 1).log.storage.entries[2] ?? entry(1, 4, "b");
  expect(broken(group, [], 3)).toEqual([]);
});

test("the history remembers who led a term after that leader is gone", () => {
  const history = new GroupHistory(8);
  const group = healthy();
  expect(history.recordLeader(1, node(group, 1))).toEqual([]);
  expect(history.recordLeader(1, node(group, 1))).toEqual([]);
  expect(history.recordLeader(2, node(group, 2), 2)).toEqual([]);
  expect(history.recordLeader(2, node(group, 2), 1)).toMatchObject([
    { invariant: "election-safety", members: [1, 2], term: 1 },
  ]);
});

const applied = (index: number, term: number, hashX = 0, hashY = 0) => {
  return { index, term, hashX, hashY };
};

test("the history notices a leader that lacks what was applied elsewhere, unless it was elected late", () => {
  const history = new GroupHistory(8);
  const group = healthy();
  for (let index = 1; index <= 6; index++) history.recordApplied(2, applied(index, 2));
  const { log } = node(group, 1);
  expect(log.committed).toBe(5);
  expect(history.recordLeader(1, node(group, 1), 1)).toEqual([]);
  expect(history.recordLeader(1, node(group, 1), 2)).toMatchObject([
    { invariant: "leader-completeness", members: [1], index: 6 },
  ]);
});

test("the history notices two members that apply different entries at one index", () => {
  const history = new GroupHistory(8);
  expect(history.recordApplied(1, applied(1, 1, 7))).toBeNull();
  expect(history.recordApplied(2, applied(1, 1, 7))).toBeNull();
  expect(history.recordApplied(3, applied(1, 1, 8))).toMatchObject({
    invariant: "state-machine-safety",
    members: [1, 3],
  });
  expect(history.recordApplied(3, applied(1, 1, 7, 1))).not.toBeNull();
  expect(history.recordApplied(3, applied(1, 2, 7))).not.toBeNull();
  expect(history.recordApplied(1, applied(3, 1, 9))).toBeNull();
});

test("the history forgets what is further back than it was told to remember", () => {
  const history = new GroupHistory(8);
  history.recordApplied(1, applied(1, 1, 7));
  history.recordApplied(1, applied(9, 1, 7));
  expect(history.recordApplied(2, applied(1, 5, 5))).toBeNull();
  expect(history.recordApplied(2, applied(9, 5, 5))?.invariant).toBe("state-machine-safety");
});
