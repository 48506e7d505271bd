import type { EtcdReply, Revision, V2Node, V2Request } from "../etcd/client.js";
import { goJson } from "../go/index.js";
import type { MachineState } from "./able-to-run.js";
import type { RegistryReply } from "./grpc-calls.js";

/**
 * fleet's layout of keys and values in etcd (package registry), as requests and as readers of the
 * answers. `prefix` is the root without a trailing slash; TTLs are whole seconds.
 */

/** Key not found. */
const NOT_FOUND = 100;
/** Key already exists. */
const EXISTS = 105;

/** The whole of `/job`: units, target states, schedule and heartbeats, as the member's own store has them. */
export function readJobs(prefix: string, quorum = false): V2Request {
  return list(`${prefix}/job`, quorum);
}

/** A directory and all below it; `quorum`: through the log, which fleet does for unit files only. */
function list(key: string, quorum: boolean): V2Request {
  const request = { op: "get", key, recursive: true, sorted: true } as const;
  return quorum ? { ...request, quorum } : request;
}

/** Every unit file. The only reads of fleet that go through the log. */
export function readUnitFiles(prefix: string): V2Request {
  return { op: "get", key: `${prefix}/unit`, recursive: true, quorum: true };
}

export function readMachines(prefix: string, quorum = false): V2Request {
  return list(`${prefix}/machines`, quorum);
}

export function readMachine(prefix: string, machine: string, quorum = false): V2Request {
  return list(`${prefix}/machines/${machine}`, quorum);
}

/** Unit files are only ever created: an error 105 means that it is there already. */
export function createUnitFile(
  prefix: string,
  hash: string,
  text: string,
): V2Request & { readonly op: "put"; readonly value: string } {
  return {
    op: "put",
    key: `${prefix}/unit/${hash}`,
    value: goJson({ Raw: text }),
    prevExist: false,
  };
}

export function writeJob(prefix: string, unit: string, hash: string): V2Request {
  const UnitHash = (hash.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
  return {
    op: "put",
    key: `${prefix}/job/${unit}/object`,
    value: goJson({ Name: unit, UnitHash }),
  };
}

export function writeTargetState(prefix: string, unit: string, state: string): V2Request {
  return { op: "put", key: `${prefix}/job/${unit}/target-state`, value: state };
}

/** Says that a unit has run and ended for the order whose target state was written at `order`; no key of fleet 1.0's. */
export function writeEnding(prefix: string, unit: string, order: Revision): V2Request {
  return { op: "put", key: `${prefix}/job/${unit}/ended`, value: String(order) };
}

export function deleteJob(prefix: string, unit: string): V2Request {
  return { op: "delete", key: `${prefix}/job/${unit}`, recursive: true };
}

/** Fails with 105 if the unit is scheduled already. */
export function schedule(prefix: string, unit: string, machine: string): V2Request {
  return { op: "put", key: `${prefix}/job/${unit}/target`, value: machine, prevExist: false };
}

/** Fails with 101 if the unit is scheduled elsewhere; 100 counts as done. */
export function unschedule(prefix: string, unit: string, machine: string): V2Request {
  return { op: "delete", key: `${prefix}/job/${unit}/target`, prevValue: machine };
}

/** Says that `machine` runs the unit. */
export function heartbeat(prefix: string, unit: string, machine: string, ttl: number): V2Request {
  return { op: "put", key: `${prefix}/job/${unit}/job-state`, value: machine, ttl };
}

/** Renews the heartbeat of `machine`, and fails with 100 or 101 if there is none of it. Watches are told of no renewal. */
export function renewHeartbeat(
  prefix: string,
  unit: string,
  machine: string,
  ttl: number,
): V2Request {
  const key = `${prefix}/job/${unit}/job-state`;
  return { op: "put", key, ttl, refresh: true, prevValue: machine };
}

/** @param machine - only if the heartbeat is of this machine; fleet itself does not ask */
export function clearHeartbeat(prefix: string, unit: string, machine: string | null): V2Request {
  const key = `${prefix}/job/${unit}/job-state`;
  return machine === null ? { op: "delete", key } : { op: "delete", key, prevValue: machine };
}

/** @param exists - whether the key has to be there already, must not be, or has to hold the same */
export function writeMachine(
  prefix: string,
  machine: MachinePresence,
  ttl: number,
  exists: boolean | "same",
): V2Request {
  const key = `${prefix}/machines/${machine.id}/object`;
  if (exists === "same") {
    const value = machineJson(machine);
    return { op: "put", key, value, ttl, prevValue: value };
  }
  return { op: "put", key, value: machineJson(machine), ttl, prevExist: exists };
}

export function deleteMachine(prefix: string, machine: string): V2Request {
  return { op: "delete", key: `${prefix}/machines/${machine}/object` };
}

/** Dynamic metadata: outlives the machine; "" takes a static value away. */
export function writeMachineMetadata(
  prefix: string,
  machine: string,
  key: string,
  value: string,
): V2Request {
  return { op: "put", key: `${prefix}/machines/${machine}/metadata/${key}`, value };
}

/** What a machine says of itself. */
export interface MachinePresence {
  readonly id: string;
  readonly publicIp: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Settings that others have to know of; default: neither. */
  readonly capabilities?: MachineCapabilities;
}

export interface MachineCapabilities {
  readonly disableEngine: boolean;
  readonly grpc: boolean;
}

const VERSION = "1.0.0";

function machineJson({ id, publicIp, metadata, capabilities }: MachinePresence): string {
  const sorted = Object.entries(metadata).sort(([left], [right]) => (left < right ? -1 : 1));
  return goJson({
    ID: id,
    PublicIP: publicIp,
    Metadata: Object.fromEntries(sorted),
    Capabilities: {
      DISABLE_ENGINE: capabilities?.disableEngine ?? false,
      GRPC: capabilities?.grpc ?? false,
    },
    Version: VERSION,
  });
}

/** A unit's state as systemd reports it, with the hash of its file ("" if unknown). */
export interface UnitReport {
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  readonly hash: string;
}

/** The writes of SaveUnitState, in order: the legacy key, which all machines share, then the machine's own. */
export function saveUnitState(
  prefix: string,
  unit: string,
  machine: string,
  report: UnitReport,
  ttl: number,
): V2Request[] {
  const value = goJson({
    loadState: report.load,
    activeState: report.active,
    subState: report.sub,
    machineState: { ID: machine, PublicIP: "", Metadata: null, Capabilities: null, Version: "" },
    unitHash: report.hash,
  });
  return [
    { op: "put", key: `${prefix}/state/${unit}`, value, ttl },
    { op: "put", key: `${prefix}/states/${unit}/${machine}`, value, ttl },
  ];
}

/**
 * The deletes of RemoveUnitState. fleet takes away the states of all machines.
 *
 * @param machine - take away this machine's only; null for fleet's own way
 */
export function removeUnitState(prefix: string, unit: string, machine: string | null): V2Request[] {
  if (machine !== null) return [{ op: "delete", key: `${prefix}/states/${unit}/${machine}` }];
  return [
    { op: "delete", key: `${prefix}/state/${unit}` },
    { op: "delete", key: `${prefix}/states/${unit}`, recursive: true },
  ];
}

/** The version that fleet 1.0's engine writes and demands. */
export const ENGINE_VERSION = 1;

export function readEngineVersion(prefix: string): V2Request {
  return { op: "get", key: `${prefix}/engine/version` };
}

/** @param from - the version found; null when there was none */
export function writeEngineVersion(prefix: string, from: number | null): V2Request {
  const key = `${prefix}/engine/version`;
  const value = String(ENGINE_VERSION);
  if (from === null) return { op: "put", key, value, prevExist: false };
  return { op: "put", key, value, prevValue: String(from) };
}

/** Who leads the engines, and the index of the write that says so. */
export interface Lease {
  readonly machine: string;
  readonly version: number;
  readonly index: Revision;
}

export function readLease(prefix: string): V2Request {
  return { op: "get", key: `${prefix}/lease/engine-leader` };
}

/** @param index - the lease to renew or steal; null to take it where there is none */
export function writeLease(
  prefix: string,
  machine: string,
  ttl: number,
  index: Revision | null,
): V2Request {
  const key = `${prefix}/lease/engine-leader`;
  const value = goJson({ MachineID: machine, Version: ENGINE_VERSION });
  if (index === null) return { op: "put", key, value, ttl, prevExist: false };
  return { op: "put", key, value, ttl, prevIndex: index };
}

export function releaseLease(prefix: string, index: Revision): V2Request {
  return { op: "delete", key: `${prefix}/lease/engine-leader`, prevIndex: index };
}

export function parseLease(node: V2Node): Lease {
  const value = node.value ?? "";
  const index = node.modifiedIndex;
  const model = parseObject(value);
  if (model === null) return { machine: value, version: 0, index };
  const version = typeof model.Version === "number" ? model.Version : 0;
  return { machine: textOf(model.MachineID), version, index };
}

/** A long poll on everything below `/job`; @param from - the first index of interest, null: from now */
export function watchJobs(prefix: string, from: Revision | null = null): V2Request {
  const request = { op: "watch", key: `${prefix}/job`, recursive: true } as const;
  return from === null ? request : { ...request, waitIndex: from };
}

/** Fails if the file was written again since. */
export function deleteUnitFile(prefix: string, hash: string, index: Revision): V2Request {
  return { op: "delete", key: `${prefix}/unit/${hash}`, prevIndex: index };
}

/** The units below `/states`, with the machines that say of each that it is not at rest. */
export function parseBusyUnits(node: V2Node): Map<string, string[]> {
  const busy = new Map<string, string[]>();
  for (const unit of node.nodes ?? []) {
    const machines = (unit.nodes ?? []).flatMap(({ key, value }) => {
      const active = parseObject(value ?? "")?.activeState;
      return active === "inactive" || active === "failed" ? [] : [baseName(key)];
    });
    busy.set(baseName(unit.key), machines);
  }
  return busy;
}

/** Whether an event below `/job` changes what an agent has to do; a heartbeat does not. */
export function isNews(key: string): boolean {
  return !key.endsWith("/job-state");
}

/** Whether an event makes agents and engines look again: a target or a target state was written or deleted. */
export function isTrigger(key: string): boolean {
  return key.endsWith("/target") || key.endsWith("/target-state");
}

/** Whether the reply is etcd's and says that the key is not there. */
export function isNotFound(reply: RegistryReply): boolean {
  return !reply.ok && "errorCode" in reply && reply.errorCode === NOT_FOUND;
}

/** Whether the reply says that the key is there already. */
export function isExisting(reply: EtcdReply): boolean {
  return !reply.ok && "errorCode" in reply && reply.errorCode === EXISTS;
}

/** What a job's directory holds, as far as it has been written. */
export interface JobDirectory {
  /** Value of `object`, null if it is not there. */
  object: string | null;
  /** "" if there is none. */
  targetState: string;
}

/**
 * Reads a directory below `/job` into `into`. Runs for every unit of the cluster in every pass of
 * every host, hence without allocating.
 */
export function readJobDirectory(directory: V2Node, into: JobDirectory): void {
  into.object = null;
  into.targetState = "";
  const start = directory.key.length + 1;
  for (const { key, value } of directory.nodes ?? []) {
    if (value === undefined) continue;
    if (key.startsWith("object", start)) into.object = value;
    else if (key.startsWith("target-state", start)) into.targetState = value;
  }
}

/** The machine a directory below `/job` is scheduled to, null if none. */
export function readTarget(directory: V2Node): string | null {
  const start = directory.key.length + 1;
  for (const { key, value } of directory.nodes ?? []) {
    if (key.length === start + 6 && key.startsWith("target", start) && value) return value;
  }
  return null;
}

/** The machine that last said it runs a unit, "" if none; takes a directory below `/job`. */
export function readHeartbeat(directory: V2Node): string {
  const key = `${directory.key}/job-state`;
  return directory.nodes?.find((node) => node.key === key)?.value ?? "";
}

/** Every unit state of every machine, in the order the member happens to have them. */
export function readUnitStates(prefix: string, quorum = false): V2Request {
  const request = { op: "get", key: `${prefix}/states`, recursive: true } as const;
  return quorum ? { ...request, quorum } : request;
}

/** A unit's state as a machine has published it. */
export interface RegisteredState extends UnitReport {
  readonly unit: string;
  /** The machine under whose key it is. */
  readonly reporter: string;
  /** The machine that the value names, "" if none. */
  readonly machine: string;
}

/** A state out of a key `/states/UNIT/MACHINE`; null when it is not fleet's JSON. */
export function parseUnitState({ key, value = "" }: V2Node): RegisteredState | null {
  const model = parseObject(value);
  if (model === null) return null;
  const [reporter = "", unit = ""] = key.split("/").reverse();
  const machine = model.machineState;
  const named = machine !== null && typeof machine === "object" && "ID" in machine;
  return {
    unit,
    reporter,
    machine: named ? textOf(machine.ID) : "",
    load: textOf(model.loadState),
    active: textOf(model.activeState),
    sub: textOf(model.subState),
    hash: textOf(model.unitHash),
  };
}

/** Name and hash out of a job's `object`; null when it is not fleet's JSON. */
export function parseJobObject(
  value: string,
): { readonly name: string; readonly hash: string } | null {
  const model = parseObject(value);
  if (model === null || !Array.isArray(model.UnitHash) || model.UnitHash.length !== 20) return null;
  const hash = model.UnitHash.map((byte: unknown) => Number(byte).toString(16).padStart(2, "0"));
  return { name: textOf(model.Name), hash: hash.join("") };
}

/** The text in a value below `/unit`; null when it is not fleet's JSON. */
export function parseUnitValue(value: string): string | null {
  const model = parseObject(value);
  return model === null ? null : textOf(model.Raw);
}

/**
 * A machine out of its directory, dynamic metadata merged over its own; the ID is "" if only
 * metadata is left. Null when the object is not JSON, which makes the real reader give up.
 */
export function parseMachine(node: V2Node): MachineState | null {
  let id = "";
  let metadata: Record<string, string> = {};
  const dynamic = new Map<string, string>();
  for (const child of node.nodes ?? []) {
    if (child.key.endsWith("/object")) {
      const model = parseObject(child.value ?? "");
      if (model === null) return null;
      id = textOf(model.ID);
      metadata = textsOf(model.Metadata);
    } else if (child.key.endsWith("/metadata")) {
      for (const { key, value } of child.nodes ?? []) dynamic.set(baseName(key), value ?? "");
    }
  }
  for (const [key, value] of dynamic) {
    if (value === "") delete metadata[key];
    else metadata[key] = value;
  }
  return { id, metadata };
}

/** The address in a machine's directory, "" if it has none. */
export function publicIpOf(directory: V2Node): string {
  return textOf(machineObject(directory)?.PublicIP);
}

/** Whether a machine's directory says that it takes part in fleet's gRPC. */
export function hasGrpc(directory: V2Node): boolean {
  const capabilities = machineObject(directory)?.Capabilities;
  return (
    capabilities !== null &&
    typeof capabilities === "object" &&
    "GRPC" in capabilities &&
    capabilities.GRPC === true
  );
}

function machineObject(directory: V2Node): Record<string, unknown> | null {
  const object = directory.nodes?.find(({ key }) => key.endsWith("/object"));
  return parseObject(object?.value ?? "");
}

/** The part of a key behind its last slash. */
export function baseName(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textsOf(value: unknown): Record<string, string> {
  if (value === null || typeof value !== "object") return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
}
