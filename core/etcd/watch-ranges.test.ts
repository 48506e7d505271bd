import fc from "fast-check";
import { expect, test } from "vitest";
import { addRange, type RangeNode, type RangeTree, removeRange, stab } from "./watch-ranges.js";

const key = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 3 });
const range = fc.record({ start: key, end: fc.option(key) });
type Range = typeof range extends fc.Arbitrary<infer T> ? T : never;

const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ add: range }) },
  { weight: 1, arbitrary: fc.record({ drop: fc.nat() }) },
);

function depth(node: RangeNode): number {
  const left = node.left === null ? 0 : depth(node.left);
  const right = node.right === null ? 0 : depth(node.right);
  expect(Math.abs(left - right)).toBeLessThanOrEqual(1);
  return 1 + Math.max(left, right);
}

test("the tree finds the ranges that hold a key, and stays balanced, whatever is added and removed", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), key, (steps, asked) => {
      let tree: RangeTree = null;
      let next = 1;
      const there = new Map<number, Range>();
      for (const each of steps) {
        if ("add" in each) {
          const { start, end } = each.add;
          tree = addRange(tree, start, end, next);
          there.set(next++, each.add);
          continue;
        }
        const [number, gone] = [...there][each.drop % Math.max(there.size, 1)] ?? [0, null];
        if (gone === null) continue;
        tree = removeRange(tree, gone.start, gone.end, number);
        there.delete(number);
      }
      if (tree !== null) depth(tree);
      const found: number[] = [];
      stab(tree, asked, found);
      const meant = [...there].filter(
        ([, { start, end }]) => start <= asked && (end === null || asked < end),
      );
      expect(found.sort((a, b) => a - b)).toEqual(meant.map(([number]) => number));
    }),
  );
});
