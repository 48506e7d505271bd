import { type Fields, fieldsOf, isFields, listOf, textOf } from "./fields.js";
import { HostNames } from "./host-names.js";
import { formatDuration } from "./time.js";

const VALUE_LENGTH_MAX = 60;

/** `name=value` pairs of an object in its own order, one line; long values are cut. */
export function describeFields(fields: Fields, without: readonly string[] = []): string {
  const parts: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && !without.includes(name))
      parts.push(`${printable(name)}=${describeValue(value)}`);
  }
  return parts.join(" ");
}

function describeValue(value: unknown): string {
  if (typeof value === "string") return value === "" ? '""' : cut(printable(value));
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return cut(value.map(describeItem).join(","));
  return cut(`{${describeFields(fieldsOf(value))}}`);
}

function describeItem(item: unknown): string {
  if (Array.isArray(item)) return `[${item.map(describeItem).join(",")}]`;
  return isFields(item) ? `{${describeFields(item)}}` : printable(String(item));
}

function cut(text: string): string {
  return text.length <= VALUE_LENGTH_MAX ? text : `${text.slice(0, VALUE_LENGTH_MAX - 1)}…`;
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

/** The text with control and direction characters shown as `·`: a log must not steer a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "·");
}

/** Fields of a fault that name nodes by index. */
const NODES: readonly string[] = ["host", "hosts", "from", "to"];

/** A fault in a few words: whom it hits, how long it lasts, then what else it says. */
export function describeFault(fault: Fields, names: HostNames): string {
  const parts: string[] = [];
  for (const name of NODES) {
    const value = fault[name];
    const nodes = (Array.isArray(value) ? value : [value])
      .filter((node) => typeof node === "number" || typeof node === "string")
      .map((node) => (typeof node === "number" ? names.ofNode(node) : printable(node)));
    if (nodes.length > 0) parts.push(name === "host" ? nodes.join() : `${name} ${nodes.join(",")}`);
  }
  const duration = fault.duration;
  if (typeof duration === "number") parts.push(`for ${formatDuration(duration)}`);
  parts.push(describeFields(fault, ["id", "kind", "at", "duration", ...NODES]));
  return parts.filter((part) => part !== "").join(" ");
}

/**
 * What a record says, in one line, without its kind. Unknown kinds show their fields.
 *
 * @param names - with it, machine IDs and indexes of nodes become names of hosts
 */
export function describe(kind: string, data: unknown, names: HostNames = new HostNames()): string {
  return names.inText(describeFact(kind, fieldsOf(data), names));
}

function describeFact(kind: string, fields: Fields, names: HostNames): string {
  const text = (name: string) => printable(textOf(fields, name));
  switch (kind) {
    case "host.up":
      return `boot ${text("boot")}, OS ${text("version")} from slot ${text("slot")}`;
    case "host.down":
    case "host.rebooting":
    case "host.powering-off":
    case "etcd.stopped":
      return text("reason");
    case "etcd.role":
      return `${text("role")} in term ${text("term")}${text("lead") && `, leader ${text("lead")}`}`;
    case "systemd.unit":
      return `${text("unit")} ${text("active")} (${text("sub")})${result(text("result"))}`;
    case "systemd.job":
      return `${text("job")} ${text("unit")}: ${text("result")}`;
    case "fleet.scheduled":
      return `${text("unit")} to ${text("machine")}${because(text("reason"))}`;
    case "fleet.unscheduled":
      return `${text("unit")} from ${text("machine")}${because(text("reason"))}`;
    case "fleet.task":
      return `${`${text("task")} ${text("unit")}`.trimEnd()}${because(text("reason"))}`;
    case "fleet.unit-state":
      return `${text("unit")} ${text("active")} (${text("sub")})`;
    case "fleet.engine-leader":
      return text("machine");
    case "update.status":
      return `${text("status")} ${text("version")}`.trimEnd();
    case "update.slots":
      return describeSlots(fields);
    case "service.granted":
      return `${text("host")} may fetch ${text("version")}`;
    case "service.denied":
      return `${text("host")}${because(text("reason"))}`;
    case "lock.acquired":
    case "lock.released":
      return text("holder");
    case "fault.begin": {
      const fault = fieldsOf(fields.fault);
      const about = describeFault(fault, names);
      return `#${text("id")} ${printable(textOf(fault, "kind"))} ${about}`.trimEnd();
    }
    case "fault.end":
      return `#${text("id")}`;
    case "operator.action":
      return `${text("do")} ${describeFields(fields, ["do"])}`.trimEnd();
    case "expectation.met":
    case "expectation.failed": {
      const name = text("expectation") || text("name");
      const found = text("found") === "" ? "" : `(found ${text("found")})`;
      const rest = describeFields(fields, [
        "expectation",
        "name",
        "detail",
        "found",
        "line",
        "measured",
      ]);
      const others = [found, rest].filter(Boolean).join(" ");
      return [[name, text("detail")].filter(Boolean).join(": "), others].filter(Boolean).join(" ");
    }
    case "checkpoint": {
      const hosts = listOf(fields, "hosts").filter(isFields);
      const up = hosts.filter((host) => host.up === true).length;
      const hash = text("hash") && `, state ${text("hash")}`;
      return `${up} of ${hosts.length} hosts up${hash}`;
    }
    case "invariant.violated":
      return `${text("invariant")}: ${text("detail")}`;
    default:
      return describeFields(fields);
  }
}

function because(reason: string): string {
  return reason === "" ? "" : `: ${reason}`;
}

function result(text: string): string {
  return text === "" || text === "success" ? "" : `, ${text}`;
}

function describeSlots(fields: Fields): string {
  const slots = listOf(fields, "slots").filter(isFields);
  const running = textOf(fields, "running");
  const about = slots.map((slot) => {
    const name = textOf(slot, "name");
    const flags = `p${textOf(slot, "priority")} t${textOf(slot, "tries")}`;
    const good = slot.successful === true ? " good" : "";
    const partial = slot.complete === false ? " partial" : "";
    return `${name}${name === running ? "*" : ""} ${textOf(slot, "version")} ${flags}${good}${partial}`;
  });
  return printable(about.join(" | "));
}
