import type { Revision, V2Response } from "./client.js";

/** Error codes of the v2 API with their messages. Source: etcd 3.4 etcdserver/api/v2error/error.go. */
export const V2_ERROR_MESSAGE = {
  100: "Key not found",
  101: "Compare failed",
  102: "Not a file",
  104: "Not a directory",
  105: "Key already exists",
  107: "Root is read only",
  108: "Directory not empty",
  110: "The request requires user authentication",
  201: "PrevValue is Required in POST form",
  202: "The given TTL in POST form is not a number",
  203: "The given index in POST form is not a number",
  209: "Invalid field",
  210: "Invalid POST form",
  211: "Value provided on refresh",
  212: "A TTL must be provided on refresh",
  300: "Raft Internal Error",
  301: "During Leader Election",
  400: "watcher is cleared due to etcd recovery",
  401: "The event in requested index is outdated and cleared",
} as const;

export type V2ErrorCode = keyof typeof V2_ERROR_MESSAGE;

/** An answer that refuses. */
export type V2Failure = Extract<V2Response, { readonly ok: false }>;

/** The HTTP status that etcd gives an error code. */
export function v2ErrorStatus(code: V2ErrorCode): number {
  switch (code) {
    case 100:
      return 404;
    case 101:
    case 105:
      return 412;
    case 102:
    case 108:
      return 403;
    case 110:
      return 401;
    case 300:
    case 301:
      return 500;
    default:
      return 400;
  }
}

/** The answer for an error code. `index` is the store's, or 0 when the store was never asked. */
export function v2Failure(code: V2ErrorCode, cause: string, index: Revision): V2Failure {
  return {
    ok: false,
    status: v2ErrorStatus(code),
    errorCode: code,
    message: V2_ERROR_MESSAGE[code],
    cause,
    index,
  };
}
