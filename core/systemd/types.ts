import type { Micros, TimerEffect, TimerFired } from "../kernel/index.js";
import type { JobMode, LoadState, SystemdCall, SystemdReplied, UnitChanged } from "./client.js";
import type { HostAction } from "./emergency.js";
import type {
  ExecProcess,
  KillProcess,
  ProcessExited,
  ProcessForked,
  ProcessNotified,
  ProcessReady,
} from "./process.js";

/** A unit file or drop-in where it lies: `directory` is absolute, `name` may hold one `/` (`x.service.d/10-a.conf`). */
export interface UnitFileSource {
  readonly directory: string;
  readonly name: string;
  readonly text: string;
}

export interface SystemdConfig {
  /** `%H`. */
  readonly hostname: string;
  /** `%m`: 32 lowercase hex digits. */
  readonly machineId: string;
  /** What lies in /etc before the first boot; the vendor's units come with `boot`. */
  readonly unitFiles?: readonly UnitFileSource[];
  /** DefaultTimeoutStartSec; absent: 90 s. */
  readonly defaultTimeoutStart?: Micros;
  /** DefaultTimeoutStopSec; absent: 90 s. */
  readonly defaultTimeoutStop?: Micros;
  /**
   * `systemd.service_watchdogs=`: whether WatchdogSec= has consequences. Absent: it has none, because a world
   * whose programs never say WATCHDOG=1 would see them all killed.
   */
  readonly serviceWatchdogs?: boolean;
  /**
   * A daemon-reload forgets how often units were started, as systemd before 255 does. Absent: it does not, as
   * in later ones (systemd pull request 30024).
   */
  readonly reloadForgetsLimits?: boolean;
  /** The key of systemd's hash tables; see `hashOrder`. Absent: what was named first comes first. */
  readonly hashKey?: number;
}

/**
 * The kernel started systemd as PID 1. What was running is gone, /run is empty, /etc is as it was;
 * `vendorUnits` are the whole of /usr/lib/systemd/system (the standard targets are added where the
 * vendor has none of that name). A job to start `defaultTarget` is queued.
 */
export interface Boot {
  readonly kind: "boot";
  readonly defaultTarget: string;
  /** `%b`. */
  readonly bootId: string;
  readonly vendorUnits: readonly { readonly name: string; readonly text: string }[];
  /** Vendor units whose [Install] section is followed in /usr/lib: what the image has enabled. */
  readonly vendorEnabled?: readonly string[];
}

/** A file that units refer to (EnvironmentFile=, ConditionPathExists=) now holds `text`; null: it is gone. */
export interface FileChanged {
  readonly kind: "file-changed";
  readonly path: string;
  readonly text: string | null;
}

/** Someone set the host's name: `%H` from the next load on. */
export interface HostnameChanged {
  readonly kind: "hostname-changed";
  readonly hostname: string;
}

/** The host's clock was set: `now` jumps with this stimulus. */
export interface ClockChanged {
  readonly kind: "clock-changed";
}

/** Something came in on a socket that a socket unit listens on. */
export interface SocketTraffic {
  readonly kind: "socket-traffic";
  readonly unit: string;
}

/** A program of a service took off all that had come in on the service's sockets. */
export interface SocketDrained {
  readonly kind: "socket-drained";
  readonly service: string;
}

/** Stop everything in order (`systemctl reboot`, `poweroff`); answered by `ShutdownComplete`. */
export interface Shutdown {
  readonly kind: "shutdown";
}

export type SystemdStimulus =
  | Boot
  | SystemdCall
  | ProcessExited
  | ProcessReady
  | ProcessNotified
  | ProcessForked
  | TimerFired
  | SocketTraffic
  | SocketDrained
  | FileChanged
  | HostnameChanged
  | ClockChanged
  | Shutdown;

/** Every unit is down and every process was sent SIGKILL: the kernel may restart or power off. */
export interface ShutdownComplete {
  readonly kind: "shutdown-complete";
}

export type SystemdEffect =
  | ExecProcess
  | KillProcess
  | SystemdReplied
  | UnitChanged
  | TimerEffect
  | HostAction
  | ShutdownComplete;

/** What a job is to do. */
export type JobType = "start" | "verify-active" | "stop" | "reload" | "restart" | "nop";

/** How a job ended, in systemd's words (JobRemoved). */
export type JobResult =
  | "done"
  | "canceled"
  | "timeout"
  | "failed"
  | "dependency"
  | "skipped"
  | "invalid"
  | "assert"
  | "unsupported";

/** A job that is asked for, before it is known what it comes to. */
export interface JobRequest {
  readonly type: JobType | "try-restart" | "try-reload" | "reload-or-start";
  readonly mode: JobMode;
}

/** Result= of a unit, in systemd's words. */
export type UnitResult =
  | ServiceResult
  | "unit-start-limit-hit"
  | "service-start-limit-hit"
  | "trigger-limit-hit";

/** Result= of a service. */
export type ServiceResult =
  | "success"
  | "resources"
  | "protocol"
  | "timeout"
  | "exit-code"
  | "signal"
  | "core-dump"
  | "watchdog"
  | "start-limit-hit"
  | "exec-condition";

export type SystemdFact =
  | {
      /** The active or sub state changed, as D-Bus clients see it: every state a unit passes through. */
      readonly kind: "systemd.unit";
      readonly unit: string;
      readonly load: LoadState;
      readonly active: string;
      readonly sub: string;
      readonly result: UnitResult;
    }
  | {
      /** A job ended; a restart job ends once, after its start. */
      readonly kind: "systemd.job";
      readonly unit: string;
      readonly job: JobType;
      readonly result: JobResult;
    }
  | { readonly kind: "systemd.reloaded" }
  | {
      /** An ordering cycle was broken by dropping the jobs of a unit that did not matter to the request. */
      readonly kind: "systemd.cycle-broken";
      readonly unit: string;
      readonly cycle: readonly string[];
    }
  | {
      /** A unit type or directive that this model loads without acting on it. */
      readonly kind: "systemd.unsupported";
      readonly unit: string;
      readonly what: string;
    }
  | {
      /** A unit file was read with a complaint; systemd logs it and goes on. */
      readonly kind: "systemd.unit-file-ignored-line";
      readonly unit: string;
      readonly file: string;
      readonly line: number;
      readonly found: string;
    };
