import { type UnitName, unescapeName } from "./names.js";
import type { Assignment, Reader, Values } from "./reader.js";

/** The [Mount] section. */
export interface MountConfig {
  readonly what: string;
  readonly where: string;
  readonly type: string;
  readonly options: string;
}

/** Where a mount unit of a name mounts: `var-lib-etcd.mount` is /var/lib/etcd. */
function pathOf(name: UnitName): string {
  const stem = name.name.slice(0, -".mount".length);
  return stem === "-" ? "/" : `/${unescapeName(stem)}`;
}

export function zeroMount(name: UnitName): MountConfig {
  return { what: "", where: pathOf(name), type: "", options: "" };
}

/** Reads a [Mount] section. `bad` says why systemd refuses the unit; "" when it does not. */
export function readMount(
  before: MountConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): { mount: MountConfig; bad: string } {
  let { what, where, type, options } = before;
  for (const at of assignments) {
    switch (at.key) {
      case "What":
        what = values.text(at);
        break;
      case "Where":
        where = values.text(at);
        break;
      case "Type":
        type = values.text(at);
        break;
      case "Options":
        options =
          options === "" || at.value === "" ? values.text(at) : `${options},${values.text(at)}`;
        break;
      case "TimeoutSec":
      case "DirectoryMode":
      case "LazyUnmount":
      case "ForceUnmount":
      case "SloppyOptions":
      case "ReadWriteOnly":
        break;
      default:
        reader.unsupported.push(`${at.key}=`);
    }
  }
  const bad =
    what === ""
      ? "What= setting is missing."
      : where !== before.where
        ? "Where= setting doesn't match unit name."
        : "";
  return { mount: { what, where, type, options }, bad };
}
