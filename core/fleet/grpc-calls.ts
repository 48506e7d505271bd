import type { EtcdReply, V2Request } from "../etcd/client.js";
import type { JobState } from "./api-registry.js";
import type { UnitReport } from "./registry.js";
import type { UnitFile } from "./unit-file.js";

/**
 * fleet 1.0 with `enable_grpc`: what fleetds ask the one that leads, instead of etcd, and what it
 * answers. Source: protobuf/fleet.proto.
 */

/** A unit as it is sent and kept: its file, and the state it is to have. */
export interface RpcUnit {
  readonly name: string;
  readonly file: UnitFile;
  readonly state: JobState;
}

/** Where a unit is scheduled, "" if nowhere, and what the engine that leads takes it to be doing. */
export interface RpcScheduled {
  readonly name: string;
  readonly machine: string;
  readonly state: JobState;
}

/** A unit's state as a machine has published it. */
export interface RpcUnitState extends UnitReport {
  readonly name: string;
  readonly machine: string;
}

export type RpcRequest =
  | { readonly rpc: "Status" | "GetUnits" | "GetScheduledUnits" | "GetUnitStates" }
  | {
      readonly rpc:
        | "GetUnit"
        | "GetScheduledUnit"
        | "GetUnitState"
        | "DestroyUnit"
        | "ClearUnitHeartbeat"
        | "RemoveUnitState";
      readonly unit: string;
    }
  | { readonly rpc: "CreateUnit"; readonly unit: RpcUnit }
  | { readonly rpc: "SetUnitTargetState"; readonly unit: string; readonly state: JobState }
  | {
      readonly rpc: "ScheduleUnit" | "UnscheduleUnit" | "UnitHeartbeat";
      readonly unit: string;
      readonly machine: string;
    }
  | {
      readonly rpc: "SaveUnitState";
      readonly state: RpcUnitState;
      /** Seconds. */
      readonly ttl: number;
    };

/**
 * `refused`: nobody listens there. `unavailable`: the connection broke. `deadline`: no answer in time.
 * `failed`: the engine that leads could not do it in etcd.
 */
export type RpcError = "refused" | "unavailable" | "deadline" | "failed";

export type RpcReply =
  | { readonly ok: false; readonly rpc: "error"; readonly error: RpcError }
  /** It is done; to `Status`: it serves. */
  | { readonly ok: true; readonly rpc: "done" }
  | { readonly ok: true; readonly rpc: "units"; readonly units: readonly RpcUnit[] }
  | { readonly ok: true; readonly rpc: "unit"; readonly unit: RpcUnit | null }
  | { readonly ok: true; readonly rpc: "schedule"; readonly units: readonly RpcScheduled[] }
  | { readonly ok: true; readonly rpc: "states"; readonly states: readonly RpcUnitState[] };

/** One call of fleet's unit registry, for either that there is: etcd's keys, or the engine that leads. */
export interface RegistryCall {
  readonly rpc: RpcRequest;
  /** The first request of those that do the same in etcd. */
  readonly etcd: V2Request;
}

export type RegistryReply = EtcdReply | RpcReply;

export function isRpcReply(reply: RegistryReply): reply is RpcReply {
  return "rpc" in reply;
}

export function rpcError(error: RpcError): RpcReply {
  return { ok: false, rpc: "error", error };
}
