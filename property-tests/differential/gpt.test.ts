import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import {
  addFlags,
  applySlotFlags,
  decodeSlotFlags,
  encodeSlotFlags,
  installedSlots,
  prioritize,
  type SlotFlags,
  USR_PARTITION_TYPE,
} from "../../core/update/index.js";

/** cgpt's `prioritize` knows only this type; CoreOS's own build knows USR partitions too. */
const CHROMEOS_KERNEL_TYPE = "fe3a2a5d-4f32-41a7-b725-accc3285a309";
const USR_A = 3;
const KERNEL_A = 4;
const KERNEL_B = 5;

const available = spawnSync("cgpt", ["version"]).error === undefined;
const required = process.env.ORRERY_WITNESS_REQUIRED === "1";
if (!available) console.log("gpt: cgpt is not installed; its comparison is skipped");

const folder = mkdtempSync(join(tmpdir(), "orrery-gpt-"));
const image = join(folder, "disk.img");
afterAll(() => rmSync(folder, { recursive: true }));

function cgpt(...words: readonly (string | number)[]): string {
  return execFileSync("cgpt", [...words.map(String), image], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

function createDisk(): void {
  writeFileSync(image, "");
  truncateSync(image, 4 << 20);
  cgpt("create");
  const partitions = [
    [USR_A, USR_PARTITION_TYPE],
    [KERNEL_A, CHROMEOS_KERNEL_TYPE],
    [KERNEL_B, CHROMEOS_KERNEL_TYPE],
  ] as const;
  for (const [index, type] of partitions) {
    cgpt("add", "-i", index, "-b", 100 * index, "-s", 100, "-t", type);
  }
}

/** The 64-bit attribute in the primary table: 128 bytes an entry from block 2, at offset 48. */
function attributeOf(index: number): bigint {
  return readFileSync(image).readBigUInt64LE(1_024 + 128 * (index - 1) + 48);
}

function setFlags(index: number, { priority, tries, successful }: SlotFlags): void {
  cgpt("add", "-i", index, "-P", priority, "-T", tries, "-S", successful ? 1 : 0);
}

const flags: fc.Arbitrary<SlotFlags> = fc.record({
  priority: fc.nat(15),
  tries: fc.nat(15),
  successful: fc.boolean(),
});

test("cgpt is there when witnesses are required", () => {
  expect(available || !required).toBe(true);
});

test.runIf(available)("cgpt writes the attribute that the codec writes", () => {
  createDisk();
  fc.assert(
    fc.property(flags, (f) => {
      const before = attributeOf(USR_A);
      setFlags(USR_A, f);
      expect(attributeOf(USR_A)).toBe(encodeSlotFlags(f, before));
      expect(decodeSlotFlags(attributeOf(USR_A))).toEqual(f);
    }),
    { numRuns: 25 },
  );
});

test.runIf(available)(
  "cgpt reads the flags that the codec reads, and both leave other bits alone",
  () => {
    createDisk();
    fc.assert(
      fc.property(fc.nat(0xffff), flags, (attribute, f) => {
        // cgpt sets and shows the upper sixteen bits.
        cgpt("add", "-i", USR_A, "-A", attribute);
        const stored = attributeOf(USR_A);
        expect(stored >> 48n).toBe(BigInt(attribute));
        const shown = {
          priority: Number(cgpt("show", "-i", USR_A, "-P")),
          tries: Number(cgpt("show", "-i", USR_A, "-T")),
          successful: cgpt("show", "-i", USR_A, "-S") === "1",
        };
        expect(decodeSlotFlags(stored)).toEqual(shown);
        setFlags(USR_A, f);
        expect(attributeOf(USR_A)).toBe(encodeSlotFlags(f, stored));
      }),
      { numRuns: 15 },
    );
  },
);

test.runIf(available)("cgpt add and prioritize change two slots as the model does", () => {
  createDisk();
  fc.assert(
    fc.property(flags, flags, fc.nat(15), (a, b, tries) => {
      setFlags(KERNEL_A, a);
      setFlags(KERNEL_B, b);
      const slots = installedSlots("1.0.0");
      applySlotFlags(slots, [
        { slot: "USR-A", ...a },
        { slot: "USR-B", ...b },
      ]);
      cgpt("add", "-i", KERNEL_B, "-S", 0, "-T", tries);
      applySlotFlags(slots, addFlags(slots, "USR-B", { successful: false, tries }));
      cgpt("prioritize", "-i", KERNEL_B);
      applySlotFlags(slots, prioritize(slots, "USR-B"));
      expect(decodeSlotFlags(attributeOf(KERNEL_A))).toEqual(flagsOf(slots["USR-A"]));
      expect(decodeSlotFlags(attributeOf(KERNEL_B))).toEqual(flagsOf(slots["USR-B"]));
    }),
    { numRuns: 25 },
  );
});

function flagsOf({ priority, tries, successful }: SlotFlags): SlotFlags {
  return { priority, tries, successful };
}
