import { type Micros, SECOND } from "../kernel/index.js";
import type { MachinePresence } from "./registry.js";

/**
 * `faithful` behaves as fleet 1.0 does, its bugs included; `documented` as fleet's documentation
 * says it does, where that is something else; `fixed` as it should have been. Each difference is
 * one of `FleetFixes`.
 */
export type FleetProfile = "faithful" | "documented" | "fixed";

/** What is different from fleet 1.0. `documented` has the first group, `fixed` has all but
 * `fullMachineId`. */
export interface FleetFixes {
  /** `MachineID` is a machine's full ID; its first eight characters are nobody's. */
  readonly fullMachineId: boolean;
  /** Blanks part the values of `MachineOf` and `Replaces`, and none of them is empty. */
  readonly valuesPart: boolean;
  /** A global unit that is inactive is nowhere: it takes up no room and repels nobody. */
  readonly inactiveIsNowhere: boolean;
  /** The replaced unit moves, never the one that replaces it, and only to where it can run. */
  readonly replacedMoves: boolean;
  /** A unit without a state, or with one that is none, stays as it is: not placed, not stopped. */
  readonly statesAreKnown: boolean;

  /** An agent stops its units before its presence can have expired; a killed fleetd's are stopped by systemd. */
  readonly fences: boolean;
  /** An agent that finds its own machine missing leaves its units alone, and an engine waits for half a TTL. */
  readonly missingIsNotGone: boolean;
  /** The registry is etcd's, with `enable_grpc` too: none is kept in the memory of one engine. */
  readonly registryIsEtcds: boolean;
  /** Registry reads go through the log, so that no member answers from an old store. */
  readonly readsThroughLog: boolean;
  /** Presence is written only over what this host wrote itself: a twin of the same ID stays out. */
  readonly presenceIsOwn: boolean;
  /** A renewal of the lease without an answer is no loss of it: whose it is is looked up. */
  readonly leaseLasts: boolean;
  /** A write of presence may take a third of the TTL, not one second, and is sent again meanwhile: its answer may be lost. */
  readonly patientBeats: boolean;
  /** Watches go on where they left off, without a pause. */
  readonly watchesMissNothing: boolean;
  /** An agent reads the registry when its watch told of a change, and once a minute in any case, not every five seconds; an engine that follows asks every third time. */
  readonly readsOnNews: boolean;
  /** With the schedule nobody reads the states of all units, of which no pass makes any use. */
  readonly skipsStates: boolean;
  /** A heartbeat is renewed by a write that etcd tells no watch of (`refresh`). */
  readonly quietHeartbeats: boolean;
  /** A task that fails does not keep the tasks after it from being done, and templates are not placed. */
  readonly tasksGoOn: boolean;
  /** What is taken away in the registry is this machine's only: heartbeats and unit states. */
  readonly clearsOnlyOwn: boolean;
  /** A unit is not placed while another machine says that it still runs there. */
  readonly oneCopy: boolean;
  /** A unit that has ended by itself is not started again when it moves or fleetd starts anew, only when asked for again. */
  readonly endsOnce: boolean;
  /** A unit whose file is missing in the registry runs on where the file is known. */
  readonly keepsKnownFiles: boolean;
  /** An engine visits jobs and globals by name, as agents do, in every pass alike. */
  readonly visitsByName: boolean;
  /** SIGHUP has the configuration read again by the server that runs; there is never a second one. */
  readonly reloadsInPlace: boolean;
  /** Unit files that no unit refers to are removed. */
  readonly collectsGarbage: boolean;
  /** With nothing else to do, units move to machines that have two fewer. */
  readonly rebalances: boolean;
}

const AS_DOCUMENTED = {
  fullMachineId: true,
  valuesPart: true,
  inactiveIsNowhere: true,
  replacedMoves: true,
  statesAreKnown: true,
};

const FAITHFUL: FleetFixes = {
  fullMachineId: false,
  valuesPart: false,
  inactiveIsNowhere: false,
  replacedMoves: false,
  statesAreKnown: false,
  fences: false,
  missingIsNotGone: false,
  registryIsEtcds: false,
  readsThroughLog: false,
  presenceIsOwn: false,
  leaseLasts: false,
  patientBeats: false,
  watchesMissNothing: false,
  readsOnNews: false,
  skipsStates: false,
  quietHeartbeats: false,
  tasksGoOn: false,
  clearsOnlyOwn: false,
  oneCopy: false,
  endsOnce: false,
  keepsKnownFiles: false,
  visitsByName: false,
  reloadsInPlace: false,
  collectsGarbage: false,
  rebalances: false,
};

const FIXED: FleetFixes = {
  ...AS_DOCUMENTED,
  // Operators were told for years that the short ID works, and use it.
  fullMachineId: false,
  fences: true,
  missingIsNotGone: true,
  registryIsEtcds: true,
  readsThroughLog: true,
  presenceIsOwn: true,
  leaseLasts: true,
  patientBeats: true,
  watchesMissNothing: true,
  readsOnNews: true,
  skipsStates: true,
  quietHeartbeats: true,
  tasksGoOn: true,
  clearsOnlyOwn: true,
  oneCopy: true,
  endsOnce: true,
  keepsKnownFiles: true,
  visitsByName: true,
  reloadsInPlace: true,
  collectsGarbage: true,
  rebalances: true,
};

/** What each profile has of the differences. */
export const FLEET_FIXES: Readonly<Record<FleetProfile, FleetFixes>> = {
  faithful: FAITHFUL,
  documented: { ...FAITHFUL, ...AS_DOCUMENTED },
  fixed: FIXED,
};

/** What fleet.conf says, and the host's identity. Source: fleetd/fleetd.go, config/config.go. */
export interface FleetConfig {
  /** /etc/machine-id, 32 hex digits. Two hosts that share one fight over it, as they do with fleet. */
  readonly machineId: string;
  readonly publicIp: string;
  /** Static metadata of the host; the registry's dynamic metadata is merged over it. */
  readonly metadata: Readonly<Record<string, string>>;
  /** TTL of presence, heartbeats and unit states: whole seconds. */
  readonly agentTtl: Micros;
  readonly engineReconcileInterval: Micros;
  readonly etcdRequestTimeout: Micros;
  readonly disableEngine: boolean;
  /** The registry of units is asked of the engine that leads, over gRPC. */
  readonly enableGrpc: boolean;
  readonly profile: FleetProfile;
  /** Where unit files are written; no trailing slash. */
  readonly unitsDirectory: string;
  /** Root of fleet's keys in etcd; no trailing slash. */
  readonly keyPrefix: string;
}

/** fleet's own defaults, for everything but the host's identity. */
export const FLEET_DEFAULTS = {
  publicIp: "",
  metadata: {},
  agentTtl: 30 * SECOND,
  engineReconcileInterval: 2 * SECOND,
  etcdRequestTimeout: SECOND,
  disableEngine: false,
  enableGrpc: false,
  profile: "faithful",
  unitsDirectory: "/run/fleet/units",
  keyPrefix: "/_coreos.com/fleet",
} as const satisfies Omit<FleetConfig, "machineId">;

/** What the machine says of itself in the registry. */
export function presenceOf(config: FleetConfig): MachinePresence {
  const { machineId, publicIp, metadata, disableEngine, enableGrpc } = config;
  const capabilities = { disableEngine, grpc: enableGrpc };
  return { id: machineId, publicIp, metadata, capabilities };
}
