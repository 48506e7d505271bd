import { expect, test } from "vitest";
import { without } from "./table.js";

test("what is left of a table is what a deletion leaves, in the same order", () => {
  for (const keys of [[], [1], [2], [1, 2], [3, 1, 2], [2, 1, 3]]) {
    const table = new Map(keys.map((key) => [key, `value ${key}`]));
    const plain = new Map(table);
    plain.delete(1);
    expect([...without(table, 1)]).toEqual([...plain]);
  }
});
