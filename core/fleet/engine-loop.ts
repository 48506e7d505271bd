import type { EtcdReply } from "../etcd/client.js";
import { type Micros, SECOND } from "../kernel/index.js";
import { listedOrder, orderCounts, orderMatters, passOrder, reconcilePass } from "./engine.js";
import type { ClusterState, EngineJob, EngineTask } from "./engine-task.js";
import { requirementsOf, takeJobs, takeSchedule, takeUnitFiles } from "./reading.js";
import {
  ENGINE_VERSION,
  isNotFound,
  type Lease,
  parseLease,
  parseMachines,
  readEngineVersion,
  readJobs,
  readLease,
  readMachines,
  schedule,
  unschedule,
  writeEngineVersion,
  writeLease,
} from "./registry.js";
import type { FleetState } from "./state.js";
import { arm, callEtcd, disarm, type Step } from "./step.js";

/** The lease outlives this many intervals; a pass that takes as long is given up. */
const LEASE_INTERVALS = 5;

function leaseTtl(state: FleetState): Micros {
  return LEASE_INTERVALS * state.config.engineReconcileInterval;
}

function leaseSeconds(state: FleetState): number {
  return Math.max(1, Math.floor(leaseTtl(state) / SECOND));
}

/** Whether this engine holds the lease, as far as it knows. By machine ID only, as in fleet. */
export function isLeading(state: FleetState): boolean {
  return state.engine.lease?.machine === state.config.machineId;
}

/** A tick or a trigger: a pass begins, or follows the one under way. */
export function runEngine(step: Step): void {
  const { engine, config } = step.state;
  if (engine.step !== "idle") {
    engine.due = true;
    return;
  }
  arm(step, "engine", config.engineReconcileInterval);
  engine.step = "version";
  callEtcd(step, "engine", readEngineVersion(config.keyPrefix));
}

function endPass(step: Step): void {
  const { state } = step;
  const { engine } = state;
  engine.step = "idle";
  engine.units.entries = [];
  engine.machines = [];
  engine.tasks = [];
  engine.orderId = 0;
  const again = engine.due;
  engine.due = false;
  if (state.phase === "running" && again) runEngine(step);
}

/** The server stops: nothing more is begun, and only a call that is out is waited for. */
export function haltEngine(step: Step): void {
  const { engine } = step.state;
  engine.due = false;
  disarm(step, "engine-steal");
  if (engine.step === "order" || engine.step === "steal-wait") engine.step = "idle";
}

/** The next answer of a pass. */
export function engineReplied(step: Step, reply: EtcdReply): void {
  const { engine } = step.state;
  if (step.state.phase !== "running") {
    endPass(step);
    return;
  }
  switch (engine.step) {
    case "idle":
    case "order":
    case "steal-wait":
      return;
    case "version":
    case "version-swap":
    case "version-create":
      versionReplied(step, engine.step, reply);
      return;
    case "renew":
    case "lease":
    case "acquire":
    case "steal":
      leaseReplied(step, engine.step, reply);
      return;
    case "task":
      taskReplied(step, reply);
      return;
    default:
      readReplied(step, engine.step, reply);
  }
}

type VersionStep = "version" | "version-swap" | "version-create";

/** An engine of a lower version writes its own; of a higher one, this engine stays out. */
function versionReplied(step: Step, at: VersionStep, reply: EtcdReply): void {
  const { engine, config } = step.state;
  if (at !== "version") {
    if (reply.ok) lead(step);
    else if (at === "version-swap" && isNotFound(reply)) {
      engine.step = "version-create";
      callEtcd(step, "engine", writeEngineVersion(config.keyPrefix, null));
    } else endPass(step);
    return;
  }
  const text = reply.ok ? (reply.node.value ?? "") : isNotFound(reply) ? "0" : "";
  const version = /^[+-]?[0-9]+$/.test(text) ? Number(text) : null;
  if (version === null || version > ENGINE_VERSION) endPass(step);
  else if (version === ENGINE_VERSION) lead(step);
  else {
    engine.step = "version-swap";
    callEtcd(step, "engine", writeEngineVersion(config.keyPrefix, version));
  }
}

/** Renews the lease if this engine holds it, else looks whose it is. */
function lead(step: Step): void {
  const { engine, config } = step.state;
  const { keyPrefix, machineId } = config;
  if (engine.lease !== null && isLeading(step.state)) {
    engine.step = "renew";
    const { index } = engine.lease;
    callEtcd(step, "engine", writeLease(keyPrefix, machineId, leaseSeconds(step.state), index));
  } else {
    engine.step = "lease";
    callEtcd(step, "engine", readLease(keyPrefix));
  }
}

type LeaseStep = "renew" | "lease" | "acquire" | "steal";

function leaseReplied(step: Step, at: LeaseStep, reply: EtcdReply): void {
  if (at === "lease") {
    leaseRead(step, reply);
    return;
  }
  const { engine, config } = step.state;
  // Any error ends leadership at once, a timeout too.
  if (!reply.ok) {
    setLease(step, null);
    endPass(step);
    return;
  }
  const index = reply.node.modifiedIndex;
  setLease(step, { machine: config.machineId, version: ENGINE_VERSION, index });
  if (at === "steal" && engine.stolenSeconds > 0) {
    engine.step = "steal-wait";
    arm(step, "engine-steal", engine.stolenSeconds * SECOND);
  } else beginReading(step);
}

/** No lease is taken, one of this version is followed, one of a lower version is stolen. */
function leaseRead(step: Step, reply: EtcdReply): void {
  const { engine, config } = step.state;
  const { keyPrefix, machineId } = config;
  if (!reply.ok) {
    if (isNotFound(reply)) {
      engine.step = "acquire";
      callEtcd(step, "engine", writeLease(keyPrefix, machineId, leaseSeconds(step.state), null));
    } else {
      setLease(step, null);
      endPass(step);
    }
    return;
  }
  const existing = parseLease(reply.node);
  if (existing.version >= ENGINE_VERSION) {
    setLease(step, existing);
    if (isLeading(step.state)) beginReading(step);
    else endPass(step);
    return;
  }
  engine.stolenSeconds = reply.node.ttl ?? 0;
  engine.step = "steal";
  const ttl = leaseSeconds(step.state) + engine.stolenSeconds;
  callEtcd(step, "engine", writeLease(keyPrefix, machineId, ttl, existing.index));
}

function setLease(step: Step, lease: Lease | null): void {
  const { state, out } = step;
  const led = isLeading(state);
  state.engine.lease = lease;
  const leads = isLeading(state);
  if (led === leads) return;
  const { machineId } = state.config;
  out.facts.push({ kind: leads ? "fleet.engine-leader" : "fleet.engine-lost", machine: machineId });
}

/** The stolen lease would have expired by now. */
export function stealWaitOver(step: Step): void {
  beginReading(step);
}

function beginReading(step: Step): void {
  const { engine, config } = step.state;
  engine.passStartedAt = step.now;
  engine.step = "jobs";
  callEtcd(step, "engine", readJobs(config.keyPrefix));
}

/** Units, schedule and machines are read one after the other; an error of any ends the pass. */
function readReplied(
  step: Step,
  at: "jobs" | "unit-files" | "schedule" | "machines",
  reply: EtcdReply,
): void {
  const { engine, config } = step.state;
  switch (at) {
    case "jobs": {
      const next = takeJobs(step.state, engine.units, reply);
      if (next === false) endPass(step);
      else if (next === null) readSchedule(step);
      else {
        engine.step = "unit-files";
        callEtcd(step, "engine", next);
      }
      return;
    }
    case "unit-files":
      if (takeUnitFiles(step.state, engine.units, reply)) readSchedule(step);
      else endPass(step);
      return;
    case "schedule":
      if (!takeSchedule(engine.units, reply)) {
        endPass(step);
        return;
      }
      engine.step = "machines";
      callEtcd(step, "engine", readMachines(config.keyPrefix));
      return;
    case "machines": {
      const machines = reply.ok ? parseMachines(reply.node) : isNotFound(reply) ? [] : null;
      if (machines === null) {
        endPass(step);
        return;
      }
      engine.machines = machines;
      reconcile(step);
    }
  }
}

function readSchedule(step: Step): void {
  step.state.engine.step = "schedule";
  callEtcd(step, "engine", readJobs(step.state.config.keyPrefix));
}

function reconcile(step: Step): void {
  const { engine } = step.state;
  const cluster = clusterState(step.state);
  const listed = reconcilePass(cluster, listedOrder(cluster));
  if (!orderMatters(cluster, listed)) {
    beginTasks(step, listed);
    return;
  }
  engine.step = "order";
  engine.orderId = step.state.nextId++;
  step.out.effects.push({ kind: "order", id: engine.orderId, counts: orderCounts(cluster) });
}

/** The world has said in which order Go walks its maps. */
export function ordered(step: Step, id: number, orders: readonly (readonly number[])[]): void {
  const { engine, phase } = step.state;
  if (phase !== "running" || engine.step !== "order" || engine.orderId !== id) return;
  engine.orderId = 0;
  const cluster = clusterState(step.state);
  const counts = orderCounts(cluster);
  if (counts.some((count, nth) => orders[nth]?.length !== count)) {
    throw new RangeError(`not the permutations asked for, of ${counts.join(", ")} items`);
  }
  beginTasks(step, reconcilePass(cluster, passOrder(orders)));
}

function clusterState(state: FleetState): ClusterState {
  const jobs: EngineJob[] = [];
  const globals: EngineJob[] = [];
  // The entries of a pass come by name.
  for (const entry of state.engine.units.entries) {
    const { name, targetState, machine } = entry;
    const requirements = requirementsOf(state, entry);
    (requirements.global ? globals : jobs).push({ name, targetState, machine, requirements });
  }
  return { jobs, globals, machines: state.engine.machines };
}

function beginTasks(step: Step, tasks: EngineTask[]): void {
  const { engine } = step.state;
  engine.tasks = tasks;
  engine.step = "task";
  nextTask(step);
}

/** Tasks are written one by one until the lease would have run out. */
function nextTask(step: Step): void {
  const { state, now } = step;
  const { engine, config } = state;
  const [task] = engine.tasks;
  if (task === undefined || now - engine.passStartedAt >= leaseTtl(state)) {
    endPass(step);
    return;
  }
  const { type, unit, machine } = task;
  const write = type === "UnscheduleUnit" ? unschedule : schedule;
  callEtcd(step, "engine", write(config.keyPrefix, unit, machine));
}

/** A write that fails is logged and left; the next pass sees what became of it. */
function taskReplied(step: Step, reply: EtcdReply): void {
  const task = step.state.engine.tasks.shift();
  if (task !== undefined && reply.ok) {
    const { unit, machine, reason } = task;
    const kind = task.type === "UnscheduleUnit" ? "fleet.unscheduled" : "fleet.scheduled";
    step.out.facts.push({ kind, unit, machine, reason });
  }
  nextTask(step);
}
