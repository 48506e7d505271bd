import type { Bytes, Micros } from "../kernel/index.js";
import {
  advance,
  append,
  applySnapshot,
  compact,
  confStateOf,
  createSnapshot,
  type Entry,
  type HardState,
  hasReady,
  type LogIndex,
  type Ready,
  ready,
} from "../raft/index.js";
import { applierFor } from "./alarm.js";
import { applyEntry } from "./apply.js";
import { keepPermissions } from "./auth-store.js";
import { enableTokens } from "./auth-token.js";
import { type DiskRecord, recordBytes, sync, write } from "./disk.js";
import { demoteLessor } from "./lease.js";
import type { LogData } from "./log-data.js";
import { raftIdOf } from "./membership.js";
import { isVoteAnswer, sendMessages } from "./messages.js";
import { submitUnsent } from "./propose.js";
import { answerRound, confirmRound } from "./reads.js";
import { bareAnswer, type EtcdOut, reply } from "./reply.js";
import { imageOfStores, restoreStores, type StoreImage } from "./snapshot.js";
import type { EtcdState, Running } from "./state.js";
import { nameOf, roleOf } from "./view.js";
import { catchUpWatches } from "./watch-sync.js";

type EtcdReady = Ready<LogData, StoreImage>;

/**
 * Takes what raft hands out until it has no more or a write must reach the disk first. The order is
 * etcd's (etcdserver/raft.go): a leader sends while it writes, all others send once it is written,
 * and nothing is applied that is not on disk.
 */
export function pump(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  noteRole(run, now, out);
  while (run.saving === null && hasReady(run.node)) {
    take(state, run, ready(run.node, out.facts), now, out);
    noteRole(run, now, out);
  }
  // Like the server of etcd, the lessor learns of a lost lead with the next Ready, and while one is written there is none.
  const { lessor } = run.stores;
  if (lessor.primary && run.saving === null && run.node.role !== "leader") demoteLessor(lessor);
}

function take(state: EtcdState, run: Running, rd: EtcdReady, now: Micros, out: EtcdOut): void {
  for (const { context, index } of rd.readStates) confirmRound(run, context, index);
  const { bugs } = state.config;
  const leads = run.node.role === "leader";
  if (leads) sendMessages(run, rd.messages, now, out);
  else if (bugs.voteNotPersisted) sendMessages(run, rd.messages.filter(isVoteAnswer), now, out);

  const mustSync = rd.mustSync || rd.snapshot !== null;
  const bytes = save(state, rd);
  if (bytes > 0 && mustSync) {
    const token = state.disk.written;
    out.effects.push({ kind: "fsync", token, bytes });
    if (!bugs.ackBeforeSync) {
      run.saving = { token, ready: rd, sent: leads, since: now };
      const head = rd.entries[0];
      applyCommitted(state, run, rd, head === undefined ? null : head.index, now, out);
      return;
    }
  } else if (bytes > 0) {
    out.effects.push({ kind: "disk-write", bytes });
  }
  finish(state, run, rd, leads, now, out);
}

/** Writes what a Ready holds, the snapshot first, so that entries never stand on one that is missing. */
function save(state: EtcdState, rd: EtcdReady): Bytes {
  let bytes = 0;
  if (rd.snapshot !== null) bytes += put(state, { kind: "snapshot", snapshot: rd.snapshot });
  if (rd.entries.length > 0) bytes += put(state, { kind: "entries", entries: rd.entries });
  if (rd.hardState !== null) {
    const hardState = writtenHardState(state, rd.hardState);
    bytes += put(state, { kind: "hard-state", hardState });
  }
  return bytes;
}

function put(state: EtcdState, record: DiskRecord): Bytes {
  write(state.disk, record);
  return recordBytes(record);
}

function writtenHardState(state: EtcdState, hardState: HardState): HardState {
  return state.config.bugs.voteNotPersisted ? { ...hardState, vote: 0 } : hardState;
}

/** The rest of a Ready, once it is on disk. */
function finish(
  state: EtcdState,
  run: Running,
  rd: EtcdReady,
  sent: boolean,
  now: Micros,
  out: EtcdOut,
): void {
  const { storage } = run.node.log;
  if (rd.snapshot !== null) {
    applySnapshot(storage, rd.snapshot);
    restore(state, run, rd.snapshot.data, rd.snapshot.index, now, out);
  }
  append(storage, rd.entries);
  applyCommitted(state, run, rd, null, now, out);
  if (!sent) {
    const { voteNotPersisted } = state.config.bugs;
    const messages = voteNotPersisted
      ? rd.messages.filter((message) => !isVoteAnswer(message))
      : rd.messages;
    sendMessages(run, messages, now, out);
  }
  advance(run.node, out.facts);
  beginSnapshot(state, run, out);
}

/** Applies the committed entries of a Ready, up to but without index `before`. */
function applyCommitted(
  state: EtcdState,
  run: Running,
  rd: EtcdReady,
  before: LogIndex | null,
  now: Micros,
  out: EtcdOut,
): void {
  const entries: readonly Entry<LogData>[] = rd.committedEntries;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry === undefined || entry.index <= run.stores.applied.index) continue;
    if (before !== null && entry.index >= before) break;
    applyEntry(state, run, entry, now, out);
  }
  answerRound(state, run, now, out);
}

/** Puts a leader's snapshot in the place of the stores. */
function restore(
  state: EtcdState,
  run: Running,
  image: StoreImage | null,
  index: LogIndex,
  now: Micros,
  out: EtcdOut,
): void {
  if (image === null) return;
  const before = run.stores.auth;
  restoreStores(run.stores, image);
  if (state.config.bugs.permissionsNotRestored) keepPermissions(run.stores.auth, before);
  run.snapshotIndex = index;
  run.removed = new Set(image.membership.removed.map(raftIdOf));
  run.applier = applierFor(run.stores.alarms);
  if (run.stores.auth.enabled) enableTokens(run.tokens, now);
  out.facts.push({ kind: "etcd.restored", index, from: nameOf(run, run.node.lead) });
  catchUpWatches(run);
  answerRound(state, run, now, out);
}

/** Every so many applied entries the stores are written out, so that the log can be shortened. */
function beginSnapshot(state: EtcdState, run: Running, out: EtcdOut): void {
  const { index } = run.stores.applied;
  const { snapshotCount, catchUpEntries } = state.config;
  if (index - run.snapshotIndex <= snapshotCount || run.snapshotting !== null) return;
  const { storage, committed } = run.node.log;
  if (index > committed) return;
  const confState = confStateOf(run.node.tracker.config);
  if (createSnapshot(storage, index, confState, imageOfStores(run.stores)) !== null) return;
  run.snapshotIndex = index;
  const record: DiskRecord = { kind: "snapshot", snapshot: storage.snapshot };
  const token = write(state.disk, record);
  out.effects.push({ kind: "fsync", token, bytes: recordBytes(record) });
  run.snapshotting = { token, compactTo: index - catchUpEntries };
}

/** Takes note that everything written up to a record is durable. */
export function diskSynced(
  state: EtcdState,
  run: Running,
  token: number,
  now: Micros,
  out: EtcdOut,
): void {
  sync(state.disk, token);
  const { snapshotting, saving } = run;
  if (snapshotting !== null && snapshotting.token <= token) {
    run.snapshotting = null;
    const { storage } = run.node.log;
    out.facts.push({ kind: "etcd.snapshot", index: run.snapshotIndex });
    if (snapshotting.compactTo > storage.compactedIndex) compact(storage, snapshotting.compactTo);
  }
  if (saving !== null && saving.token <= token) {
    run.saving = null;
    finish(state, run, saving.ready, saving.sent, now, out);
  }
}

/** Tells changes of role, term and leader, and does what etcd does on them. */
function noteRole(run: Running, now: Micros, out: EtcdOut): void {
  const { node } = run;
  const role = roleOf(run);
  if (run.toldRole === role && run.toldTerm === node.term && run.toldLead === node.lead) return;
  if (role === "leader" && run.toldRole !== "leader") run.electedAt = now;
  const newLead = node.lead !== run.toldLead;
  run.toldRole = role;
  run.toldTerm = node.term;
  run.toldLead = node.lead;
  out.facts.push({ kind: "etcd.role", role, term: node.term, lead: nameOf(run, node.lead) });
  if (!newLead || node.lead === 0) return;
  run.stats.leaderSince = now;
  const { transfer } = run;
  if (transfer !== null && node.lead === transfer.target) {
    run.transfer = null;
    reply(transfer.asker, bareAnswer({ op: "move-leader" }), true, out);
  }
  submitUnsent(run, out);
}
