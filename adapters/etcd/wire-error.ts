import { type GrpcCode, type V3Failure, v3Failure } from "../../core/etcd/v3-api.js";

/** Numbers of the codes, as gRPC has them on the wire. */
const CODES = {
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const satisfies Record<GrpcCode, number>;

/** A refusal found while a message is read, before the member sees it. */
export class WireRefusal extends Error {
  constructor(
    readonly code: GrpcCode,
    message: string,
  ) {
    super(message);
  }

  get failure(): V3Failure {
    return v3Failure(this.code, this.message);
  }
}

/** The number of a code on the wire. */
export function codeNumber(code: GrpcCode): number {
  return CODES[code];
}

/** A refusal as a gRPC status. Clients of etcd tell errors apart by the text. */
export function statusOf(failure: V3Failure): { readonly code: number; readonly details: string } {
  return { code: CODES[failure.code], details: failure.message };
}

/** A status that a member sent, as a refusal; null for a code that etcd does not answer with. */
export function failureOf(code: number, details: string): V3Failure | null {
  for (const name of Object.keys(CODES)) {
    if (isCode(name) && CODES[name] === code) return v3Failure(name, details);
  }
  return null;
}

function isCode(name: string): name is GrpcCode {
  return Object.hasOwn(CODES, name);
}
