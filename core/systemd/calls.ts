import { unreachable } from "../kernel/index.js";
import type { SystemdReply, SystemdRequest, UnitStatus } from "./client.js";
import { coldplug } from "./coldplug.js";
import { activeState, announce, type Dispatch, subState } from "./context.js";
import { addJob } from "./enqueue.js";
import { canonicalName } from "./files.js";
import { collectGarbage, loadUnit, reloadUnits } from "./graph.js";
import {
  disableUnit,
  ETC,
  enableUnit,
  type InstallResult,
  isSearched,
  linkUnit,
  maskUnit,
  RUN,
  removeUnitFile,
  unitFilesIn,
  unmaskUnit,
} from "./install.js";
import { collapseType, type RequestedJobType } from "./job.js";
import { parseUnitName } from "./names.js";
import { kill } from "./process-table.js";
import { serviceOf, setState } from "./service.js";
import type { Unit } from "./state.js";
import { canReload } from "./unit-actions.js";

const DONE: SystemdReply = { ok: true, call: "done" };

const failure = (error: string, message: string): SystemdReply => ({ ok: false, error, message });

const invalidName = (name: string) =>
  failure("org.freedesktop.DBus.Error.InvalidArgs", `Unit name ${name} is not valid.`);

/** Carries out one call; the answer. Jobs are queued, not yet run. */
export function call(dispatch: Dispatch, request: SystemdRequest): SystemdReply {
  const { state } = dispatch;
  switch (request.call) {
    case "write-unit":
      return writeUnit(dispatch, request);
    case "write-drop-in": {
      const { unit, name, text, directory = RUN } = request;
      if (parseUnitName(unit) === null) return invalidName(unit);
      state.files.set(`${directory}/${unit}.d/${name}`, text);
      return DONE;
    }
    case "remove-unit":
      resetFailed(dispatch, request.unit);
      removeUnitFile(state, request.unit, request.directory ?? RUN);
      return DONE;
    case "enable":
    case "disable":
    case "mask":
    case "unmask":
    case "link":
      return install(dispatch, request);
    case "daemon-reload":
      reloadUnits(dispatch);
      collectGarbage(state);
      coldplug(dispatch);
      dispatch.out.facts.push({ kind: "systemd.reloaded" });
      return DONE;
    case "start":
    case "stop":
    case "restart":
    case "try-restart":
    case "reload":
    case "reload-or-restart":
    case "reload-or-try-restart":
      return queue(dispatch, request);
    case "kill":
      return killUnit(dispatch, request);
    case "reset-failed":
      return resetFailed(dispatch, request.unit);
    case "ref":
      return refUnit(dispatch, request.unit);
    case "list-units":
      return { ok: true, call: "units", units: listUnits(dispatch, request.units) };
    case "read-units":
      return { ok: true, call: "files", files: unitFilesIn(state, request.directory) };
    default:
      return unreachable(request);
  }
}

type Request<Call extends SystemdRequest["call"]> = Extract<
  SystemdRequest,
  { readonly call: Call }
>;

function writeUnit(dispatch: Dispatch, request: Request<"write-unit">): SystemdReply {
  const { unit, text, directory = RUN, link = false } = request;
  if (parseUnitName(unit) === null) return invalidName(unit);
  const { files, links } = dispatch.state;
  const path = `${directory}/${unit}`;
  links.delete(path);
  files.set(path, text);
  if (link && !isSearched(directory)) links.set(`${RUN}/${unit}`, path);
  return DONE;
}

type InstallRequest = Extract<SystemdRequest, { readonly runtime?: boolean }>;

function install(dispatch: Dispatch, request: InstallRequest): SystemdReply {
  const { state } = dispatch;
  const directory = request.runtime === true ? RUN : ETC;
  const result = ((): InstallResult => {
    switch (request.call) {
      case "enable":
        return enableUnit(state, request.unit, directory);
      case "disable":
        return disableUnit(state, request.unit, directory);
      case "mask":
        return maskUnit(state, request.unit, directory, request.force === true);
      case "unmask":
        return unmaskUnit(state, request.unit, directory);
      case "link":
        return linkUnit(state, request.path, directory, request.force === true);
    }
  })();
  if (!result.ok) return failure(result.error, result.message);
  const { carriesInstallInfo } = result;
  return request.call === "enable" ? { ok: true, call: "enabled", carriesInstallInfo } : DONE;
}

type QueueRequest = Extract<SystemdRequest, { readonly mode: unknown }>;

function queue(dispatch: Dispatch, request: QueueRequest): SystemdReply {
  const unit = loadUnit(dispatch, request.unit);
  if (unit === null) return invalidName(request.unit);
  const type = jobTypeOf(request.call, unit);
  const refused = refusal(unit, type);
  if (refused !== null) return refused;
  const added = addJob(dispatch, type, unit, request.mode);
  return added.ok
    ? { ok: true, call: "queued", job: added.job }
    : failure(added.error, added.message);
}

function jobTypeOf(name: QueueRequest["call"], unit: Unit): RequestedJobType {
  switch (name) {
    case "reload-or-restart":
      return canReload(unit) ? "reload-or-start" : "restart";
    case "reload-or-try-restart":
      return canReload(unit) ? "try-reload" : "try-restart";
    default:
      return name;
  }
}

const ERROR = "org.freedesktop.systemd1";

/** What bus_unit_queue_job refuses before it looks at the unit's dependencies. */
function refusal(unit: Unit, type: RequestedJobType): SystemdReply | null {
  const missing = unit.load === "not-found" || unit.load === "error" || unit.load === "bad-setting";
  if (type === "stop" && missing && activeState(unit) === "inactive") {
    return failure(`${ERROR}.NoSuchUnit`, `Unit ${unit.name} not loaded.`);
  }
  const restarts = type === "restart" || type === "try-restart";
  const comesToStart =
    type === "reload-or-start" && collapseType(type, activeState(unit)) === "start";
  const { refuseManualStart, refuseManualStop } = unit.config;
  if (
    (refuseManualStart && (type === "start" || restarts || comesToStart)) ||
    (refuseManualStop && (type === "stop" || restarts))
  ) {
    return failure(
      `${ERROR}.OnlyByDependency`,
      `Operation refused, unit ${unit.name} may be requested by dependency only (it is configured to refuse manual start/stop).`,
    );
  }
  return null;
}

/** A unit by any of its names; null when systemd knows nothing of it, or has forgotten it. */
function knownUnit({ state }: Dispatch, name: string): Unit | null {
  const unit = state.units.get(canonicalName(state, name));
  return unit === undefined || isForgotten(unit) ? null : unit;
}

/** What could not be loaded is forgotten as soon as nothing refers to it. */
function isForgotten(unit: Unit): boolean {
  if (unit.load === "loaded" || unit.job + unit.nopJob !== 0) return false;
  return (
    activeState(unit) === "inactive" && [...unit.edges.values()].every(({ size }) => size === 0)
  );
}

function refUnit(dispatch: Dispatch, name: string): SystemdReply {
  const unit = loadUnit(dispatch, name);
  if (unit === null) return invalidName(name);
  if (unit.load !== "loaded") return failure(`${ERROR}.NoSuchUnit`, `Unit ${name} not loaded.`);
  dispatch.state.refs ??= new Set();
  dispatch.state.refs.add(unit.name);
  return DONE;
}

/** ResetFailedUnit: failed becomes dead, and the start limit counts from nothing. */
function resetFailed(dispatch: Dispatch, name: string): SystemdReply {
  const unit = knownUnit(dispatch, name);
  if (unit === null) return failure(`${ERROR}.NoSuchUnit`, `Unit ${name} not loaded.`);
  resetUnit(dispatch, unit);
  unit.startLimit = { begin: null, count: 0 };
  unit.startLimitHit = false;
  return DONE;
}

/** KillUnit (unit_kill_common): only services, mounts and sockets have processes to be killed. */
function killUnit(dispatch: Dispatch, { unit: name, who, signal }: Request<"kill">): SystemdReply {
  const unit = knownUnit(dispatch, name);
  if (unit === null) return failure(`${ERROR}.NoSuchUnit`, `Unit ${name} not loaded.`);
  const { service, mount, socket } = unit;
  if (service === null && mount === null && socket === null) {
    return failure("org.freedesktop.DBus.Error.NotSupported", "Unit has no processes.");
  }
  const main = service?.mainPid ?? 0;
  const control = service?.controlPid ?? mount?.controlPid ?? socket?.controlPid ?? 0;
  if (who === "main" && main === 0) {
    return failure(`${ERROR}.NoSuchProcess`, "No main process to kill");
  }
  if (who === "control" && control === 0) {
    return failure(`${ERROR}.NoSuchProcess`, "No control process to kill");
  }
  const pids = [...(who === "main" ? [] : [control]), ...(who === "control" ? [] : [main])];
  for (const pid of pids) if (pid > 0) kill(dispatch, pid, signal);
  if (who !== "all") return DONE;
  for (const child of [...dispatch.state.processes.values()]) {
    if (child.unit === unit.name && !pids.includes(child.pid)) kill(dispatch, child.pid, signal);
  }
  return DONE;
}

function resetUnit(dispatch: Dispatch, unit: Unit): void {
  const service = serviceOf(dispatch, unit);
  if (service !== null) {
    const { runtime } = service;
    if (runtime.state === "failed") setState(service, "dead");
    runtime.result = "success";
    runtime.reloadResult = "success";
    runtime.restarts = 0;
    runtime.flushRestarts = false;
    return;
  }
  const { timer, path, socket, mount } = unit;
  const runtime = timer ?? path ?? socket ?? mount;
  if (runtime === null) return;
  const failed = runtime.state === "failed";
  if (failed) runtime.state = "dead";
  runtime.result = "success";
  if (!failed) return;
  announce(dispatch, unit);
  dispatch.changed(unit, "failed", { reloadFailed: false, willRestart: false });
}

/** The loaded units by name; units that are asked for are loaded first, as ListUnitsByNames does. */
function listUnits(dispatch: Dispatch, names: readonly string[] | undefined): UnitStatus[] {
  const wanted = names?.map((name) => loadUnit(dispatch, name)?.name ?? name) ?? [
    ...dispatch.state.units.keys(),
  ];
  const rows: UnitStatus[] = [];
  for (const name of [...new Set(wanted)].sort()) {
    const unit = dispatch.state.units.get(name);
    if (unit === undefined) continue;
    rows.push({
      name,
      description: unit.config.description,
      loadState: unit.load,
      activeState: activeState(unit),
      subState: subState(unit),
    });
  }
  return rows;
}
