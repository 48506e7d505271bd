import type { EtcdReply, V2Request } from "../etcd/client.js";
import {
  isRpcReply,
  type RegistryCall,
  type RegistryReply,
  type RpcReply,
  type RpcRequest,
} from "./grpc-calls.js";

/** Reads of the registry in etcd, as fleet's EtcdRegistry makes them: yields requests, is sent the replies. */
export type RegistryRead<Result> = Generator<V2Request, Result, EtcdReply>;

/**
 * Dealings with whichever registry there is. A call of the unit registry is answered by the engine
 * that leads or by etcd, a plain request by etcd.
 */
export type RegistrySession<Result> = Generator<V2Request | RegistryCall, Result, RegistryReply>;

/** Dealings with etcd, whatever registry there is. */
export function* inEtcd<Result>(reads: RegistryRead<Result>): RegistrySession<Result> {
  let next = reads.next();
  while (next.done !== true) next = reads.next(etcds(yield next.value));
  return next.value;
}

/**
 * One call of whichever registry there is.
 *
 * @param reads - what it takes in etcd
 * @param take - what the answer of the engine that leads means
 */
export function* inEither<Result>(
  rpc: RpcRequest,
  reads: RegistryRead<Result>,
  take: (reply: RpcReply) => Result,
): RegistrySession<Result> {
  let next = reads.next();
  if (next.done === true) return next.value;
  const reply = yield { rpc, etcd: next.value };
  if (isRpcReply(reply)) return take(reply);
  next = reads.next(reply);
  while (next.done !== true) next = reads.next(etcds(yield next.value));
  return next.value;
}

function etcds(reply: RegistryReply): EtcdReply {
  if (isRpcReply(reply)) throw new Error("an answer of gRPC to a request of etcd");
  return reply;
}

/** A session after the replies it has had: what it asks next, or what it came to. */
export type SessionStep<Request, Result> =
  | { readonly done: false; readonly request: Request }
  | { readonly done: true; readonly result: Result };

/** States hold no sessions: what was answered is told again from the beginning. */
export function afterReplies<Request, Result, Reply>(
  session: Generator<Request, Result, Reply>,
  replies: readonly Reply[],
): SessionStep<Request, Result> {
  let step = session.next();
  for (const reply of replies) {
    if (step.done === true) break;
    step = session.next(reply);
  }
  return step.done === true
    ? { done: true, result: step.value }
    : { done: false, request: step.value };
}
