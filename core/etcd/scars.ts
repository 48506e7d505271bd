import { MILLISECOND, type Micros } from "../kernel/index.js";
import type { LogIndex } from "../raft/index.js";
import { applierFor } from "./alarm.js";
import type { Scar } from "./moments.js";
import { rowsSince } from "./mvcc.js";
import type { EtcdState, Running } from "./state.js";

/** How often etcd's backend commits (its batch interval). It also does after 10,000 writes. */
export const COMMIT_INTERVAL: Micros = 100 * MILLISECOND;

/** Remembers that an entry of the v3 API was applied. */
export function noteMoment(state: EtcdState, run: Running, index: LogIndex, now: Micros): void {
  const { indexBeforeData, defragLosesData } = state.config.bugs;
  if (!indexBeforeData && !defragLosesData) return;
  const { entries } = run.moments;
  entries.push({ index, at: now });
  const old = entries.findIndex(({ at }) => at > now - 2 * COMMIT_INTERVAL);
  if (old > 0) entries.splice(0, old);
}

/** Remembers a compaction, in case nothing is left of the newest revision. */
export function noteCompaction(run: Running, index: LogIndex, now: Micros): void {
  const { mvcc } = run.stores;
  const hasNewest = rowsSince(mvcc, mvcc.revision).length > 0;
  run.moments.emptied = hasNewest ? null : { index, at: now };
}

/** The scars that the end of a process leaves; a crash leaves more than a stop. */
export function scarsOf(state: EtcdState, run: Running, crashed: boolean, now: Micros): Scar[] {
  const { bugs } = state.config;
  const { entries, defragmentedAt, emptied } = run.moments;
  const scars: Scar[] = [];
  const lose = (index: LogIndex): void => {
    scars.push({ index, wound: "entry-lost" });
  };
  const isFresh = (at: Micros): boolean => now - at < COMMIT_INTERVAL;
  const last = entries.at(-1);
  if (crashed && bugs.indexBeforeData && last !== undefined && isFresh(last.at)) lose(last.index);
  if (crashed && bugs.defragLosesData && defragmentedAt !== null && isFresh(defragmentedAt)) {
    const wasOpen = (at: Micros): boolean =>
      at <= defragmentedAt && defragmentedAt - at < COMMIT_INTERVAL;
    for (const { index, at } of entries) if (wasOpen(at)) lose(index);
  }
  if (crashed && bugs.compactionUnfinished && emptied !== null && isFresh(emptied.at)) {
    scars.push({ index: run.stores.applied.index, wound: "revision-back" });
  }
  if (!run.applier.checks) {
    scars.push({ index: run.stores.applied.index, wound: "checks-back" });
  }
  return scars;
}

/** Whether an entry is one that a crash lost. */
export function isLost(state: EtcdState, index: LogIndex): boolean {
  return state.disk.durable.scars.some(
    (scar) => scar.index === index && scar.wound === "entry-lost",
  );
}

/** Feels what happened after an entry, once that is played again. */
export function feelScars(state: EtcdState, run: Running, index: LogIndex): void {
  for (const scar of state.disk.durable.scars) {
    if (scar.index !== index) continue;
    if (scar.wound === "checks-back") run.applier = applierFor(run.stores.alarms);
    if (scar.wound === "revision-back") {
      const { mvcc } = run.stores;
      mvcc.revision = Math.max(1, rowsSince(mvcc, 0).at(-1)?.main ?? 0);
      mvcc.compactRevision = Math.min(mvcc.compactRevision, mvcc.revision);
    }
  }
}
