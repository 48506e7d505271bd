import type { EtcdReply, Revision } from "../etcd/client.js";
import { type Micros, SECOND } from "../kernel/index.js";
import { passOrder } from "./engine.js";
import {
  askRegistry,
  contend,
  engineStateRead,
  type Leadership,
  leaseReplied,
  leaseSettled,
  leaseTtl,
  versionReplied,
} from "./engine-lease.js";
import { type RegistryView, readingMemory, registryView } from "./engine-memory.js";
import type { EngineTask } from "./engine-task.js";
import { isRpcReply, type RegistryReply, type RpcReply } from "./grpc-calls.js";
import { callRegistry } from "./grpc-client.js";
import { countFailures, countTask, passFailures } from "./metrics.js";
import {
  demandsOf,
  takeJobs,
  takeMachines,
  takeRpcSchedule,
  takeRpcUnits,
  takeSchedule,
  takeUnitFiles,
} from "./reading.js";
import {
  baseName,
  deleteUnitFile,
  isNotFound,
  parseBusyUnits,
  readEngineVersion,
  readJobs,
  readMachines,
  readUnitFiles,
  readUnitStates,
  schedule,
  unschedule,
} from "./registry.js";
import type { EngineLoop, FleetState } from "./state.js";
import { arm, callEtcd, disarm, fixesOf, isFaithful, type Step } from "./step.js";
import type { UnitFile } from "./unit-file.js";

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
  engine.counts.passes += endsCounted(engine.step, isFaithful(step));
  engine.step = "idle";
  engine.units.entries = [];
  engine.machines = [];
  engine.tasks = [];
  engine.orderId = 0;
  const again = engine.due;
  engine.due = false;
  if (state.phase === "running" && again) runEngine(step);
}

/** How often the end of a pass is counted: fleet counts one of a leader that cannot read, and others twice. */
function endsCounted(at: EngineLoop["step"], faithful: boolean): number {
  switch (at) {
    case "jobs":
    case "unit-files":
    case "schedule":
    case "unit-states":
    case "machines":
      return faithful ? 1 : 0;
    case "states":
    case "task":
    case "garbage":
      return faithful ? 2 : 1;
    default:
      return 0;
  }
}

/** The server stops: nothing more is begun, and only a call that is out is waited for. */
export function haltEngine(step: Step): void {
  const { engine } = step.state;
  engine.due = false;
  disarm(step, "engine-steal");
  if (engine.step === "order" || engine.step === "steal-wait" || engine.step === "blocked") {
    engine.step = "idle";
  }
}

/** The next answer of a pass. */
export function engineReplied(step: Step, reply: RegistryReply): void {
  const { engine } = step.state;
  if (step.state.phase !== "running") {
    endPass(step);
    return;
  }
  if (engine.step === "task") taskReplied(step, reply);
  else if (isRpcReply(reply)) rpcReplied(step, reply);
  else etcdReplied(step, reply);
}

function etcdReplied(step: Step, reply: EtcdReply): void {
  const { engine } = step.state;
  switch (engine.step) {
    case "idle":
    case "order":
    case "steal-wait":
    case "blocked":
    case "registry-ready":
    case "task":
      return;
    case "engine-state":
      settle(step, engineStateRead(step, reply));
      return;
    case "version":
    case "version-swap":
    case "version-create":
      settle(step, versionReplied(step, engine.step, reply));
      return;
    case "renew":
    case "lease":
    case "acquire":
    case "steal":
      settle(step, leaseReplied(step, engine.step, reply));
      return;
    case "states":
      statesReplied(step, reply);
      return;
    case "garbage":
      sweep(step, reply);
      return;
    default:
      readReplied(step, engine.step, reply);
  }
}

/** An answer of the engine that leads, this one or another: units, the schedule, or that it serves. */
function rpcReplied(step: Step, reply: RpcReply): void {
  const { engine } = step.state;
  if (engine.step === "registry-ready") settle(step, contend(step, !reply.ok));
  else if (reply.rpc === "units") {
    takeRpcUnits(step.state, engine.units, reply.units);
    readSchedule(step);
  } else if (reply.rpc === "schedule") {
    takeRpcSchedule(engine.units, reply.units);
    readLiveMachines(step);
  } else endPass(step);
}

/** The stolen lease would have expired by now. */
export function stealOver(step: Step): void {
  settle(step, leaseSettled(step));
}

/** The change of engines is over that kept this engine from the registry; asked after every step. */
export function engineMayGoOn(step: Step): void {
  const { engine, grpc } = step.state;
  if (engine.step === "blocked" && grpc?.change === null) settle(step, askRegistry(step));
}

function settle(step: Step, leadership: Leadership): void {
  if (leadership === "leads") beginReading(step);
  else if (leadership === "over") endPass(step);
}

function beginReading(step: Step): void {
  const { engine, config } = step.state;
  engine.passStartedAt = step.now;
  engine.step = "jobs";
  const etcd = readJobs(config.keyPrefix, fixesOf(step).readsThroughLog);
  callRegistry(step, "engine", { rpc: { rpc: "GetUnits" }, etcd });
}

/**
 * Units, schedule and machines are read one after the other; an error of any ends the pass. With the
 * schedule fleet reads the states of all units, to tell what each is doing, and then makes no use of it.
 */
function readReplied(
  step: Step,
  at: "jobs" | "unit-files" | "schedule" | "unit-states" | "machines",
  reply: EtcdReply,
): void {
  const { engine, config } = step.state;
  const memory = readingMemory(step.state);
  switch (at) {
    case "jobs": {
      const next = takeJobs(step.state, engine.units, reply, memory);
      if (next === false) endPass(step);
      else if (next === null) readSchedule(step);
      else {
        engine.step = "unit-files";
        callEtcd(step, "engine", next);
      }
      return;
    }
    case "unit-files":
      if (takeUnitFiles(step.state, engine.units, reply, memory)) readSchedule(step);
      else endPass(step);
      return;
    case "schedule":
      if (!takeSchedule(engine.units, reply, memory)) {
        endPass(step);
      } else if (reply.ok && !fixesOf(step).skipsStates) {
        engine.step = "unit-states";
        callEtcd(step, "engine", readUnitStates(config.keyPrefix));
      } else readLiveMachines(step);
      return;
    case "unit-states":
      if (reply.ok || isNotFound(reply)) readLiveMachines(step);
      else endPass(step);
      return;
    case "machines": {
      const machines = takeMachines(reply, memory);
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
  const etcd = readJobs(step.state.config.keyPrefix, fixesOf(step).readsThroughLog);
  callRegistry(step, "engine", { rpc: { rpc: "GetScheduledUnits" }, etcd });
}

function readLiveMachines(step: Step): void {
  step.state.engine.step = "machines";
  const { readsThroughLog } = fixesOf(step);
  callEtcd(step, "engine", readMachines(step.state.config.keyPrefix, readsThroughLog));
}

function reconcile(step: Step): void {
  const { engine } = step.state;
  const view = viewOf(step.state);
  const listed = view.engine.decide(null);
  if (fixesOf(step).visitsByName || !view.engine.orderMatters(listed)) {
    decided(step, view, listed);
    return;
  }
  engine.step = "order";
  engine.orderId = step.state.nextId++;
  const counts = view.engine.orderCounts();
  step.out.effects.push({ kind: "order", id: engine.orderId, counts });
}

/** The world has said in which order Go walks its maps. */
export function ordered(step: Step, id: number, orders: readonly (readonly number[])[]): void {
  const { engine, phase } = step.state;
  if (phase !== "running" || engine.step !== "order" || engine.orderId !== id) return;
  engine.orderId = 0;
  const view = viewOf(step.state);
  const counts = view.engine.orderCounts();
  if (counts.some((count, nth) => orders[nth]?.length !== count)) {
    throw new RangeError(`not the permutations asked for, of ${counts.join(", ")} items`);
  }
  decided(step, view, view.engine.decide(passOrder(orders)));
}

function viewOf(state: FleetState): RegistryView {
  const files = new Map<string, UnitFile>();
  return registryView(state, (entry) => demandsOf(state, entry, files));
}

/** The pass has its tasks. Profile `fixed` looks whether what is to be placed still runs elsewhere. */
function decided(step: Step, view: RegistryView, tasks: EngineTask[]): void {
  const { engine, config } = step.state;
  countFailures(engine.counts, passFailures(view.engine.jobCounts(), tasks, isFaithful(step)));
  engine.tasks = fixesOf(step).missingIsNotGone ? withoutMissing(step, view, tasks) : tasks;
  const places = engine.tasks.some(({ type }) => type === "AttemptScheduleUnit");
  if (places && fixesOf(step).oneCopy) {
    engine.step = "states";
    callEtcd(step, "engine", readUnitStates(config.keyPrefix, true));
  } else beginTasks(step, engine.tasks);
}

/** Nothing is done yet about units of a machine that is missing for less than half a TTL: it may be late. */
function withoutMissing(
  step: Step,
  view: RegistryView,
  tasks: readonly EngineTask[],
): EngineTask[] {
  const { engine, config } = step.state;
  const present = new Set(engine.machines.map(({ id }) => id));
  const missing = new Map<string, Micros>();
  for (const machine of view.targets()) {
    if (!present.has(machine)) missing.set(machine, engine.missing.get(machine) ?? step.now);
  }
  engine.missing = missing;
  if (missing.size === 0) return [...tasks];
  const units = new Set(tasks.map(({ unit }) => unit));
  const targets = new Map<string, string | null>();
  for (const { name, machine } of engine.units.entries) {
    if (units.has(name)) targets.set(name, machine);
  }
  return tasks.filter(({ unit }) => {
    const since = missing.get(targets.get(unit) ?? "");
    return since === undefined || step.now - since >= Math.floor(config.agentTtl / 2);
  });
}

/** A unit that is not at rest on another machine is placed in a later pass. */
function statesReplied(step: Step, reply: EtcdReply): void {
  const { engine } = step.state;
  if (!reply.ok && !isNotFound(reply)) {
    endPass(step);
    return;
  }
  const busy = reply.ok ? parseBusyUnits(reply.node) : new Map<string, string[]>();
  const free = ({ type, unit, machine }: EngineTask): boolean =>
    type !== "AttemptScheduleUnit" || (busy.get(unit) ?? []).every((other) => other === machine);
  beginTasks(step, engine.tasks.filter(free));
}

/** How long a unit file without a unit is kept, at least: a unit's file is written before the unit. */
function garbageAge({ config }: FleetState): Micros {
  return Math.max(10 * SECOND, 2 * config.agentTtl);
}

/** Removes unit files that no unit referred to, now and at the last sweep, and that were not written since. */
function sweep(step: Step, reply: EtcdReply): void {
  const { engine, config } = step.state;
  if (reply.ok) {
    const used = new Set(engine.units.entries.map(({ hash }) => hash));
    const garbage = new Map<string, Revision>();
    for (const { key, modifiedIndex } of reply.node.nodes ?? []) {
      const hash = baseName(key);
      if (used.has(hash)) continue;
      if (engine.garbage.get(hash) === modifiedIndex) {
        callEtcd(step, null, deleteUnitFile(config.keyPrefix, hash, modifiedIndex));
      } else garbage.set(hash, modifiedIndex);
    }
    engine.garbage = garbage;
    engine.sweptAt = step.now;
  }
  endPass(step);
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
    if (fixesOf(step).collectsGarbage && now - engine.sweptAt >= garbageAge(state)) {
      engine.step = "garbage";
      callEtcd(step, "engine", readUnitFiles(config.keyPrefix));
    } else endPass(step);
    return;
  }
  const { type, unit, machine } = task;
  const unschedules = type === "UnscheduleUnit";
  const etcd = (unschedules ? unschedule : schedule)(config.keyPrefix, unit, machine);
  const rpc = { rpc: unschedules ? "UnscheduleUnit" : "ScheduleUnit", unit, machine } as const;
  callRegistry(step, "engine", { rpc, etcd });
}

/** A write that fails is logged and left; the next pass sees what became of it. */
function taskReplied(step: Step, reply: RegistryReply): void {
  const { counts, tasks } = step.state.engine;
  const task = tasks.shift();
  if (task !== undefined) countTask(counts, task, reply.ok || isNotFound(reply));
  if (task !== undefined && reply.ok) {
    const { unit, machine, reason } = task;
    const kind = task.type === "UnscheduleUnit" ? "fleet.unscheduled" : "fleet.scheduled";
    step.out.facts.push({ kind, unit, machine, reason });
  }
  nextTask(step);
}
