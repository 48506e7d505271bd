import type { EtcdCall, EtcdCancel, EtcdReply } from "../etcd/client.js";
import type { ClientReply } from "../etcd/index.js";
import { without } from "../kernel/index.js";
import { armTimer, type HostStep } from "./context.js";
import { packetBytes } from "./packet.js";
import type { EtcdOwner } from "./state.js";

/**
 * The host's clients of etcd: fleetd, locksmithd, flanneld, confd and etcdctl. A host with a member asks it; a proxy asks
 * the members it knows, the next one after a failure; without either, connections are refused.
 */

/** Carries out one `EtcdCall` of a local client. */
export function callEtcd(step: HostStep, owner: EtcdOwner, call: EtcdCall): void {
  const { host } = step;
  const { id, request, timeout } = call;
  const node = chooseNode(step);
  if (node === null) {
    reply(step, owner, id, { ok: false, unreachable: "refused" });
    return;
  }
  const number = host.nextCall++;
  host.calls.set(number, { owner, id, node });
  if (node === host.config.index) {
    host.clients.set(number, { node, call: number });
    const stimulus = { kind: "client-request", id: number, from: "", request } as const;
    step.inbox.push({ to: "etcd", stimulus });
  } else {
    const packet = { kind: "etcd-request", call: number, request } as const;
    step.out.effects.push({ kind: "send", to: node, packet, bytes: packetBytes(packet) });
  }
  if (timeout !== null && timeout > 0) step.called.push({ call: number, timeout });
}

/** Arms the timers of the calls made in this step that were not answered within it. */
export function armCallTimers(step: HostStep): void {
  for (const { call, timeout } of step.called) {
    if (!step.host.calls.has(call)) continue;
    armTimer(step, "host", { kind: "arm-timer", timer: callTimer(call), delay: timeout });
  }
}

/** Most calls are answered by the local member within the step that made them: no timer runs yet. */
function disarmCallTimer(step: HostStep, number: number): void {
  for (const { call } of step.called) if (call === number) return;
  armTimer(step, "host", { kind: "cancel-timer", timer: callTimer(number) });
}

/** Takes a call back; its answer, should it come, finds nobody. */
export function cancelEtcd(step: HostStep, owner: EtcdOwner, cancel: EtcdCancel): void {
  for (const [number, call] of step.host.calls) {
    if (call.owner === owner && call.id === cancel.id) {
      dropCall(step, number);
      return;
    }
  }
}

/** The answer to call `number` is here, from the local member or from another host. */
export function etcdAnswered(step: HostStep, number: number, answer: ClientReply): void {
  const call = step.host.calls.get(number);
  if (call === undefined || !isEtcdReply(answer)) return;
  step.host.calls = without(step.host.calls, number);
  disarmCallTimer(step, number);
  // A proxy leaves a member that refuses connections alone for a while.
  if ("unreachable" in answer && call.node !== step.host.config.index) step.host.endpoint++;
  reply(step, call.owner, call.id, answer);
}

/** The client's patience is at an end. */
export function etcdTimedOut(step: HostStep, number: number): void {
  const call = step.host.calls.get(number);
  if (call === undefined) return;
  dropCall(step, number);
  if (call.node !== step.host.config.index) step.host.endpoint++;
  reply(step, call.owner, call.id, { ok: false, unreachable: "timeout" });
}

/** The local etcd process is gone: its clients' connections are closed. */
export function etcdClosed(step: HostStep): void {
  const { host } = step;
  for (const [number, call] of [...host.calls]) {
    if (call.node !== host.config.index && host.etcd !== null) continue;
    etcdAnswered(step, number, { ok: false, unreachable: "closed" });
  }
}

/** A local client is gone: nobody waits for its calls. */
export function clientGone(step: HostStep, owner: EtcdOwner): void {
  for (const [number, call] of [...step.host.calls]) {
    if (call.owner === owner) dropCall(step, number);
  }
}

/** The number in a timer's name, or null when it is another timer. */
export function callOfTimer(timer: string): number | null {
  return timer.startsWith(CALL) ? Number(timer.slice(CALL.length)) : null;
}

const CALL = "call:";
const callTimer = (number: number): string => `${CALL}${number}`;

function chooseNode(step: HostStep): number | null {
  const { etcd, config, endpoint } = step.host;
  if (etcd === null) return null;
  if (etcd.serving) return config.index;
  const members = etcd.proxyFor;
  if (members === null || members.length === 0) return null;
  return members[endpoint % members.length] ?? null;
}

function dropCall(step: HostStep, number: number): void {
  const { host } = step;
  const call = host.calls.get(number);
  if (call === undefined) return;
  host.calls.delete(number);
  disarmCallTimer(step, number);
  if (call.node === host.config.index) {
    if (!host.clients.delete(number)) return;
    step.inbox.push({ to: "etcd", stimulus: { kind: "client-cancel", id: number } });
  } else {
    const packet = { kind: "etcd-cancel", call: number } as const;
    step.out.effects.push({ kind: "send", to: call.node, packet, bytes: packetBytes(packet) });
  }
}

function reply(step: HostStep, owner: EtcdOwner, id: number, answer: EtcdReply): void {
  step.inbox.push({ to: owner, stimulus: { kind: "etcd-reply", id, reply: answer } });
}

/** Whether a reply answers a v2 request: the only kind local clients make. */
function isEtcdReply(reply: ClientReply): reply is EtcdReply {
  return "node" in reply || "errorCode" in reply || "unreachable" in reply;
}
