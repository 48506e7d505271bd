/** A signed or unsigned 64-bit integer in decimal digits. */
export type Int64 = string;

export interface ResponseHeader {
  readonly cluster_id: Int64;
  readonly member_id: Int64;
  readonly revision: Int64;
  readonly raft_term: Int64;
}

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly create_revision: Int64;
  readonly mod_revision: Int64;
  readonly version: Int64;
  readonly lease: Int64;
}

/** Absent fields are proto3's zero. `range_end` of one zero byte means "to the end of all keys". */
export interface RangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly limit?: Int64;
  readonly revision?: Int64;
  readonly serializable?: boolean;
  readonly keys_only?: boolean;
  readonly count_only?: boolean;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly count: Int64;
}

export interface PutRequest {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly lease?: Int64;
  readonly prev_kv?: boolean;
}

export interface PutResponse {
  readonly header: ResponseHeader;
  readonly prev_kv: KeyValue | null;
}

export interface DeleteRangeRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly prev_kv?: boolean;
}

export interface DeleteRangeResponse {
  readonly header: ResponseHeader;
  readonly deleted: Int64;
  readonly prev_kvs: readonly KeyValue[];
}

export type RequestOp =
  | { readonly request_range: RangeRequest }
  | { readonly request_put: PutRequest }
  | { readonly request_delete_range: DeleteRangeRequest };

export const COMPARE = { EQUAL: 0, GREATER: 1, LESS: 2, NOT_EQUAL: 3 } as const;
export const TARGET = { VERSION: 0, CREATE: 1, MOD: 2, VALUE: 3, LEASE: 4 } as const;

/** One of the operands, the one `target` names, is given. */
export interface Compare {
  readonly key: Buffer;
  readonly result: (typeof COMPARE)[keyof typeof COMPARE];
  readonly target: (typeof TARGET)[keyof typeof TARGET];
  readonly version?: Int64;
  readonly create_revision?: Int64;
  readonly mod_revision?: Int64;
  readonly value?: Buffer;
  readonly lease?: Int64;
}

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
}

export interface WatchCreateRequest {
  readonly key: Buffer;
  readonly range_end?: Buffer;
  readonly start_revision?: Int64;
  readonly progress_notify?: boolean;
  readonly prev_kv?: boolean;
  readonly fragment?: boolean;
}

export interface WatchEvent {
  readonly type: "PUT" | "DELETE";
  readonly kv: KeyValue;
  readonly prev_kv: KeyValue | null;
}

export interface WatchResponse {
  readonly header: ResponseHeader;
  readonly watch_id: Int64;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compact_revision: Int64;
  readonly cancel_reason: string;
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
}

export interface LeaseGrantResponse {
  readonly header: ResponseHeader;
  readonly ID: Int64;
  readonly TTL: Int64;
  readonly error: string;
}

export interface StatusResponse {
  readonly header: ResponseHeader;
  readonly version: string;
  readonly dbSize: Int64;
  readonly leader: Int64;
}
