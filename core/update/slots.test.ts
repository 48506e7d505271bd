import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addFlags,
  applySlotFlags,
  beginSlotWrite,
  copySlots,
  decodeSlotFlags,
  encodeSlotFlags,
  finishSlotWrite,
  installedSlots,
  isEligible,
  nextBoot,
  prioritize,
  SLOT_ORDER,
  type Slot,
  type SlotFlags,
  type SlotName,
  type Slots,
} from "./index.js";

const flags: fc.Arbitrary<SlotFlags> = fc.record({
  priority: fc.nat(15),
  tries: fc.nat(15),
  successful: fc.boolean(),
});

const slot: fc.Arbitrary<Slot> = fc
  .tuple(flags, fc.boolean(), fc.constantFrom("1.0.0", "2.0.0"))
  .map(([f, complete, version]) => ({ ...f, complete, version }));

const slotPair: fc.Arbitrary<Slots> = fc.record({ "USR-A": slot, "USR-B": slot });

/** The disk after the loader ran, and what it chose. */
function boot(slots: Slots): { disk: Slots; slot: SlotName | null } {
  const disk = copySlots(slots);
  const choice = nextBoot(disk);
  if (choice !== null) applySlotFlags(disk, choice.changes);
  return { disk, slot: choice?.slot ?? null };
}

// Catches a shifted field, and a codec that clears the bits of others.
test("flags survive the GPT attribute, and its other bits are left alone", () => {
  fc.assert(
    fc.property(flags, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (f, attribute) => {
      const encoded = encodeSlotFlags(f, attribute);
      expect(decodeSlotFlags(encoded)).toEqual(f);
      const others = ~(0x1ffn << 48n) & ((1n << 64n) - 1n);
      expect(encoded & others).toBe(attribute & others);
      expect(encoded >> 64n).toBe(0n);
    }),
  );
});

test("priority 3, two tries, successful is attribute 0x0123 in the upper sixteen bits", () => {
  expect(encodeSlotFlags({ priority: 3, tries: 2, successful: true })).toBe(0x0123n << 48n);
});

test("flags that do not fit four bits are refused", () => {
  expect(() => encodeSlotFlags({ priority: 16, tries: 0, successful: false })).toThrow(RangeError);
  const slots = installedSlots("1.0.0");
  const change = { slot: "USR-B", priority: 1, tries: -1, successful: false } as const;
  expect(() => applySlotFlags(slots, [change])).toThrow(RangeError);
});

test("the fresh slot is tried once, and without being marked good the old one boots again", () => {
  const slots = installedSlots("1.0.0");
  applySlotFlags(slots, addFlags(slots, "USR-B", { successful: false, tries: 1 }));
  applySlotFlags(slots, prioritize(slots, "USR-B"));
  expect(slots["USR-B"]).toMatchObject({ priority: 2, tries: 1, successful: false });
  const first = boot(slots);
  expect(first.slot).toBe("USR-B");
  expect(first.disk["USR-B"].tries).toBe(0);
  expect(boot(first.disk).slot).toBe("USR-A");
});

test("at equal priority the lower partition boots, and priority 0 never does", () => {
  const slots = installedSlots("1.0.0");
  const good = { tries: 0, successful: true };
  applySlotFlags(slots, [
    { slot: "USR-A", priority: 1, ...good },
    { slot: "USR-B", priority: 1, ...good },
  ]);
  expect(boot(slots).slot).toBe("USR-A");
  applySlotFlags(slots, [
    { slot: "USR-A", priority: 0, ...good },
    { slot: "USR-B", priority: 0, ...good },
  ]);
  expect(boot(slots).slot).toBeNull();
});

test("with two bad slots the host is down", () => {
  const slots = installedSlots("1.0.0");
  applySlotFlags(slots, [{ slot: "USR-A", priority: 1, tries: 0, successful: false }]);
  expect(nextBoot(slots)).toBeNull();
});

// Catches a loader that gives tries back or touches what it does not boot.
test("booting never raises tries, changes at most one slot, and picks the best eligible one", () => {
  fc.assert(
    fc.property(slotPair, (slots) => {
      const { disk, slot: chosen } = boot(slots);
      for (const name of SLOT_ORDER) {
        expect(disk[name].tries).toBeLessThanOrEqual(slots[name].tries);
        if (name !== chosen) expect(disk[name]).toEqual(slots[name]);
        if (isEligible(slots[name])) expect(chosen).not.toBeNull();
        if (chosen !== null && isEligible(slots[name])) {
          expect(slots[name].priority).toBeLessThanOrEqual(slots[chosen].priority);
        }
      }
      if (chosen !== null) expect(isEligible(slots[chosen])).toBe(true);
    }),
  );
});

test("neither half of a write touches the running slot: both refuse", () => {
  const slots = installedSlots("1.0.0");
  expect(() => beginSlotWrite(slots, "USR-A", "USR-A", "2.0.0")).toThrow(/running/);
  expect(() => finishSlotWrite(slots, "USR-A", "USR-A")).toThrow(/running/);
  expect(slots).toEqual(installedSlots("1.0.0"));
});

// Catches a prioritize that loses the other slot's eligibility or leaves a tie.
test("after prioritize the slot is strictly above the other, which keeps its rank above zero", () => {
  fc.assert(
    fc.property(slotPair, fc.constantFrom(...SLOT_ORDER), (slots, name) => {
      const after = copySlots(slots);
      applySlotFlags(after, prioritize(after, name));
      const other = name === "USR-A" ? "USR-B" : "USR-A";
      expect(after[name].priority).toBeGreaterThan(after[other].priority);
      expect(after[other].priority > 0).toBe(slots[other].priority > 0);
    }),
  );
});
