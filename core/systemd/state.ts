import type { Micros } from "../kernel/index.js";
import type { LoadState } from "./client.js";
import type { UnitConfig } from "./config.js";
import type { Dependency } from "./dependency.js";
import type { ExecProcess } from "./process.js";
import type { CommandList } from "./service-config.js";
import type { SocketCommandList } from "./socket-config.js";
import type { JobType, ServiceResult, UnitResult } from "./types.js";
import type { Timed } from "./unit-timer.js";

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
  | "stop-watchdog"
  | "stop-sigterm"
  | "stop-sigkill"
  | "stop-post"
  | "final-watchdog"
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
  /** False while nobody knows which process is the main one, as of a Type=forking service. */
  mainPidKnown: boolean;
  /** Which command of ExecStart= the main process runs; null when it is not one, or has ended for good. */
  mainCommand: number | null;
  /** Which command the control process runs. */
  controlCommand: { readonly list: CommandList; readonly index: number } | null;
  /** Exit code of the main process that ended last; null before that or after a signal. */
  mainCode: number | null;
  mainSignal: string | null;
  /** A stop was asked for: Restart= does not count. */
  forbidRestart: boolean;
  /** NRestarts. */
  restarts: number;
  flushRestarts: boolean;
  /** A restart follows the state that is being entered. */
  willRestart: boolean;
  /** What the program last told of itself; absent: that it is ready, or nothing. */
  notified?: "reloading" | "stopping";
  /** When a state that lasts for a limited time was entered; absent in one that may last. */
  stateSince?: Micros;
  /** When the timer of the state is due; absent: none runs. */
  timerAt?: Micros;
  /** WatchdogSec= as it was when the service was started, or as the program asked for; absent: none. */
  watchdog?: Micros;
  /** When the watchdog bites; absent: it sleeps. */
  watchdogAt?: Micros;
  /** The service waits for its PIDFile= to be written. */
  awaitsPidFile?: true;
  /** When the service became active; kept where RuntimeMaxSec= counts from it. */
  activeSince?: Micros;
}

/** What a timer unit does at run time. */
export interface TimerRuntime {
  state: "dead" | "waiting" | "running" | "elapsed" | "failed";
  result: UnitResult;
  /** When it elapses next; null: never. */
  next: Micros | null;
  lastTrigger: Micros | null;
  /** When a Persistent= timer elapsed last before it was started; absent: not known. */
  stamp?: Micros;
  /** Indexes of the settings that had their one turn. */
  disabled: Set<number>;
}

/** What a path unit does at run time. */
export interface PathRuntime {
  state: "dead" | "waiting" | "running" | "failed";
  result: UnitResult;
  /** Which of the paths existed when last looked at, by index. */
  existed: Set<number>;
  limit: Limit;
}

/** Sub states of a socket unit, as systemd prints them. */
export type SocketState =
  | "dead"
  | "start-pre"
  | "start-chown"
  | "start-post"
  | "listening"
  | "running"
  | "stop-pre"
  | "stop-pre-sigterm"
  | "stop-pre-sigkill"
  | "stop-post"
  | "final-sigterm"
  | "final-sigkill"
  | "failed";

/** What a socket unit does at run time. */
export interface SocketRuntime extends Timed {
  state: SocketState;
  result: UnitResult;
  /** The process that runs a command of the unit; absent: none. */
  controlPid?: number;
  controlCommand?: { readonly list: SocketCommandList; index: number };
  /** Something came in that nobody has taken off. */
  traffic: boolean;
  limit: Limit;
}

/** Sub states of a mount unit, as systemd prints them. */
export type MountState =
  | "dead"
  | "mounting"
  | "mounting-done"
  | "mounted"
  | "remounting"
  | "remounting-sigterm"
  | "remounting-sigkill"
  | "unmounting"
  | "unmounting-sigterm"
  | "unmounting-sigkill"
  | "failed";

/** What a mount unit does at run time. mount and umount are control processes of the unit. */
export interface MountRuntime extends Timed {
  state: MountState;
  /** The kernel says that something is mounted there. */
  mounted: boolean;
  result: UnitResult;
  /** The last reload did not work; the mount stays as it was. */
  reloadFailed: boolean;
  controlPid: number;
}

/** A rate limit's window. */
export interface Limit {
  begin: Micros | null;
  count: number;
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
  /** Id of its job of type nop, which does not get in the way of others; 0: none. */
  nopJob: number;
  service: ServiceRuntime | null;
  timer: TimerRuntime | null;
  path: PathRuntime | null;
  socket: SocketRuntime | null;
  mount: MountRuntime | null;
  /** Whether a unit that is none of these is active. */
  active: boolean;
  /** StartLimitIntervalSec= and StartLimitBurst=. */
  startLimit: Limit;
  startLimitHit: boolean;
  /** Limit on starts and stops that systemd comes up with by itself (Upholds=, BindsTo=, unneeded). */
  autoLimit: Limit;
  /** When it last left and entered the inactive states. */
  inactiveExit: Micros | null;
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
  /** When it was queued. */
  readonly begun: Micros;
}

/** A process systemd started and has not seen end. */
export interface ProcessRecord {
  readonly pid: number;
  readonly unit: string;
  /** `child`: started by another process of the unit. */
  readonly role: ExecProcess["role"] | "child";
}

/** systemd of one host. /etc and the stamps of timers outlive a boot; everything else does not. */
export interface SystemdState {
  hostname: string;
  readonly machineId: string;
  bootId: string;
  readonly timeoutStart: Micros;
  readonly timeoutStop: Micros;
  /** Watchdogs bite. */
  readonly serviceWatchdogs?: true;
  /** A daemon-reload forgets the limits of units. */
  readonly reloadForgetsLimits?: true;
  readonly hashKey?: number;
  /** Unit files and drop-ins by path, and other files that units refer to. */
  files: Map<string, string>;
  /** Symbolic links by path: masks, aliases, linked units, `.wants/` and `.requires/`. */
  links: Map<string, string>;
  /** When each Persistent= timer elapsed last, or was first started; outlives a boot. */
  timerStamps?: Map<string, Micros>;
  units: Map<string, Unit>;
  /** Units that someone holds loaded (RefUnit). */
  refs?: Set<string>;
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
