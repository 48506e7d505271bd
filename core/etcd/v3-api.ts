import type { AuthRead, AuthRequest, AuthResult, AuthWrite } from "./auth-api.js";
import type { LeaseId, Revision } from "./client.js";
import type { ClusterRequest, ClusterResult } from "./cluster-api.js";
import type { LeaseRequest, LeaseResult, LeaseWrite } from "./lease-api.js";
import type { AlarmRequest, MaintenanceRequest, MaintenanceResult } from "./maintenance-api.js";
import type { WatchResponse, WatchStreamRequest } from "./watch-api.js";

/**
 * The v3 API as values. Keys and values are byte strings, one character (0 to 255) for each byte, so
 * that they compare as bytes do. Field names and defaults are those of etcd's rpc.proto; 0 and ""
 * stand for absent as in protobuf.
 */
export interface KeyValue {
  readonly key: string;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Number of puts since the key was made, from 1. */
  readonly version: number;
  readonly value: string;
  readonly lease: LeaseId;
}

export type SortTarget = "key" | "version" | "create" | "mod" | "value";
export type SortOrder = "none" | "ascend" | "descend";

export interface RangeRequest {
  readonly op: "kv-range";
  readonly key: string;
  /** Absent or "": the key alone. "\0": everything from the key on. */
  readonly rangeEnd?: string;
  readonly limit?: number;
  readonly revision?: Revision;
  readonly sortTarget?: SortTarget;
  readonly sortOrder?: SortOrder;
  /** From the member's own, possibly stale, store. */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minModRevision?: Revision;
  readonly maxModRevision?: Revision;
  readonly minCreateRevision?: Revision;
  readonly maxCreateRevision?: Revision;
}

export interface PutRequest {
  readonly op: "kv-put";
  readonly key: string;
  readonly value: string;
  readonly lease?: LeaseId;
  readonly prevKv?: boolean;
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
}

export interface DeleteRangeRequest {
  readonly op: "kv-delete-range";
  readonly key: string;
  readonly rangeEnd?: string;
  readonly prevKv?: boolean;
}

export type CompareResult = "equal" | "not-equal" | "greater" | "less";

export interface Compare {
  readonly key: string;
  readonly rangeEnd?: string;
  readonly result: CompareResult;
  /** What is compared with what. Leases compare as signed numbers. */
  readonly target:
    | { readonly field: "version" | "create" | "mod"; readonly operand: number }
    | { readonly field: "lease"; readonly operand: LeaseId }
    | { readonly field: "value"; readonly operand: string };
}

export interface TxnRequest {
  readonly op: "kv-txn";
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export type RequestOp = RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest;

export interface CompactRequest {
  readonly op: "kv-compact";
  readonly revision: Revision;
}

export type V3Request =
  | RequestOp
  | CompactRequest
  | LeaseRequest
  | WatchStreamRequest
  | AuthRequest
  | MaintenanceRequest
  | ClusterRequest;

/** What the log carries of the v3 API. */
export type V3Write =
  | PutRequest
  | DeleteRangeRequest
  | TxnRequest
  | CompactRequest
  | LeaseWrite
  | AlarmRequest
  | AuthWrite
  | AuthRead
  /** The member that took it in has checked the password and drawn the letters of the token. */
  | { readonly op: "authenticate"; readonly name: string; readonly token: string };

/** Who answered, and at what revision and term. Ids in hex. All absent where etcd sends no header. */
export interface ResponseHeader {
  readonly clusterId: string;
  readonly memberId: string;
  readonly revision: Revision;
  readonly raftTerm: number;
}

export type OpResponse =
  | {
      readonly op: "kv-range";
      readonly kvs: readonly KeyValue[];
      readonly more: boolean;
      readonly count: number;
    }
  | { readonly op: "kv-put"; readonly prevKv?: KeyValue }
  | {
      readonly op: "kv-delete-range";
      readonly deleted: number;
      readonly prevKvs: readonly KeyValue[];
    }
  | {
      readonly op: "kv-txn";
      readonly succeeded: boolean;
      readonly responses: readonly OpResponse[];
    };

export type V3Result =
  | OpResponse
  | { readonly op: "kv-compact" }
  | LeaseResult
  | WatchResponse
  | AuthResult
  | MaintenanceResult
  | ClusterResult;

/** gRPC status codes that etcd answers with. */
export type GrpcCode =
  | "InvalidArgument"
  | "NotFound"
  | "AlreadyExists"
  | "FailedPrecondition"
  | "OutOfRange"
  | "PermissionDenied"
  | "ResourceExhausted"
  | "Unauthenticated"
  | "Unavailable"
  | "Unimplemented"
  | "Internal"
  | "DataLoss"
  | "DeadlineExceeded"
  | "Unknown";

/** A refusal with etcd's text, such as `etcdserver: mvcc: required revision has been compacted`. */
export interface V3Failure {
  readonly ok: false;
  readonly code: GrpcCode;
  readonly message: string;
}

export type V3Response =
  | { readonly ok: true; readonly header: ResponseHeader; readonly result: V3Result }
  | V3Failure;

/** A refusal. */
export function v3Failure(code: GrpcCode, message: string): V3Failure {
  return { ok: false, code, message };
}
