import { type Machine, type Micros, type Out, unreachable } from "../kernel/index.js";
import { BASE_UNITS } from "./base-units.js";
import { call } from "./calls.js";
import { unitChanged } from "./change.js";
import { createDispatch, type Dispatch, type DispatchHooks } from "./context.js";
import { emergencyAction } from "./emergency.js";
import { addJob, addReloads } from "./enqueue.js";
import { changeFile, changeFileNow } from "./file-change.js";
import { loadUnit } from "./graph.js";
import { enableUnit, USR } from "./install.js";
import { checkLater, finishJob } from "./job.js";
import { mountOf, mountProcessExited, mountTimer } from "./mount.js";
import { processNotified, watchdogBites } from "./notify.js";
import type { ProcessForked } from "./process.js";
import { hasProcesses, releaseIdle } from "./process-table.js";
import { settle } from "./run-queue.js";
import { serviceOf } from "./service.js";
import { processExited, processReady, serviceTimer } from "./service-events.js";
import { socketOf, socketsDrained, socketTraffic } from "./socket.js";
import { socketProcessExited, socketTimer } from "./socket-events.js";
import type { Job, SystemdState, Unit } from "./state.js";
import { clockChanged, elapseTimer } from "./timer.js";
import type { Boot, SystemdConfig, SystemdEffect, SystemdFact, SystemdStimulus } from "./types.js";

/** The first pid that is given out; the ones below are the kernel's. */
const FIRST_PID = 200;

/** systemd as PID 1 of one host, off until the first `boot`. */
function create(config: SystemdConfig): SystemdState {
  const files = new Map<string, string>();
  for (const { directory, name, text } of config.unitFiles ?? []) {
    files.set(`${directory}/${name}`, text);
  }
  return {
    hostname: config.hostname,
    machineId: config.machineId,
    bootId: "",
    timeoutStart: config.defaultTimeoutStart ?? 90_000_000,
    timeoutStop: config.defaultTimeoutStop ?? 90_000_000,
    ...(config.serviceWatchdogs === true ? { serviceWatchdogs: true } : {}),
    ...(config.reloadForgetsLimits === true ? { reloadForgetsLimits: true } : {}),
    ...(config.hashKey === undefined ? {} : { hashKey: config.hashKey }),
    files,
    links: new Map(),
    units: new Map(),
    jobs: new Map(),
    runQueue: new Set(),
    processes: new Map(),
    idle: [],
    nextPid: FIRST_PID,
    nextJob: 1,
    phase: "off",
    bootedAt: 0,
  };
}

const HOOKS: DispatchHooks = {
  changed: unitChanged,
  queue: (dispatch, type, unit, mode) => addJob(dispatch, type, unit, mode).ok,
  propagateReload: addReloads,
};

function step(
  state: SystemdState,
  stimulus: SystemdStimulus,
  now: Micros,
  out: Out<SystemdFact, SystemdEffect>,
): void {
  const up = state.phase === "running" || state.phase === "stopping";
  if (!up && stimulus.kind !== "boot") {
    whileDown(state, stimulus, out);
    return;
  }
  const dispatch = createDispatch(state, now, out, HOOKS);
  react(dispatch, stimulus);
  settle(dispatch);
  if (state.phase === "stopping" && state.jobs.size === 0) powerDown(state, out);
}

/** Files change whether or not systemd runs; calls are refused, anything else is of a life that ended. */
function whileDown(
  state: SystemdState,
  stimulus: SystemdStimulus,
  out: Out<SystemdFact, SystemdEffect>,
): void {
  switch (stimulus.kind) {
    case "file-changed":
      changeFile(state, stimulus.path, stimulus.text);
      return;
    case "hostname-changed":
      state.hostname = stimulus.hostname;
      return;
    case "systemd-call": {
      const error = "org.freedesktop.DBus.Error.NoServer";
      const reply = { ok: false, error, message: "systemd is not running." } as const;
      out.effects.push({ kind: "systemd-reply", id: stimulus.id, reply });
      return;
    }
    case "shutdown":
      if (state.phase === "off") out.effects.push({ kind: "shutdown-complete" });
      return;
    default:
  }
}

function react(dispatch: Dispatch, stimulus: SystemdStimulus): void {
  const { state, out } = dispatch;
  switch (stimulus.kind) {
    case "boot":
      boot(dispatch, stimulus);
      return;
    case "systemd-call": {
      const reply = call(dispatch, stimulus.request);
      out.effects.push({ kind: "systemd-reply", id: stimulus.id, reply });
      return;
    }
    case "process-exited":
      onExit(dispatch, stimulus.pid, stimulus.code, stimulus.signal);
      return;
    case "process-ready": {
      const service = serviceOfProcess(dispatch, stimulus.pid);
      if (service !== null) processReady(service, stimulus.pid);
      return;
    }
    case "process-notified": {
      const service = serviceOfProcess(dispatch, stimulus.pid);
      if (service !== null) processNotified(service, stimulus.pid, stimulus.tags);
      return;
    }
    case "process-forked":
      processForked(state, stimulus);
      return;
    case "socket-traffic": {
      const unit = state.units.get(stimulus.unit);
      const socket = unit === undefined ? null : socketOf(dispatch, unit);
      if (socket !== null) socketTraffic(socket);
      return;
    }
    case "socket-drained":
      socketsDrained(dispatch, stimulus.service);
      return;
    case "timer":
      onTimer(dispatch, stimulus.timer);
      return;
    case "file-changed":
      changeFileNow(dispatch, stimulus.path, stimulus.text);
      return;
    case "hostname-changed":
      state.hostname = stimulus.hostname;
      return;
    case "clock-changed":
      clockChanged(dispatch);
      return;
    case "shutdown":
      shutDown(dispatch);
      return;
    default:
      unreachable(stimulus);
  }
}

function boot(dispatch: Dispatch, stimulus: Boot): void {
  const { state, now } = dispatch;
  forget(state);
  state.bootId = stimulus.bootId;
  state.bootedAt = now;
  state.phase = "running";
  for (const [name, text] of Object.entries(BASE_UNITS)) state.files.set(`${USR}/${name}`, text);
  for (const { name, text } of stimulus.vendorUnits) state.files.set(`${USR}/${name}`, text);
  for (const unit of stimulus.vendorEnabled ?? []) enableUnit(state, unit, USR);
  const wanted = loadUnit(dispatch, stimulus.defaultTarget);
  if (wanted !== null && addJob(dispatch, "start", wanted, "replace").ok) return;
  const rescue = loadUnit(dispatch, "rescue.target");
  if (rescue !== null) addJob(dispatch, "start", rescue, "replace");
}

/** What a boot does not find any more: everything but /etc and files of no unit directory. */
function forget(state: SystemdState): void {
  for (const path of [...state.files.keys()]) if (isVolatile(path)) state.files.delete(path);
  for (const path of [...state.links.keys()]) if (isVolatile(path)) state.links.delete(path);
  state.units.clear();
  delete state.refs;
  state.jobs.clear();
  state.runQueue.clear();
  state.processes.clear();
  state.idle = [];
  state.nextPid = FIRST_PID;
  state.nextJob = 1;
}

const isVolatile = (path: string) => path.startsWith("/run/") || path.startsWith(`${USR}/`);

function serviceOfProcess(dispatch: Dispatch, pid: number) {
  const unit = unitOfProcess(dispatch.state, pid);
  return unit === null ? null : serviceOf(dispatch, unit);
}

function unitOfProcess(state: SystemdState, pid: number): Unit | null {
  return state.units.get(state.processes.get(pid)?.unit ?? "") ?? null;
}

function processForked(state: SystemdState, { pid, child }: ProcessForked): void {
  const unit = state.processes.get(pid)?.unit;
  if (unit !== undefined) state.processes.set(child, { pid: child, unit, role: "child" });
}

function onExit(dispatch: Dispatch, pid: number, code: number | null, signal: string | null): void {
  const unit = unitOfProcess(dispatch.state, pid);
  dispatch.state.processes.delete(pid);
  if (unit === null) return;
  const service = serviceOf(dispatch, unit);
  const socket = socketOf(dispatch, unit);
  const mount = mountOf(dispatch, unit);
  if (service !== null) processExited(service, pid, code, signal);
  else if (socket !== null) socketProcessExited(socket, pid, code, signal);
  else if (mount !== null) mountProcessExited(mount, pid, code, signal);
  if (!hasProcesses(dispatch, unit)) {
    dispatch.deferred.push({ kind: "cgroup-empty", unit: unit.name });
  }
}

function jobTimedOut(dispatch: Dispatch, job: Job): void {
  const unit = dispatch.state.units.get(job.unit);
  finishJob(dispatch, job, "timeout", true);
  if (unit !== undefined) emergencyAction(dispatch, unit, "JobTimeoutAction");
}

function onTimer(dispatch: Dispatch, timer: string): void {
  const { state } = dispatch;
  if (timer === "idle") {
    releaseIdle(dispatch);
    return;
  }
  if (timer === "busy") return;
  const slash = timer.indexOf("/");
  const name = timer.slice(slash + 1);
  if (timer.startsWith("job/")) {
    const job = state.jobs.get(Number(name));
    if (job !== undefined) jobTimedOut(dispatch, job);
    return;
  }
  const unit = state.units.get(name);
  if (unit === undefined) return;
  if (timer.startsWith("auto/")) {
    // A limit that a daemon-reload has taken back is waited for by nobody.
    if (unit.autoLimit.begin !== null) checkLater(dispatch, unit);
    return;
  }
  const service = serviceOf(dispatch, unit);
  if (timer.startsWith("watchdog/")) {
    if (service !== null) watchdogBites(service);
    return;
  }
  elapseTimer(dispatch, unit);
  if (service !== null) serviceTimer(service);
  const socket = socketOf(dispatch, unit);
  if (socket !== null) socketTimer(socket);
  const mount = mountOf(dispatch, unit);
  if (mount !== null) mountTimer(mount);
}

/** Everything stops in the reverse of its order; nothing that comes in between can bring it back. */
function shutDown(dispatch: Dispatch): void {
  const { state } = dispatch;
  if (state.phase === "stopping") return;
  state.phase = "stopping";
  const target = loadUnit(dispatch, "shutdown.target");
  if (target !== null) addJob(dispatch, "start", target, "replace-irreversibly");
}

/** systemd-shutdown: whatever still runs is killed, and that is that. */
function powerDown(state: SystemdState, out: Out<SystemdFact, SystemdEffect>): void {
  state.phase = "down";
  for (const pid of state.processes.keys())
    out.effects.push({ kind: "kill", pid, signal: "SIGKILL" });
  state.processes.clear();
  out.effects.push({ kind: "shutdown-complete" });
}

/** systemd 252 as far as the units of the hosts here go. */
export const systemd: Machine<
  SystemdConfig,
  SystemdState,
  SystemdStimulus,
  SystemdFact,
  SystemdEffect
> = { name: "systemd", create, step };
