/** Writes protobuf as byte strings, and reads it. Only what etcd's backend holds: varints, bytes, messages. */

/** A varint of an unsigned number, or of 64 bits. */
export function varint(value: number | bigint): string {
  let rest = BigInt(value);
  let bytes = "";
  for (; rest >= 0x80n; rest >>= 7n) bytes += String.fromCharCode(Number(rest & 0x7fn) | 0x80);
  return bytes + String.fromCharCode(Number(rest));
}

/** A number as a field; nothing for 0. */
export function intField(field: number, value: number | bigint): string {
  return BigInt(value) === 0n ? "" : varint(field << 3) + varint(value);
}

/** 16 hex digits ("" for 0) as a field of 64 bits; nothing for 0. */
export function idField(field: number, id: string): string {
  return intField(field, BigInt(`0x${id || "0"}`));
}

/** Bytes as a field; nothing if there are none. */
export function bytesField(field: number, bytes: string): string {
  return bytes === "" ? "" : messageOf(field, bytes);
}

/** A message, or a repeated item, as a field: there even if it is empty. */
export function messageOf(field: number, bytes: string): string {
  return varint((field << 3) | 2) + varint(bytes.length) + bytes;
}

/** What a message holds: numbers and byte strings by field, in order of appearance. */
export interface Fields {
  readonly numbers: ReadonlyMap<number, bigint>;
  readonly texts: ReadonlyMap<number, readonly string[]>;
}

/**
 * Reads a message.
 *
 * @throws Error on a kind of field that etcd's backend does not have, or a message that ends too early
 */
export function readFields(bytes: string): Fields {
  const numbers = new Map<number, bigint>();
  const texts = new Map<number, string[]>();
  let at = 0;
  const next = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length) throw new Error(`protobuf: message of ${bytes.length} bytes is cut`);
      const byte = bytes.charCodeAt(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(next());
    const field = tag >> 3;
    if ((tag & 7) === 0) {
      numbers.set(field, next());
    } else if ((tag & 7) === 2) {
      const length = Number(next());
      if (at + length > bytes.length) throw new Error(`protobuf: field ${field} is cut`);
      texts.set(field, [...(texts.get(field) ?? []), bytes.slice(at, at + length)]);
      at += length;
    } else {
      throw new Error(`protobuf: field ${field} is of wire type ${tag & 7}, expected 0 or 2`);
    }
  }
  return { numbers, texts };
}

/** A number of a message; 0 if it is absent. */
export function intOf(fields: Fields, field: number): number {
  return Number(fields.numbers.get(field) ?? 0n);
}

/** 64 bits of a message as 16 hex digits; "" for 0 or absent. */
export function idOf(fields: Fields, field: number): string {
  const id = fields.numbers.get(field) ?? 0n;
  return id === 0n ? "" : id.toString(16).padStart(16, "0");
}

/** Bytes of a message; "" if they are absent. */
export function bytesOf(fields: Fields, field: number): string {
  return fields.texts.get(field)?.at(-1) ?? "";
}

/** A text as UTF-8 bytes. */
export function utf8Bytes(text: string): string {
  return encodeURIComponent(text).replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The text of UTF-8 bytes. */
export function utf8Text(bytes: string): string {
  const escaped = [...bytes].map((byte) => `%${hexByte(byte.charCodeAt(0))}`);
  return decodeURIComponent(escaped.join(""));
}

/** 64 bits, the highest byte first. */
export function bigEndian(value: number | bigint): string {
  const hex = BigInt(value).toString(16).padStart(16, "0");
  let bytes = "";
  for (let i = 0; i < 16; i += 2) {
    bytes += String.fromCharCode(Number.parseInt(hex.slice(i, i + 2), 16));
  }
  return bytes;
}

/** The number of eight bytes, the highest first. */
export function fromBigEndian(bytes: string): bigint {
  let value = 0n;
  for (let i = 0; i < 8; i++) value = (value << 8n) | BigInt(bytes.charCodeAt(i));
  return value;
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
