import type { Micros } from "../kernel/index.js";
import type { LeaseId } from "./client.js";

/** A lease, and when it is to be looked at. */
export interface DueLease {
  readonly id: LeaseId;
  readonly at: Micros;
}

/** Leases by time, and those of one time by id: a binary heap, the earliest first. */
export type LeaseQueue = DueLease[];

export function pushLease(queue: LeaseQueue, item: DueLease): void {
  let place = queue.length;
  queue.push(item);
  while (place > 0) {
    const above = (place - 1) >> 1;
    const parent = queue[above];
    if (parent === undefined || !isBefore(item, parent)) break;
    queue[place] = parent;
    place = above;
  }
  queue[place] = item;
}

/** Takes the earliest out, if its time has come. */
export function popDue(queue: LeaseQueue, now: Micros): DueLease | null {
  const [first] = queue;
  if (first === undefined || first.at > now) return null;
  const last = queue.pop();
  if (last !== undefined && queue.length > 0) sink(queue, last);
  return first;
}

function sink(queue: LeaseQueue, item: DueLease): void {
  const { length } = queue;
  let place = 0;
  for (;;) {
    let below = 2 * place + 1;
    if (below >= length) break;
    let child = queue[below];
    const other = queue[below + 1];
    if (child !== undefined && other !== undefined && isBefore(other, child)) {
      child = other;
      below++;
    }
    if (child === undefined || !isBefore(child, item)) break;
    queue[place] = child;
    place = below;
  }
  queue[place] = item;
}

function isBefore(left: DueLease, right: DueLease): boolean {
  return left.at < right.at || (left.at === right.at && left.id < right.id);
}
