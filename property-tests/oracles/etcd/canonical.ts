import type { CallName } from "../../../adapters/etcd/wire-calls.js";
import type { Wire } from "../../../adapters/etcd/wire-fields.js";
import { isWire } from "../../../adapters/etcd/wire-fields.js";
import type { Answer } from "./real.js";

/** JSON-like data in which answers are compared. */
export type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | { readonly [field: string]: Plain };

/** Names for ids that the sides choose for themselves, by the id in decimal. */
export type Aliases = ReadonlyMap<string, string>;

/** Bytes of values are shown up to this length. */
const SHOWN = 64;

/** Fields of a status that tell of the machine, or of when it last looked, and not of what was asked. */
const STATUS_OWN = [
  "dbSize",
  "dbSizeInUse",
  "raftIndex",
  "raftAppliedIndex",
  "raftTerm",
  "storageVersion",
];

/** Lists whose order has no meaning, or is that of ids that the sides choose for themselves. */
const UNORDERED: Partial<Record<CallName, readonly string[]>> = {
  // etcd sorts by the time left, which only the leader knows, and not to the millisecond.
  "lease-list": ["leases"],
  // Out of a Go map.
  "lease-time-to-live": ["keys"],
  alarm: ["alarms"],
  status: ["errors"],
  // By id, and that of an added member is of the time when it was added.
  "member-list": ["members"],
  "member-add": ["members"],
  "member-remove": ["members"],
  "member-update": ["members"],
  "member-promote": ["members"],
};

/** An answer in the form in which both sides are compared. */
export function canonical(name: CallName, answer: Answer, aliases: Aliases): Plain {
  if (!answer.ok) return { code: answer.code, message: answer.message };
  const plain = plainOf(answer.message, aliases);
  const fields = Object.entries(isFields(plain) ? plain : {});
  const without = name === "status" ? STATUS_OWN : [];
  const unordered = UNORDERED[name] ?? [];
  return Object.fromEntries(
    fields
      .filter(([field]) => !without.includes(field))
      .map(([field, value]) => [field, unordered.includes(field) ? sorted(value) : value]),
  );
}

function isFields(plain: Plain): plain is { readonly [field: string]: Plain } {
  return plain !== null && typeof plain === "object" && !Array.isArray(plain);
}

function sorted(plain: Plain): Plain {
  if (!Array.isArray(plain)) return plain;
  return [...plain].sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
}

/** A message without what is known to differ: the term is the election's, bytes are texts. */
export function plainOf(value: unknown, aliases: Aliases): Plain {
  if (value === null || typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value === "string") return aliases.get(value) ?? value;
  if (value instanceof Uint8Array) return shown(Buffer.from(value).toString("latin1"));
  if (Array.isArray(value)) return value.map((item) => plainOf(item, aliases));
  if (!isWire(value)) return String(value);
  const fields = Object.entries(value).map(([field, inner]): [string, Plain] => [
    field,
    field === "raft_term" ? (inner === "0" ? "0" : "*") : plainOf(inner, aliases),
  ]);
  return Object.fromEntries(fields);
}

function shown(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${text.length} bytes)`;
}

/**
 * Whether both answers say the same.
 *
 * @param secondsApart - how far apart times to live may be
 */
export function agree(real: Plain, model: Plain, secondsApart = TTL_SECONDS_APART): boolean {
  return JSON.stringify(real) === JSON.stringify(nearTtl(real, model, secondsApart));
}

/** Seconds that two clocks, and the ways to them, may make of difference. */
const TTL_SECONDS_APART = 2;

function nearTtl(real: Plain, model: Plain, secondsApart: number): Plain {
  if (!isFields(real) || !isFields(model)) return model;
  if (!("grantedTTL" in real) || !("TTL" in real) || !("TTL" in model)) return model;
  const { TTL } = real;
  if (TTL === undefined || Number(TTL) < 0 || Number(model.TTL) < 0) return model;
  return Math.abs(Number(TTL) - Number(model.TTL)) <= secondsApart ? { ...model, TTL } : model;
}

/** What a response tells one watch: its events one by one, however they were put together. */
export function toldBy(
  response: Wire,
  aliases: Aliases,
): { readonly watch: string; readonly told: readonly Plain[] } {
  const plain = plainOf(response, aliases);
  if (!isFields(plain)) throw new Error("a response of a watch is a message");
  const { watch_id: watch = "", events = [], fragment: _, ...rest } = plain;
  const isEvents = Array.isArray(events) && events.length > 0;
  const isNews = rest.created === true || rest.canceled === true;
  const told = [...(isEvents && !isNews ? [] : [rest]), ...(isEvents ? events : [])];
  return { watch: String(watch), told };
}
