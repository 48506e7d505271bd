import { hashWord, type Micros } from "../kernel/index.js";
import { applyConfChange, type ConfChange, type Entry, type LogIndex } from "../raft/index.js";
import { applyAdmin, type EntryPlace } from "./apply-admin.js";
import { answerV3, applyChecked } from "./apply-v3.js";
import { addRows, recountRows } from "./backend.js";
import { clusterAnswer } from "./cluster-requests.js";
import { answerDowngrade, setClusterVersion } from "./downgrade.js";
import { leaseSettings, promoteLessor } from "./lease.js";
import { applyLease } from "./lease-apply.js";
import { continueRevokes } from "./lease-expiry.js";
import type { LogData, Origin } from "./log-data.js";
import {
  applyMemberChange,
  type MemberChange,
  publishAttributes,
  raftIdOf,
  refusalOf,
} from "./membership.js";
import { type Row, rowsSince } from "./mvcc.js";
import { compactMvcc } from "./mvcc-compact.js";
import { takePending } from "./propose.js";
import { type EtcdOut, reply, v2Answer } from "./reply.js";
import { feelScars, isLost, noteCompaction, noteMoment } from "./scars.js";
import type { Asker, EtcdState, Running } from "./state.js";
import { applyV2Command } from "./v2-request.js";
import type { V2Notice } from "./v2-watch.js";
import { countHiddenChanges, v2Expire } from "./v2store.js";
import type { V3Failure, V3Result, V3Write } from "./v3-api.js";
import { applyKv, KV_ERROR, withoutRanges } from "./v3-apply.js";
import { notifyWatches } from "./watch-sync.js";

/** How long a removed member goes on, so that others learn of the change from it: ten heartbeats. */
const REMOVED_STOP_TICKS = 10;

/** Applies one committed entry to the stores and answers whoever of this member's clients waits for it. */
export function applyEntry(
  state: EtcdState,
  run: Running,
  entry: Entry<LogData>,
  now: Micros,
  out: EtcdOut,
): void {
  noteApplied(run, entry);
  applyContent(state, run, entry, now, out);
  if (state.disk.durable.scars.length > 0) feelScars(state, run, entry.index);
}

function applyContent(
  state: EtcdState,
  run: Running,
  entry: Entry<LogData>,
  now: Micros,
  out: EtcdOut,
): void {
  if (entry.type === "EntryNormal") {
    if (entry.data === null) beginTerm(state, run, now, out);
    else applyData(state, run, entry.data, entry.index, now, out);
    return;
  }
  if (entry.type === "EntryConfChange") {
    applyMembership(state, run, entry.data, entry.index > run.replayUntil, now, out);
    return;
  }
  // etcd 3.4 proposes no joint changes; one found in a log still takes effect in raft.
  if (entry.data !== null) applyConfChange(run.node, entry.data, out.facts);
}

function noteApplied(run: Running, entry: Entry<LogData>): void {
  const { applied } = run.stores;
  const hash = { x: applied.hashX, y: applied.hashY };
  hashWord(hash, entry.index);
  hashWord(hash, entry.term);
  const origin = originOf(entry);
  if (origin !== null) {
    hashWord(hash, origin.member | 0);
    hashWord(hash, origin.request | 0);
    hashWord(hash, Math.floor(origin.request / 0x1_0000_0000));
  }
  applied.index = entry.index;
  applied.term = entry.term;
  applied.hashX = hash.x;
  applied.hashY = hash.y;
}

function originOf(entry: Entry<LogData>): Origin | null {
  if (entry.type === "EntryNormal") return entry.data?.origin ?? null;
  return entry.data?.context?.origin ?? null;
}

/** The empty entry of a new leader: all of earlier terms is applied now, and a leader takes up its duties. */
function beginTerm(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  if (run.node.role !== "leader") return;
  const electionTimeout = state.config.electionTicks * state.config.tick;
  promoteLessor(run.stores.lessor, electionTimeout, leaseSettings(state.config), now);
  setClusterVersion(state, run, now, out);
}

function applyData(
  state: EtcdState,
  run: Running,
  data: LogData,
  index: LogIndex,
  now: Micros,
  out: EtcdOut,
): void {
  const { stores } = run;
  switch (data.kind) {
    case "v2": {
      const asker = settle(run, data.origin);
      // A quorum read passes through every member's log and shows only in the answer of one.
      if (asker === null && data.command.op === "get") return;
      const notices: V2Notice[] = [];
      const response = applyV2Command(stores.v2, data.command, now, notices);
      tellV2Watchers(run, notices, out);
      if (asker !== null) reply(asker, v2Answer(run, response), true, out);
      return;
    }
    case "v2-sync": {
      const notices: V2Notice[] = [];
      v2Expire(stores.v2, data.cutoff, now, notices);
      tellV2Watchers(run, notices, out);
      return;
    }
    case "v3": {
      if (state.disk.durable.scars.length > 0 && isLost(state, index)) return;
      noteMoment(state, run, index, now);
      const place = { index, isNews: index > run.replayUntil, now };
      const heard = { ...data, write: writeHeard(state, run, data, place.isNews) };
      const result = applyChecked(state, run, heard, (write) =>
        applyV3(state, run, write, place, out),
      );
      answerV3(state, run, data, result, place.isNews, now, out);
      if (data.write.op === "lease-revoke") continueRevokes(state, run, now, out);
      return;
    }
    case "publish": {
      const { member, name, clientUrls } = data;
      if (publishAttributes(stores.membership, member, name, clientUrls)) {
        countHiddenChanges(stores.v2, 1);
      }
      settle(run, data.origin);
      return;
    }
    case "cluster-version":
      stores.clusterVersion = data.version;
      countHiddenChanges(stores.v2, 1);
      settle(run, data.origin);
      return;
    case "downgrade": {
      stores.downgradeTarget = data.target;
      const asker = settle(run, data.origin);
      if (asker !== null) answerDowngrade(run, asker, out);
      return;
    }
    case "member-change":
    case "read":
      return;
  }
}

/** A write as the member applies it. Who owes no answer leaves ranges out, and what they would refuse. */
function writeHeard(
  state: EtcdState,
  run: Running,
  { origin, write }: Extract<LogData, { readonly kind: "v3" }>,
  isNews: boolean,
): V3Write {
  if (write.op !== "kv-txn" || !state.config.profile.stripsRanges) return write;
  // What was applied before the last stop has been answered then.
  const owesAnswer = origin.member === run.id && (!isNews || run.requests.has(origin.request));
  return owesAnswer ? write : withoutRanges(write);
}

/** Ends the wait for one of this member's own requests; returns who is to be answered. */
function settle(run: Running, origin: Origin): Asker | null {
  const pending = takePending(run, origin);
  if (pending?.purpose === "publish") run.published = true;
  return pending?.asker ?? null;
}

/** Passes events on to the clients that wait for them. */
export function tellV2Watchers(run: Running, notices: readonly V2Notice[], out: EtcdOut): void {
  for (const { id, response, last } of notices) {
    const asker = run.watching.get(id);
    if (asker === undefined) continue;
    if (last) run.watching.delete(id);
    reply(asker, v2Answer(run, response), last, out);
  }
}

function applyV3(
  state: EtcdState,
  run: Running,
  write: V3Write,
  place: EntryPlace,
  out: EtcdOut,
): V3Result | V3Failure {
  const { now } = place;
  const { mvcc, lessor, backend } = run.stores;
  const changed = {
    push: (rows: readonly Row[]): void => {
      addRows(backend, rows);
      notifyWatches(run, rows, out);
    },
  };
  switch (write.op) {
    case "kv-put":
    case "kv-delete-range":
    case "kv-txn":
      return applyKv(mvcc, lessor, state.config.profile, write, changed);
    case "kv-compact": {
      const refusal = compactMvcc(mvcc, write.revision, state.config.profile);
      if (refusal !== null) return KV_ERROR[refusal];
      recountRows(backend, rowsSince(mvcc, 0));
      if (state.config.bugs.compactionUnfinished) noteCompaction(run, place.index, now);
      return { op: "kv-compact" };
    }
    case "lease-grant":
    case "lease-revoke":
    case "lease-checkpoint":
      return applyLease(state, run, write, place.isNews, now, changed);
    default:
      return applyAdmin(run, state.config, write, place);
  }
}

/** Applies a change of membership, unless it no longer holds: then raft is told to change nothing. */
function applyMembership(
  state: EtcdState,
  run: Running,
  change: ConfChange<LogData>,
  isNews: boolean,
  now: Micros,
  out: EtcdOut,
): void {
  const context = change.context;
  if (context?.kind !== "member-change" || change.version !== 1) {
    applyConfChange(run.node, change, out.facts);
    return;
  }
  const { membership, v2 } = run.stores;
  const wanted = context.change;
  const refusal = refusalOf(membership, wanted);
  applyConfChange(run.node, refusal === null ? change : { ...change, nodeId: 0 }, out.facts);
  if (refusal === null) {
    countHiddenChanges(v2, applyMemberChange(membership, wanted));
    if (wanted.change === "remove") removeMember(state, run, wanted.id, now);
    if (isNews) tellMembership(wanted, out);
  }
  const asker = settle(run, context.origin);
  if (asker === null) return;
  const id = wanted.change === "add" ? wanted.member.id : wanted.id;
  // A member that passed a promotion on does not know this refusal, and asks again until its time is up.
  const isFinal = wanted.change !== "promote" || !membership.removed.has(id);
  if (asker.peer !== 0 && !isFinal) return;
  const answer = refusal ?? clusterAnswer(run, OP_OF_CHANGE[wanted.change], id);
  reply(asker, answer, true, out);
}

const OP_OF_CHANGE = {
  add: "member-add",
  promote: "member-promote",
  remove: "member-remove",
  update: "member-update",
} as const satisfies Record<MemberChange["change"], string>;

function removeMember(state: EtcdState, run: Running, id: string, now: Micros): void {
  const raftId = raftIdOf(id);
  run.removed.add(raftId);
  run.connections.delete(raftId);
  if (raftId !== run.id || run.stopsAt !== null) return;
  run.stopsAt = now + REMOVED_STOP_TICKS * state.config.tick;
}

function tellMembership(change: MemberChange, out: EtcdOut): void {
  switch (change.change) {
    case "add": {
      const { id, peerUrls, learner } = change.member;
      out.facts.push({
        kind: "etcd.member-added",
        member: id,
        peerUrls: [...peerUrls],
        learner,
      });
      return;
    }
    case "remove":
      out.facts.push({ kind: "etcd.member-removed", member: change.id });
      return;
    case "promote":
      out.facts.push({ kind: "etcd.member-promoted", member: change.id });
      return;
    case "update":
      return;
  }
}
