import type { EtcdReply, V2Node, V2Request } from "../etcd/client.js";
import type { MachineState } from "./able-to-run.js";
import { FLEET_FIXES } from "./config.js";
import { forgetRegistry } from "./engine-memory.js";
import type { RpcScheduled, RpcUnit } from "./grpc-calls.js";
import { isSameList, isSameListing, type Placing, type ReadingMemory } from "./reading-memory.js";
import {
  baseName,
  isNotFound,
  type JobDirectory,
  parseJobObject,
  parseMachine,
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
 *
 * @param memory - of an engine; agents have none. With it entries are shared with later readings.
 */
export function takeJobs(
  state: FleetState,
  read: UnitsRead,
  reply: EtcdReply,
  memory: ReadingMemory | null,
): V2Request | null | false {
  read.entries = [];
  if (!reply.ok) return isNotFound(reply) ? null : false;
  const { entries } = read;
  const directory: JobDirectory = { object: null, targetState: "" };
  const make = (node: V2Node): JobEntry | null => jobEntry(state, node, directory);
  memory?.jobs.begin();
  for (const node of reply.node.nodes ?? []) {
    const entry = memory === null ? make(node) : memory.jobs.of(node, make);
    if (entry !== null) entries.push(entry);
  }
  // By name, whatever the answer's order: the second read relies on it.
  if (!isSorted(entries)) entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  forgetUnused(state, entries);
  return readUnitFiles(state.config.keyPrefix);
}

/** @param directory - where to read it into: one for all jobs */
function jobEntry(state: FleetState, node: V2Node, directory: JobDirectory): JobEntry | null {
  const { config, cache } = state;
  readJobDirectory(node, directory);
  const { object } = directory;
  const known = TARGET_STATES.has(directory.targetState);
  if (object === null || (!known && !FLEET_FIXES[config.profile].statesAreKnown)) return null;
  const targetState = known ? directory.targetState : "";
  let model = cache.objects.get(object);
  if (model === undefined) {
    const parsed = parseJobObject(object);
    if (parsed === null) return null;
    model = parsed;
    cache.objects.set(object, model);
  }
  return { name: model.name, hash: model.hash, targetState, machine: null };
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
export function takeUnitFiles(
  state: FleetState,
  read: UnitsRead,
  reply: EtcdReply,
  memory: ReadingMemory | null,
): boolean {
  if (!reply.ok && !isNotFound(reply)) return false;
  const nodes = (reply.ok ? reply.node.nodes : []) ?? [];
  const { units } = state.cache;
  const wanted = read.entries;
  const before = memory?.files ?? null;
  const same = before !== null && isSameListing(before.keys, nodes);
  if (same && before.known === units.size && isSameList(before.wanted, wanted)) {
    read.entries = before.entries;
    return true;
  }
  if (wanted.some(({ hash }) => !units.has(hash))) takeFiles(state, wanted, nodes);
  const found = same ? before.hashes : new Set(nodes.map(({ key }) => baseName(key)));
  const { keepsKnownFiles } = FLEET_FIXES[state.config.profile];
  read.entries = wanted.filter(
    ({ hash }) => units.has(hash) && (keepsKnownFiles || found.has(hash)),
  );
  if (memory !== null) {
    const { entries } = read;
    const keys = same ? before.keys : nodes.map(({ key }) => key);
    memory.files = { keys, hashes: found, wanted, entries, known: units.size };
  }
  return true;
}

function takeFiles(
  { cache: { units } }: FleetState,
  entries: readonly JobEntry[],
  nodes: readonly V2Node[],
): void {
  const wanted = new Set(entries.map(({ hash }) => hash));
  for (const { key, value } of nodes) {
    const hash = baseName(key);
    if (!wanted.has(hash) || units.has(hash)) continue;
    const text = parseUnitValue(value ?? "");
    const parsed = text === null ? null : parseUnit(text);
    // A file that does not have the hash it is stored under is not used.
    if (!parsed?.ok || parsed.unit.hash !== hash) continue;
    units.set(hash, cachedFile(parsed.unit));
  }
}

function cachedFile(unit: UnitFile): CachedUnit {
  return {
    text: unitText(unit),
    global: isGlobalUnit(unit),
    install: hasSection(unit, "Install"),
  };
}

/**
 * The second read of `/job`, for what fleet calls Schedule; false on an error. Both reads list the
 * directories by key, so that one walk along both is enough.
 */
export function takeSchedule(
  read: UnitsRead,
  reply: EtcdReply,
  memory: ReadingMemory | null,
): boolean {
  if (!reply.ok) return isNotFound(reply);
  // Entries that are shared are not changed.
  const entries = memory === null ? read.entries : [...read.entries];
  read.entries = entries;
  memory?.schedule.begin();
  let at = 0;
  for (const node of reply.node.nodes ?? []) {
    const placing = memory === null ? placingOf(node) : memory.schedule.of(node, placingOf);
    const { name, target } = placing;
    if (target === null) continue;
    let entry = entries[at];
    while (entry !== undefined && entry.name !== name && entry.name < name) entry = entries[++at];
    if (entry === undefined || entry.name !== name) continue;
    if (memory === null) entry.machine = target;
    else entries[at] = placedEntry(placing, entry, target);
  }
  return true;
}

function placingOf(directory: V2Node): Placing {
  const target = readTarget(directory);
  return { name: baseName(directory.key), target, entry: null, placed: null };
}

function placedEntry(placing: Placing, entry: JobEntry, machine: string): JobEntry {
  if (placing.placed === null || placing.entry !== entry) {
    placing.entry = entry;
    // One and the same string from now on, which the next reading compares at a glance.
    placing.name = entry.name;
    placing.placed = { ...entry, machine };
  }
  return placing.placed;
}

/** The same out of the answers of the engine that leads: units, by name. */
export function takeRpcUnits(state: FleetState, read: UnitsRead, units: readonly RpcUnit[]): void {
  const { cache } = state;
  read.entries = units
    .map(({ name, file, state: targetState }): JobEntry => {
      if (!cache.units.has(file.hash)) cache.units.set(file.hash, cachedFile(file));
      return { name, hash: file.hash, targetState, machine: null };
    })
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  forgetUnused(state, read.entries);
}

/** And the schedule. */
export function takeRpcSchedule(read: UnitsRead, scheduled: readonly RpcScheduled[]): void {
  const machines = new Map(scheduled.map(({ name, machine }) => [name, machine]));
  for (const entry of read.entries) entry.machine = machines.get(entry.name) || null;
}

/** The live machines; null on an error, or if one of them is not JSON. */
export function takeMachines(reply: EtcdReply, memory: ReadingMemory): MachineState[] | null {
  if (!reply.ok) return isNotFound(reply) ? [] : null;
  const machines: MachineState[] = [];
  memory.machines.begin();
  for (const directory of reply.node.nodes ?? []) {
    const machine = memory.machines.of(directory, parseMachine);
    if (machine === null) return null;
    if (machine.id !== "") machines.push(machine);
  }
  return machines;
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
