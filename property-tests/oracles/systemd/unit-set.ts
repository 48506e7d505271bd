import type { KillSignal, KillWho } from "../../../core/systemd/index.js";

/** A unit file, by lines: `[Unit]`, `After=b.service`, … so that single ones can be left out. */
export interface SetUnit {
  readonly name: string;
  readonly lines: readonly string[];
  /** Drop-ins, read after the file in the order of their names. */
  readonly dropIns?: readonly DropIn[];
  /** Its file lies where systemd does not look, until it is linked. */
  readonly outside?: boolean;
  /** Masked, as by a link to /dev/null, instead of having lines. */
  readonly masked?: boolean;
}

/** A drop-in: `NAME.conf` in the folder of a unit. */
export interface DropIn {
  readonly name: string;
  readonly lines: readonly string[];
}

/** A job that is asked for. */
export interface JobAction {
  readonly kind: "job";
  readonly call:
    | "start"
    | "stop"
    | "restart"
    | "try-restart"
    | "reload"
    | "reload-or-restart"
    | "reload-or-try-restart";
  readonly unit: string;
  readonly mode:
    | "replace"
    | "replace-irreversibly"
    | "fail"
    | "isolate"
    | "flush"
    | "ignore-dependencies"
    | "ignore-requirements"
    | "triggering";
}

/** What happens to a set from outside: a job, a file that comes or goes, traffic on a unit's socket. */
export type Action =
  | JobAction
  | { readonly kind: "touch"; readonly path: string }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "traffic"; readonly unit: string }
  | { readonly kind: "reset-failed"; readonly unit: string }
  | {
      readonly kind: "kill";
      readonly unit: string;
      readonly who: KillWho;
      readonly signal: KillSignal;
    }
  /** A drop-in is written, or written anew. */
  | { readonly kind: "drop-in"; readonly unit: string; readonly dropIn: DropIn }
  /** A unit file is enabled, disabled, masked or unmasked. */
  | {
      readonly kind: "install";
      readonly call: "enable" | "disable" | "mask" | "unmask";
      /** Name of a unit, a template or an alias. */
      readonly unit: string;
      /** In /run instead of /etc. */
      readonly runtime: boolean;
    }
  /** `systemctl link`. */
  | {
      readonly kind: "link";
      readonly path: string;
      readonly runtime: boolean;
      readonly force: boolean;
    }
  | { readonly kind: "daemon-reload" };

/** Units, and what happens to them when: `at` in milliseconds from the beginning, in ascending order. */
export interface UnitSet {
  /** Nothing else may be up beside it. */
  readonly alone: boolean;
  readonly units: readonly SetUnit[];
  readonly actions: readonly { readonly at: number; readonly action: Action }[];
}

/** Text of a unit file or a drop-in. */
export const textOf = ({ lines }: { readonly lines: readonly string[] }): string =>
  `${lines.join("\n")}\n`;

/** Name of the file a unit is read from: an instance is read from its template. */
export const fileOf = (unit: SetUnit): string => unit.name.replace(/@[^.]*\./, "@.");

/** Where the file of a unit lies; drop-ins lie beside those that systemd finds. */
export const placeOf = (unit: SetUnit): string =>
  `${unit.outside === true ? OUTSIDE : UNIT_DIRECTORY}/${fileOf(unit)}`;

/** Name and text of the drop-in by which a unit that is none of a set's stays up whatever a set isolates. */
export const STAY = "50-stay.conf";
export const STAY_TEXT = "[Unit]\nIgnoreOnIsolate=yes\n";

/** A set in which the clock counts begins when its seconds are even. */
export const PHASE_MS = 2_000;

/** Whether it matters to a set when it begins. */
export const looksAtClock = (set: UnitSet): boolean =>
  set.units.some(({ lines, dropIns = [] }) =>
    [lines, ...dropIns.map((dropIn) => dropIn.lines)]
      .flat()
      .some((line) => /^OnCalendar=./.test(line)),
  );

/** Where the unit files of sets lie, */
export const UNIT_DIRECTORY = "/run/systemd/system";

/** and those that have to be linked. */
export const OUTSIDE = "/run/oracle-outside";

/** Where the files of a set lie that its units look for. */
export const FILES = "/run/oracle";

/**
 * The folder of a set's files, so that no other set sees what comes and goes there; named like a unit
 * of the set, since `renamed` knows such names.
 */
export const folderOf = (unit: string): string => `${FILES}/${ownWord(unit)}z`;

/** The word that the names of a set's units begin with. */
export const ownWord = (unit: string): string => /^o[0-9]+[a-z][0-9]+/.exec(unit)?.[0] ?? unit;

/** The file whose coming and going a unit of a set looks for, or brings about. */
export const fileBy = (unit: string): string => `${folderOf(unit)}/${unit.split(".")[0]}`;

/** The PIDFile= of a service of a set. */
export const pidFileOf = (unit: string): string => `${folderOf(unit)}/pid-${unit.split(".")[0]}`;

/** The FIFO a socket unit of a set listens on. */
export const fifoOf = (unit: string): string => `${folderOf(unit)}/fifo-${unit}`;

/** The set as a person would write it down. */
export function describeSet(set: UnitSet): string {
  const units = set.units.flatMap(({ name, lines, masked, outside, dropIns = [] }) => [
    masked === true
      ? `# ${name} is masked`
      : `# ${outside === true ? `${OUTSIDE}/` : ""}${name}\n${lines.join("\n")}`,
    ...dropIns.map((dropIn) => `# ${name} and ${dropIn.name}\n${dropIn.lines.join("\n")}`),
  ]);
  const actions = set.actions.map(({ at, action }) => `${at} ms: ${describeAction(action)}`);
  return [...units, ...actions].join("\n");
}

function describeAction(action: Action): string {
  switch (action.kind) {
    case "job":
      return `${action.call} ${action.unit} (${action.mode})`;
    case "touch":
    case "remove":
      return `${action.kind} ${action.path}`;
    case "traffic":
    case "reset-failed":
      return `${action.kind} ${action.unit}`;
    case "drop-in":
      return `drop-in ${action.unit} ${action.dropIn.name}: ${action.dropIn.lines.join("; ")}`;
    case "install":
      return `${action.call} ${action.unit} (${action.runtime ? "runtime" : "etc"})`;
    case "link": {
      const words = [action.path, action.runtime ? "runtime" : "etc"];
      return `link ${words.join(" ")}${action.force ? " by force" : ""}`;
    }
    case "kill":
      return `kill ${action.unit} (${action.who} ${action.signal})`;
    case "daemon-reload":
      return action.kind;
  }
}

/** The same set with units of other names, of which systemd knows nothing yet; files are named after them. */
export function renamed(set: UnitSet, prefix: string): UnitSet {
  return JSON.parse(
    JSON.stringify(set).replace(/\bo[0-9]+[a-z][0-9]+([a-z])/g, `o${prefix}$1`),
  ) as UnitSet;
}
