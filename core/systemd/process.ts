/**
 * The boundary between systemd and processes. systemd asks for a process and for signals; the
 * world (a scenario's data, or a modelled daemon such as etcd) says what became of it.
 */

/** Starts a process. Answered by `ProcessExited` some day, and by `ProcessReady` for Type=notify. */
export interface ExecProcess {
  readonly kind: "exec";
  /** Unique on this host since boot. */
  readonly pid: number;
  readonly unit: string;
  /** Which line of the unit: ExecStart is `main`. */
  readonly role:
    | "condition"
    | "pre"
    | "main"
    | "post"
    | "reload"
    | "stop"
    | "stop-post"
    | "chown"
    | "mount"
    | "unmount";
  /** The command line after specifiers and variables; argv[0] is a path. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Signals that systemd sends by itself or by a unit's settings. */
export type KillSignal =
  | "SIGTERM"
  | "SIGKILL"
  | "SIGHUP"
  | "SIGINT"
  | "SIGQUIT"
  | "SIGUSR1"
  | "SIGUSR2"
  | "SIGABRT";

/** Sends a signal to a process of a unit. */
export interface KillProcess {
  readonly kind: "kill";
  readonly pid: number;
  readonly signal: KillSignal;
}

export interface ProcessExited {
  readonly kind: "process-exited";
  readonly pid: number;
  /** Exit status, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * A process started another, which stays in the unit's control group and may outlive it. The parent of
 * a Type=forking service does so before it exits: what it leaves behind becomes the main process.
 */
export interface ProcessForked {
  readonly kind: "process-forked";
  readonly pid: number;
  /** Unique on this host since boot; pids that systemd gives out are below 1,000,000. */
  readonly child: number;
}

/**
 * sd_notify(3): what a program tells systemd of itself, one `NAME=VALUE` each: READY=1, RELOADING=1,
 * STOPPING=1, WATCHDOG=1, WATCHDOG=trigger, WATCHDOG_USEC=…, EXTEND_TIMEOUT_USEC=…, MAINPID=…; others mean
 * nothing here. Heard as NotifyAccess= allows.
 */
export interface ProcessNotified {
  readonly kind: "process-notified";
  readonly pid: number;
  readonly tags: readonly string[];
}

/**
 * sd_notify(READY=1). Of a Type=forking service it says that the parent exited with status 0 and left
 * a daemon behind, which goes on under the same pid here.
 */
export interface ProcessReady {
  readonly kind: "process-ready";
  readonly pid: number;
}
