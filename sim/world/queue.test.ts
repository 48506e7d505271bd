import fc from "fast-check";
import { expect, test } from "vitest";
import { EventQueue } from "./queue.js";

test("events come out by time, and within one instant in the order they went in", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 300 }), (times) => {
      const queue = new EventQueue(2);
      const label = new Map<number, number>();
      for (const [order, time] of times.entries()) label.set(queue.push(time), order);
      const seen: [number, number][] = [];
      for (let time = queue.peekTime(), slot = queue.pop(); slot >= 0; ) {
        seen.push([time, label.get(slot) ?? -1]);
        time = queue.peekTime();
        slot = queue.pop();
      }
      const sorted = times.map((time, order): [number, number] => [time, order]);
      expect(seen).toEqual(sorted.sort((l, r) => l[0] - r[0] || l[1] - r[1]));
    }),
  );
});

test("slots are reused, and never while their event waits", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(9)), { maxLength: 400 }), (operations) => {
      const queue = new EventQueue(1);
      const live = new Set<number>();
      for (const time of operations) {
        if (time !== null) {
          const slot = queue.push(time);
          expect(live.has(slot)).toBe(false);
          live.add(slot);
        } else {
          const slot = queue.pop();
          expect(slot >= 0 ? live.delete(slot) : live.size === 0).toBe(true);
        }
        expect(queue.size).toBe(live.size);
      }
    }),
  );
});
