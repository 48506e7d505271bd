import type { SlotFlags } from "./slots.js";

/** GPT type GUID of CoreOS's root partitions, USR-A and USR-B. */
export const USR_PARTITION_TYPE = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6";

/** A field of the 64-bit GPT attribute, as the ChromeOS disk format numbers bits. */
const PRIORITY_SHIFT = 48n;
const TRIES_SHIFT = 52n;
const SUCCESSFUL_SHIFT = 56n;
const NIBBLE = 0xfn;
const FLAG_BITS = (NIBBLE << PRIORITY_SHIFT) | (NIBBLE << TRIES_SHIFT) | (1n << SUCCESSFUL_SHIFT);

/**
 * Reads slot flags from a partition's GPT attribute: bits 48–51 priority, 52–55 tries, 56 successful.
 *
 * @param attribute - the 64-bit value; a bigint because doubles end at bit 53
 */
export function decodeSlotFlags(attribute: bigint): SlotFlags {
  return {
    priority: Number((attribute >> PRIORITY_SHIFT) & NIBBLE),
    tries: Number((attribute >> TRIES_SHIFT) & NIBBLE),
    successful: ((attribute >> SUCCESSFUL_SHIFT) & 1n) === 1n,
  };
}

/** `attribute` with its slot flags replaced; all other bits stay, as cgpt leaves them. */
export function encodeSlotFlags(flags: SlotFlags, attribute = 0n): bigint {
  if (!(flags.priority >= 0 && flags.priority <= 15 && flags.tries >= 0 && flags.tries <= 15)) {
    throw new RangeError(`slot flags out of range: ${flags.priority}, ${flags.tries}`);
  }
  return (
    (BigInt.asUintN(64, attribute) & ~FLAG_BITS) |
    (BigInt(flags.priority) << PRIORITY_SHIFT) |
    (BigInt(flags.tries) << TRIES_SHIFT) |
    (flags.successful ? 1n << SUCCESSFUL_SHIFT : 0n)
  );
}
