import type { EtcdReply, V2Request } from "../etcd/client.js";
import { readSemaphore, setSemaphoreRequest } from "./reboot-lock.js";
import { lock, type Semaphore, setMax, unlock } from "./semaphore.js";

/** What an operator asks locksmithctl to do. */
export type LocksmithctlCommand =
  | { readonly command: "lock"; readonly holder: string }
  | { readonly command: "unlock"; readonly holder: string }
  | { readonly command: "set-max"; readonly max: number }
  | { readonly command: "status" };

export type LocksmithctlStep =
  /** Send this; when it succeeds, `output` is what to print. */
  | { readonly ok: true; readonly request: V2Request; readonly output: string }
  /** Nothing to send. */
  | { readonly ok: true; readonly request: null; readonly output: string }
  | { readonly ok: false; readonly error: string };

/**
 * locksmithctl's second half: the first request is `getSemaphoreRequest(group)` (preceded by
 * `createSemaphoreRequest`, as every lock client does); from its reply follows the write.
 */
export function locksmithctl(
  command: LocksmithctlCommand,
  group: string,
  reply: EtcdReply,
): LocksmithctlStep {
  const read = readSemaphore(reply);
  if (!read.ok) return read;
  const { semaphore, index } = read;
  if (command.command === "status") {
    return { ok: true, request: null, output: formatStatus(semaphore) };
  }
  const result =
    command.command === "set-max"
      ? setMax(semaphore, command.max)
      : command.command === "lock"
        ? lock(semaphore, command.holder)
        : unlock(semaphore, command.holder);
  if (!result.ok) return result;
  const request = setSemaphoreRequest(group, result.semaphore, index);
  const output =
    command.command === "set-max" ? `Old-Max: ${semaphore.max}\nMax: ${command.max}\n` : "";
  return { ok: true, request, output };
}

/** `locksmithctl status`. */
export function formatStatus(semaphore: Semaphore): string {
  const holders = semaphore.holders ?? [];
  const head = `Available: ${semaphore.semaphore}\nMax: ${semaphore.max}\n`;
  return holders.length === 0
    ? head
    : `${head}\nMACHINE ID\n${holders.map((id) => `${id}\n`).join("")}`;
}
