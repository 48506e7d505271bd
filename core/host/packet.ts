import type { DiscoveryReply, RegistryRequest } from "../discovery/index.js";
import type {
  ClientReply,
  ClientRequest,
  Member,
  PeerMessage,
  WatchMessage,
} from "../etcd/index.js";
import type { FleetHttpRequest, FleetHttpResponse, RpcReply, RpcRequest } from "../fleet/index.js";
import type { RaftId } from "../raft/index.js";
import type { OmahaReply, OmahaRequest } from "../update/index.js";

/**
 * What nodes of a cluster send each other. Values: never changed once sent. `call` and `id` are
 * the sender's own numbers and come back in the answer.
 */
export type Packet =
  /** Between etcd members. */
  | { readonly kind: "peer"; readonly from: RaftId; readonly message: PeerMessage }
  /** A client of etcd to a member, and back. */
  | {
      readonly kind: "etcd-request";
      readonly call: number;
      readonly request: ClientRequest;
      /** Of a client that has logged in. */
      readonly token?: string;
      /** Of one that would rather have an error than wait for a leader. */
      readonly requireLeader?: boolean;
    }
  | { readonly kind: "etcd-cancel"; readonly call: number }
  /** More on the stream that an `etcd-request` of this number opened. */
  | { readonly kind: "etcd-message"; readonly call: number; readonly message: WatchMessage }
  /** The client of a stream has stopped reading, or reads again. */
  | { readonly kind: "etcd-flow"; readonly call: number; readonly blocked: boolean }
  | { readonly kind: "etcd-response"; readonly call: number; readonly reply: ClientReply }
  /** Who is in your cluster? The peer port's `/members`, which a joining member asks. */
  | { readonly kind: "members-request" }
  | {
      readonly kind: "members-response";
      readonly clusterId: string;
      readonly members: readonly Member[];
    }
  /** Is your etcd member healthy? */
  | { readonly kind: "health-request"; readonly call: number }
  | { readonly kind: "health-response"; readonly call: number; readonly healthy: boolean }
  /** A client of fleet's API to a fleetd, and back. */
  | { readonly kind: "fleet-request"; readonly call: number; readonly request: FleetHttpRequest }
  | { readonly kind: "fleet-response"; readonly call: number; readonly response: FleetHttpResponse }
  /** A fleetd to the engine that leads, and back, with `enable_grpc`; and the end of its connections. */
  | { readonly kind: "fleet-rpc"; readonly call: number; readonly request: RpcRequest }
  | { readonly kind: "fleet-rpc-reply"; readonly call: number; readonly reply: RpcReply }
  | { readonly kind: "fleet-rpc-closed"; readonly address: string }
  /** update_engine to the update service, and back. */
  | { readonly kind: "omaha-request"; readonly id: number; readonly request: OmahaRequest }
  | { readonly kind: "omaha-response"; readonly id: number; readonly reply: OmahaReply }
  /** etcd's bootstrap to the discovery service, and back. */
  | {
      readonly kind: "discovery-request";
      readonly id: number;
      readonly request: RegistryRequest["request"];
    }
  /** The client of a request has had enough. */
  | { readonly kind: "discovery-hangup"; readonly id: number }
  | { readonly kind: "discovery-response"; readonly id: number; readonly reply: DiscoveryReply }
  /** A user's request for a balancer (`port` null), or a balancer's for a backend, and the answer. */
  | { readonly kind: "web-request"; readonly call: number; readonly port: number | null }
  | { readonly kind: "web-response"; readonly call: number; readonly status: number }
  /** A defect that one host's process inflicts on the same process elsewhere. */
  | { readonly kind: "poison"; readonly process: string; readonly code: number };

/**
 * Whether a packet belongs to a connection of etcd's clients, fleet's clients or fleetds, which is one TCP
 * stream: it comes once and in order, or the connection is lost.
 */
export function isClientTraffic(packet: Packet): boolean {
  switch (packet.kind) {
    case "etcd-request":
    case "etcd-cancel":
    case "etcd-message":
    case "etcd-flow":
    case "etcd-response":
    case "fleet-request":
    case "fleet-response":
    case "fleet-rpc":
    case "fleet-rpc-reply":
    case "fleet-rpc-closed":
      return true;
    default:
      return false;
  }
}

/**
 * Whether a second copy of a packet would be another request: what clients send, and what members pass on
 * for them to their leader. Raft takes every other message twice without harm, and a proposal
 * for two; etcd's transport, streams over TCP, delivers none twice.
 */
export function comesOnce(packet: Packet): boolean {
  if (packet.kind !== "peer") return isClientTraffic(packet);
  const { type } = packet.message;
  return type === "MsgProp" || type === "forward";
}

/** Rough size of a packet on the wire, in bytes: what bandwidth is charged for. */
export function packetBytes(packet: Packet): number {
  switch (packet.kind) {
    case "etcd-request":
    case "etcd-response":
    case "fleet-request":
    case "fleet-response":
    case "fleet-rpc":
    case "fleet-rpc-reply":
    case "discovery-request":
    case "discovery-response":
      return 600;
    case "omaha-request":
    case "omaha-response":
      return 1500;
    default:
      return 120;
  }
}
