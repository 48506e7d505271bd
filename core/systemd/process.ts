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
  readonly role: "condition" | "pre" | "main" | "post" | "reload" | "stop" | "stop-post";
  /** The command line after specifiers and variables; argv[0] is a path. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Sends a signal to a process of a unit. */
export interface KillProcess {
  readonly kind: "kill";
  readonly pid: number;
  readonly signal: "SIGTERM" | "SIGKILL" | "SIGHUP" | "SIGINT";
}

export interface ProcessExited {
  readonly kind: "process-exited";
  readonly pid: number;
  /** Exit status, or null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * sd_notify(READY=1). Of a Type=forking service it says that the parent exited with status 0 and left
 * a daemon behind, which goes on under the same pid here.
 */
export interface ProcessReady {
  readonly kind: "process-ready";
  readonly pid: number;
}
