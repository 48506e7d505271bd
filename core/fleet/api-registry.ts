import type { V2Node, V2Request } from "../etcd/client.js";
import { goJson } from "../go/index.js";
import {
  baseName,
  isNotFound,
  type JobDirectory,
  parseJobObject,
  parseMachine,
  parseUnitState,
  parseUnitValue,
  publicIpOf,
  type RegisteredState,
  readHeartbeat,
  readJobDirectory,
  readJobs,
  readTarget,
  readUnitFiles,
  readUnitStates,
} from "./registry.js";
import type { RegistryRead } from "./registry-session.js";
import { parseUnit, type UnitFile } from "./unit-file.js";

/** Etcd did not answer, or not as it has to: what the API calls an internal error. */
export const BROKEN = "broken";

export type JobState = "inactive" | "loaded" | "launched";

/** A unit with its schedule, as the API shows it. */
export interface ApiUnit extends Schedule {
  readonly name: string;
  readonly file: UnitFile;
  /** "" between two writes of its creation. */
  readonly desiredState: string;
}

export interface ApiMachine {
  readonly id: string;
  readonly publicIp: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Whether fleet's ParseJobState accepts the text. */
export function isJobState(text: string): text is JobState {
  return text === "inactive" || text === "loaded" || text === "launched";
}

/** Where a unit is, and what it is doing there. */
export interface Schedule {
  /** "" where there is no schedule. */
  readonly currentState: JobState | "";
  /** "" if not scheduled. */
  readonly machine: string;
}

export const NOWHERE: Schedule = { currentState: "", machine: "" };

/** A unit without its schedule. */
export type StoredUnit = Omit<ApiUnit, keyof Schedule>;

/** One unit; null where there is none. A unit whose file or target state makes no sense is broken. */
export function* etcdUnit(
  prefix: string,
  name: string,
): RegistryRead<StoredUnit | null | typeof BROKEN> {
  const job = yield readJob(prefix, name);
  if (!job.ok) return isNotFound(job) ? null : BROKEN;
  const directory: JobDirectory = { object: null, targetState: "" };
  readJobDirectory(job.node, directory);
  if (directory.object === null) return null;
  const model = parseJobObject(directory.object);
  if (model === null) return BROKEN;
  const stored = yield { op: "get", key: `${prefix}/unit/${model.hash}`, recursive: true };
  const file = stored.ok ? unitFileOf(stored.node) : null;
  const { targetState } = directory;
  if (file === null || (targetState !== "" && !isJobState(targetState))) return BROKEN;
  return { name: model.name, file, desiredState: targetState };
}

/** The schedule of one unit. */
export function* etcdScheduledUnit(
  prefix: string,
  name: string,
): RegistryRead<Schedule | typeof BROKEN> {
  const job = yield readJob(prefix, name);
  if (!job.ok) return isNotFound(job) ? NOWHERE : BROKEN;
  const machine = readTarget(job.node) ?? "";
  let reported = false;
  if (machine !== "") {
    const state = yield { op: "get", key: `${prefix}/states/${name}/${machine}` };
    if (!state.ok && !isNotFound(state)) return BROKEN;
    if (state.ok && parseUnitState(state.node) === null) return BROKEN;
    reported = state.ok;
  }
  return { currentState: jobState(readHeartbeat(job.node), machine, reported), machine };
}

/** The state of a job follows from who beats for it and whether its machine has reported on it. */
function jobState(heartbeat: string, machine: string, reported: boolean): JobState {
  if (machine === "" || !reported) return "inactive";
  return heartbeat === machine ? "launched" : "loaded";
}

/** All units that make sense, by name. */
export function* etcdUnits(prefix: string): RegistryRead<StoredUnit[] | typeof BROKEN> {
  const jobs = yield readJobs(prefix);
  if (!jobs.ok) return isNotFound(jobs) ? [] : BROKEN;
  const stored = yield readUnitFiles(prefix);
  if (!stored.ok) return BROKEN;
  const files = new Map<string, UnitFile>();
  for (const node of stored.node.nodes ?? []) {
    const file = unitFileOf(node);
    if (file !== null) files.set(baseName(node.key), file);
  }
  const units: StoredUnit[] = [];
  const directory: JobDirectory = { object: null, targetState: "" };
  for (const node of jobs.node.nodes ?? []) {
    readJobDirectory(node, directory);
    const { object, targetState } = directory;
    const model = object === null ? null : parseJobObject(object);
    const file = model === null ? undefined : files.get(model.hash);
    if (model === null || file === undefined) continue;
    if (targetState !== "" && !isJobState(targetState)) continue;
    units.push({ name: model.name, file, desiredState: targetState });
  }
  return units;
}

/** The schedule by unit. Every directory below `/job` has one here, those of global units too. */
export function* etcdSchedule(prefix: string): RegistryRead<Map<string, Schedule> | typeof BROKEN> {
  const schedule = new Map<string, Schedule>();
  const jobs = yield readJobs(prefix);
  if (!jobs.ok) return isNotFound(jobs) ? schedule : BROKEN;
  const states = yield* etcdStates(prefix);
  if (states === BROKEN) return BROKEN;
  const reported = new Set(states.map(({ unit, reporter }) => `${unit} ${reporter}`));
  for (const node of jobs.node.nodes ?? []) {
    const name = baseName(node.key);
    const machine = readTarget(node) ?? "";
    const currentState = jobState(readHeartbeat(node), machine, reported.has(`${name} ${machine}`));
    schedule.set(name, { currentState, machine });
  }
  return schedule;
}

/** Every state that a machine has reported, by unit and machine. */
export function* etcdStates(prefix: string): RegistryRead<RegisteredState[] | typeof BROKEN> {
  const read = yield readUnitStates(prefix);
  if (!read.ok) return isNotFound(read) ? [] : BROKEN;
  const states: RegisteredState[] = [];
  for (const directory of read.node.nodes ?? []) {
    for (const node of directory.nodes ?? []) {
      const state = parseUnitState(node);
      if (state !== null) states.push(state);
    }
  }
  const key = ({ unit, reporter }: RegisteredState) => `${unit}\u0000${reporter}`;
  return states.sort((left, right) => (key(left) < key(right) ? -1 : 1));
}

/** The machines whose presence has not expired; null when one of them is not JSON. */
export function apiMachines(node: V2Node): ApiMachine[] | null {
  const machines: ApiMachine[] = [];
  for (const directory of node.nodes ?? []) {
    const machine = parseMachine(directory);
    if (machine === null) return null;
    if (machine.id !== "") machines.push({ ...machine, publicIp: publicIpOf(directory) });
  }
  return machines;
}

function readJob(prefix: string, name: string): V2Request {
  return { op: "get", key: `${prefix}/job/${name}`, recursive: true };
}

/** The unit file in a key below `/unit`; null when it makes no sense. */
export function unitFileOf(node: V2Node): UnitFile | null {
  const text = parseUnitValue(node.value ?? "");
  const parsed = text === null ? null : parseUnit(text);
  return parsed?.ok === true ? parsed.unit : null;
}

/** JSON of an object's fields in this order, without those that are empty. */
export function jsonFields(
  fields: readonly (readonly [name: string, value: string | readonly string[]])[],
): string {
  const present = fields.filter(([, value]) => value.length > 0);
  const texts = present.map(([name, value]) => {
    const json = typeof value === "string" ? goJson(value) : `[${value.join(",")}]`;
    return `${goJson(name)}:${json}`;
  });
  return `{${texts.join(",")}}`;
}
