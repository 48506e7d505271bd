import type { InvariantMode, Violation } from "../../core/cluster/index.js";
import type { Packet } from "../../core/host/index.js";
import type { LogRecord, Micros, NodeIndex } from "../../core/kernel/index.js";
import type { TraceEvent } from "../../core/raft/index.js";
import type { Fault, FaultPlan } from "../faults/plan.js";
import type { Action, Scenario } from "../scenario/scenario.js";

/** What listens to a run. Calls come in the order of the log. */
export interface RunObserver {
  /** Facts, checkpoints and the end: what a run's log stores. */
  record(record: LogRecord): void;
  /** Every stimulus as it is delivered; costs time, so only when asked for. */
  stimulus?(record: LogRecord): void;
  /** Every event of raft's, in order, as etcd's TLA+ specification follows them; no part of the log. */
  trace?(node: NodeIndex, event: TraceEvent): void;
}

export interface SimulationOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly plan: FaultPlan;
  readonly observer?: RunObserver;
  /** What the run's monitor looks at; default: events. */
  readonly invariants?: InvariantMode;
  /** Hears what hosts answer to packets that came by `intervene`; at once, within the step. */
  readonly outside?: (from: NodeIndex, packet: Packet) => void;
}

/**
 * What comes into a run from outside of it, such as a request of a real client. It is part of the log:
 * with the same interventions at the same times, after all that was due by then, a run is the same.
 */
export type Intervention =
  /**
   * From a client on no host, over no link of the network, to a host or the discovery service. A host
   * that is off never gets it.
   */
  | { readonly kind: "packet"; readonly host: NodeIndex; readonly packet: Packet }
  /** A fault that no plan has. Its id is like no other's. */
  | { readonly kind: "fault"; readonly fault: Fault }
  /** Ends a fault before its time. */
  | { readonly kind: "end-fault"; readonly id: number }
  | { readonly kind: "action"; readonly action: Action };

/** How a run ended. */
export interface RunSummary {
  readonly verdict: "held" | "violated" | "stopped";
  /** Stimuli delivered. */
  readonly events: number;
  /** True time reached. */
  readonly at: Micros;
  /** Hash of all final states: equal for equal runs. "" if nobody asked for it. */
  readonly hash: string;
  readonly violations: readonly Violation[];
  readonly failedExpectations: number;
}

/**
 * An intervention as a log holds it; null when it is none. Packets and actions are taken as they are:
 * the log's checksums say that this program wrote them.
 */
export function interventionFromJson(
  json: unknown,
  { hosts, discovery }: Scenario,
): Intervention | null {
  if (!isIntervention(json)) return null;
  if (json.kind !== "packet") return json;
  const { host, packet } = json;
  const isThere = hosts[host] !== undefined || host === discovery?.node;
  return isThere && typeof packet?.kind === "string" ? json : null;
}

function isIntervention(json: unknown): json is Intervention {
  if (json === null || typeof json !== "object" || !("kind" in json)) return false;
  switch (json.kind) {
    case "packet":
      return "host" in json && typeof json.host === "number" && "packet" in json;
    case "fault":
      return "fault" in json;
    case "end-fault":
      return "id" in json && typeof json.id === "number";
    case "action":
      return "action" in json;
    default:
      return false;
  }
}
