import type { Bytes } from "../kernel/index.js";

/** Size of a non-negative integer as a protobuf varint. */
export function uintSize(value: number): Bytes {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let size = 5;
  for (let rest = value / 0x8_0000_0000; rest >= 1; rest /= 0x80) size++;
  return size;
}

/** Size of a length-delimited protobuf field with a tag of one byte. */
export function fieldSize(payload: Bytes): Bytes {
  return 1 + uintSize(payload) + payload;
}
