import type { KillSignal } from "./process.js";

/** ActiveState of a unit, as systemd reports it on D-Bus. */
export type ActiveState =
  | "active"
  | "reloading"
  | "inactive"
  | "failed"
  | "activating"
  | "deactivating";

export type LoadState = "loaded" | "not-found" | "bad-setting" | "error" | "masked";

/** One row of `Manager.ListUnits`. */
export interface UnitStatus {
  readonly name: string;
  readonly description: string;
  readonly loadState: LoadState;
  readonly activeState: ActiveState;
  /** Type-specific: dead, running, exited, failed, auto-restart, start-pre, … */
  readonly subState: string;
}

/** Which processes of a unit a signal is for (systemctl kill --kill-whom=). */
export type KillWho = "all" | "main" | "control";

/** What becomes of jobs that are queued already, and of dependencies (systemctl(1), --job-mode=). */
export type JobMode =
  | "replace"
  | "replace-irreversibly"
  | "fail"
  | "isolate"
  | "flush"
  | "ignore-dependencies"
  | "ignore-requirements"
  | "triggering";

/**
 * A call of systemd's manager, as fleet, cloud-config and operators make it. The names in the
 * comments are the D-Bus methods that a live world calls.
 */
export type SystemdRequest =
  /** Writes the unit file (`directory` defaults to /run/systemd/system). LinkUnitFiles when `link`. */
  | {
      readonly call: "write-unit";
      readonly unit: string;
      readonly text: string;
      readonly directory?: string;
      readonly link?: boolean;
    }
  | {
      readonly call: "write-drop-in";
      readonly unit: string;
      readonly name: string;
      readonly text: string;
      readonly directory?: string;
    }
  /** DisableUnitFiles, ResetFailedUnit, then the file is removed. */
  | { readonly call: "remove-unit"; readonly unit: string; readonly directory?: string }
  /** EnableUnitFiles / MaskUnitFiles / UnmaskUnitFiles. */
  | {
      readonly call: "enable" | "disable" | "mask" | "unmask";
      readonly unit: string;
      readonly runtime?: boolean;
      /** `mask` only: a file of that name in the directory gives way. */
      readonly force?: boolean;
    }
  /** LinkUnitFiles: a unit file that lies elsewhere, by its path. */
  | {
      readonly call: "link";
      readonly path: string;
      readonly runtime?: boolean;
      /** Another link of that name gives way; a file does not. */
      readonly force?: boolean;
    }
  /** Reload: systemctl daemon-reload. */
  | { readonly call: "daemon-reload" }
  /** StartUnit, StopUnit, RestartUnit, TryRestartUnit, ReloadUnit, … Answered when the job is queued. */
  | {
      readonly call:
        | "start"
        | "stop"
        | "restart"
        | "try-restart"
        | "reload"
        | "reload-or-restart"
        | "reload-or-try-restart";
      readonly unit: string;
      readonly mode: JobMode;
    }
  | { readonly call: "reset-failed"; readonly unit: string }
  /** RefUnit: a unit that is loaded stays so, whether or not anything needs it. */
  | { readonly call: "ref"; readonly unit: string }
  /** KillUnit: a signal to processes of the unit, sent at once and past all jobs. */
  | {
      readonly call: "kill";
      readonly unit: string;
      readonly who: KillWho;
      readonly signal: KillSignal;
    }
  /** ListUnits, limited to `units` when given. */
  | { readonly call: "list-units"; readonly units?: readonly string[] }
  /** Names of the unit files in a directory, with their texts. */
  | { readonly call: "read-units"; readonly directory: string };

export type SystemdReply =
  | { readonly ok: true; readonly call: "queued"; readonly job: number }
  | { readonly ok: true; readonly call: "done" }
  /** To `enable`: whether the unit files say what enabling them means at all. */
  | { readonly ok: true; readonly call: "enabled"; readonly carriesInstallInfo: boolean }
  | { readonly ok: true; readonly call: "units"; readonly units: readonly UnitStatus[] }
  | {
      readonly ok: true;
      readonly call: "files";
      readonly files: readonly { readonly name: string; readonly text: string }[];
    }
  /** `error` is the D-Bus error name, such as `org.freedesktop.systemd1.NoSuchUnit`. */
  | { readonly ok: false; readonly error: string; readonly message: string };

/** Asks the world for one systemd call; answered by one `SystemdReplied` with the same id. */
export interface SystemdCall {
  readonly kind: "systemd-call";
  readonly id: number;
  readonly request: SystemdRequest;
}

export interface SystemdReplied {
  readonly kind: "systemd-reply";
  readonly id: number;
  readonly reply: SystemdReply;
}

/** A change systemd announced (UnitNew, UnitRemoved, PropertiesChanged); only to who subscribed. */
export interface UnitChanged {
  readonly kind: "unit-changed";
  readonly status: UnitStatus;
}
