import type { ResponseHeader } from "../../core/etcd/v3-api.js";

/**
 * A protobuf message as the loader of proto.ts reads and writes it: field names as in the proto, bytes
 * as Buffers, 64-bit integers as decimal texts, enumerations by name. What is not on the wire is missing.
 * The readers below take a field's zero for whatever else stands there, so no message can break them.
 */
export type Wire = Readonly<Record<string, unknown>>;

/** Bytes of a core byte string: one character from 0 to 255 for each. */
export function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

/** A field of bytes as a core byte string. */
export function bytesAt(message: Wire, field: string): string {
  return bytesOf(message[field]);
}

export function bytesOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : "";
}

export function textAt(message: Wire, field: string): string {
  const value = message[field];
  return typeof value === "string" ? value : "";
}

export function flagAt(message: Wire, field: string): boolean {
  return message[field] === true;
}

/**
 * An integer as a number. Beyond 2^53 it becomes the nearest safe integer: revisions, limits, versions
 * and times of that size are only ever compared, and every one that a member holds is smaller.
 */
export function intAt(message: Wire, field: string): number {
  const value = message[field];
  if (typeof value !== "string" && typeof value !== "number") return 0;
  const number = Number(value);
  if (Number.isNaN(number)) return 0;
  const whole = Math.trunc(number);
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, whole));
}

/** The 64 bits of an id as 16 hex digits, "" for 0, whether the field is signed or not. */
export function idAt(message: Wire, field: string): string {
  const value = message[field];
  if (typeof value !== "string" && typeof value !== "number") return "";
  if (!/^-?\d+$/.test(String(value))) return "";
  const bits = BigInt.asUintN(64, BigInt(value));
  return bits === 0n ? "" : bits.toString(16).padStart(16, "0");
}

/** A member or cluster id (uint64) in decimal; "0" for "". */
export function unsignedId(hex: string): string {
  return hex === "" ? "0" : BigInt(`0x${hex}`).toString();
}

/** A lease id (int64) in decimal; "0" for "". */
export function signedId(hex: string): string {
  return hex === "" ? "0" : BigInt.asIntN(64, BigInt(`0x${hex}`)).toString();
}

/** A message in a field; null when it is absent. */
export function messageAt(message: Wire, field: string): Wire | null {
  const value = message[field];
  return isWire(value) ? value : null;
}

export function messagesAt(message: Wire, field: string): readonly Wire[] {
  return listAt(message, field).filter(isWire);
}

export function textsAt(message: Wire, field: string): readonly string[] {
  return listAt(message, field).filter((value) => typeof value === "string");
}

export function listAt(message: Wire, field: string): readonly unknown[] {
  const value = message[field];
  return Array.isArray(value) ? value : [];
}

export function isWire(value: unknown): value is Wire {
  return value !== null && typeof value === "object" && !(value instanceof Uint8Array);
}

/** The value that stands for an enumeration's name; `unknown` for a number that has no name. */
export function choiceAt<Choice>(
  message: Wire,
  field: string,
  choices: Readonly<Record<string, Choice>>,
  unknown: Choice,
): Choice {
  const value = message[field];
  if (typeof value !== "string" || !Object.hasOwn(choices, value)) return unknown;
  return choices[value] ?? unknown;
}

/** Only what is not the zero of its field, so that requests read from the wire look as they are written by hand. */
export function present<Fields extends object>(fields: Fields): Partial<Fields> {
  const kept: Partial<Fields> = {};
  for (const name in fields) {
    const value: unknown = fields[name];
    if (value !== 0 && value !== "" && value !== false) kept[name] = fields[name];
  }
  return kept;
}

export function headerMessage(header: ResponseHeader): Wire {
  return {
    cluster_id: unsignedId(header.clusterId),
    member_id: unsignedId(header.memberId),
    revision: String(header.revision),
    raft_term: String(header.raftTerm),
  };
}

/** The header of a response; zeros when it has none. */
export function readHeader(response: Wire): ResponseHeader {
  const header = messageAt(response, "header") ?? {};
  return {
    clusterId: idAt(header, "cluster_id"),
    memberId: idAt(header, "member_id"),
    revision: intAt(header, "revision"),
    raftTerm: intAt(header, "raft_term"),
  };
}
