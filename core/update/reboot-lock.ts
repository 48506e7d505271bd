import type { EtcdReply, Revision, V2Request } from "../etcd/client.js";
import {
  HOLDER_DOES_NOT_EXIST,
  HOLDER_EXISTS,
  lock,
  NEW_SEMAPHORE,
  type Semaphore,
  type SemaphoreResult,
  semaphoreKey,
  unlock,
} from "./semaphore.js";
import { decodeSemaphore, encodeSemaphore } from "./semaphore-json.js";

/** etcd's code for a key that is there already. */
const NODE_EXISTS = 105;

/** Creates the semaphore unless it is there: the first request of every lock client. */
export function createSemaphoreRequest(group: string): V2Request {
  return {
    op: "put",
    key: semaphoreKey(group),
    value: encodeSemaphore(NEW_SEMAPHORE),
    prevExist: false,
  };
}

/** Reads the semaphore, from the member's own store as locksmith does; the write is compared anyway. */
export function getSemaphoreRequest(group: string): V2Request {
  return { op: "get", key: semaphoreKey(group) };
}

/** Writes the semaphore if it is still what was read at `prevIndex`. */
export function setSemaphoreRequest(
  group: string,
  semaphore: Semaphore,
  prevIndex: Revision,
): V2Request {
  return {
    op: "put",
    key: semaphoreKey(group),
    value: encodeSemaphore(semaphore),
    prevIndex,
  };
}

/** Whether the semaphore is there after `reply`; otherwise what went wrong. */
export function semaphoreCreated(reply: EtcdReply): string | null {
  if (reply.ok || ("errorCode" in reply && reply.errorCode === NODE_EXISTS)) return null;
  return describeFailure(reply);
}

export type ReadSemaphore =
  | { readonly ok: true; readonly semaphore: Semaphore; readonly index: Revision }
  | { readonly ok: false; readonly error: string };

/** The semaphore in a reply to `getSemaphoreRequest`. */
export function readSemaphore(reply: EtcdReply): ReadSemaphore {
  if (!reply.ok) return { ok: false, error: describeFailure(reply) };
  const semaphore = decodeSemaphore(reply.node.value ?? "");
  if (semaphore === null) return { ok: false, error: "stored value is not a semaphore" };
  return { ok: true, semaphore, index: reply.node.modifiedIndex };
}

/** Applies what an attempt is for. `already`: nothing to write, the holder is where it should be. */
export function changeFor(
  purpose: "lock" | "unlock",
  semaphore: Semaphore,
  holder: string,
):
  | { readonly change: "write"; readonly semaphore: Semaphore }
  | { readonly change: "already" }
  | { readonly change: "refused"; readonly error: string } {
  const result: SemaphoreResult =
    purpose === "lock" ? lock(semaphore, holder) : unlock(semaphore, holder);
  if (result.ok) return { change: "write", semaphore: result.semaphore };
  const settled = purpose === "lock" ? HOLDER_EXISTS : HOLDER_DOES_NOT_EXIST;
  if (result.error === settled) return { change: "already" };
  return { change: "refused", error: result.error };
}

/** A failed reply in words: etcd's code and message, or why there is none. */
export function describeFailure(reply: EtcdReply & { readonly ok: false }): string {
  if ("unreachable" in reply) return `etcd ${reply.unreachable}`;
  return `${reply.errorCode}: ${reply.message} (${reply.cause})`;
}
