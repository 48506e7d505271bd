import type { V2Request, V2Response } from "../etcd/client.js";
import type { Micros, TimerEffect, TimerFired } from "../kernel/index.js";

/**
 * A request to the discovery service. Keys are as on the wire: `/<token>`, `/<token>/<member id>`,
 * `/<token>/_config/size`. `new` is `/new?size=N` with the parameter's text, or null when left out.
 */
export type DiscoveryRequest =
  | { readonly op: "new"; readonly size: string | null }
  | Extract<V2Request, { readonly op: "get" | "put" | "delete" | "watch" }>;

/** What comes back: a token's URL, an answer of the store behind the service, a bare HTTP error, or nothing. */
export type DiscoveryReply =
  | { readonly ok: true; readonly token: string }
  | V2Response
  | { readonly ok: false; readonly status: number; readonly body: string }
  | { readonly ok: false; readonly unreachable: "timeout" | "refused" | "closed" };

/** Asks the world to bring `request` to the service at `endpoint`; answered by one `DiscoveryReplied` with the same id. */
export interface DiscoveryCall {
  readonly kind: "discovery-call";
  readonly id: number;
  /** `scheme://host[:port]`, from the token's URL. */
  readonly endpoint: string;
  readonly request: DiscoveryRequest;
  /** The client gives up after this long on its own clock; a watch has none. */
  readonly timeout: Micros | null;
}

export interface DiscoveryReplied {
  readonly kind: "discovery-reply";
  readonly id: number;
  readonly reply: DiscoveryReply;
}

/** One member of the cluster that discovery put together. */
export interface DiscoveredPeer {
  readonly name: string;
  readonly peerUrl: string;
}

/** Why a member could not join. The names are those of etcd's errors. */
export type DiscoveryError =
  | "invalid-url"
  | "bad-size-key"
  | "token-not-found"
  | "duplicate-id"
  | "duplicate-name"
  | "full-cluster"
  | "too-many-retries"
  | "bad-discovery-endpoint"
  | "registration-failed";

export interface DiscoveryClientConfig {
  /** The whole URL of the token, as in `ETCD_DISCOVERY`. */
  readonly url: string;
  /** The member's id in hex, as registered. */
  readonly memberId: string;
  readonly name: string;
  /** What the member registers: its name with each of its peer URLs. At least one. */
  readonly peerUrls: readonly string[];
  /** True for a proxy: it reads who the members are and never registers. */
  readonly observer?: boolean;
  /** Per request; absent: 5 s. */
  readonly requestTimeout?: Micros;
  /** Attempts before giving up; absent: etcd's, which is practically for ever. */
  readonly maxRetries?: number;
}

export type DiscoveryStimulus = { readonly kind: "start" } | DiscoveryReplied | TimerFired;

export type DiscoveryEffect =
  | DiscoveryCall
  | TimerEffect
  /** The members, the first registered first; the last effect of a successful bootstrap. */
  | { readonly kind: "joined"; readonly initialCluster: readonly DiscoveredPeer[] }
  /** The last effect of a failed one. With `full-cluster`, `discovery-fallback` decides what the member does. */
  | { readonly kind: "failed"; readonly error: DiscoveryError; readonly detail: string };

export type DiscoveryFact =
  | { readonly kind: "discovery.size-found"; readonly size: number }
  | { readonly kind: "discovery.registered"; readonly memberId: string }
  | {
      readonly kind: "discovery.waiting";
      /** Members still to come. */
      readonly missing: number;
    }
  | { readonly kind: "discovery.peer-found"; readonly key: string; readonly value: string }
  | { readonly kind: "discovery.retrying"; readonly attempt: number; readonly delay: Micros }
  | { readonly kind: "discovery.joined"; readonly initialCluster: readonly DiscoveredPeer[] }
  | { readonly kind: "discovery.failed"; readonly error: DiscoveryError; readonly detail: string };

/** What the service hands on to the store behind it. */
export type RegistryKeysRequest = Extract<
  V2Request,
  { readonly op: "get" | "put" | "delete" | "watch" }
>;

/**
 * A request has reached the service. `id` is the world's, unique among those unanswered. `health`
 * makes a token and removes it; answered by an empty token.
 */
export interface RegistryRequest {
  readonly kind: "registry-request";
  readonly id: number;
  readonly request: DiscoveryRequest | { readonly op: "health" };
}

/** The client of request `id` hung up; a watch is dropped. */
export interface RegistryHangup {
  readonly kind: "registry-hangup";
  readonly id: number;
}

export type RegistryStimulus = RegistryRequest | RegistryHangup;

/** The service's answer to request `id`; one of many when that is a watch that streams. */
export interface RegistryResponse {
  readonly kind: "registry-response";
  readonly id: number;
  readonly reply: DiscoveryReply;
}

export interface RegistryConfig {
  /** What tokens' URLs begin with, such as `https://discovery.etcd.io`. */
  readonly host: string;
  /** Seed of the stream tokens are drawn from. */
  readonly seed: number;
}

export type RegistryFact =
  | { readonly kind: "discovery.token-created"; readonly token: string; readonly size: number }
  | {
      readonly kind: "discovery.member-registered";
      readonly token: string;
      readonly member: string;
    }
  | { readonly kind: "discovery.member-removed"; readonly token: string; readonly member: string };
