import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hashState } from "../kernel/index.js";
import { type ConfChange, type ConfChangeType, type RaftId, RaftPanic } from "./index.js";
import {
  crash,
  createGroup,
  deliver,
  finishWork,
  type Group,
  type GroupOptions,
  handleReady,
  leaderOf,
  lose,
  type Mode,
  memberOf,
  perform,
  restart,
  settle,
  takeSnapshot,
  violationsOf,
} from "./testing/group.js";

/** One random event: what happens, and two numbers that say to whom and to what. */
type Event = readonly [kind: number, a: number, b: number];

const event: fc.Arbitrary<Event> = fc.tuple(fc.nat(99), fc.nat(1_000), fc.nat(1_000));

/** Settings that change what the algorithm does, as bits. */
function optionsOf(size: number, bits: number, mode: Mode, seed: number): GroupOptions {
  const has = (bit: number) => (bits & (1 << bit)) !== 0;
  const members = Array.from({ length: size + 1 }, (_, i) => i + 1);
  return {
    members,
    voters: members.slice(0, size),
    mode,
    sabotage: "none",
    seed,
    config: {
      electionTick: 4,
      heartbeatTick: 1,
      maxSizePerMsg: has(0) ? 0 : 64,
      maxInflightMsgs: has(1) ? 2 : 16,
      maxInflightBytes: has(2) ? 64 : 0,
      maxCommittedSizePerReady: has(3) ? 16 : 1_000,
      maxUncommittedEntriesSize: has(4) ? 100 : 0,
      preVote: has(5),
      checkQuorum: has(6),
      asyncStorageWrites: has(7),
      stepDownOnRemoval: has(8),
    },
  };
}

function happen(group: Group, [kind, a, b]: Event): void {
  const { members } = group.options;
  const id: RaftId = members[a % members.length] ?? 1;
  const other: RaftId = members[b % members.length] ?? 1;
  const leader = leaderOf(group)?.id ?? id;
  const { network } = group;
  const anywhere = network.length === 0 ? 0 : a % network.length;
  if (kind < 25) round(group, b % 2 === 0);
  else if (kind < 30) for (let i = 0; i < 6; i++) perform(group, id, { kind: "tick" });
  else if (kind < 42) handleReady(group, id);
  else if (kind < 56) deliver(group, 0);
  else if (kind < 62) deliver(group, anywhere);
  else if (kind < 64) deliver(group, anywhere, true);
  else if (kind < 66) lose(group, anywhere);
  else if (kind < 73) perform(group, b % 4 === 0 ? id : leader, { kind: "propose", data: `p${b}` });
  else if (kind < 76) finishWork(group, id, b % 2 === 0 ? "writes" : "applies");
  else if (kind < 77) crash(group, b % 2 === 0 ? id : leader);
  else if (kind < 78) handleReady(group, id, true);
  else if (kind < 82) restart(group, id);
  else if (kind < 83) isolate(group, b % 2 === 0 ? id : leader);
  else if (kind < 84) group.cut.add(`${id}-${other}`);
  else if (kind < 87) group.cut.clear();
  else if (kind < 89) changeConfig(group, leader, a, b);
  else if (kind < 91) takeSnapshot(group, id);
  else if (kind < 92) perform(group, leader, { kind: "transfer", to: other });
  else if (kind < 93) perform(group, id, { kind: "campaign" });
  else if (kind < 95) perform(group, b % 2 === 0 ? id : leader, { kind: "read", context: `r${b}` });
  else settle(group, 3);
}

/** Everybody does what there is to do once, and what was under way before arrives. */
function round(group: Group, ticks: boolean): void {
  const underWay = group.network.length;
  for (const id of group.members.keys()) {
    if (ticks) perform(group, id, { kind: "tick" });
    handleReady(group, id);
    finishWork(group, id, "writes");
    finishWork(group, id, "applies");
  }
  for (let i = 0; i < underWay; i++) deliver(group, 0);
}

function isolate(group: Group, id: RaftId): void {
  for (const other of group.members.keys()) {
    group.cut.add(`${id}-${other}`);
    group.cut.add(`${other}-${id}`);
  }
}

const CHANGES: readonly ConfChangeType[] = [
  "add-node",
  "add-learner-node",
  "remove-node",
  "update-node",
];

function changeConfig(group: Group, id: RaftId, a: number, b: number): void {
  const { members } = group.options;
  const changeAt = (n: number) => ({
    type: CHANGES[n % CHANGES.length] ?? "add-node",
    nodeId: members[n % members.length] ?? 1,
  });
  const transitions = ["auto", "joint-implicit", "joint-explicit"] as const;
  const first = changeAt(a);
  const change: ConfChange<string> = {
    version: 2,
    // An empty change with another transition passes for leaving and then breaks who applies it.
    transition: b % 4 === 0 ? "auto" : (transitions[b % 3] ?? "auto"),
    changes: b % 4 === 0 ? [] : b % 2 === 0 ? [first] : [first, changeAt(b)],
    context: null,
    contextBytes: 0,
  };
  // A change that would leave nobody to vote is accepted by raft, and then breaks the member that applies it.
  const removed = change.changes.filter(({ type }) => type !== "add-node").map((c) => c.nodeId);
  if (removed.length < 2 && removed.every((r) => voters(group, id) > 1 || r === 0)) {
    perform(group, id, { kind: "propose-conf-change", change });
  }
}

function voters(group: Group, id: RaftId): number {
  return memberOf(group, id).node?.tracker.config.incoming.length ?? 0;
}

function run(options: GroupOptions, events: readonly Event[]): Group {
  const group = createGroup(options);
  for (const [i, item] of events.entries()) {
    happen(group, item);
    if (i % 8 === 0) expect(violationsOf(group)).toEqual([]);
  }
  expect(violationsOf(group)).toEqual([]);
  return group;
}

/** Everything runs and can talk again, until somebody leads and everybody has caught up. */
function heal(group: Group): void {
  group.cut.clear();
  for (const id of group.members.keys()) restart(group, id);
  for (let round = 0; round < 60; round++) {
    for (const id of group.members.keys()) perform(group, id, { kind: "tick" });
    settle(group, 50);
  }
}

const groups = fc.record({
  size: fc.constantFrom(1, 3, 5),
  bits: fc.nat(511),
  seed: fc.nat(),
  events: fc.array(event, { minLength: 100, maxLength: 800, size: "max" }),
});

test("loss, doubling, reordering, crashes, cuts and new configurations never break an invariant", () => {
  fc.assert(
    fc.property(groups, ({ size, bits, seed, events }) => {
      const group = run(optionsOf(size, bits, "in-place", seed), events);
      heal(group);
      expect(violationsOf(group)).toEqual([]);
    }),
    { numRuns: 150 },
  );
}, 60_000);

test("once everything runs and talks again, somebody leads and a proposal is applied by every voter", () => {
  fc.assert(
    fc.property(groups, ({ size, bits, seed, events }) => {
      const withoutChanges = events.filter(([kind]) => kind < 87 || kind >= 89);
      const group = run(optionsOf(size, bits, "in-place", seed), withoutChanges);
      heal(group);
      const leader = leaderOf(group);
      expect(leader).not.toBeNull();
      perform(group, leader?.id ?? 1, { kind: "propose", data: "last" });
      for (let round = 0; round < 5; round++) {
        settle(group, 50);
        for (const id of group.members.keys()) perform(group, id, { kind: "tick" });
      }
      for (const id of group.options.voters) {
        expect(memberOf(group, id).applied.data).toMatch(/last;$/);
      }
    }),
    { numRuns: 100 },
  );
}, 60_000);

test("a run in place and a run on immutable states come to the same states, facts and messages", () => {
  fc.assert(
    fc.property(groups, ({ size, bits, seed, events }) => {
      const some = events.slice(0, 120);
      const owned = run(optionsOf(size, bits, "in-place", seed), some);
      const shared = run(optionsOf(size, bits, "immutable", seed), some);
      expect(shared.facts).toEqual(owned.facts);
      expect(shared.network).toEqual(owned.network);
      for (const { id, node } of owned.members.values()) {
        const twin = memberOf(shared, id).node;
        expect(twin === null ? null : hashState(twin)).toBe(node === null ? null : hashState(node));
      }
    }),
    { numRuns: 30 },
  );
}, 60_000);

/** Elections, one soon after the other, by members that crash and come back. */
function elect(group: Group, [kind, a, b]: Event): void {
  const id = 1 + (a % 3);
  if (kind < 4) for (let i = 0; i < 24; i++) perform(group, 1 + (i % 3), { kind: "tick" });
  else if (kind < 40) handleReady(group, id);
  else if (kind < 90) deliver(group, group.network.length === 0 ? 0 : b % group.network.length);
  else {
    crash(group, id);
    restart(group, id);
  }
}

/** How many of some random runs of a group whose disks forget are noticed. */
function noticed(
  sabotage: GroupOptions["sabotage"],
  each: (group: Group, item: Event) => void,
  numRuns: number,
): number {
  let count = 0;
  fc.assert(
    fc.property(groups, ({ seed, events }) => {
      const group = createGroup({ ...optionsOf(3, 0, "in-place", seed), sabotage });
      try {
        for (const item of events) each(group, item);
      } catch (error) {
        // A member that finds its log shorter than what it had acknowledged gives up.
        if (!(error instanceof RaftPanic)) throw error;
        count++;
        return;
      }
      if (violationsOf(group).length > 0) count++;
    }),
    { numRuns, seed: 1 },
  );
  return count;
}

test("a member that forgets its vote in a crash lets two lead in one term, and the history notices", () => {
  const group = createGroup({
    ...optionsOf(3, 0, "in-place", 7),
    members: [1, 2, 3],
    sabotage: "forget-vote",
  });
  // 1 wins with the vote of 2, which crashes and forgets it; then 3 wins the same term with the vote of 2.
  group.cut.add("1-3");
  perform(group, 1, { kind: "campaign" });
  for (const id of [1, 2, 1, 1]) {
    handleReady(group, id);
    while (group.network.length > 0) deliver(group, 0);
  }
  expect(memberOf(group, 1).node?.role).toBe("leader");
  expect(group.violations).toEqual([]);
  crash(group, 2);
  restart(group, 2);
  group.cut.add("1-2");
  perform(group, 3, { kind: "campaign" });
  for (const id of [3, 2, 3, 3]) {
    handleReady(group, id);
    while (group.network.length > 0) deliver(group, 0);
  }
  expect(group.violations.map(({ invariant }) => invariant)).toEqual(["election-safety"]);
});

test("random elections notice a disk that forgets votes, and no other disk", () => {
  expect(noticed("forget-vote", elect, 200)).toBeGreaterThan(0);
  expect(noticed("none", elect, 200)).toBe(0);
}, 60_000);

test("random runs notice a disk that forgets entries", () => {
  expect(noticed("forget-entries", happen, 50)).toBeGreaterThan(0);
}, 60_000);
