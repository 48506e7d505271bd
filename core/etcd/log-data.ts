import type { Bytes, Micros } from "../kernel/index.js";
import type { RaftId } from "../raft/index.js";
import type { AuthHeader } from "./auth-api.js";
import type { MemberChange } from "./membership.js";
import type { V2Command } from "./v2-request.js";
import type { RequestOp, V3Write } from "./v3-api.js";

/** Which request of which member an entry answers. */
export interface Origin {
  readonly member: RaftId;
  /** Unique to the member over all its starts. */
  readonly request: number;
}

/** What entries of the log, conf changes and reads carry. Immutable. */
export type LogData =
  | { readonly kind: "v2"; readonly origin: Origin; readonly command: V2Command }
  /** Expire v2 keys up to `cutoff` on the leader's clock. */
  | { readonly kind: "v2-sync"; readonly origin: Origin; readonly cutoff: Micros }
  | {
      readonly kind: "v3";
      readonly origin: Origin;
      readonly write: V3Write;
      /** Absent where nobody has logged in. */
      readonly auth?: AuthHeader;
    }
  | {
      readonly kind: "publish";
      readonly origin: Origin;
      readonly member: string;
      readonly name: string;
      readonly clientUrls: readonly string[];
    }
  | { readonly kind: "cluster-version"; readonly origin: Origin; readonly version: string }
  /** Go back to a version ("3.5.0"); "": do not. */
  | { readonly kind: "downgrade"; readonly origin: Origin; readonly target: string }
  /** The context of a conf change. */
  | { readonly kind: "member-change"; readonly origin: Origin; readonly change: MemberChange }
  /** The context of a read; never in the log. */
  | { readonly kind: "read"; readonly origin: Origin };

/** About the length of etcd's encoding. Texts count one byte a character. */
export function logDataBytes(data: LogData): Bytes {
  switch (data.kind) {
    case "v2":
      return 48 + v2Bytes(data.command);
    case "v3":
      return 16 + v3Bytes(data.write);
    case "publish":
      return 110 + data.name.length + lengths(data.clientUrls);
    case "member-change":
      return 120;
    case "v2-sync":
    case "cluster-version":
    case "downgrade":
    case "read":
      return 32;
  }
}

function v2Bytes(command: V2Command): Bytes {
  const expected = "expected" in command ? command.expected.prevValue.length : 0;
  const value = "value" in command ? command.value.length : 0;
  return command.key.length + value + expected;
}

function v3Bytes(write: V3Write): Bytes {
  switch (write.op) {
    case "kv-put":
    case "kv-delete-range":
    case "kv-txn":
      return opBytes(write);
    case "kv-compact":
    case "lease-grant":
    case "lease-revoke":
      return 16;
    default:
      return 64;
  }
}

function opBytes(op: RequestOp): Bytes {
  switch (op.op) {
    case "kv-put":
      return 16 + op.key.length + op.value.length;
    case "kv-range":
    case "kv-delete-range":
      return 16 + op.key.length + (op.rangeEnd?.length ?? 0);
    case "kv-txn": {
      let bytes = 16;
      for (const { key, target } of op.compare) {
        bytes += 16 + key.length + (target.field === "value" ? target.operand.length : 0);
      }
      for (const inner of op.success) bytes += opBytes(inner);
      for (const inner of op.failure) bytes += opBytes(inner);
      return bytes;
    }
  }
}

function lengths(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}
