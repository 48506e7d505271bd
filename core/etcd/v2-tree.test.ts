import fc from "fast-check";
import { expect, test } from "vitest";
import { directoryNode, fileNode, listNode } from "./v2-tree.js";

test("sorted listings come by key however many children there are and in whatever order they were made", () => {
  // Small and large directories are sorted by different means; both lie around sixteen children.
  const names = fc.uniqueArray(fc.stringMatching(/^[-a-z0-9.@A]{1,3}$/), { maxLength: 40 });
  fc.assert(
    fc.property(names, (list) => {
      const directory = directoryNode("/d", 1);
      for (const name of list) directory.children?.set(name, fileNode(`/d/${name}`, name, 2));
      const listed = listNode(directory, true, true, 0).nodes ?? [];
      const sorted = list.map((name) => `/d/${name}`).sort();
      expect(listed.map(({ key }) => key)).toEqual(sorted);
    }),
  );
});

test("a directory shows its own life with its children", () => {
  const directory = directoryNode("/d", 1);
  directory.children?.set("a", fileNode("/d/a", "1", 2));
  const a = { key: "/d/a", value: "1", modifiedIndex: 2, createdIndex: 2 };
  const plain = { key: "/d", dir: true, modifiedIndex: 1, createdIndex: 1, nodes: [a] };
  expect(listNode(directory, false, true, 0)).toEqual(plain);
  directory.expiresAt = 5_000_000;
  const dying = { ...plain, expiration: 5_000_000, ttl: 4 };
  expect(listNode(directory, false, true, 1_500_000)).toEqual(dying);
});
