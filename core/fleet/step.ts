import type { V2Request } from "../etcd/client.js";
import { type Micros, type Out, SECOND } from "../kernel/index.js";
import type { SystemdRequest } from "../systemd/client.js";
import { FLEET_FIXES, type FleetFixes } from "./config.js";
import type { FleetEffect, FleetFact } from "./events.js";
import type { CallOwner, FleetState, TimerName } from "./state.js";

/** One step of fleetd under way. */
export interface Step {
  readonly state: FleetState;
  readonly now: Micros;
  readonly out: Out<FleetFact, FleetEffect>;
}

/** Asks etcd, and returns the id of the call. The answer goes to the owner; to nobody if it is null. */
export function callEtcd(
  step: Step,
  owner: CallOwner | null,
  request: V2Request,
  patience: Micros = step.state.config.etcdRequestTimeout,
): number {
  const id = newCall(step, owner);
  sendEtcd(step, id, request, patience);
  return id;
}

/** The id of a call that is about to be made. */
export function newCall({ state }: Step, owner: CallOwner | null): number {
  const id = state.nextId++;
  if (owner !== null) state.calls.set(id, owner);
  return id;
}

export function sendEtcd(
  step: Step,
  id: number,
  request: V2Request,
  patience: Micros = step.state.config.etcdRequestTimeout,
): void {
  const timeout = request.op === "watch" ? null : patience;
  step.out.effects.push({ kind: "etcd-call", id, request, timeout });
}

/** Asks systemd; the answer goes to the owner, to nobody if it is null. */
export function callSystemd(step: Step, owner: CallOwner | null, request: SystemdRequest): void {
  const id = step.state.nextId++;
  if (owner !== null) step.state.calls.set(id, owner);
  step.out.effects.push({ kind: "systemd-call", id, request });
}

export function arm(step: Step, timer: TimerName, delay: Micros): void {
  step.state.timers.add(timer);
  step.out.effects.push({ kind: "arm-timer", timer, delay });
}

export function disarm(step: Step, timer: TimerName): void {
  if (step.state.timers.delete(timer)) step.out.effects.push({ kind: "cancel-timer", timer });
}

/** Stops waiting for every call of an owner; a long poll is taken back, for nothing else ends it. */
export function forget(step: Step, owner: CallOwner): void {
  for (const [id, waiting] of step.state.calls) {
    if (waiting !== owner) continue;
    step.state.calls.delete(id);
    if (owner === "watch") step.out.effects.push({ kind: "etcd-cancel", id });
  }
}

/** What this fleet does otherwise than fleet 1.0. */
export function fixesOf({ state }: Step): FleetFixes {
  return FLEET_FIXES[state.config.profile];
}

/** The TTL of presence, heartbeats and unit states, in seconds. */
export function ttlSeconds(state: FleetState): number {
  return Math.floor(state.config.agentTtl / SECOND);
}

/** How often heartbeats and unit states are written again. */
export function republishInterval(state: FleetState): Micros {
  const { agentTtl } = state.config;
  return agentTtl > 10 * SECOND ? Math.floor((agentTtl * 4) / 5) : Math.floor(agentTtl / 2);
}

/** Whether every bug of fleet 1.0 is in it, those of its counters too. */
export function isFaithful({ state }: Step): boolean {
  return state.config.profile === "faithful";
}
