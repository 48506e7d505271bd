import { expect, test } from "vitest";
import type { HostState } from "../host/index.js";
import { etcdConfig, hostConfigOf, initialCluster, TestCluster } from "../host/testing/cluster.js";
import { RAFT_INVARIANTS } from "../raft/index.js";
import { InvariantMonitor, raftClustersOf, raftStatesOf } from "./index.js";

/** Three members at rest, with a leader and what they published committed. */
function settled(): { readonly hosts: HostState[]; readonly leader: number } {
  const list = initialCluster([0, 1, 2]);
  const configs = [0, 1, 2].map((i) =>
    hostConfigOf(i, { cloudConfig: etcdConfig({ name: `h${i}`, "initial-cluster": list }) }),
  );
  const cluster = new TestCluster(configs).powerOn().run(15);
  return { hosts: [...cluster.hosts], leader: cluster.leader() ?? 0 };
}

/** A running member and its disk, to be bent. */
function memberOf(host: HostState | undefined) {
  const member = host?.member ?? null;
  if (member === null || member.run === null) throw new Error("the member does not run");
  return { run: member.run, node: member.run.node, durable: member.disk.durable };
}

type Member = ReturnType<typeof memberOf>;

/** Makes a member forget its last entry, on disk too. */
function forgetLast({ node, durable }: Member): void {
  const { log } = node;
  log.storage.entries.pop();
  durable.entries.pop();
  log.unstable.offset--;
  log.unstable.offsetInProgress--;
  log.committed--;
  log.applied--;
}

/** One way to break each invariant of a state: the leader, and two others. */
const PLANTED: Readonly<Record<string, (leader: Member, other: Member, third: Member) => void>> = {
  "raft-committed-logs-agree": (_, { node }) => {
    const { entries } = node.log.storage;
    const last = entries.at(-1);
    if (last !== undefined) entries[entries.length - 1] = { ...last, term: last.term + 7 };
  },
  "raft-one-leader-per-term": (_, { node }) => {
    node.role = "leader";
  },
  "raft-leader-holds-its-term": ({ node: { term } }, { node }) => {
    const { entries } = node.log.storage;
    const last = entries.at(-1);
    if (last !== undefined) entries.push({ ...last, term, index: last.index + 1 });
  },
  "raft-log-matching": (_, { node }) => {
    const { entries } = node.log.storage;
    const early = entries[1];
    if (early !== undefined) entries[1] = { ...early, payloadBytes: early.payloadBytes + 1 };
  },
  "raft-quorum-holds-committed": (_, other, third) => {
    forgetLast(other);
    forgetLast(third);
  },
  "raft-electable-holds-committed": (_, other, third) => {
    forgetLast(other);
    forgetLast(third);
  },
  "raft-leader-completeness": (leader) => forgetLast(leader),
  "raft-leader-committed-is-durable": ({ durable }) => {
    durable.entries.pop();
  },
  "raft-committed-is-durable": (_, other, third) => {
    other.durable.entries.pop();
    third.durable.entries.pop();
  },
};

function bent(name: string): { readonly hosts: readonly HostState[]; readonly leader: number } {
  const { hosts, leader } = settled();
  const [one, other, third] = [0, 1, 2].map((i) => memberOf(hosts[(leader + i) % 3]));
  if (one !== undefined && other !== undefined && third !== undefined) {
    PLANTED[name]?.(one, other, third);
  }
  return { hosts, leader };
}

test("members at rest break nothing, looked at after every step", () => {
  const { hosts } = settled();
  const monitor = new InvariantMonitor(hosts, "every-step");
  for (const host of [0, 1, 2]) monitor.afterStep(host, 0, host);
  expect(monitor.violations).toEqual([]);
});

test.each(Object.keys(PLANTED))("%s: a breach is seen at the step that makes it", (name) => {
  const { hosts, leader } = bent(name);
  const monitor = new InvariantMonitor(hosts, "every-step");
  monitor.afterStep((leader + 1) % 3, 5, 9);
  const found = monitor.violations.find(({ invariant }) => invariant === name);
  expect(found).toMatchObject({ at: 5, seq: 9 });
  expect(found?.hosts.every((host) => host >= 0 && host < 3)).toBe(true);
});

test("every invariant of a state has a breach planted here; the two of the past have theirs beside the monitor", () => {
  const ofThePast = ["raft-election-safety", "raft-state-machine-safety"];
  const names = Object.keys(RAFT_INVARIANTS).map((name) => `raft-${name}`);
  expect([...Object.keys(PLANTED), ...ofThePast].sort()).toEqual(names.sort());
});

test("a monitor that looks at events sees nothing of that", () => {
  const { hosts, leader } = bent("raft-committed-is-durable");
  const monitor = new InvariantMonitor(hosts);
  monitor.afterStep((leader + 1) % 3, 5, 9);
  expect(monitor.violations).toEqual([]);
});

test("a leader that is writing may have committed more than it has on disk", () => {
  const { hosts, leader } = bent("raft-leader-committed-is-durable");
  const { run } = memberOf(hosts[leader]);
  const ready = {
    softState: null,
    hardState: null,
    readStates: [],
    entries: [],
    snapshot: null,
    committedEntries: [],
    messages: [],
    mustSync: true,
  };
  run.saving = { token: 1, ready, sent: true, since: 0 };
  const monitor = new InvariantMonitor(hosts, "every-step");
  monitor.afterStep(leader, 5, 9);
  expect(monitor.violations).toEqual([]);
});

test("a member that is down counts with its disk, a host without a member not at all", () => {
  const { hosts } = settled();
  const down = hosts[1]?.member;
  if (down === null || down === undefined) throw new Error("no member");
  down.run = null;
  const idle = structuredClone(hosts[2]);
  if (idle !== undefined) idle.member = null;
  const all = idle === undefined ? hosts : [...hosts, idle];
  const [cluster = ""] = raftClustersOf(all);
  expect(raftClustersOf(all)).toHaveLength(1);
  const states = raftStatesOf(all, cluster);
  expect(states.map(({ host, node }) => [host, node === null])).toEqual([
    [0, false],
    [1, true],
    [2, false],
  ]);
  expect(states[1]?.durable.entries).toBe(down.disk.durable.entries);
  expect(raftStatesOf(all, "another")).toEqual([]);
});
