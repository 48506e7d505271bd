import type { EtcdReply } from "../etcd/client.js";
import type { MachineState } from "./able-to-run.js";
import {
  type ApiMachine,
  type ApiUnit,
  apiMachines,
  BROKEN,
  etcdStates,
  isJobState,
  unitFileOf,
} from "./api-registry.js";
import {
  baseName,
  hasGrpc,
  isNotFound,
  type JobDirectory,
  parseJobObject,
  parseLease,
  type RegisteredState,
  readHeartbeat,
  readJobDirectory,
  readJobs,
  readLease,
  readMachines,
  readTarget,
  readUnitFiles,
} from "./registry.js";
import type { RegistryRead } from "./registry-session.js";
import type { UnitFile } from "./unit-file.js";

/** What the registry says of a whole fleet, as far as whoever reads it can see. */
export interface FleetPicture {
  /** By name. */
  readonly units: readonly PicturedUnit[];
  readonly machines: readonly PicturedMachine[];
  readonly engine: PicturedEngine;
}

/** Who leads the engines; fleet's API does not tell. */
export type PicturedEngine =
  | { readonly known: false }
  /** Null: nobody does. */
  | {
      readonly known: true;
      readonly machine: string | null;
      /** With `enable_grpc` the engine has the registry in its memory, of which etcd tells a part. */
      readonly grpc: boolean;
    };

export interface PicturedMachine extends MachineState {
  readonly publicIp: string;
}

/** What is wrong with a unit's record, so that fleet does not see the unit. */
export type UnitDefect =
  /** A directory without an object: what a late heartbeat leaves of a unit that was destroyed. */
  | "no-object"
  | "no-file"
  | "unknown-state"
  /** Seen through the API, which says no more than that. */
  | "unreadable";

export interface PicturedUnit {
  readonly name: string;
  readonly defect: UnitDefect | null;
  /** Null when the registry has no readable file. */
  readonly file: UnitFile | null;
  /** As written: "" between two writes of a unit's creation, anything for one that is poisoned. */
  readonly targetState: string;
  /** "" if not scheduled. */
  readonly machine: string;
  readonly launched: boolean;
  /** What machines have reported on it. */
  readonly reports: readonly RegisteredState[];
}

/** Reads a picture out of etcd itself. */
export function* readPicture(prefix: string): RegistryRead<FleetPicture | typeof BROKEN> {
  const jobs = yield readJobs(prefix);
  const stored = yield readUnitFiles(prefix);
  const states = yield* etcdStates(prefix);
  const present = yield readMachines(prefix);
  const lease = yield readLease(prefix);
  for (const reply of [jobs, stored, present, lease]) {
    if (!reply.ok && !isNotFound(reply)) return BROKEN;
  }
  const machines = present.ok ? apiMachines(present.node) : [];
  if (states === BROKEN || machines === null) return BROKEN;
  const files = new Map<string, UnitFile>();
  for (const node of (stored.ok ? stored.node.nodes : undefined) ?? []) {
    const file = unitFileOf(node);
    if (file !== null) files.set(baseName(node.key), file);
  }
  const units: PicturedUnit[] = [];
  const directory: JobDirectory = { object: null, targetState: "" };
  for (const node of (jobs.ok ? jobs.node.nodes : undefined) ?? []) {
    readJobDirectory(node, directory);
    const { object, targetState } = directory;
    const model = object === null ? null : parseJobObject(object);
    const name = model?.name ?? baseName(node.key);
    const file = model === null ? null : (files.get(model.hash) ?? null);
    const machine = readTarget(node) ?? "";
    units.push({
      name,
      defect: defectOf(object, file, targetState),
      file,
      targetState,
      machine,
      launched: machine !== "" && readHeartbeat(node) === machine,
      reports: states.filter(({ unit }) => unit === name),
    });
  }
  const machine = lease.ok ? parseLease(lease.node).machine : null;
  const engine = { known: true, machine, grpc: isGrpc(present, machine) } as const;
  return { units, machines, engine };
}

/** Whether the engine takes part in gRPC; if its machine is gone, whether any does. */
function isGrpc(present: EtcdReply, leader: string | null): boolean {
  if (!present.ok || leader === null) return false;
  const directories = present.node.nodes ?? [];
  const own = directories.find(({ key, nodes }) => {
    return baseName(key) === leader && nodes?.some((node) => node.key.endsWith("/object"));
  });
  return own === undefined ? directories.some(hasGrpc) : hasGrpc(own);
}

function defectOf(
  object: string | null,
  file: UnitFile | null,
  targetState: string,
): UnitDefect | null {
  if (object === null) return "no-object";
  if (file === null) return "no-file";
  return targetState === "" || isJobState(targetState) ? null : "unknown-state";
}

/**
 * A picture put together from what the API tells. It leaves out the engine, and units that make no
 * sense.
 *
 * @param unreadable - names of units that the API answers an internal error for
 */
export function pictureOfApi(
  listed: readonly ApiUnit[],
  reports: readonly RegisteredState[],
  machines: readonly ApiMachine[],
  unreadable: readonly string[],
): FleetPicture {
  const ofUnit = (name: string) => reports.filter(({ unit }) => unit === name);
  const units = listed.map(
    ({ name, file, desiredState, currentState, machine }): PicturedUnit => ({
      name,
      defect: null,
      file,
      targetState: desiredState,
      machine,
      launched: currentState === "launched",
      reports: ofUnit(name),
    }),
  );
  const broken = unreadable.map(
    (name): PicturedUnit => ({
      name,
      defect: "unreadable",
      file: null,
      targetState: "",
      machine: "",
      launched: false,
      reports: ofUnit(name),
    }),
  );
  return { units: [...units, ...broken], machines, engine: { known: false } };
}
