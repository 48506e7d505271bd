import type { Micros, NodeIndex } from "../../core/kernel/index.js";

/** A closed interval of durations, speeds or offsets from which a run draws; `low === high` draws nothing. */
export interface Span {
  readonly low: number;
  readonly high: number;
}

/**
 * What a fault does while it lasts. Every fault is an interval: at its end what it did is taken
 * back (links heal, hosts boot, clocks step back), so that an outage always straddles some time.
 * A fault also meets what is already on its way: messages in flight and writes not yet synced.
 *
 * Shares are in parts per million. Targets are dense node indexes of the scenario.
 */
export type FaultKind =
  /** Nothing passes from the first set to the second; nor back, unless `oneWay`. */
  | {
      readonly kind: "partition";
      readonly from: readonly NodeIndex[];
      readonly to: readonly NodeIndex[];
      readonly oneWay: boolean;
    }
  /** Links are worse than they were: added to what the scenario's network says of them. */
  | {
      readonly kind: "link";
      readonly from: readonly NodeIndex[];
      readonly to: readonly NodeIndex[];
      readonly oneWay: boolean;
      readonly lossPpm: number;
      readonly duplicatePpm: number;
      /** Added to the latency of each message, in µs. */
      readonly delay: Span;
    }
  /** Power loss. The host boots when the interval ends. */
  | {
      readonly kind: "crash";
      readonly host: NodeIndex;
      /** For each write that was not synced: how likely it is lost. */
      readonly loseUnsyncedPpm: number;
      /** The host comes back with an empty state partition. */
      readonly loseDisk: boolean;
    }
  /** A daemon is killed (SIGKILL) and kept from starting while the interval lasts; then systemd may start it. */
  | {
      readonly kind: "kill-process";
      readonly host: NodeIndex;
      /** Unit name, such as `etcd2.service`. */
      readonly unit: string;
    }
  /** The host stands still (a paused virtual machine): its clock goes on, its processes do not. */
  | { readonly kind: "pause"; readonly host: NodeIndex }
  /** The host's clock jumps by so many µs, and back at the end. Negative: into the past. */
  | { readonly kind: "clock-step"; readonly host: NodeIndex; readonly by: Micros }
  /** The host's clock runs fast (positive) or slow by so many parts per million. */
  | { readonly kind: "clock-drift"; readonly host: NodeIndex; readonly ppm: number }
  /** Added to every disk sync, in µs. */
  | { readonly kind: "slow-disk"; readonly host: NodeIndex; readonly delay: Span }
  /**
   * An operator removes the host's member from its cluster; once it is removed the host loses its
   * disk. When the interval ends the host is added again, as a new member with a new id.
   */
  | {
      readonly kind: "member-change";
      readonly host: NodeIndex;
      /** Added as a learner, and promoted when it has caught up. */
      readonly learner: boolean;
    }
  /** The service answers nothing. */
  | { readonly kind: "update-down" }
  | { readonly kind: "discovery-down" }
  /** The image registry refuses connections, and those it has break. */
  | { readonly kind: "registry-down" };

/** One fault of a plan. */
export type Fault = FaultKind & {
  /** Stays with the fault when others are dropped. */
  readonly id: number;
  /** Start, in true time since the start of the run. */
  readonly at: Micros;
  /** Always positive. */
  readonly duration: Micros;
};

/** Faults in order of (`at`, `id`), ids unique. Plain data: it is embedded in log headers. */
export interface FaultPlan {
  readonly faults: readonly Fault[];
}

/** A plan without faults. */
export const NO_FAULTS: FaultPlan = { faults: [] };

/** A plan of these faults, in a plan's order. */
export function faultPlan(faults: readonly Fault[]): FaultPlan {
  return { faults: [...faults].sort((left, right) => left.at - right.at || left.id - right.id) };
}
