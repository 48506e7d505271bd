import type { EtcdReply, V2Node, V2Request } from "../etcd/client.js";
import { FLEET_FIXES } from "./config.js";
import { forgetRegistry } from "./engine-memory.js";
import {
  baseName,
  isNotFound,
  type JobDirectory,
  parseJobObject,
  parseUnitValue,
  readJobDirectory,
  readTarget,
  readUnitFiles,
} from "./registry.js";
import { isGlobalUnit, type Requirements, requirements } from "./requirements.js";
import type { CachedUnit, FleetState, JobEntry, UnitsRead } from "./state.js";
import { hasSection, parseUnit, type UnitFile, unitText } from "./unit-file.js";

const TARGET_STATES = new Set(["", "inactive", "loaded", "launched"]);

/**
 * The answer to reading `/job`, for what fleet calls Units: every job with a readable object and
 * target state. Returns the read of unit files that has to follow, null if there are no jobs at all;
 * false if the answer is an error. All unit files are read every time, and through the log: a member
 * that has no quorum fails a pass here.
 */
export function takeJobs(
  state: FleetState,
  read: UnitsRead,
  reply: EtcdReply,
): V2Request | null | false {
  const { statesAreKnown } = FLEET_FIXES[state.config.profile];
  read.entries = [];
  if (!reply.ok) return isNotFound(reply) ? null : false;
  const { cache, config } = state;
  const { entries } = read;
  const directory: JobDirectory = { object: null, targetState: "" };
  for (const node of reply.node.nodes ?? []) {
    readJobDirectory(node, directory);
    const { object } = directory;
    const known = TARGET_STATES.has(directory.targetState);
    if (object === null || (!known && !statesAreKnown)) continue;
    const targetState = known ? directory.targetState : "";
    let model = cache.objects.get(object);
    if (model === undefined) {
      const parsed = parseJobObject(object);
      if (parsed === null) continue;
      model = parsed;
      cache.objects.set(object, model);
    }
    entries.push({ name: model.name, hash: model.hash, targetState, machine: null });
  }
  // By name, whatever the answer's order: the second read relies on it.
  if (!isSorted(entries)) entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  forgetUnused(state, entries);
  return readUnitFiles(config.keyPrefix);
}

function isSorted(entries: readonly JobEntry[]): boolean {
  let last = "";
  for (const { name } of entries) {
    if (name < last) return false;
    last = name;
  }
  return true;
}

/** The answer to reading unit files. Jobs whose file is not there are dropped; false on an error. */
export function takeUnitFiles(state: FleetState, read: UnitsRead, reply: EtcdReply): boolean {
  if (!reply.ok && !isNotFound(reply)) return false;
  const wanted = new Set(read.entries.map(({ hash }) => hash));
  const found = new Set<string>();
  for (const node of (reply.ok ? reply.node.nodes : []) ?? []) {
    found.add(baseName(node.key));
    takeUnitFile(state, wanted, node);
  }
  const { units } = state.cache;
  const { keepsKnownFiles } = FLEET_FIXES[state.config.profile];
  read.entries = read.entries.filter(
    ({ hash }) => units.has(hash) && (keepsKnownFiles || found.has(hash)),
  );
  return true;
}

function takeUnitFile(state: FleetState, wanted: ReadonlySet<string>, node: V2Node): void {
  const hash = baseName(node.key);
  if (!wanted.has(hash) || state.cache.units.has(hash)) return;
  const text = parseUnitValue(node.value ?? "");
  const parsed = text === null ? null : parseUnit(text);
  // A file that does not have the hash it is stored under is not used.
  if (!parsed?.ok || parsed.unit.hash !== hash) return;
  const { unit } = parsed;
  const install = hasSection(unit, "Install");
  state.cache.units.set(hash, { text: unitText(unit), global: isGlobalUnit(unit), install });
}

/**
 * The second read of `/job`, for what fleet calls Schedule; false on an error. Both reads list the
 * directories by key, so that one walk along both is enough.
 */
export function takeSchedule(read: UnitsRead, reply: EtcdReply): boolean {
  if (!reply.ok) return isNotFound(reply);
  const { entries } = read;
  let at = 0;
  for (const node of reply.node.nodes ?? []) {
    const target = readTarget(node);
    if (target === null) continue;
    const name = baseName(node.key);
    let entry = entries[at];
    while (entry !== undefined && entry.name < name) entry = entries[++at];
    if (entry?.name === name) entry.machine = target;
  }
  return true;
}

/** A unit file that a pass has found. */
export function cachedUnit(state: FleetState, hash: string): CachedUnit {
  const unit = state.cache.units.get(hash);
  if (unit === undefined) throw new Error(`unit file ${hash} was never read`);
  return unit;
}

/** What a job demands, worked out once per name and file. */
export function requirementsOf(state: FleetState, entry: JobEntry): Requirements {
  const known = state.cache.requirements.get(entry.name);
  // The engine reckons that the cache keeps what it has asked for.
  if (known !== undefined && known.hash !== entry.hash) forgetRegistry(state);
  return demandsOf(state, entry);
}

/**
 * The same for the engine of this fleetd, which asks once for as long as it leads.
 *
 * @param files - unit files by hash, parsed for other units before
 */
export function demandsOf(
  state: FleetState,
  entry: JobEntry,
  files: Map<string, UnitFile> = new Map(),
): Requirements {
  const known = state.cache.requirements.get(entry.name);
  if (known?.hash === entry.hash) return known.requirements;
  const unit = files.get(entry.hash) ?? parsedUnit(state, entry.hash);
  files.set(entry.hash, unit);
  const { valuesPart, fullMachineId } = FLEET_FIXES[state.config.profile];
  const found = requirements(entry.name, unit, valuesPart);
  // A short ID is then a demand that nobody meets.
  const demanded =
    fullMachineId && found.requiredTarget?.length === 8 ? { ...found, requiredTarget: "" } : found;
  state.cache.requirements.set(entry.name, { hash: entry.hash, requirements: demanded });
  return demanded;
}

function parsedUnit(state: FleetState, hash: string): UnitFile {
  const parsed = parseUnit(cachedUnit(state, hash).text);
  if (!parsed.ok) throw new Error(`unit file ${hash} no longer parses: ${parsed.error}`);
  return parsed.unit;
}

/** Keeps the cache from growing with units that are long destroyed. */
function forgetUnused(state: FleetState, entries: readonly JobEntry[]): void {
  const { cache } = state;
  const limit = 2 * entries.length + 64;
  if (cache.objects.size <= limit && cache.units.size <= limit && cache.requirements.size <= limit)
    return;
  forgetRegistry(state);
  const hashes = new Set(entries.map(({ hash }) => hash));
  const names = new Set(entries.map(({ name }) => name));
  for (const [object, { name }] of cache.objects)
    if (!names.has(name)) cache.objects.delete(object);
  for (const hash of cache.units.keys()) if (!hashes.has(hash)) cache.units.delete(hash);
  for (const name of cache.requirements.keys())
    if (!names.has(name)) cache.requirements.delete(name);
}
