import type { Micros } from "../../core/kernel/index.js";
import type { FaultKind, Span } from "./plan.js";

/** What of one kind a plan may hold. Shares are in parts per million, spans in µs unless said. */
export interface FaultAllowance {
  readonly kind: FaultKind["kind"];
  /** How many faults of this kind a plan gets. */
  readonly count: Span;
  readonly duration: Span;
  /** Hosts that may be hit (dense indexes, ascending). */
  readonly hosts: readonly number[];
  /** `partition` and `link`: how likely a fault hits one direction only. */
  readonly oneWayPpm: number;
  /** `link`: loss and duplication, each a span in parts per million. */
  readonly lossPpm: Span;
  readonly duplicatePpm: Span;
  /** `link` and `slow-disk`: added delay. */
  readonly delay: Span;
  /** `crash`: share of unsynced writes lost. */
  readonly loseUnsyncedPpm: Span;
  /** `crash`: how likely the disk is lost, too. */
  readonly loseDiskPpm: number;
  /** `clock-step`: by how much. */
  readonly step: Span;
  /** `clock-drift`: span in parts per million. */
  readonly driftPpm: Span;
  /** `member-change`: how likely the new member begins as a learner. */
  readonly learnerPpm: number;
  /** `kill-process`: one of these units. */
  readonly units: readonly string[];
}

/**
 * From what seeds draw fault plans, and the atlas that keeps a plan survivable: which hosts may be
 * hit at once.
 */
export interface FaultBudget {
  /** Faults start and end within this window. */
  readonly from: Micros;
  readonly until: Micros;
  readonly allowances: readonly FaultAllowance[];
  /** Most hosts that may be unavailable (down, frozen, cut off) at one moment. */
  readonly hostsAtOnce: number;
  /** With `quorum`: at most ⌊(n-1)/2⌋ of the initial etcd members are unavailable at one moment. */
  readonly keep: "quorum" | "nothing";
}
