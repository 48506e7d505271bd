import type { ClientReply, V3Request, WatchMessage } from "../etcd/index.js";
import type { Micros, NodeIndex, TimerEffect, TimerFired } from "../kernel/index.js";

/** A member that a client may talk to. */
export interface Endpoint {
  readonly node: NodeIndex;
  readonly name: string;
}

/** What a client of a workload hears. */
export type WorkloadStimulus =
  /** Begins to make requests. */
  | { readonly kind: "start" }
  /** Makes no further request; what is under way may still be answered. */
  | { readonly kind: "stop" }
  | TimerFired
  /** The answer to `choose`: one number below each bound. */
  | { readonly kind: "chosen"; readonly id: number; readonly values: readonly number[] }
  | { readonly kind: "reply"; readonly call: number; readonly reply: ClientReply };

/** What it asks of its world. `call` is its own number and comes back with the answer. */
export type WorkloadEffect =
  | TimerEffect
  /** What to do next is open: asks for one number from 0 below each bound. */
  | { readonly kind: "choose"; readonly id: number; readonly bounds: readonly number[] }
  | {
      readonly kind: "request";
      readonly to: NodeIndex;
      readonly call: number;
      readonly request: V3Request;
    }
  /** Says more on the stream that a call opened; arrives after it. */
  | {
      readonly kind: "message";
      readonly to: NodeIndex;
      readonly call: number;
      readonly message: WatchMessage;
    }
  | { readonly kind: "hang-up"; readonly to: NodeIndex; readonly call: number };

/** A closed range of durations in µs. */
export type Range = readonly [Micros, Micros];

/** A duration of the range by a choice below `widthOf`. */
export function within([low]: Range, choice: number): Micros {
  return low + choice;
}

/** How many durations there are to choose from. */
export function widthOf([low, high]: Range): number {
  return high - low + 1;
}
