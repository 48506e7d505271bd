import type { EtcdReply, V2Request } from "../etcd/client.js";
import { type Micros, SECOND } from "../kernel/index.js";
import { forgetRegistry } from "./engine-memory.js";
import { askStatus } from "./grpc-client.js";
import { engineChanged, enginesIn } from "./grpc-mux.js";
import {
  ENGINE_VERSION,
  isNotFound,
  type Lease,
  parseLease,
  readLease,
  readMachines,
  writeEngineVersion,
  writeLease,
} from "./registry.js";
import type { FleetState } from "./state.js";
import { arm, callEtcd, fixesOf, isFaithful, type Step } from "./step.js";

/** The first part of an engine's pass: whether it leads. It waits for an answer, leads, or the pass is over. */
export type Leadership = "asked" | "leads" | "over";

/** The lease outlives this many intervals; a pass that takes as long is given up. */
const LEASE_INTERVALS = 5;

/** With gRPC it is not to run out at all. */
const GRPC_LEASE_INTERVALS = 500_000;

/** How long the lease lasts that this engine takes. */
export function leaseTtl({ config, grpc }: FleetState): Micros {
  return (grpc === null ? LEASE_INTERVALS : GRPC_LEASE_INTERVALS) * config.engineReconcileInterval;
}

function leaseSeconds(state: FleetState): number {
  return Math.max(1, Math.floor(leaseTtl(state) / SECOND));
}

/** Whether this engine holds the lease, as far as it knows. By machine ID only, as in fleet. */
export function isLeading(state: FleetState): boolean {
  return state.engine.lease?.machine === state.config.machineId;
}

type VersionStep = "version" | "version-swap" | "version-create";

/** An engine of a lower version writes its own; of a higher one, this engine stays out. */
export function versionReplied(step: Step, at: VersionStep, reply: EtcdReply): Leadership {
  const { engine, config } = step.state;
  if (at !== "version") {
    if (reply.ok) return lead(step);
    if (at !== "version-swap" || !isNotFound(reply)) return "over";
    engine.step = "version-create";
    return ask(step, writeEngineVersion(config.keyPrefix, null));
  }
  const text = reply.ok ? (reply.node.value ?? "") : isNotFound(reply) ? "0" : "";
  const version = /^[+-]?[0-9]+$/.test(text) ? Number(text) : null;
  if (version === null || version > ENGINE_VERSION) return "over";
  if (version === ENGINE_VERSION) return lead(step);
  engine.step = "version-swap";
  return ask(step, writeEngineVersion(config.keyPrefix, version));
}

function ask(step: Step, request: V2Request): Leadership {
  callEtcd(step, "engine", request);
  return "asked";
}

/** Renews the lease if this engine holds it, else looks whose it is. */
function lead(step: Step): Leadership {
  const { engine, config } = step.state;
  const { keyPrefix, machineId } = config;
  engine.leader = engine.lease?.machine ?? "";
  if (engine.lease !== null && isLeading(step.state) && !engine.leaseUnsure) {
    engine.step = "renew";
    const { index } = engine.lease;
    return ask(step, writeLease(keyPrefix, machineId, leaseSeconds(step.state), index));
  }
  engine.step = "lease";
  return ask(step, readLease(keyPrefix));
}

type LeaseStep = "renew" | "lease" | "acquire" | "steal";

export function leaseReplied(step: Step, at: LeaseStep, reply: EtcdReply): Leadership {
  if (at === "lease") return leaseRead(step, reply);
  const { engine, config } = step.state;
  if (!reply.ok) return renewalFailed(step, at, reply);
  engine.leasedAt = step.now;
  if (at !== "renew") countLeader(step);
  const index = reply.node.modifiedIndex;
  setLease(step, { machine: config.machineId, version: ENGINE_VERSION, index });
  if (at === "steal" && engine.stolenSeconds > 0) {
    engine.step = "steal-wait";
    arm(step, "engine-steal", engine.stolenSeconds * SECOND);
    return "asked";
  }
  return leaseSettled(step);
}

/**
 * In fleet any error ends leadership at once, a timeout too. With `leaseLasts` a write that was not
 * answered is looked after in the next pass, and one that found another index in this one: it may
 * be this engine's own write.
 */
function renewalFailed(
  step: Step,
  at: LeaseStep,
  reply: EtcdReply & { readonly ok: false },
): Leadership {
  const { engine, config } = step.state;
  const over = step.now - engine.leasedAt >= leaseTtl(step.state);
  if (at !== "renew" || !fixesOf(step).leaseLasts || over) {
    setLease(step, null);
    return "over";
  }
  if ("unreachable" in reply) {
    engine.leaseUnsure = true;
    return "over";
  }
  engine.step = "lease";
  return ask(step, readLease(config.keyPrefix));
}

/** No lease is taken, one of this version is followed, one of a lower version is stolen. */
function leaseRead(step: Step, reply: EtcdReply): Leadership {
  const { engine } = step.state;
  if (!reply.ok && !isNotFound(reply)) {
    setLease(step, null);
    return "over";
  }
  const existing = reply.ok ? parseLease(reply.node) : null;
  if (existing !== null && existing.version >= ENGINE_VERSION) {
    setLease(step, existing);
    engine.leaseUnsure = false;
    engine.leasedAt = step.now;
    return leaseSettled(step);
  }
  engine.found = existing;
  engine.stolenSeconds = reply.ok ? (reply.node.ttl ?? 0) : 0;
  return askRegistry(step);
}

/** With gRPC nobody contends for the lease while the registry that it asks is ready. */
export function askRegistry(step: Step): Leadership {
  const { engine, grpc } = step.state;
  if (grpc === null || (grpc.change === null && grpc.current === "etcd"))
    return contend(step, true);
  if (grpc.change !== null) engine.step = "blocked";
  else {
    engine.step = "registry-ready";
    askStatus(step, grpc, "engine");
  }
  return "asked";
}

/** The lease is taken, or stolen, if nothing speaks against it. */
export function contend(step: Step, mayLead: boolean): Leadership {
  const { engine, config } = step.state;
  const { keyPrefix, machineId } = config;
  const { found, stolenSeconds } = engine;
  if (!mayLead) {
    // fleet takes the engine for busy.
    setLease(step, found);
    return leaseSettled(step);
  }
  engine.step = found === null ? "acquire" : "steal";
  const ttl = leaseSeconds(step.state) + stolenSeconds;
  return ask(step, writeLease(keyPrefix, machineId, ttl, found?.index ?? null));
}

/** Whose the lease is is known for this pass. With gRPC a new engine is looked up, and told to the registry. */
export function leaseSettled(step: Step): Leadership {
  const { engine, grpc, config } = step.state;
  const leader = engine.lease?.machine ?? "";
  if (grpc === null || leader === "" || leader === engine.leader) return verdict(step);
  engine.step = "engine-state";
  return ask(step, readMachines(config.keyPrefix));
}

/** Whoever cannot be looked up is not tried again: the registry stays what it was. */
export function engineStateRead(step: Step, reply: EtcdReply): Leadership {
  const leader = enginesIn(reply)?.find(({ id }) => id === step.state.engine.lease?.machine);
  if (leader !== undefined) engineChanged(step, leader);
  return step.state.phase === "running" ? verdict(step) : "asked";
}

function verdict({ state }: Step): Leadership {
  return isLeading(state) ? "leads" : "over";
}

/** fleet adds the time of each to those before. */
function countLeader(step: Step): void {
  const { counts } = step.state.engine;
  const seconds = Math.floor(step.now / SECOND);
  counts.leaderStart = isFaithful(step) ? counts.leaderStart + seconds : seconds;
}

function setLease(step: Step, lease: Lease | null): void {
  const { state, out } = step;
  const led = isLeading(state);
  state.engine.lease = lease;
  const leads = isLeading(state);
  if (led === leads) return;
  if (!leads) forgetRegistry(state);
  const { machineId } = state.config;
  out.facts.push({ kind: leads ? "fleet.engine-leader" : "fleet.engine-lost", machine: machineId });
}
