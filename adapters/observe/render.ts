import { createHash } from "node:crypto";
import type {
  LeaseHex,
  ObservedChange,
  ObservedKey,
  ObservedPair,
  ObservedValue,
} from "../../core/observe/index.js";
import type { Int64, KeyValue, WatchEvent } from "../etcd/index.js";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of bytes that are UTF-8; null for those that are not. */
function textOf(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** A key as the log keeps it. */
export function renderKey(key: Uint8Array): ObservedKey {
  const text = textOf(key);
  if (text !== null) return { key: text };
  return { key: Buffer.from(key).toString("base64"), keyEncoding: "base64" };
}

/** The bytes of a key as the log keeps it. */
export function keyBytes(key: ObservedKey): Buffer {
  return Buffer.from(key.key, key.keyEncoding ?? "utf8");
}

/** A value as the log keeps it: at most `limit` bytes of it, cut between characters where it is text. */
export function renderValue(value: Uint8Array, limit: number): ObservedValue {
  const cut = value.length > limit;
  const text = textOf(value);
  const sized = cut
    ? { size: value.length, sha256: createHash("sha256").update(value).digest("hex") }
    : {};
  if (text === null) {
    const kept = Buffer.from(value.subarray(0, limit)).toString("base64");
    return { value: kept, valueEncoding: "base64", ...sized };
  }
  if (!cut) return { value: text };
  let end = limit;
  while (end > 0 && ((value[end] ?? 0) & 0xc0) === 0x80) end--;
  return { value: decoder.decode(value.subarray(0, end)), ...sized };
}

/** A revision or version. @throws RangeError above 2^53-1, which no real store has reached. */
export function revisionOf(digits: Int64): number {
  const value = Number(digits);
  if (!Number.isSafeInteger(value)) throw new RangeError(`revision out of range: ${digits}`);
  return value;
}

/** A lease id as etcdctl prints it; null for none. */
function leaseOf(digits: Int64): LeaseHex | null {
  return digits === "0" ? null : BigInt.asUintN(64, BigInt(digits)).toString(16);
}

/** A key with its value as the log keeps it. */
export function renderPair(kv: KeyValue, limit: number): ObservedPair {
  const lease = leaseOf(kv.lease);
  return {
    ...renderKey(kv.key),
    ...renderValue(kv.value, limit),
    revision: revisionOf(kv.mod_revision),
    created: revisionOf(kv.create_revision),
    version: revisionOf(kv.version),
    ...(lease === null ? {} : { lease }),
  };
}

/** A watch event as the log keeps it. */
export function renderChange(event: WatchEvent, limit: number): ObservedChange {
  const { kv, prev_kv } = event;
  const previous =
    prev_kv === null
      ? {}
      : {
          previous: {
            ...renderValue(prev_kv.value, limit),
            revision: revisionOf(prev_kv.mod_revision),
          },
        };
  if (event.type === "PUT") return { type: "put", pair: renderPair(kv, limit), ...previous };
  return {
    type: "delete",
    key: renderKey(kv.key),
    revision: revisionOf(kv.mod_revision),
    ...previous,
  };
}
