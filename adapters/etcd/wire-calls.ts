import type { AuthResult, AuthWrite } from "../../core/etcd/auth-api.js";
import type { ClusterRequest, ClusterResult } from "../../core/etcd/cluster-api.js";
import type { ResponseHeader, V3Request, V3Result } from "../../core/etcd/v3-api.js";
import type { Wire } from "./wire-fields.js";

/** What is asked by one message and answered by one. Streams of watches and snapshots are told apart. */
export type CallName = Exclude<V3Request["op"], "watch-stream" | "snapshot">;

export type CallRequest<Name extends CallName> = Extract<V3Request, { readonly op: Name }>;

/** The result that a request of this name has. */
export type CallResult<Name extends CallName> = Name extends AuthWrite["op"]
  ? { readonly op: Name }
  : Name extends ClusterRequest["op"]
    ? ClusterResult & { readonly op: Name }
    :
        | Extract<Exclude<V3Result, AuthResult | ClusterResult>, { readonly op: Name }>
        | Extract<AuthResult, { readonly op: Name }>;

/** One method: its path, and its request and response as values and as messages. */
export interface Call<Name extends CallName> {
  readonly path: string;
  writeRequest(request: CallRequest<Name>): Wire;
  /** Throws a `WireRefusal` for what etcd refuses and a value cannot say. */
  readRequest(message: Wire): CallRequest<Name>;
  /** Without the header, which is the same for all. */
  writeResult(result: CallResult<Name>, header: ResponseHeader): Wire;
  readResult(message: Wire): CallResult<Name>;
}

export type Calls<Names extends CallName> = { readonly [Name in Names]: Call<Name> };
