import type { Bytes, Micros, NodeIndex } from "../../core/kernel/index.js";
import type { Span } from "../faults/plan.js";

/** Container engines on every host, and the registry that they fetch from. */
export interface ContainersSpec {
  /** The registry's. */
  readonly node: NodeIndex;
  readonly docker: {
    /** Behaviour to model, such as `1.12`. */
    readonly version: string;
    /** `--live-restore`: containers outlive their daemon. */
    readonly liveRestore: boolean;
    /** From the daemon's start until it serves. */
    readonly startTakes: Span;
  };
  /** Version of flannel, such as `0.7`. */
  readonly flannel: string;
  /** What the registry sends to all, bytes a second. */
  readonly registryBandwidth: Bytes;
  /** What one host takes. */
  readonly hostBandwidth: Bytes;
  readonly images: readonly ImageSpec[];
}

/** An image and how the process in it behaves. */
export interface ImageSpec {
  /** With its tag. */
  readonly name: string;
  /** On every host's disk from the start, for docker and rkt. */
  readonly present: boolean;
  readonly layers: readonly { readonly id: string; readonly bytes: Bytes }[];
  readonly readyAfter: Span;
  readonly exits: { readonly after: Span; readonly code: number } | null;
  /** Null: it ignores SIGTERM. */
  readonly stopTakes: Span | null;
  readonly stopCode: number;
  /** Ports it is reached at with the host's network. */
  readonly listens: readonly number[];
}

/** Users who ask for a page through the balancers, again and again. */
export interface UsersSpec {
  /** When the first of them asks. */
  readonly from: Micros;
  readonly every: Micros;
  /** How long one waits. */
  readonly timeout: Micros;
  /** Hosts with a balancer; each request goes to the next of them. */
  readonly through: readonly NodeIndex[];
}
