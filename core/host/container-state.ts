import type { Backend, ConfdState } from "../balancer/index.js";
import type { ContainerConfig, ContainerState } from "../container/index.js";
import type { FlannelState } from "../flannel/index.js";
import type { NodeIndex } from "../kernel/index.js";
import type { ShellState } from "../shell/index.js";

/** What is fixed about the containers of a host. */
export interface HostContainerConfig {
  readonly engine: ContainerConfig;
  readonly flannel: {
    readonly watchesLease: boolean;
    readonly keepsPrevious: boolean;
  };
  /** Node of each host's name, for announcements that have no address. */
  readonly names: Readonly<Record<string, NodeIndex>>;
}

/** A process of a unit, or a child of one, whose program is modelled and is no daemon. */
export interface Program {
  readonly pid: number;
  readonly unit: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The shell that waits for it; null: systemd does. */
  readonly parent: number | null;
  readonly does:
    | { readonly kind: "sleep" }
    | { readonly kind: "etcdctl" }
    /** Its end comes from the container engines. */
    | { readonly kind: "docker" | "rkt" }
    | { readonly kind: "shell"; readonly shell: ShellState };
  /** Of a shell: the child it waits for; 0: none. */
  child: number;
  /** Of a shell: the status of a child that has just ended. */
  ended: number;
}

/** A request that came through the balancer of this host and waits for its backend. */
export interface WebRequest {
  readonly from: NodeIndex;
  readonly call: number;
  /** Whom it went to. */
  readonly backend: string;
}

/** A host with container engines: their state, the balancer's, and the programs of units. */
export interface ContainerHost {
  engine: ContainerState;
  flannel: FlannelState | null;
  /** FLANNEL_SUBNET of `/run/flannel/subnet.env`; "" since the boot. */
  flannelSubnet: string;
  confd: ConfdState | null;
  /** The balancer's configuration, which lies on the disk. */
  backends: readonly Backend[];
  /** Which backend is next. */
  turn: number;
  requests: Map<number, WebRequest>;
  /** Backends whose last request failed. */
  failing: Set<string>;
  programs: Map<number, Program>;
  nextChild: number;
}
