import type { EtcdCall, EtcdCancel, EtcdReplied } from "../etcd/client.js";
import type { TimerEffect, TimerFired } from "../kernel/index.js";
import type { SystemdCall, SystemdReplied, UnitChanged } from "../systemd/client.js";
import type { FleetHttpRequest, FleetHttpResponse } from "./api-http.js";
import type { RpcReply, RpcRequest } from "./grpc-calls.js";

/** The fleetd process is started; its machine is fresh or has exited. */
export interface FleetStart {
  readonly kind: "start";
}

/** A signal that ends the process: SIGTERM leaves in order, SIGKILL leaves everything as it is. */
export interface FleetStop {
  readonly kind: "stop";
  readonly signal: "SIGTERM" | "SIGKILL";
}

/** SIGHUP: the configuration is to be read again. */
export interface FleetHangUp {
  readonly kind: "hang-up";
}

/**
 * Asks the world for one permutation of 0 … count-1 for each of `counts`: the order in which Go's
 * maps happen to be walked. Asked only when a pass has more than one possible outcome.
 */
export interface FleetOrder {
  readonly kind: "order";
  readonly id: number;
  readonly counts: readonly number[];
}

/** The answer to `FleetOrder`: one permutation per count, in the order of the counts. */
export interface FleetOrdered {
  readonly kind: "ordered";
  readonly id: number;
  readonly orders: readonly (readonly number[])[];
}

/** Who has sent a request to the API: the world's own numbers, which come back with the response. */
export interface FleetHttpClient {
  readonly from: number;
  readonly call: number;
}

/** A request of a client to the API; answered by one `FleetHttpReply`. */
export interface FleetHttpCall {
  readonly kind: "http-request";
  readonly client: FleetHttpClient;
  readonly request: FleetHttpRequest;
}

export interface FleetHttpReply {
  readonly kind: "http-response";
  readonly client: FleetHttpClient;
  readonly response: FleetHttpResponse;
}

/** With `enable_grpc`: a call of another fleetd, or this one's own; answered by one `FleetRpcResponse`. */
export interface FleetRpcCall {
  readonly kind: "rpc-request";
  readonly client: FleetHttpClient;
  readonly request: RpcRequest;
}

export interface FleetRpcResponse {
  readonly kind: "rpc-response";
  readonly client: FleetHttpClient;
  readonly reply: RpcReply;
}

/** Calls the engine at an address, "" for this host; answered by one `FleetRpcReplied`, or not at all. */
export interface FleetRpcAsk {
  readonly kind: "rpc-call";
  readonly id: number;
  readonly address: string;
  readonly request: RpcRequest;
}

/** `refused` if nobody listens there. */
export interface FleetRpcReplied {
  readonly kind: "rpc-reply";
  readonly id: number;
  readonly reply: RpcReply;
}

/** Closes the connections of a peer, named as in `FleetRpcCall`. */
export interface FleetRpcHangup {
  readonly kind: "rpc-hangup";
  readonly peer: number;
}

/** The server at an address has closed its connections. */
export interface FleetRpcClosed {
  readonly kind: "rpc-closed";
  readonly address: string;
}

/**
 * The process has ended: 0 after SIGTERM, 1 when it cannot start or, with `enable_grpc`, cannot reach the
 * engine that leads, 2 on a panic, 137 after SIGKILL.
 */
export interface FleetExit {
  readonly kind: "exit";
  readonly code: number;
}

export type FleetStimulus =
  | FleetStart
  | FleetStop
  | FleetHangUp
  | FleetOrdered
  | FleetHttpCall
  | FleetRpcCall
  | FleetRpcReplied
  | FleetRpcClosed
  | TimerFired
  | EtcdReplied
  | SystemdReplied
  | UnitChanged;

export type FleetEffect =
  | EtcdCall
  | EtcdCancel
  | SystemdCall
  | TimerEffect
  | FleetOrder
  | FleetHttpReply
  | FleetRpcAsk
  | FleetRpcResponse
  | FleetRpcHangup
  | FleetExit;

/** What one fleetd concluded. `machine` is a machine ID. */
export type FleetFact =
  | { readonly kind: "fleet.registered"; readonly machine: string }
  /** The presence beats failed for longer than the monitor bears; the components stop. */
  | { readonly kind: "fleet.presence-lost"; readonly machine: string }
  | { readonly kind: "fleet.engine-leader"; readonly machine: string }
  | { readonly kind: "fleet.engine-lost"; readonly machine: string }
  | {
      readonly kind: "fleet.scheduled" | "fleet.unscheduled";
      readonly unit: string;
      readonly machine: string;
      readonly reason: string;
    }
  /** An agent carried out a task; `unit` is "" for ReloadUnitFiles. */
  | {
      readonly kind: "fleet.task";
      readonly task: AgentTaskType;
      readonly unit: string;
      readonly reason: string;
    }
  /** An agent's task failed, which halts the pass. */
  | {
      readonly kind: "fleet.task-failed";
      readonly task: AgentTaskType;
      readonly unit: string;
      readonly error: string;
    }
  /** A change of a unit's state was published. */
  | {
      readonly kind: "fleet.unit-state";
      readonly unit: string;
      readonly active: string;
      readonly sub: string;
    }
  /** The own machine object is missing, so the agent unloads what it runs (profile `faithful`). */
  | { readonly kind: "fleet.unloaded-all"; readonly machine: string; readonly units: number }
  /** The agent stopped its units because its presence is about to expire (profile `fixed`). */
  | { readonly kind: "fleet.fenced"; readonly machine: string; readonly units: number }
  /** With `enable_grpc`: this engine serves the registry, with what it has read of it in etcd. */
  | {
      readonly kind: "fleet.grpc-serving";
      readonly machine: string;
      readonly units: number;
      readonly scheduled: number;
    }
  /** With `enable_grpc`: from now on the registry is asked of the engine that leads, or of etcd again. */
  | {
      readonly kind: "fleet.registry-engine" | "fleet.registry-etcd";
      readonly machine: string;
      /** Machine of the engine. */
      readonly engine: string;
    }
  /** The configuration was read again, and whoever serves serves with it. */
  | { readonly kind: "fleet.reloaded"; readonly machine: string }
  | { readonly kind: "fleet.exited"; readonly machine: string; readonly code: number };

export type AgentTaskType =
  | "UnloadUnit"
  | "LoadUnit"
  | "ReloadUnitFiles"
  | "StopUnit"
  | "StartUnit";
