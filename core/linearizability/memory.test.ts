import fc from "fast-check";
import { expect, test } from "vitest";
import { Ledger, OutOfMemory, PairMap, TupleSet } from "./memory.js";

/** Catches a tuple lost or doubled when the table grows. */
test("a tuple set holds what a set of texts would hold", () => {
  const tuples = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(9), fc.nat(9)), {
    maxLength: 600,
  });
  fc.assert(
    fc.property(tuples, (list) => {
      const set = new TupleSet(3, new Ledger(2 ** 24));
      const texts = new Set<string>();
      for (const tuple of list) {
        const isNew = !texts.has(tuple.join());
        texts.add(tuple.join());
        expect(set.add(Int32Array.from(tuple))).toBe(isNew);
      }
    }),
  );
});

test("a pair map answers as a map of texts would", () => {
  const pairs = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 600 });
  fc.assert(
    fc.property(pairs, (list) => {
      const map = new PairMap(new Ledger(2 ** 24));
      const texts = new Map<string, number>();
      list.forEach(([first, second], index) => {
        const known = texts.get(`${first} ${second}`) ?? -1;
        expect(map.get(first, second)).toBe(known);
        if (known >= 0) return;
        map.set(first, second, index);
        texts.set(`${first} ${second}`, index);
      });
    }),
  );
});

test("tables that grow past the ledger stop, and give back what they held", () => {
  const bytes = 64 * 12;
  const ledger = new Ledger(bytes * 4);
  const set = new TupleSet(3, ledger);
  const fill = () => {
    for (let i = 1; i < 1000; i++) set.add(Int32Array.of(i, 0, 0));
  };
  expect(fill).toThrow(OutOfMemory);
  set.free();
  expect(ledger.reserve(bytes * 4)).toBe(true);
});
