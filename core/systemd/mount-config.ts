import type { Micros } from "../kernel/index.js";
import { type KillConfig, readKill, ZERO_KILL } from "./kill-config.js";
import { type UnitName, unescapeName } from "./names.js";
import type { Assignment, Reader, Values } from "./reader.js";

/** The [Mount] section. */
export interface MountConfig extends KillConfig {
  readonly what: string;
  readonly where: string;
  readonly type: string;
  readonly options: string;
  /** TimeoutSec=, in microseconds; FOREVER stands for infinity. */
  readonly timeout: Micros;
}

/** Where a mount unit of a name mounts: `var-lib-etcd.mount` is /var/lib/etcd. */
function pathOf(name: UnitName): string {
  const stem = name.name.slice(0, -".mount".length);
  return stem === "-" ? "/" : `/${unescapeName(stem)}`;
}

export function zeroMount(name: UnitName, timeout: Micros): MountConfig {
  return { what: "", where: pathOf(name), type: "", options: "", timeout, ...ZERO_KILL };
}

/** Reads a [Mount] section. `bad` says why systemd refuses the unit; "" when it does not. */
export function readMount(
  before: MountConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): { mount: MountConfig; bad: string } {
  const draft = { ...before };
  for (const at of assignments) {
    switch (at.key) {
      case "What":
        draft.what = values.text(at);
        break;
      case "Where":
        draft.where = values.text(at);
        break;
      case "Type":
        draft.type = values.text(at);
        break;
      case "Options":
        draft.options = values.text(at);
        break;
      case "TimeoutSec":
        draft.timeout = values.limit(at, draft.timeout);
        break;
      case "DirectoryMode":
      case "LazyUnmount":
      case "ForceUnmount":
      case "SloppyOptions":
      case "ReadWriteOnly":
        break;
      default:
        if (!readKill(draft, at, values)) reader.unsupported.push(`${at.key}=`);
    }
  }
  const bad =
    draft.what === ""
      ? "What= setting is missing."
      : draft.where !== before.where
        ? "Where= setting doesn't match unit name."
        : "";
  return { mount: draft, bad };
}
