import type { EtcdReply, Revision, V2Request, V2Response } from "../etcd/client.js";
import { goJson } from "../go/index.js";
import { MINUTE, SECOND } from "../kernel/index.js";
import type { SystemdReply } from "../systemd/client.js";
import { hasMetadata, type MachineState } from "./able-to-run.js";
import {
  type AgentTask,
  type AgentUnit,
  agentTasks,
  type CurrentUnit,
  desiredUnits,
} from "./agent-tasks.js";
import { hasEnded, noteStart, takeOrders } from "./endings.js";
import { isRpcReply, type RegistryReply, type RpcReply } from "./grpc-calls.js";
import { beatCall, callRegistry } from "./grpc-client.js";
import {
  cachedUnit,
  requirementsOf,
  takeJobs,
  takeRpcSchedule,
  takeRpcUnits,
  takeSchedule,
  takeUnitFiles,
} from "./reading.js";
import {
  clearHeartbeat,
  isNotFound,
  parseMachine,
  readJobs,
  readMachine,
  readUnitStates,
} from "./registry.js";
import type { JobEntry, TaskCall } from "./state.js";
import { arm, callEtcd, callSystemd, fixesOf, type Step } from "./step.js";
import { subscribe, templateBlinds, unsubscribe } from "./unit-states.js";
import { watchOn } from "./watch.js";

/** How often an agent looks at the registry of its own accord. */
const INTERVAL = 5 * SECOND;

/** Profile `fixed`: how long an agent goes without reading the whole registry although it heard of no change. */
const READ_INTERVAL = MINUTE;

/** A tick or a trigger: a pass begins, or follows the one under way. */
export function runAgent(step: Step): void {
  const { agent } = step.state;
  if (agent.step !== "idle") {
    agent.due = true;
    return;
  }
  arm(step, "agent", INTERVAL);
  if (fixesOf(step).readsOnNews) {
    agent.step = "look";
    callEtcd(step, "agent", readOwnMachine(step));
  } else readAll(step);
}

/** Units, then the schedule. */
function readAll(step: Step): void {
  const { agent, config } = step.state;
  agent.step = "jobs";
  agent.upToDate = true;
  agent.readAt = step.now;
  const etcd = readJobs(config.keyPrefix, fixesOf(step).readsThroughLog);
  callRegistry(step, "agent", { rpc: { rpc: "GetUnits" }, etcd });
}

function readMachineState(step: Step): void {
  step.state.agent.step = "machine";
  callEtcd(step, "agent", readOwnMachine(step));
}

function readOwnMachine(step: Step): V2Request {
  const { keyPrefix, machineId } = step.state.config;
  return readMachine(keyPrefix, machineId, fixesOf(step).readsThroughLog);
}

/** A pass that did not do all it had to: the next one reads everything again. */
function failPass(step: Step): void {
  step.state.agent.upToDate = false;
  endPass(step);
}

function endPass(step: Step): void {
  const { state } = step;
  const { agent } = state;
  agent.step = "idle";
  agent.units.entries = [];
  agent.tasks = [];
  agent.calls = [];
  const again = agent.due;
  agent.due = false;
  if (state.phase === "running" && again) runAgent(step);
}

/** The next answer of a pass. Any error of a read ends the pass; units run on. */
export function agentReplied(step: Step, reply: RegistryReply | SystemdReply): void {
  const { agent } = step.state;
  if (agent.step === "task") {
    taskReplied(step, reply);
    return;
  }
  // Calls of the reading steps go to the registry only.
  const answer = reply as RegistryReply;
  if (isRpcReply(answer)) rpcReplied(step, answer);
  else etcdReplied(step, answer);
}

/** An answer of the engine that leads: units, or the schedule. */
function rpcReplied(step: Step, answer: RpcReply): void {
  const { agent } = step.state;
  if (answer.rpc === "units") {
    takeRpcUnits(step.state, agent.units, answer.units);
    readSchedule(step);
  } else if (answer.rpc === "schedule") {
    takeRpcSchedule(agent.units, answer.units);
    readMachineState(step);
  } else failPass(step);
}

function etcdReplied(step: Step, answer: EtcdReply): void {
  const { agent } = step.state;
  switch (agent.step) {
    case "task":
    case "idle":
      return;
    case "look":
      looked(step, answer);
      return;
    case "jobs": {
      takeOrders(step, answer);
      const next = takeJobs(step.state, agent.units, answer, null);
      if (!("unreachable" in answer)) watchOn(step, indexOf(answer));
      if (next === false) failPass(step);
      else if (next === null) readSchedule(step);
      else {
        agent.step = "unit-files";
        callEtcd(step, "agent", next);
      }
      return;
    }
    case "unit-files": {
      const jobs = agent.units.entries.length;
      const taken = takeUnitFiles(step.state, agent.units, answer, null);
      // A file may come later than its unit, and no watch tells of it.
      if (agent.units.entries.length < jobs) agent.upToDate = false;
      if (taken) readSchedule(step);
      else failPass(step);
      return;
    }
    case "schedule":
      if (!takeSchedule(agent.units, answer, null)) failPass(step);
      else if (agent.machine !== null) reconcile(step, agent.machine);
      else if (answer.ok && !fixesOf(step).skipsStates) {
        agent.step = "unit-states";
        callEtcd(step, "agent", readUnitStates(step.state.config.keyPrefix));
      } else readMachineState(step);
      return;
    case "unit-states":
      if (answer.ok || isNotFound(answer)) readMachineState(step);
      else failPass(step);
      return;
    case "machine": {
      const machine = answer.ok ? parseMachine(answer.node) : null;
      if (machine === null) endPass(step);
      else reconcile(step, machine);
    }
  }
}

/** Profile `fixed`: a pass goes on only if the own machine or anything else is not as it was last time. */
function looked(step: Step, reply: EtcdReply): void {
  const { agent } = step.state;
  const machine = reply.ok ? parseMachine(reply.node) : null;
  if (machine === null) {
    failPass(step);
    return;
  }
  const same = agent.machine !== null && goJson(agent.machine) === goJson(machine);
  agent.machine = machine;
  const late = step.now - agent.readAt >= READ_INTERVAL;
  if (!agent.upToDate || !same || late) readAll(step);
  else {
    watchOn(step, null);
    endPass(step);
  }
}

function indexOf(answer: V2Response): Revision {
  return answer.ok ? answer.etcdIndex : answer.index;
}

function readSchedule(step: Step): void {
  step.state.agent.step = "schedule";
  const etcd = readJobs(step.state.config.keyPrefix, fixesOf(step).readsThroughLog);
  callRegistry(step, "agent", { rpc: { rpc: "GetScheduledUnits" }, etcd });
}

function reconcile(step: Step, machine: MachineState): void {
  const { agent, config, server } = step.state;
  const gone = machine.id === "";
  // With its own object missing fleet takes every unit for another machine's.
  const { missingIsNotGone, statesAreKnown, inactiveIsNowhere } = fixesOf(step);
  if (server.fenced || (gone && missingIsNotGone)) {
    failPass(step);
    return;
  }
  if (templateBlinds(step, agent.files.keys())) {
    endPass(step);
    return;
  }
  const current = currentUnits(step);
  const units = candidates(step, machine);
  let desired = desiredUnits(
    machine,
    inactiveIsNowhere ? units.filter(({ targetState }) => targetState !== "inactive") : units,
  );
  if (statesAreKnown) {
    for (const { name, targetState } of desired) if (targetState === "") current.delete(name);
    desired = desired.filter(({ targetState }) => targetState !== "");
  }
  agent.tasks = agentTasks(desired, current).filter(
    ({ type, unit }) => type !== "StartUnit" || !hasEnded(step, unit),
  );
  const unloads = agent.tasks.filter(({ type }) => type === "UnloadUnit").length;
  if (gone && unloads > 0) {
    step.out.facts.push({ kind: "fleet.unloaded-all", machine: config.machineId, units: unloads });
  }
  agent.step = "task";
  beginTask(step);
}

/** The units an agent has to think about: what is scheduled to it and the globals. */
function candidates(step: Step, machine: MachineState): AgentUnit[] {
  const { state } = step;
  return state.agent.units.entries.flatMap((entry: JobEntry): AgentUnit[] => {
    const { global } = cachedUnit(state, entry.hash);
    if (global === false && entry.machine !== machine.id) return [];
    const { name, hash, targetState } = entry;
    const demanded = requirementsOf(state, entry);
    if (demanded.global && !hasMetadata(machine, demanded.metadata)) return [];
    return [{ name, hash, targetState, machine: entry.machine, requirements: demanded }];
  });
}

/** What lies in the units directory; a unit the process has not touched itself counts as inactive. */
function currentUnits(step: Step): Map<string, CurrentUnit> {
  const { files, cache } = step.state.agent;
  const current = new Map<string, CurrentUnit>();
  for (const [name, hash] of files)
    current.set(name, { hash, state: cache.get(name) ?? "inactive" });
  return current;
}

function beginTask(step: Step): void {
  const { agent, server } = step.state;
  const [task] = agent.tasks;
  if (task === undefined || server.fenced) {
    if (!fixesOf(step).tasksGoOn) agent.failure = "";
    if (server.fenced) failPass(step);
    else endPass(step);
    return;
  }
  prepare(step, task);
  agent.calls = taskCalls(step, task);
  nextCall(step);
}

/** What fleet notes before it carries a task out. */
function prepare(step: Step, { type, unit }: AgentTask): void {
  const { cache } = step.state.agent;
  switch (type) {
    case "LoadUnit":
      cache.set(unit, "loaded");
      subscribe(step, unit);
      return;
    case "StopUnit":
      cache.set(unit, "loaded");
      return;
    case "StartUnit":
      cache.set(unit, "launched");
      noteStart(step, unit);
      return;
    case "UnloadUnit":
      cache.delete(unit);
      return;
    case "ReloadUnitFiles":
  }
}

function taskCalls(step: Step, { type, unit }: AgentTask): TaskCall[] {
  const { config } = step.state;
  const { keyPrefix, machineId, unitsDirectory: directory } = config;
  const clear = clearHeartbeat(keyPrefix, unit, fixesOf(step).clearsOnlyOwn ? machineId : null);
  const rpc = { rpc: "ClearUnitHeartbeat", unit } as const;
  const clearing: TaskCall = { kind: "registry", call: { rpc, etcd: clear } };
  const stop: TaskCall = { kind: "systemd", request: { call: "stop", unit, mode: "replace" } };
  switch (type) {
    case "UnloadUnit":
      return [
        clearing,
        stop,
        { kind: "systemd", request: { call: "remove-unit", unit, directory } },
      ];
    case "LoadUnit":
      return loadCalls(step, unit);
    case "ReloadUnitFiles":
      return [{ kind: "systemd", request: { call: "daemon-reload" } }];
    case "StopUnit":
      return [clearing, stop];
    case "StartUnit":
      return [
        { kind: "registry", call: beatCall(step, unit) },
        { kind: "systemd", request: { call: "start", unit, mode: "replace" } },
      ];
  }
}

function loadCalls(step: Step, unit: string): TaskCall[] {
  const { text, install } = cachedUnit(step.state, hashOf(step, unit));
  const directory = step.state.config.unitsDirectory;
  const write: TaskCall = {
    kind: "systemd",
    request: { call: "write-unit", unit, text, directory, link: true },
  };
  if (!install) return [write];
  return [write, { kind: "systemd", request: { call: "enable", unit, runtime: true } }];
}

function hashOf(step: Step, unit: string): string {
  const entry = step.state.agent.units.entries.find(({ name }) => name === unit);
  if (entry === undefined) throw new Error(`no unit ${unit} in this pass`);
  return entry.hash;
}

function nextCall(step: Step): void {
  const { agent } = step.state;
  const [call] = agent.calls;
  if (call === undefined) {
    completeTask(step);
    return;
  }
  if (call.kind === "registry") callRegistry(step, "agent", call.call);
  else callSystemd(step, "agent", call.request);
}

/** Heartbeats may fail unnoticed, and so may the stop of an unload; any other error halts the pass. */
function taskReplied(step: Step, reply: RegistryReply | SystemdReply): void {
  const { agent } = step.state;
  const [task] = agent.tasks;
  const call = agent.calls.shift();
  if (task === undefined || call === undefined) return;
  if (call.kind === "systemd") {
    noteFile(step, task, call);
    if (!reply.ok || enablesNothing(reply)) {
      if (task.type === "UnloadUnit" && call.request.call === "stop") {
        agent.upToDate = false;
        unsubscribe(step, task.unit);
        completeTask(step);
      } else failTask(step, task, reply as SystemdReply);
      return;
    }
    if (task.type === "UnloadUnit" && call.request.call === "stop") unsubscribe(step, task.unit);
    if (task.type === "LoadUnit" && agent.calls.length === 0) {
      agent.files.set(task.unit, hashOf(step, task.unit));
    }
  }
  nextCall(step);
}

/** fleet takes it for a failure, too, when [Install] has nothing that systemd could link. */
function enablesNothing(reply: RegistryReply | SystemdReply): boolean {
  return reply.ok && "call" in reply && reply.call === "enabled" && !reply.carriesInstallInfo;
}

/** The file is gone even if disabling the unit failed. */
function noteFile(step: Step, task: AgentTask, call: TaskCall & { kind: "systemd" }): void {
  if (call.request.call === "remove-unit") step.state.agent.files.delete(task.unit);
}

function completeTask(step: Step): void {
  const { agent } = step.state;
  const task = agent.tasks.shift();
  if (task === undefined) return;
  const { type, unit, reason } = task;
  if (agent.failure.startsWith(`${type} ${unit} `)) agent.failure = "";
  step.out.facts.push({ kind: "fleet.task", task: type, unit, reason });
  beginTask(step);
}

/** The pass halts; what is left waits for the next one. The same failure is told once. */
function failTask(step: Step, task: AgentTask, reply: SystemdReply): void {
  const { agent, config } = step.state;
  const [next] = agent.calls;
  const error = reply.ok ? "nothing to enable" : reply.error;
  const failure = `${task.type} ${task.unit} ${error}`;
  if (agent.failure !== failure) {
    step.out.facts.push({ kind: "fleet.task-failed", task: task.type, unit: task.unit, error });
  }
  agent.failure = failure;
  agent.upToDate = false;
  // A unit that cannot be enabled does not stay; this was its last call, so its file was written.
  if (
    task.type === "LoadUnit" &&
    next === undefined &&
    cachedUnit(step.state, hashOf(step, task.unit)).install
  ) {
    const directory = config.unitsDirectory;
    callSystemd(step, null, { call: "remove-unit", unit: task.unit, directory });
  }
  if (fixesOf(step).tasksGoOn) {
    agent.tasks = agent.tasks.filter(({ unit }) => unit !== task.unit);
    beginTask(step);
  } else endPass(step);
}
