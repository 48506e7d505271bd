import type { Micros } from "../kernel/index.js";
import type { ActiveState, LoadState } from "./client.js";
import type { UnitConfig } from "./config.js";
import type { Dependency } from "./dependency.js";
import type { ExecProcess } from "./process.js";
import type { JobType, ServiceResult } from "./types.js";

/** Sub states of a service, as systemd prints them. */
export type ServiceState =
  | "dead"
  | "condition"
  | "start-pre"
  | "start"
  | "start-post"
  | "running"
  | "exited"
  | "reload"
  | "stop"
  | "stop-sigterm"
  | "stop-sigkill"
  | "stop-post"
  | "final-sigterm"
  | "final-sigkill"
  | "failed"
  | "auto-restart";

/** What a service does at run time; its settings are in its config. */
export interface ServiceRuntime {
  state: ServiceState;
  result: ServiceResult;
  reloadResult: ServiceResult;
  /** 0: none. */
  mainPid: number;
  controlPid: number;
  /** Which of the commands of the phase is running; meaningful while a pid is. */
  mainCommand: number;
  controlCommand: number;
  /** Exit code of the main process that ended last; null before that or after a signal. */
  mainCode: number | null;
  mainSignal: string | null;
  /** A stop was asked for: Restart= does not count. */
  forbidRestart: boolean;
  /** NRestarts. */
  restarts: number;
  flushRestarts: boolean;
  ready: boolean;
}

/** What a timer unit does at run time. */
export interface TimerRuntime {
  state: "dead" | "waiting" | "running" | "elapsed" | "failed";
  /** When it elapses next; null: never. */
  next: Micros | null;
  lastTrigger: Micros | null;
}

/** A unit that is loaded: its settings, its edges and what it does. */
export interface Unit {
  readonly name: string;
  load: LoadState;
  config: UnitConfig;
  /** Paths of the fragment and the drop-ins it was read from. */
  fragment: string;
  /** Names of other units, in the order in which the edges were made. Absent kinds are empty. */
  edges: Map<Dependency, Set<string>>;
  /** Id of its job; 0: none. */
  job: number;
  service: ServiceRuntime | null;
  timer: TimerRuntime | null;
  /** State of a unit that is neither service nor timer. */
  active: "active" | "inactive";
  /** Start of the rate limit's window and the starts in it. */
  limitBegin: Micros | null;
  limitCount: number;
  /** When its active state last changed between active and inactive, for timers. */
  activeEnter: Micros | null;
  inactiveEnter: Micros | null;
  /** What was last announced: `<load> <active> <sub> <result>`. */
  announced: string;
}

export interface Job {
  readonly id: number;
  readonly unit: string;
  type: JobType;
  state: "waiting" | "running";
  irreversible: boolean;
  ignoreOrder: boolean;
}

/** A process systemd started and has not seen end. */
export interface ProcessRecord {
  readonly pid: number;
  readonly unit: string;
  readonly role: ExecProcess["role"];
}

/** systemd of one host. /etc outlives a boot; everything else does not. */
export interface SystemdState {
  hostname: string;
  readonly machineId: string;
  bootId: string;
  readonly timeoutStart: Micros;
  readonly timeoutStop: Micros;
  /** Unit files and drop-ins by path, and other files that units refer to. */
  files: Map<string, string>;
  /** Symbolic links by path: masks, aliases, linked units, `.wants/` and `.requires/`. */
  links: Map<string, string>;
  units: Map<string, Unit>;
  jobs: Map<number, Job>;
  /** Ids of jobs that may be run, the oldest first. */
  runQueue: Set<number>;
  processes: Map<number, ProcessRecord>;
  /** Processes of Type=idle that wait for the job queue to empty. */
  idle: ExecProcess[];
  nextPid: number;
  nextJob: number;
  phase: "off" | "running" | "stopping" | "down";
  bootedAt: Micros;
}

/** A unit's change of state, still to be acted on. */
export interface Notification {
  readonly unit: string;
  readonly before: ActiveState;
  readonly after: ActiveState;
  readonly reloadFailed: boolean;
  readonly willRestart: boolean;
  readonly skipped: boolean;
}

/** A job to be queued once the present change is done with. */
export interface Trigger {
  readonly unit: string;
  readonly type: JobType;
  readonly mode: "replace" | "fail";
}
