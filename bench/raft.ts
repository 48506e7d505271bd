import { createGenerator, type Sink } from "../core/kernel/index.js";
import {
  advance,
  append,
  applySnapshot,
  campaign,
  compact,
  createMemoryStorage,
  createRawNode,
  createSnapshot,
  hasReady,
  type Message,
  proposedEntry,
  proposeEntries,
  type RaftFact,
  type RaftId,
  type RawNode,
  ready,
  setHardState,
  step,
  storageFirstIndex,
  tick,
} from "../core/raft/index.js";

/**
 * Entries committed and applied by every member per second, in memory, one process: proposals of
 * 256 bytes, in batches. And what a quiet group costs: ticks per second, heartbeats included.
 *
 *     node --import tsx bench/raft.ts
 */

type Node = RawNode<string, string>;

const NO_FACTS: Sink<RaftFact> = { push() {} };
const PAYLOAD = "x".repeat(256);
const KEEP = 5_000;

interface Group {
  readonly nodes: readonly Node[];
  applied: number;
}

function createGroup(size: number): Group {
  const voters = Array.from({ length: size }, (_, i): RaftId => i + 1);
  const confState = {
    voters,
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  const nodes = voters.map((id) => {
    const storage = createMemoryStorage<string, string>();
    applySnapshot(storage, { index: 1, term: 1, confState, data: null });
    const config = {
      id,
      electionTick: 10,
      heartbeatTick: 1,
      maxSizePerMsg: 1024 * 1024,
      maxInflightMsgs: 512,
      checkQuorum: true,
      preVote: true,
      applied: 1,
    };
    return createRawNode(config, storage, createGenerator(1, `member ${id}`), NO_FACTS);
  });
  const group: Group = { nodes, applied: 0 };
  const [first] = nodes;
  if (first !== undefined) campaign(first, NO_FACTS);
  settle(group);
  return group;
}

/** Handles Readys and delivers messages until nothing is left to do. */
function settle(group: Group): void {
  for (let worked = true; worked; ) {
    worked = false;
    for (const node of group.nodes) {
      if (!hasReady(node)) continue;
      worked = true;
      handle(group, node);
    }
  }
}

function handle(group: Group, node: Node): void {
  const { storage } = node.log;
  const { hardState, entries, committedEntries, messages } = ready(node);
  if (hardState !== null) setHardState(storage, hardState);
  append(storage, entries);
  group.applied += committedEntries.length;
  advance(node, NO_FACTS);
  deliver(group, messages);
  const last = node.log.applied;
  if (last - storageFirstIndex(storage) > 2 * KEEP) {
    createSnapshot(storage, last, null, null);
    compact(storage, last - KEEP);
  }
}

function deliver(group: Group, messages: readonly Message<string, string>[]): void {
  for (const message of messages) {
    const target = group.nodes[message.to - 1];
    if (target !== undefined) step(target, message, NO_FACTS);
  }
}

function rate(count: number, since: bigint): string {
  const seconds = Number(process.hrtime.bigint() - since) / 1e9;
  return `${Math.round(count / seconds).toLocaleString("en-US")}/s`;
}

function measureCommits(size: number, batch: number, entries: number): void {
  const group = createGroup(size);
  const [leader] = group.nodes;
  if (leader === undefined) return;
  const proposals = Array.from({ length: batch }, () => proposedEntry(PAYLOAD, PAYLOAD.length));
  const run = (count: number) => {
    for (let done = 0; done < count; done += batch) {
      proposeEntries(leader, proposals, NO_FACTS);
      settle(group);
    }
  };
  run(entries / 10);
  group.applied = 0;
  const since = process.hrtime.bigint();
  run(entries);
  const applied = Math.round(group.applied / size);
  console.log(
    `commit  members=${size} batch=${batch}: ${rate(applied, since)} (${applied} entries)`,
  );
}

function measureTicks(size: number, rounds: number): void {
  const group = createGroup(size);
  const run = (count: number) => {
    for (let round = 0; round < count; round++) {
      for (const node of group.nodes) tick(node, NO_FACTS);
      settle(group);
    }
  };
  run(rounds / 10);
  const since = process.hrtime.bigint();
  run(rounds);
  console.log(
    `quiet   members=${size}: ${rate(rounds * size, since)} member ticks, a heartbeat each`,
  );
}

for (const size of [3, 5]) {
  for (const batch of [1, 64]) measureCommits(size, batch, batch === 1 ? 200_000 : 640_000);
  measureTicks(size, 200_000);
}
