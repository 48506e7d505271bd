import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
import { figure, print } from "./report.js";

type Node = RawNode<string, string>;

const NO_FACTS: Sink<RaftFact> = { push() {} };
const PAYLOAD = "x".repeat(256);
/** Entries that stay when a member compacts its log, which it does at twice as many. */
const KEEP = 5_000;
/** Samples of each case, ours and Go's in turn, so that a busy machine slows both. */
const ROUNDS = { alone: 3, withPeers: 5 };

/** Members, proposals at a time, and entries in one sample; a tenth more go before it. */
const CASES = [
  { size: 3, batch: 1, entries: 200_000 },
  { size: 3, batch: 64, entries: 1_280_000 },
  { size: 5, batch: 1, entries: 128_000 },
  { size: 5, batch: 64, entries: 1_280_000 },
] as const;

interface Group {
  readonly nodes: readonly Node[];
  /** Entries applied, at all members together. */
  applied: number;
}

/**
 * Entries committed and applied by every member per second, in memory, on one thread, with
 * proposals of 256 bytes; and what a quiet group costs. With `--peers`, etcd's Go library does the
 * same in the same run (`peers/raft`). The loop, in both:
 *
 * - the leader is given a batch of proposals as one `MsgProp`;
 * - members are visited in order, over and over, until none has a Ready: hard state and entries go
 *   to the library's own memory storage, committed entries are counted, `Advance` is called, and
 *   each message is stepped into its recipient at once;
 * - a member whose log exceeds 10,000 entries takes a snapshot and compacts it to 5,000;
 * - then comes the next batch.
 *
 * Appends of 1 MiB, 512 of them in flight, check-quorum and pre-vote; nothing is logged. Both runtimes
 * and their garbage collectors run with their defaults.
 */
export function benchRaft(): void {
  console.log("raft: entries committed by every member, 256 bytes each, in memory, one thread");
  const peers = process.argv.includes("--peers");
  const folder = mkdtempSync(join(tmpdir(), "orrery-raft-"));
  try {
    const library = peers ? buildLibrary(folder) : null;
    if (library?.skipped != null) console.log(`  Go skipped: ${library.skipped}`);
    compare(library?.program ?? null);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  for (const size of [3, 5]) {
    const ticks = median(Array.from({ length: ROUNDS.alone }, () => ticksPerSecond(size)));
    print(`${size} members, quiet`, `${figure(ticks)} member ticks/s, each with a heartbeat`);
  }
}

function compare(program: string | null): void {
  const rounds = program === null ? ROUNDS.alone : ROUNDS.withPeers;
  for (const shape of CASES) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(shape.entries / secondsOfOurs(shape));
      if (program !== null) theirs.push(shape.entries / secondsOfGo(program, shape));
    }
    const label = `${shape.size} members, batches of ${shape.batch}, median of ${rounds}`;
    if (program === null) print(label, `${figure(median(ours))} entries/s`);
    else {
      const ratio = (median(ours) / median(theirs)).toFixed(2);
      print(label, `${figure(median(ours))}/s, Go ${figure(median(theirs))}/s, ours/Go ${ratio}`);
    }
  }
}

type Shape = (typeof CASES)[number];

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
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
  const { hardState, entries, committedEntries, messages } = ready(node, NO_FACTS);
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

function secondsOfOurs({ size, batch, entries }: Shape): number {
  const group = createGroup(size);
  const [leader] = group.nodes;
  if (leader === undefined) throw new Error("a group of nobody");
  const proposals = Array.from({ length: batch }, () => proposedEntry(PAYLOAD, PAYLOAD.length));
  const propose = (count: number) => {
    for (let done = 0; done < count; done += batch) {
      proposeEntries(leader, proposals, NO_FACTS);
      settle(group);
    }
  };
  propose(entries / 10);
  group.applied = 0;
  const since = process.hrtime.bigint();
  propose(entries);
  const seconds = Number(process.hrtime.bigint() - since) / 1e9;
  if (group.applied !== entries * size) throw new Error(`${group.applied} entries were applied`);
  return seconds;
}

function ticksPerSecond(size: number): number {
  const group = createGroup(size);
  const rounds = 200_000;
  const run = (count: number) => {
    for (let round = 0; round < count; round++) {
      for (const node of group.nodes) tick(node, NO_FACTS);
      settle(group);
    }
  };
  run(rounds / 10);
  const since = process.hrtime.bigint();
  run(rounds);
  return (rounds * size) / (Number(process.hrtime.bigint() - since) / 1e9);
}

type Build =
  | { readonly program: string; readonly skipped: null }
  | { readonly program: null; readonly skipped: string };

/** Builds the program under `peers/raft` into a folder; or says why it could not. */
function buildLibrary(folder: string): Build {
  const program = join(folder, "raft");
  const cwd = fileURLToPath(new URL("./peers/raft", import.meta.url));
  const build = spawnSync("go", ["build", "-o", program, "."], { cwd, encoding: "utf8" });
  if (build.error !== undefined) return { program: null, skipped: "no go on this machine" };
  if (build.status !== 0) {
    return { program: null, skipped: `go build failed: ${build.stderr.trim()}` };
  }
  return { program, skipped: null };
}

function secondsOfGo(program: string, { size, batch, entries }: Shape): number {
  const run = spawnSync(program, [size, batch, entries].map(String), { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`the Go program failed: ${run.stderr.trim()}`);
  return Number(run.stdout);
}
