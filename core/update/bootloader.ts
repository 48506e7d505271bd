import { SLOT_ORDER, type SlotFlagsChange, type SlotName, type Slots } from "./slots.js";

/** What GRUB did: which slot it loads, and the partition table it wrote first, if any. */
export interface BootChoice {
  readonly slot: SlotName;
  readonly changes: readonly SlotFlagsChange[];
}

/**
 * GRUB's `gptprio.next` as CoreOS ships it. The first USR slot in partition order with the highest
 * priority above 0 that has tries left or was successful; if it has tries, one is used up, on disk,
 * before the kernel is loaded. Null: GRUB stops with an error and the host is down.
 *
 * A slot that was once marked good keeps booting whatever becomes of it: its tries are 0, so
 * nothing counts its failures.
 */
export function nextBoot(slots: Slots): BootChoice | null {
  let best: SlotName | null = null;
  let bestPriority = 0;
  for (const name of SLOT_ORDER) {
    const slot = slots[name];
    if ((slot.tries > 0 || slot.successful) && slot.priority > bestPriority) {
      best = name;
      bestPriority = slot.priority;
    }
  }
  if (best === null) return null;
  const { priority, tries, successful } = slots[best];
  if (tries === 0) return { slot: best, changes: [] };
  return { slot: best, changes: [{ slot: best, priority, tries: tries - 1, successful }] };
}

/** How a boot attempt can end. */
export type BootOutcome =
  | { readonly boot: "up"; readonly slot: SlotName; readonly version: string }
  /** The image is garbage or the kernel panics: reset, and the loader chooses again. */
  | { readonly boot: "broken"; readonly slot: SlotName }
  | { readonly boot: "no-slot" };

/**
 * Whether a loaded slot can come up at all. A half-written image cannot: dm-verity's root hash is
 * embedded in the kernel and does not match.
 */
export function bootOutcome(slots: Slots, choice: BootChoice | null): BootOutcome {
  if (choice === null) return { boot: "no-slot" };
  const { complete, version } = slots[choice.slot];
  if (!complete || version === null) return { boot: "broken", slot: choice.slot };
  return { boot: "up", slot: choice.slot, version };
}
