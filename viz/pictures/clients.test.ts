import { expect, test } from "vitest";
import { Script } from "../../core/workload/testing/script.js";
import { clientsPicture } from "./clients.js";

test("a stale read is red in the picture of what clients saw, under what it is not explained by", () => {
  const script = new Script()
    .put("/a", "one")
    .put("/a", "two")
    .call("reader", { op: "kv-range", key: "/a" }, { at: 2 });
  const svg = clientsPicture(script.history());
  expect(svg).toContain("etcd store: not-linearizable");
  expect(svg).toContain('red: get("/a") -&gt; "one" @2, which it does not explain');
});

test("a watch that breaks a promise is named in the picture, though an order explains the requests", () => {
  const script = new Script()
    .put("/a", "one")
    .put("/a", "two")
    .put("/a", "three")
    .watch({ key: "/a", startRevision: 1 }, (told) => told.filter((_, i) => i !== 2));
  const svg = clientsPicture(script.history());
  expect(svg).toContain("etcd store: linearizable");
  expect(svg).toContain("watch-reliable, told by m: watcher: the put of");
});
