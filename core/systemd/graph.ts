import type { LoadState } from "./client.js";
import { emptyConfig, readConfig, type UnitConfig } from "./config.js";
import { activeState, announce, type Dispatch, edges } from "./context.js";
import { DEPENDENCIES, type Dependency } from "./dependency.js";
import {
  canonicalName,
  type Folders,
  findUnitFiles,
  hasFragment,
  listFolders,
  type UnitFiles,
} from "./files.js";
import { parseUnitName, type UnitName, type UnitType } from "./names.js";
import type { Assignment } from "./reader.js";
import { zeroService } from "./service-config.js";
import type { Limit, ServiceRuntime, SystemdState, Unit } from "./state.js";
import { parseUnitFile } from "./unitfile.js";

/** Loads a unit and everything it refers to; the unit itself, or null for an impossible name. */
export function loadUnit(dispatch: Dispatch, alias: string): Unit | null {
  const { state } = dispatch;
  const name = canonicalName(state, alias);
  const known = state.units.get(name);
  if (known !== undefined && known.load !== "not-found") return known;
  const parsed = parseUnitName(name);
  if (parsed === null || parsed.instance === "") return null;
  const queue: string[] = [name];
  if (known !== undefined && !hasFragment(state, parsed)) return known;
  if (known === undefined) state.units.set(name, stub(parsed));
  const folders = listFolders(state);
  while (queue.length > 0) {
    const next = queue.shift();
    if (next !== undefined) loadOne(dispatch, folders, next, queue);
  }
  addTargetOrder(state);
  return state.units.get(name) ?? null;
}

function stub(name: UnitName): Unit {
  return {
    name: name.name,
    load: "not-found",
    config: emptyConfig(name.name),
    fragment: "",
    edges: new Map(),
    job: 0,
    nopJob: 0,
    service: name.type === "service" ? newService() : null,
    timer:
      name.type === "timer"
        ? { state: "dead", result: "success", next: null, lastTrigger: null, disabled: new Set() }
        : null,
    path:
      name.type === "path"
        ? { state: "dead", result: "success", existed: new Set(), limit: newLimit() }
        : null,
    socket:
      name.type === "socket"
        ? { state: "dead", result: "success", traffic: false, limit: newLimit() }
        : null,
    mount:
      name.type === "mount"
        ? { state: "dead", result: "success", mounted: false, reloadFailed: false, controlPid: 0 }
        : null,
    active: false,
    startLimit: newLimit(),
    startLimitHit: false,
    autoLimit: newLimit(),
    inactiveExit: null,
    inactiveEnter: null,
    announced: "",
  };
}

const newLimit = (): Limit => ({ begin: null, count: 0 });

function newService(): ServiceRuntime {
  return {
    state: "dead",
    result: "success",
    reloadResult: "success",
    mainPid: 0,
    controlPid: 0,
    mainPidKnown: false,
    mainCommand: null,
    controlCommand: null,
    mainCode: null,
    mainSignal: null,
    forbidRestart: false,
    restarts: 0,
    flushRestarts: false,
    willRestart: false,
  };
}

function loadOne(dispatch: Dispatch, folders: Folders, name: string, queue: string[]): void {
  const { state, out } = dispatch;
  const parsed = parseUnitName(name);
  const unit = state.units.get(name);
  if (parsed === null || unit === undefined) return;
  const files = findUnitFiles(state, parsed, folders);
  const read = readUnit(state, parsed, files);
  unit.load = read.load;
  unit.config = keepRunning(unit, read.config, state);
  unit.fragment = files.fragment;
  for (const what of read.config.unsupported) {
    out.facts.push({ kind: "systemd.unsupported", unit: name, what });
  }
  for (const { file, line, found } of read.config.ignored) {
    out.facts.push({ kind: "systemd.unit-file-ignored-line", unit: name, file, line, found });
  }
  if (unit.load !== "loaded" && unit.load !== "masked") return;
  const add = (kind: Dependency, other: string) => addEdge(state, unit, kind, other, queue);
  for (const { kind, unit: other } of read.config.dependencies) add(kind, other);
  for (const other of files.requires) add("requires", other);
  for (const other of files.wants) add("wants", other);
  if (unit.load === "masked") return;
  const triggered = triggeredBy(read.config);
  if (triggered !== null) {
    add("triggers", triggered);
    add("before", triggered);
  }
  addDefaults(unit, parsed, add);
  announce(dispatch, unit);
}

/** The unit that a timer, path or socket starts. */
function triggeredBy({ timer, path, socket }: UnitConfig): string | null {
  if (socket?.accept === true) return null;
  return timer?.unit ?? path?.unit ?? socket?.service ?? null;
}

/** A service whose file is gone runs on, and is stopped, by systemd's own defaults. */
function keepRunning(unit: Unit, config: UnitConfig, state: SystemdState): UnitConfig {
  if (config.service !== null || unit.service === null || unit.service.state === "dead") {
    return config;
  }
  const timeouts = { start: state.timeoutStart, stop: state.timeoutStop };
  return { ...config, service: zeroService(timeouts) };
}

function readUnit(
  state: SystemdState,
  name: UnitName,
  files: UnitFiles,
): { load: LoadState; config: UnitConfig } {
  const says = files.load === "loaded" || (files.load === "masked" && files.paths.length > 0);
  if (!says) return { load: files.load, config: emptyConfig(name.name) };
  const assignments: Assignment[] = [];
  const ignored: { file: string; line: number; found: string }[] = [];
  for (const path of files.paths) {
    const file = parseUnitFile(state.files.get(path) ?? "", path);
    if (file.refused) return { load: "error", config: emptyConfig(name.name) };
    for (const option of file.options) assignments.push({ ...option, file: path });
    for (const { position, found } of file.diagnostics) {
      ignored.push({ file: path, line: position.line, found });
    }
  }
  const timeouts = { start: state.timeoutStart, stop: state.timeoutStop };
  const config = readConfig(assignments, name, state, timeouts);
  const sound = config.bad === "" ? "loaded" : "bad-setting";
  return {
    load: files.load === "masked" ? "masked" : sound,
    config: { ...config, ignored: [...ignored, ...config.ignored] },
  };
}

/** The target that units of a type come before, with which they are started at boot. */
const TYPE_TARGETS: Readonly<Partial<Record<UnitType, string>>> = {
  timer: "timers.target",
  path: "paths.target",
  socket: "sockets.target",
  mount: "local-fs.target",
};

/** What every unit gets unless it says DefaultDependencies=no (systemd.service(5) and its kin). */
function addDefaults(
  unit: Unit,
  name: UnitName,
  add: (kind: Dependency, other: string) => void,
): void {
  if (!unit.config.defaultDependencies || unit.name === "shutdown.target") return;
  const down = name.type === "mount" ? "umount.target" : "shutdown.target";
  add("conflicts", down);
  add("before", down);
  const target = TYPE_TARGETS[name.type];
  if (target !== undefined) add("before", target);
  if (name.type === "target" || name.type === "mount" || name.type === "slice") return;
  add("requires", "sysinit.target");
  add("after", "sysinit.target");
  if (name.type === "service") add("after", "basic.target");
}

/** Adds an edge and its inverse; a unit that is not loaded yet is queued to be. */
function addEdge(
  state: SystemdState,
  unit: Unit,
  kind: Dependency,
  alias: string,
  queue: string[],
): void {
  const name = canonicalName(state, alias);
  if (name === unit.name) return;
  const parsed = parseUnitName(name);
  if (parsed === null || parsed.instance === "") return;
  let other = state.units.get(name);
  if (other === undefined) {
    other = stub(parsed);
    state.units.set(name, other);
    queue.push(name);
  }
  edgeSet(unit, kind).add(name);
  edgeSet(other, DEPENDENCIES[kind]).add(unit.name);
}

function edgeSet(unit: Unit, kind: Dependency): Set<string> {
  const present = unit.edges.get(kind);
  if (present !== undefined) return present;
  unit.edges.set(kind, new Set());
  // Taken from the map again: under immer it is the draft, not the set put in.
  return unit.edges.get(kind) ?? new Set();
}

/** A target comes after what it pulls in, unless either side declines or it is ordered before it. */
function addTargetOrder(state: SystemdState): void {
  for (const target of state.units.values()) {
    if (target.load !== "loaded" || !target.name.endsWith(".target")) continue;
    if (!target.config.defaultDependencies) continue;
    for (const kind of TARGET_PULLS) {
      for (const name of target.edges.get(kind) ?? []) {
        const other = state.units.get(name);
        if (other === undefined || other.load !== "loaded") continue;
        if (!other.config.defaultDependencies) continue;
        if (target.edges.get("before")?.has(name) === true) continue;
        edgeSet(target, "after").add(name);
        edgeSet(other, "before").add(target.name);
      }
    }
  }
}

/** Edges by which a target comes after what it names. */
const TARGET_PULLS = ["requires", "requisite", "wants", "bindsTo", "upholds"] as const;

/** Reads every unit anew, as daemon-reload does; what runs goes on running. */
export function reloadUnits(dispatch: Dispatch): void {
  const { state } = dispatch;
  const names = [...state.units.keys()].sort();
  for (const name of names) {
    const unit = state.units.get(name);
    if (unit !== undefined) unit.edges = new Map();
  }
  const queue = names;
  const folders = listFolders(state);
  while (queue.length > 0) {
    const next = queue.shift();
    if (next !== undefined) loadOne(dispatch, folders, next, queue);
  }
  addTargetOrder(state);
  // What a job waited for may be gone with the old files: every waiting job is looked at again.
  for (const job of state.jobs.values()) {
    if (job.state === "waiting") state.runQueue.add(job.id);
  }
}

const REFERENCES: readonly Dependency[] = [
  "requires",
  "requisite",
  "wants",
  "bindsTo",
  "partOf",
  "conflicts",
  "before",
  "after",
  "onFailure",
  "onSuccess",
  "triggers",
  "upholds",
  "propagatesReloadTo",
  "reloadPropagatedFrom",
  "propagatesStopTo",
  "stopPropagatedFrom",
];

/** Unloads what is down, has no job and is named by nothing that stays (unit_gc_sweep). */
export function collectGarbage(state: SystemdState): void {
  const kept = new Set<string>();
  const queue: string[] = [];
  for (const unit of state.units.values()) {
    const needed = unit.job + unit.nopJob !== 0 || activeState(unit) !== "inactive";
    if (needed || state.refs?.has(unit.name) === true) queue.push(unit.name);
  }
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (kept.has(name)) continue;
    kept.add(name);
    const unit = state.units.get(name);
    if (unit === undefined) continue;
    for (const kind of REFERENCES) for (const other of edges(unit, kind)) queue.push(other);
  }
  for (const name of [...state.units.keys()]) {
    if (kept.has(name)) continue;
    const unit = state.units.get(name);
    if (unit === undefined) continue;
    for (const [kind, others] of unit.edges) {
      for (const other of others) {
        state.units.get(other)?.edges.get(DEPENDENCIES[kind])?.delete(name);
      }
    }
    state.units.delete(name);
  }
}
