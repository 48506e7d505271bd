import { expect, test } from "vitest";
import {
  checkInvariants,
  createInvariantHistory,
  type Entry,
  forgetApplied,
  NO_LIMIT,
  recordApplied,
  recordLeader,
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

function broken(group: Group, leaderWritesFirst = true): string[] {
  const replicas = [...group.members.values()].map((member) => ({
    id: member.id,
    node: member.node,
    durable: member.durable,
  }));
  const found = checkInvariants(replicas, { leaderWritesFirst });
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
  expect(broken(group)).toContain("election-safety");
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

test("a leader that commits before it writes is noticed only where leaders write first", () => {
  const group = healthy();
  memberOf(group, 1).durable.entries.pop();
  expect(broken(group, false)).toEqual([]);
  expect(broken(group, true)).toEqual(["leader-committed-is-durable"]);
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

test("the history remembers who led a term after that leader is gone", () => {
  const history = createInvariantHistory();
  const group = healthy();
  expect(recordLeader(history, node(group, 1))).toBeNull();
  expect(recordLeader(history, node(group, 1))).toBeNull();
  expect(recordLeader(history, { ...node(group, 2), term: 1 })?.invariant).toBe(
    "one-leader-per-term",
  );
});

test("the history notices a leader that lacks what was applied elsewhere", () => {
  const history = createInvariantHistory();
  const group = healthy();
  for (let index = 1; index <= 6; index++) recordApplied(history, 2, index, 1, 0);
  expect(recordLeader(history, node(group, 1))?.invariant).toBe("leader-completeness");
});

test("the history notices two members that apply different entries at one index", () => {
  const history = createInvariantHistory();
  expect(recordApplied(history, 1, 1, 1, 7)).toBeNull();
  expect(recordApplied(history, 2, 1, 1, 7)).toBeNull();
  expect(recordApplied(history, 3, 1, 1, 8)?.invariant).toBe("state-machine-safety");
  expect(recordApplied(history, 3, 1, 2, 7)?.invariant).toBe("state-machine-safety");
  expect(recordApplied(history, 1, 2, 1, 9)).toBeNull();
  forgetApplied(history, 2);
  expect(recordApplied(history, 3, 1, 5, 5)).toBeNull();
  expect(recordApplied(history, 3, 2, 5, 5)?.invariant).toBe("state-machine-safety");
});
