import { type Micros, SECOND } from "../kernel/index.js";

/** The two partitions that hold a complete /usr and its kernel. */
export type SlotName = "USR-A" | "USR-B";

/**
 * The order of the partition table: GRUB walks USR-type partitions by index, and USR-A is 3, USR-B 4.
 * The order matters: at equal priority the lower index boots.
 */
export const SLOT_ORDER: readonly SlotName[] = ["USR-A", "USR-B"];

/** What the boot loader reads of a slot: the three fields that cgpt keeps in the GPT attribute. */
export interface SlotFlags {
  /** 0 (never boots) … 15. The highest bootable one wins. */
  priority: number;
  /** Boots left to prove itself, 0 … 15. */
  tries: number;
  /** It booted once and stayed up until it was marked good. */
  successful: boolean;
}

export interface Slot extends SlotFlags {
  /** Version of the image written last, or null when nothing was ever written. */
  version: string | null;
  /**
   * Image and kernel are entirely written and were read back. Nothing on a real disk says so: the
   * loader cannot see it, which is the point of modelling it.
   */
  complete: boolean;
}

/** The disk's two slots. */
export type Slots = Record<SlotName, Slot>;

/** One row of the `update.slots` fact. */
export interface SlotView {
  readonly name: SlotName;
  readonly version: string | null;
  readonly priority: number;
  readonly tries: number;
  readonly successful: boolean;
  readonly complete: boolean;
}

/**
 * How a system of this kind differs from its cousins. The default is CoreOS's update_engine;
 * ChromeOS gives 6 tries, RAUC with U-Boot 3, Bottlerocket and RAUC take eligibility away first.
 */
export interface SlotVariant {
  /** Tries given to a freshly installed slot, 1 … 15. */
  readonly tries: number;
  /** The running slot is marked good this long after update_engine started. */
  readonly markGoodDelay: Micros;
  /** Take the inactive slot's eligibility away before overwriting it. */
  readonly invalidateBeforeWrite: boolean;
  /** A hung host is reset after this long; null: it stays hung until somebody comes. */
  readonly watchdog: Micros | null;
}

export const UPDATE_ENGINE_SLOTS: SlotVariant = {
  tries: 1,
  markGoodDelay: 45 * SECOND,
  invalidateBeforeWrite: false,
  watchdog: null,
};

/** New flags for some slots; written to the partition table in one go. */
export interface SlotFlagsChange extends SlotFlags {
  readonly slot: SlotName;
}

/** The slot that is not `running`. */
export function otherSlot(running: SlotName): SlotName {
  return running === "USR-A" ? "USR-B" : "USR-A";
}

/** A disk as the installer leaves it: `version` in USR-A, good; USR-B empty. */
export function installedSlots(version: string): Slots {
  return {
    "USR-A": { version, priority: 1, tries: 0, successful: true, complete: true },
    "USR-B": { version: null, priority: 0, tries: 0, successful: false, complete: false },
  };
}

/** An independent copy. */
export function copySlots(slots: Slots): Slots {
  return { "USR-A": { ...slots["USR-A"] }, "USR-B": { ...slots["USR-B"] } };
}

/** The slots as a fact shows them, in partition order. */
export function viewSlots(slots: Slots): SlotView[] {
  return SLOT_ORDER.map((name) => {
    const { version, priority, tries, successful, complete } = slots[name];
    return { name, version, priority, tries, successful, complete };
  });
}

/**
 * The first bytes of an image reach a slot: what was there is gone, what comes is not there yet.
 * The flags say nothing of it. Throws when the slot is the running one.
 */
export function beginSlotWrite(
  slots: Slots,
  running: SlotName,
  target: SlotName,
  version: string,
): void {
  if (target === running) throw new Error(`${target} is running and must not be written`);
  const slot = slots[target];
  slot.version = version;
  slot.complete = false;
}

/** Image and kernel are there and were read back. Throws when the slot is the running one. */
export function finishSlotWrite(slots: Slots, running: SlotName, target: SlotName): void {
  if (target === running) throw new Error(`${target} is running and must not be written`);
  slots[target].complete = true;
}

/** Puts changed flags into `slots`, as a write of the partition table does. */
export function applySlotFlags(slots: Slots, changes: readonly SlotFlagsChange[]): void {
  for (const change of changes) {
    assertFlags(change);
    const slot = slots[change.slot];
    slot.priority = change.priority;
    slot.tries = change.tries;
    slot.successful = change.successful;
  }
}

/**
 * `cgpt prioritize -i SLOT`: SLOT gets the highest priority, every slot that had one keeps its rank
 * below it, and priorities are renumbered from 1. A slot of priority 0 stays there.
 */
export function prioritize(slots: Slots, slot: SlotName): SlotFlagsChange[] {
  const other = otherSlot(slot);
  const rival = slots[other];
  const changes: SlotFlagsChange[] = [
    { slot, ...flagsOf(slots[slot]), priority: rival.priority > 0 ? 2 : 1 },
  ];
  if (rival.priority > 0) changes.push({ slot: other, ...flagsOf(rival), priority: 1 });
  return changes;
}

/** `cgpt add -S… -T…`: the named fields change, priority stays. */
export function addFlags(
  slots: Slots,
  slot: SlotName,
  flags: { readonly successful: boolean; readonly tries: number },
): SlotFlagsChange[] {
  return [{ slot, priority: slots[slot].priority, ...flags }];
}

/** Takes a slot's eligibility away; what Bottlerocket and RAUC do before they write. */
export function clearFlags(slot: SlotName): SlotFlagsChange[] {
  return [{ slot, priority: 0, tries: 0, successful: false }];
}

/** The loader may choose it. */
export function isEligible(slot: SlotFlags): boolean {
  return slot.priority > 0 && (slot.tries > 0 || slot.successful);
}

function flagsOf(slot: SlotFlags): SlotFlags {
  return { priority: slot.priority, tries: slot.tries, successful: slot.successful };
}

function assertFlags(flags: SlotFlags): void {
  if (!isNibble(flags.priority) || !isNibble(flags.tries)) {
    throw new RangeError(`slot flags out of range: ${flags.priority}, ${flags.tries}`);
  }
}

function isNibble(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 15;
}
