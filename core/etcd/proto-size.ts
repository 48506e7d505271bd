import type { Bytes } from "../kernel/index.js";
import type { Row } from "./mvcc.js";
import type { KeyValue } from "./v3-api.js";

/** Length of etcd's protobuf encoding of what a row holds; of a deletion that is the key alone. */
export function keyValueBytes({ key, kv }: Row): Bytes {
  return kv === null ? textField(key.length) : kvBytes(kv);
}

/** Length of a KeyValue. */
export function kvBytes(kv: KeyValue): Bytes {
  return (
    textField(kv.key.length) +
    numberField(kv.createRevision) +
    numberField(kv.modRevision) +
    numberField(kv.version) +
    textField(kv.value.length) +
    idField(kv.lease)
  );
}

/** A field of bytes: tag, length, the bytes. Absent if there are none. */
export function textField(length: number): Bytes {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

/** A field of a number: tag and varint. Absent if it is 0. */
export function numberField(value: number): Bytes {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

/** A message within another, which is there even when it is empty. */
export function messageField(length: number): Bytes {
  return 1 + varintBytes(length) + length;
}

/** A field of an id in hex. Absent if there is none. */
export function idField(id: string): Bytes {
  if (id === "") return 0;
  const bits = BigInt(`0x${id}`).toString(2).length;
  return 1 + Math.ceil(bits / 7);
}

/** Seven bits a byte; what is negative has all 64. */
export function varintBytes(value: number): Bytes {
  if (value < 0) return 10;
  let bytes = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
