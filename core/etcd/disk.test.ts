import { expect, test } from "vitest";
import type { Entry } from "../raft/index.js";
import { createDisk, loseUnsynced, pendingWrites, storageFrom, sync, write } from "./disk.js";
import type { LogData } from "./log-data.js";

function entry(index: number, term = 1): Entry<LogData> {
  return { type: "EntryNormal", term, index, typePresent: false, payloadBytes: 0, data: null };
}

const indexes = (entries: readonly Entry<LogData>[]): number[] => entries.map(({ index }) => index);

test("a crash cuts between any two entries, and what comes after the cut is gone", () => {
  for (let surviving = 0; surviving <= 4; surviving++) {
    const disk = createDisk();
    write(disk, { kind: "entries", entries: [entry(1), entry(2), entry(3)] });
    write(disk, { kind: "hard-state", hardState: { term: 1, vote: 2, commit: 3 } });
    expect(pendingWrites(disk)).toBe(4);
    loseUnsynced(disk, surviving);
    expect(indexes(disk.durable.entries)).toEqual([1, 2, 3].slice(0, surviving));
    expect(disk.durable.hardState.vote).toBe(surviving === 4 ? 2 : 0);
  }
});

test("a sync makes durable what was written before it, and nothing later", () => {
  const disk = createDisk();
  const first = write(disk, { kind: "entries", entries: [entry(1)] });
  write(disk, { kind: "entries", entries: [entry(2)] });
  sync(disk, first);
  loseUnsynced(disk, 0);
  expect(indexes(disk.durable.entries)).toEqual([1]);
  const third = write(disk, { kind: "entries", entries: [entry(2, 2)] });
  sync(disk, third);
  expect(disk.durable.entries.map(({ term }) => term)).toEqual([1, 2]);
});

test("a later entry of an index replaces the earlier one and all after it", () => {
  const disk = createDisk();
  write(disk, { kind: "entries", entries: [entry(1), entry(2), entry(3)] });
  sync(disk, write(disk, { kind: "entries", entries: [entry(2, 2)] }));
  expect(disk.durable.entries.map(({ index, term }) => [index, term])).toEqual([
    [1, 1],
    [2, 2],
  ]);
});

test("a snapshot releases the log up to its index, or all of it if the log does not lead there", () => {
  const confState = {
    voters: [1],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  for (const [term, rest] of [
    [1, [3]],
    [2, []],
  ] as const) {
    const disk = createDisk();
    write(disk, { kind: "entries", entries: [entry(1), entry(2), entry(3)] });
    sync(
      disk,
      write(disk, { kind: "snapshot", snapshot: { index: 2, term, confState, data: null } }),
    );
    expect(indexes(disk.durable.entries)).toEqual(rest);
    expect(storageFrom(disk.durable).compactedIndex).toBe(2);
  }
});
