import type { Machine, Micros } from "../kernel/index.js";
import { unreachable } from "../kernel/index.js";
import {
  type RaftId,
  RaftPanic,
  reportSnapshot,
  reportUnreachable,
  step,
  tick,
} from "../raft/index.js";
import type { EtcdConfig } from "./config.js";
import { loseUnsynced, sync } from "./disk.js";
import { tendDue } from "./due.js";
import type { EtcdEffect, EtcdFact, EtcdStimulus, PeerMessage } from "./events.js";
import {
  hearLeaseAnswer,
  isLeaseCall,
  peerLost,
  tendOwnCalls,
  tendPassedCalls,
} from "./lease-calls.js";
import { noteHeard } from "./messages.js";
import { ApplyPanic } from "./mvcc.js";
import { diskSynced, pump } from "./ready.js";
import { type EtcdOut, reply } from "./reply.js";
import { cancelRequest, resumeRequests, takeRequest } from "./requests.js";
import { scarsOf } from "./scars.js";
import { startMember, TICK_TIMER } from "./start.js";
import {
  type Asker,
  createEtcdState,
  type EtcdState,
  type HeldStimulus,
  type Running,
} from "./state.js";
import { hearFlow, hearWatcher, NO_LEADER } from "./watch-requests.js";
import { armWatches, tendWatches, WATCH_TIMER } from "./watch-sync.js";

/**
 * One etcd process and the disk under it: raft, the v2 and v3 stores, leases, watches, membership.
 * Without `start` it is down. A `crash` loses what its disk had not synced.
 */
export const etcd: Machine<EtcdConfig, EtcdState, EtcdStimulus, EtcdFact, EtcdEffect> = {
  name: "etcd",
  create: createEtcdState,
  step(state, stimulus, now, out) {
    try {
      hear(state, stimulus, now, out);
    } catch (error) {
      if (!(error instanceof RaftPanic || error instanceof ApplyPanic)) throw error;
      // Go's panic ends the process; what it has written stays written.
      end(state, error.message, out);
      out.effects.push({ kind: "exit", code: 2, reason: error.message });
    }
  },
};

function hear(state: EtcdState, stimulus: EtcdStimulus, now: Micros, out: EtcdOut): void {
  const { run } = state;
  if (run === null) {
    if (stimulus.kind === "start") {
      const started = startMember(state, now, out);
      if (started !== null) pump(state, started, now, out);
    }
    return;
  }
  switch (stimulus.kind) {
    case "timer":
      if (stimulus.timer === TICK_TIMER) {
        onTick(state, run, now, out);
        return;
      }
      if (stimulus.timer === WATCH_TIMER) tendWatches(run, now, out);
      break;
    case "peer-message":
      onPeerMessage(state, run, stimulus.from, stimulus.message, now, out);
      return;
    case "disk-synced":
      diskSynced(state, run, stimulus.token, now, out);
      break;
    case "client-request":
    case "client-message":
    case "client-flow":
      if (run.ready) hearClient(state, run, stimulus, now, out);
      else run.held.push(stimulus);
      break;
    case "client-cancel":
      cancelRequest(run, stimulus.id);
      return;
    case "peer-unreachable":
      run.connections.delete(stimulus.peer);
      countFailure(run, stimulus.peer);
      reportUnreachable(run.node, stimulus.peer, out.facts);
      peerLost(run, stimulus.peer, now);
      break;
    case "snapshot-sent": {
      run.snapshotsSent.delete(stimulus.to);
      const outcome = stimulus.delivered ? "finished" : "failed";
      reportSnapshot(run.node, stimulus.to, outcome, out.facts);
      break;
    }
    case "stop":
      end(state, "stopped", out);
      return;
    case "crash":
      loseUnsynced(state.disk, stimulus.surviving);
      leaveScars(state, run, true, now);
      state.run = null;
      out.facts.push({ kind: "etcd.stopped", reason: "crashed" });
      return;
    case "start":
      return;
    default:
      unreachable(stimulus);
  }
  settle(state, run, now, out);
}

function hearClient(
  state: EtcdState,
  run: Running,
  stimulus: HeldStimulus,
  now: Micros,
  out: EtcdOut,
): void {
  switch (stimulus.kind) {
    case "client-request": {
      const { id, from: client, token = "", requireLeader = false } = stimulus;
      const asker: Asker = { id, client, peer: 0, token, requireLeader };
      if (requireLeader && run.node.lead === 0) reply(asker, NO_LEADER, true, out);
      else takeRequest(state, run, asker, stimulus.request, now, out);
      return;
    }
    case "client-message":
      hearWatcher(run, stimulus.id, stimulus.message, now, out);
      return;
    case "client-flow":
      hearFlow(run, stimulus.id, stimulus.blocked, now, out);
      return;
    default:
      unreachable(stimulus);
  }
}

/** Ten a second on every member: looks at deadlines only when one has come. */
function onTick(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  out.effects.push(run.tickTimer);
  tick(run.node, out.facts);
  tendPassedCalls(state, run, now, out);
  if (now >= run.nextDue) {
    tendDue(state, run, now, out);
    if (run.stopsAt !== null && run.stopsAt <= now) {
      const reason = "the member has been permanently removed from the cluster";
      end(state, reason, out);
      out.effects.push({ kind: "exit", code: 0, reason });
      return;
    }
  }
  settle(state, run, now, out);
}

function onPeerMessage(
  state: EtcdState,
  run: Running,
  from: number,
  message: PeerMessage,
  now: Micros,
  out: EtcdOut,
): void {
  if (run.removed.size > 0 && run.removed.has(from)) {
    const note = { type: "member-removed" } as const;
    out.effects.push({ kind: "send", to: from, message: note, sizeBytes: 64 });
    return;
  }
  noteHeard(run, from, now);
  switch (message.type) {
    case "link-heartbeat":
      return;
    case "snapshot-received":
      if (run.snapshotsSent.delete(from)) reportSnapshot(run.node, from, "finished", out.facts);
      break;
    case "member-removed":
      run.stopsAt ??= now;
      run.nextDue = Math.min(run.nextDue, run.stopsAt);
      return;
    case "forward": {
      const asker: Asker = { id: message.id, client: "", peer: from, token: "" };
      // One that has lost the lead leaves most requests alone: the client will ask again.
      if (run.node.role === "leader" || isLeaseCall(message.request))
        takeRequest(state, run, asker, message.request, now, out);
      break;
    }
    case "forwarded": {
      if (hearLeaseAnswer(run, message.id, message.reply, now, out)) return;
      const pending = run.requests.get(message.id);
      run.requests.delete(message.id);
      if (pending?.asker) reply(pending.asker, message.reply, true, out);
      return;
    }
    default:
      if (message.type === "MsgApp") run.stats.appendsReceived++;
      step(run.node, message, out.facts);
      if (message.type === "MsgSnap") {
        const note = { type: "snapshot-received" } as const;
        out.effects.push({ kind: "send", to: from, message: note, sizeBytes: 64 });
      }
  }
  settle(state, run, now, out);
}

/** Lets raft do what there is to do, and serves those who waited for the member to be ready. */
function settle(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  advance(state, run, now, out);
  while (resumeRequests(state, run, now, out)) advance(state, run, now, out);
  if (!run.published || run.ready) return;
  run.ready = true;
  out.facts.push({ kind: "etcd.ready" });
  const { held } = run;
  run.held = [];
  for (const stimulus of held) hearClient(state, run, stimulus, now, out);
  advance(state, run, now, out);
}

function advance(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  pump(state, run, now, out);
  if (run.leaseCalls.own.size > 0) {
    tendOwnCalls(state, run, now, out);
    pump(state, run, now, out);
  }
  armWatches(run, now, out);
}

function countFailure(run: Running, peer: RaftId): void {
  const known = run.stats.peers.get(peer);
  if (known !== undefined) known.failed++;
}

function leaveScars(state: EtcdState, run: Running, crashed: boolean, now: Micros): void {
  const scars = scarsOf(state, run, crashed, now);
  if (scars.length > 0) state.disk.durable.scars.push(...scars);
}

/** The process ends; what it wrote reaches the disk. Connections close without a word. */
function end(state: EtcdState, reason: string, out: EtcdOut): void {
  const { run } = state;
  sync(state.disk, state.disk.written);
  if (state.run !== null) leaveScars(state, state.run, false, 0);
  state.run = null;
  out.effects.push({ kind: "cancel-timer", timer: TICK_TIMER });
  if (run !== null && run.watches.timerAt !== null) {
    out.effects.push({ kind: "cancel-timer", timer: WATCH_TIMER });
  }
  out.facts.push({ kind: "etcd.stopped", reason });
}
