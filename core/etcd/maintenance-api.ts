import type { Bytes } from "../kernel/index.js";
import type { Revision } from "./client.js";
import type { StoreImage } from "./snapshot.js";

export type AlarmType = "none" | "nospace" | "corrupt";

/** An alarm that a member raised. `member` is 16 hex digits. */
export interface Alarm {
  readonly member: string;
  readonly alarm: AlarmType;
}

export interface AlarmRequest {
  readonly op: "alarm";
  readonly action: "get" | "activate" | "deactivate";
  /** 16 hex digits; "" stands for 0, which is nobody. `get` asks about every member whatever this is. */
  readonly member: string;
  readonly alarm: AlarmType;
}

/** Requests of etcd's Maintenance service. */
export type MaintenanceRequest =
  | AlarmRequest
  | { readonly op: "status" }
  | { readonly op: "defragment" }
  /** Of the whole backend. */
  | { readonly op: "hash" }
  /** Of the key space at a revision; 0: the current one. */
  | { readonly op: "hash-kv"; readonly revision: Revision }
  | { readonly op: "snapshot" }
  | { readonly op: "move-leader"; readonly to: string }
  /** Since etcd 3.5. */
  | {
      readonly op: "downgrade";
      readonly action: "validate" | "enable" | "cancel";
      readonly version: string;
    };

/** Ids are 16 hex digits, "" for none. */
export interface StatusResult {
  readonly op: "status";
  readonly version: string;
  readonly dbSize: Bytes;
  readonly dbSizeInUse: Bytes;
  readonly leader: string;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly raftAppliedIndex: number;
  readonly errors: readonly string[];
  readonly learner: boolean;
  /** The last three are told since etcd 3.6. */
  readonly dbSizeQuota?: Bytes;
  readonly storageVersion?: string;
  /** "" while no downgrade is under way. */
  readonly downgradeTarget?: string;
}

export type MaintenanceResult =
  | { readonly op: "alarm"; readonly alarms: readonly Alarm[] }
  | StatusResult
  | { readonly op: "defragment" }
  | { readonly op: "hash"; readonly hash: number }
  | {
      readonly op: "hash-kv";
      readonly hash: number;
      readonly compactRevision: Revision;
      /** Up to where it goes; 0 before etcd 3.6, which does not say. */
      readonly hashRevision: Revision;
    }
  /** The stores at one moment; whoever serves it writes the file. */
  | { readonly op: "snapshot"; readonly image: StoreImage }
  | { readonly op: "move-leader" }
  | { readonly op: "downgrade"; readonly version: string };
