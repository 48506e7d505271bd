import type { Revision, V2Request } from "../etcd/client.js";
import type { Micros } from "../kernel/index.js";
import type { SystemdRequest } from "../systemd/client.js";
import type { MachineState } from "./able-to-run.js";
import type { AgentTask } from "./agent-tasks.js";
import type { ApiRun } from "./api.js";
import { FLEET_FIXES, type FleetConfig } from "./config.js";
import type { Order } from "./endings.js";
import type { EngineTask } from "./engine-task.js";
import type { FleetHttpClient } from "./events.js";
import type { RegistryCall } from "./grpc-calls.js";
import { createGrpc, type GrpcState } from "./grpc-client.js";
import { type EngineCounts, noCounts } from "./metrics.js";
import type { Lease, UnitReport } from "./registry.js";
import type { Requirements } from "./requirements.js";

/** The state of one fleetd process. Plain data; its inside is fleetd's own business. */
export interface FleetState {
  readonly config: FleetConfig;
  phase: FleetPhase;
  /** The next id of a call; never reused, so that a late answer finds nobody. */
  nextId: number;
  /** Who waits for the answer to which call. Nobody waits for heartbeats. */
  calls: Map<number, CallOwner>;
  /** Requests to the API that wait for etcd, by the call they wait for. */
  api: Map<number, ApiRequest>;
  /** The names of timers that are armed. */
  timers: Set<TimerName>;
  server: ServerState;
  agent: AgentLoop;
  engine: EngineLoop;
  generator: GeneratorState;
  publisher: PublisherState;
  /** Whether the last event of the watch has agents and engines look again. */
  watchTriggered: boolean;
  /** Profile `fixed`: the first index that the watch has to tell of; null until it is known. */
  watchFrom: Revision | null;
  /** Null: the registry is etcd's. */
  grpc: GrpcState | null;
  cache: RegistryCache;
}

/** A request of a client to the API. */
export interface ApiRequest {
  readonly client: FleetHttpClient;
  readonly run: ApiRun;
}

/**
 * Where the process is in its life. `stopping`: the monitor has given up, a running pass ends and
 * the process then registers again. `purging`: SIGTERM, everything is taken down.
 */
export type FleetPhase = "down" | "starting" | "registering" | "running" | "stopping" | "purging";

export type CallOwner =
  | "start"
  | "register"
  | "register-create"
  | "reload"
  | "beat"
  | "beat-create"
  | "heartbeat"
  | "agent"
  | "engine"
  | "generate"
  | "publish"
  | "watch"
  | "purge"
  | "api"
  | "rpc-change"
  | "rpc-server"
  | "connector";

export type TimerName =
  | "register"
  | "reload"
  | "beat"
  | "beat-retry"
  | "beat-limit"
  | "fence"
  | "heartbeat"
  | "agent"
  | "engine"
  | "engine-steal"
  | "generate"
  | "republish"
  | "watch"
  | "shutdown"
  | "rpc"
  | "connector";

export interface ServerState {
  /** After the monitor has given up once, presence is beaten back instead of created. */
  restarted: boolean;
  /** Wait before the next try to register. */
  backoff: Micros;
  /** When the first presence write was sent of those whose answer is awaited. */
  presenceSentAt: Micros;
  /** The time the current round of beats may take is over. */
  beatLimitPassed: boolean;
  /** A round of beats is under way. */
  beating: boolean;
  /** The next round was due meanwhile. */
  beatDue: boolean;
  /** Profile `fixed`: units are stopped until presence is back. */
  fenced: boolean;
  /** It has registered once; before that no signal is handled, and each ends the process. */
  hearsSignals: boolean;
  /** A second server tries to take over (SIGHUP). */
  reload: Reload | null;
  /** What is left to take down. */
  purge: PurgeStep[];
}

export interface Reload {
  /** Wait before the next try to register. */
  backoff: Micros;
  /** Connections to the API since it began: every other one is the second server's. */
  asked: number;
  /** The signal to be handled once it is over. */
  waiting: "SIGTERM" | "SIGHUP" | null;
}

export type PurgeStep =
  | { readonly kind: "etcd"; readonly request: V2Request }
  | { readonly kind: "registry"; readonly call: RegistryCall }
  /** A failed stop keeps the file of its unit. */
  | { readonly kind: "stop"; readonly unit: string }
  | { readonly kind: "remove"; readonly unit: string };

/** A job as one pass has read it. */
export interface JobEntry {
  readonly name: string;
  readonly hash: string;
  readonly targetState: string;
  /** Filled in by the second read. */
  machine: string | null;
}

/** The part of a pass that reads units: jobs, then unit files that are not known. */
export interface UnitsRead {
  /** Those whose unit file is known come with the pass; the others are dropped, as fleet drops them. */
  entries: JobEntry[];
}

export interface AgentLoop {
  step: "idle" | "look" | "jobs" | "unit-files" | "schedule" | "unit-states" | "machine" | "task";
  /** A tick or a trigger came during a pass. */
  due: boolean;
  units: UnitsRead;
  tasks: AgentTask[];
  /** Calls of the first of `tasks` that are left, in order; what follows a failed stop is dropped. */
  calls: TaskCall[];
  /** What the agent has done to its units since the process started. */
  cache: Map<string, "loaded" | "launched">;
  /** Hash by name of the unit files in the units directory. */
  files: Map<string, string>;
  /** The last failure told, so that it is told once. */
  failure: string;
  /** Profile `fixed`: the registry is as it was when it was last read, and what it asked for is done. */
  upToDate: boolean;
  /** Profile `fixed`: when it was last read. */
  readAt: Micros;
  /** Profile `fixed`: the own machine as it was then. */
  machine: MachineState | null;
  /** Profile `fixed`: what the registry said of each unit's orders when it was last read. */
  orders: Map<string, Order>;
  /** Profile `fixed`: the order that each unit was started for. */
  startedFor: Map<string, Revision>;
  /** Profile `fixed`: units that were started and have not ended since. */
  running: Set<string>;
  /** Profile `fixed`: orders that are done, until the registry says so. */
  endings: Map<string, Revision>;
  /** Profile `fixed`: the units whose heartbeats are being renewed, by call. */
  renewals: Map<number, string>;
}

export type TaskCall =
  | { readonly kind: "registry"; readonly call: RegistryCall }
  | { readonly kind: "systemd"; readonly request: SystemdRequest };

export interface EngineLoop {
  step:
    | "idle"
    | "version"
    | "version-swap"
    | "version-create"
    | "lease"
    | "blocked"
    | "registry-ready"
    | "acquire"
    | "steal"
    | "steal-wait"
    | "renew"
    | "engine-state"
    | "jobs"
    | "unit-files"
    | "schedule"
    | "unit-states"
    | "machines"
    | "order"
    | "states"
    | "task"
    | "garbage";
  due: boolean;
  lease: Lease | null;
  /** When the lease was last written, as this engine knows; profile `fixed` keeps it until it is over. */
  leasedAt: Micros;
  /** Profile `fixed`: whether a renewal went without an answer, so that the lease has to be looked up. */
  leaseUnsure: boolean;
  /** Profile `fixed`: since when machines that have units are missing. */
  missing: Map<string, Micros>;
  /** Profile `fixed`: files that no unit referred to when last looked, with the index of their write. */
  garbage: Map<string, Revision>;
  sweptAt: Micros;
  /** Seconds the stolen lease had left. */
  stolenSeconds: number;
  /** With gRPC: the lease that was found before it was asked whether the registry is ready; null: none was. */
  found: Lease | null;
  /** The machine of the engine that was known to lead when the pass began, "" if none. */
  leader: string;
  passStartedAt: Micros;
  units: UnitsRead;
  machines: readonly MachineState[];
  /** Id of the `order` asked for, 0 if none. */
  orderId: number;
  tasks: EngineTask[];
  counts: EngineCounts;
}

export interface GeneratorState {
  /** When the components started: ticks come on whole seconds from there. */
  startedAt: Micros;
  subscribed: Set<string>;
  /** What was subscribed at the last tick. */
  lastSubscribed: Set<string>;
  /** Something may have changed since the last answer. */
  dirty: boolean;
  /** Names that left the subscription, to be reported gone with the pending answer. */
  left: string[];
}

export interface PublisherState {
  /** The last report of each unit; null once it is gone, until the next republish. */
  cache: Map<string, UnitReport | null>;
  /** What is to be written, first come first served. `changed`: worth a fact. */
  queue: Map<string, { readonly report: UnitReport | null; readonly changed: boolean }>;
  workers: PublishWorker[];
}

export interface PublishWorker {
  /** The call it waits for; 0 when idle. */
  call: number;
  unit: string;
  report: UnitReport | null;
  changed: boolean;
  requests: (V2Request | RegistryCall)[];
}

/** What has been read from the registry and never changes under its key. */
export interface RegistryCache {
  /** Name and hash by the value of a job's `object`. */
  objects: Map<string, { readonly name: string; readonly hash: string }>;
  /** By hash. */
  units: Map<string, CachedUnit>;
  /** By unit name: what the file of that hash demands under that name. */
  requirements: Map<string, { readonly hash: string; readonly requirements: Requirements }>;
}

export interface CachedUnit {
  readonly text: string;
  /** Null if it depends on the unit's name. */
  readonly global: boolean | null;
  /** Has an [Install] section, so that loading enables it. */
  readonly install: boolean;
}

const PUBLISHERS = 5;

/** The state of a process that has not been started. */
export function createState(config: FleetConfig): FleetState {
  return {
    config,
    phase: "down",
    nextId: 1,
    calls: new Map(),
    api: new Map(),
    timers: new Set(),
    server: {
      restarted: false,
      backoff: 0,
      presenceSentAt: 0,
      beatLimitPassed: false,
      beating: false,
      beatDue: false,
      fenced: false,
      hearsSignals: false,
      reload: null,
      purge: [],
    },
    agent: {
      step: "idle",
      due: false,
      units: { entries: [] },
      tasks: [],
      calls: [],
      cache: new Map(),
      files: new Map(),
      failure: "",
      upToDate: false,
      readAt: 0,
      machine: null,
      orders: new Map(),
      startedFor: new Map(),
      running: new Set(),
      endings: new Map(),
      renewals: new Map(),
    },
    engine: {
      step: "idle",
      due: false,
      lease: null,
      leasedAt: 0,
      leaseUnsure: false,
      missing: new Map(),
      garbage: new Map(),
      sweptAt: 0,
      stolenSeconds: 0,
      found: null,
      leader: "",
      passStartedAt: 0,
      units: { entries: [] },
      machines: [],
      orderId: 0,
      tasks: [],
      counts: noCounts(),
    },
    generator: {
      startedAt: 0,
      subscribed: new Set(),
      lastSubscribed: new Set(),
      dirty: false,
      left: [],
    },
    publisher: {
      cache: new Map(),
      queue: new Map(),
      workers: Array.from({ length: PUBLISHERS }, () => ({
        call: 0,
        unit: "",
        report: null,
        changed: false,
        requests: [],
      })),
    },
    watchTriggered: false,
    watchFrom: null,
    grpc: config.enableGrpc && !FLEET_FIXES[config.profile].registryIsEtcds ? createGrpc() : null,
    cache: { objects: new Map(), units: new Map(), requirements: new Map() },
  };
}
