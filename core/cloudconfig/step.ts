/** A file as it is to lie on the host. */
export interface FileToWrite {
  readonly path: string;
  readonly content: string;
  /** How `content` is encoded: "" (plain), `base64`, `gzip` or `gzip+base64`. */
  readonly encoding: string;
  /** `user:group`, or "" for root. */
  readonly owner: string;
  /** Octal mode bits. */
  readonly mode: number;
}

/**
 * One thing to do to a host, in the order coreos-cloudinit does them (initialize/config.go). The
 * first step that fails ends the application; what came before stays.
 */
export type Step =
  | { readonly step: "set-hostname"; readonly hostname: string }
  | {
      /** For an existing user only the password and the keys count. */
      readonly step: "user";
      readonly name: string;
      readonly passwordHash: string;
      readonly groups: readonly string[];
      readonly shell: string;
      readonly system: boolean;
    }
  | { readonly step: "authorize-keys"; readonly user: string; readonly keys: readonly string[] }
  /** Keys fetched from elsewhere; fails when the network does. */
  | { readonly step: "import-keys"; readonly user: string; readonly url: string }
  | { readonly step: "write-file"; readonly file: FileToWrite }
  | {
      /** Lines of `KEY=value` merged into an environment file: existing keys are replaced, others kept. */
      readonly step: "merge-env-file";
      readonly path: string;
      readonly variables: readonly (readonly [string, string])[];
    }
  | {
      readonly step: "write-unit";
      readonly unit: string;
      readonly text: string;
      readonly directory: string;
    }
  | {
      readonly step: "write-drop-in";
      readonly unit: string;
      readonly name: string;
      readonly text: string;
      readonly directory: string;
    }
  | {
      readonly step: "mask" | "unmask" | "enable";
      readonly unit: string;
      readonly runtime: boolean;
    }
  | { readonly step: "daemon-reload" }
  | {
      /** Waits for the job before the next step. */
      readonly step: "unit-command";
      readonly unit: string;
      readonly command: UnitCommand;
    }
  /** What stops the application here, in coreos-cloudinit's words. */
  | { readonly step: "fail"; readonly error: string };

export type UnitCommand =
  | "start"
  | "stop"
  | "restart"
  | "reload"
  | "try-restart"
  | "reload-or-restart"
  | "reload-or-try-restart";
