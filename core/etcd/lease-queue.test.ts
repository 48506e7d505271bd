import { expect, test } from "vitest";
import { createGenerator, nextBelow } from "../kernel/index.js";
import { type LeaseQueue, popDue, pushLease } from "./lease-queue.js";

test("leases come out by time, those of one time by id, and none before its time", () => {
  const generator = createGenerator(7, "lease-queue");
  const queue: LeaseQueue = [];
  const items = Array.from({ length: 500 }, (_, i) => ({
    id: `${i}`.padStart(4, "0"),
    at: nextBelow(generator, 50),
  }));
  for (const item of items) pushLease(queue, item);
  const inOrder = [...items].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  for (const item of inOrder) {
    expect(popDue(queue, item.at - 1)).toBeNull();
    expect(popDue(queue, item.at)).toEqual(item);
  }
  expect(popDue(queue, 1000)).toBeNull();
});
