import type { ConfdFact } from "../balancer/index.js";
import type { ContainerEffect, ContainerFact, Image } from "../container/index.js";
import type { DiscoveryFact } from "../discovery/index.js";
import type { EtcdFact } from "../etcd/index.js";
import type { FlannelFact } from "../flannel/index.js";
import type { FleetFact } from "../fleet/index.js";
import type { Bytes, Micros, NodeIndex } from "../kernel/index.js";
import type { SystemdFact } from "../systemd/index.js";
import type { ExecProcess, KillProcess, ProcessExited, ProcessReady } from "../systemd/process.js";
import type {
  LocksmithFact,
  PayloadVerdict,
  SlotName,
  UpdateFact,
  WriteVerdict,
} from "../update/index.js";
import type { Packet } from "./packet.js";

/** Which machine of a host a timer belongs to. */
export type TimerOwner =
  | "host"
  | "etcd"
  | "systemd"
  | "fleet"
  | "update"
  | "locksmith"
  | "discovery"
  | "container"
  | "flannel"
  | "confd";

/** What the world tells a host. */
export type HostStimulus =
  /** Power is on: the boot loader chooses a slot. */
  | { readonly kind: "power-on" }
  /** The kernel has come up: systemd starts. Follows `booting` unless power was lost. */
  | { readonly kind: "booted" }
  /** Power is lost. `survivingWrites` of the writes not yet synced had reached the disk. */
  | {
      readonly kind: "power-loss";
      readonly survivingWrites: number;
      /** The state partition is lost as well. */
      readonly diskLost: boolean;
    }
  | { readonly kind: "timer"; readonly owner: TimerOwner; readonly timer: string }
  | { readonly kind: "packet"; readonly from: NodeIndex; readonly packet: Packet }
  /** The sync asked for by `fsync` is done. */
  | { readonly kind: "disk-synced"; readonly token: number }
  | ProcessExited
  | ProcessReady
  /** The answer to `order`. */
  | {
      readonly kind: "ordered";
      readonly id: number;
      readonly orders: readonly (readonly number[])[];
    }
  | { readonly kind: "download-progress"; readonly id: number; readonly receivedBytes: number }
  | { readonly kind: "download-done"; readonly id: number; readonly verdict: PayloadVerdict }
  | { readonly kind: "download-failed"; readonly id: number }
  | { readonly kind: "slot-written"; readonly id: number; readonly verdict: WriteVerdict }
  /** The registry's answers to `fetch-manifest` and `fetch-layer`. */
  | { readonly kind: "manifest"; readonly id: number; readonly image: Image | null }
  | { readonly kind: "fetched" | "fetch-broken"; readonly id: number }
  /** Kills the processes of a unit and keeps it from starting until `release-unit`. */
  | { readonly kind: "hold-unit"; readonly unit: string }
  | { readonly kind: "release-unit"; readonly unit: string }
  /** Whoever sets a host up puts a file on its disk; the host may be off. */
  | { readonly kind: "install-file"; readonly path: string; readonly text: string }
  /** The host's clock was set; its timers on the wall clock notice. */
  | { readonly kind: "clock-changed" }
  /** An operator at the host: systemctl reboot, update_engine_client -update. */
  | { readonly kind: "operator"; readonly action: "reboot" | "attempt-update" }
  /** `systemctl --no-block` at the host; `sighup` is `kill --signal=HUP`. */
  | {
      readonly kind: "systemctl";
      readonly verb: "start" | "stop" | "restart" | "sighup";
      readonly unit: string;
    };

/** What a host asks of its world. */
export type HostEffect =
  | {
      readonly kind: "send";
      readonly to: NodeIndex;
      readonly packet: Packet;
      readonly bytes: Bytes;
    }
  | {
      readonly kind: "arm-timer";
      readonly owner: TimerOwner;
      readonly timer: string;
      readonly delay: Micros;
    }
  | { readonly kind: "cancel-timer"; readonly owner: TimerOwner; readonly timer: string }
  /** Syncs what was written so far; answered by `disk-synced`, in order. */
  | { readonly kind: "fsync"; readonly token: number; readonly bytes: Bytes }
  | ExecProcess
  | KillProcess
  /** Asks for one permutation of 0 … count-1 per count; answered by `ordered`. */
  | { readonly kind: "order"; readonly id: number; readonly counts: readonly number[] }
  /** The loader has loaded a slot; answered by `booted` when the kernel has come up. */
  | { readonly kind: "booting"; readonly version: string }
  /** The host goes down and comes back: `power-on` after the firmware has done its part. */
  | { readonly kind: "reset" }
  /** The host has switched itself off, and waits for `power-on`. */
  | { readonly kind: "switched-off" }
  | {
      readonly kind: "download";
      readonly id: number;
      readonly sizeBytes: Bytes;
      readonly offsetBytes: Bytes;
    }
  | {
      readonly kind: "slot-write";
      readonly id: number;
      readonly slot: SlotName;
      readonly version: string;
      readonly sizeBytes: Bytes;
    }
  | Extract<ContainerEffect, { readonly kind: "fetch-manifest" | "fetch-layer" | "cancel-fetch" }>;

export type HostFact =
  /** The kernel of a slot is up. `boot` counts the host's boots from 1. */
  | {
      readonly kind: "host.up";
      readonly version: string;
      readonly slot: SlotName;
      readonly boot: number;
    }
  | {
      readonly kind: "host.down";
      readonly reason:
        | "power-loss"
        | "power-off"
        | "reboot"
        | "panic"
        | "no-bootable-slot"
        | "broken-image";
    }
  /** A shutdown has begun, after which the host comes up again, */
  | { readonly kind: "host.rebooting"; readonly reason: string }
  /** or stays off until somebody switches it on. */
  | { readonly kind: "host.powering-off"; readonly reason: string }
  | {
      readonly kind: "host.cloud-config";
      readonly result: "applied" | "failed";
      readonly detail: string;
    }
  /** A defect of the release struck. */
  | { readonly kind: "host.defect"; readonly defect: string; readonly unit: string }
  /** A backend of this host's balancer begins to fail requests, or answers again; "" when it has none. */
  | { readonly kind: "balancer.fails"; readonly status: number; readonly backend: string }
  | { readonly kind: "balancer.answers"; readonly backend: string }
  | ContainerFact
  | FlannelFact
  | ConfdFact
  | EtcdFact
  | SystemdFact
  | FleetFact
  | UpdateFact
  | LocksmithFact
  | DiscoveryFact;
