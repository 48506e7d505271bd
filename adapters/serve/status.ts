import { status } from "@grpc/grpc-js";
import type { ClientReply, V3Failure, V3Response } from "../../core/etcd/index.js";
import { statusOf } from "../etcd/wire-error.js";

/** How a call ended that did not succeed, as gRPC tells it: a number and a text. */
export class CallFailure extends Error {
  constructor(
    readonly code: number,
    readonly details: string,
  ) {
    super(details);
  }
}

/** The failure that a refusal of the member is. */
export function refused(failure: V3Failure): CallFailure {
  const { code, details } = statusOf(failure);
  return new CallFailure(code, details);
}

/** The answer of a member to a v3 request; throws a `CallFailure` for what is none, or a refusal. */
export function answered(reply: ClientReply): V3Response & { readonly ok: true } {
  if ("result" in reply) return reply;
  if ("code" in reply) throw refused(reply);
  throw new CallFailure(status.UNAVAILABLE, "transport is closing");
}

/** The client hung up or its deadline passed. Nobody hears of it. */
export function cancelled(): CallFailure {
  return new CallFailure(status.CANCELLED, "context canceled");
}

/** A method that this release of etcd does not have, in the words of Go's gRPC. */
export function unknownMethod(path: string): CallFailure {
  const [, service = "", method = ""] = path.split("/");
  return new CallFailure(status.UNIMPLEMENTED, `unknown method ${method} for service ${service}`);
}
