import { compareUtf8, utf8 } from "./utf8.js";

/** The reboot semaphore of a group. `semaphore + holders == max` unless somebody edited it by hand. */
export interface Semaphore {
  /** Permits left; below 0 after the maximum was lowered under the number of holders. */
  readonly semaphore: number;
  readonly max: number;
  /** Sorted by their UTF-8 bytes. Null before the first lock, as Go writes a nil slice. */
  readonly holders: readonly string[] | null;
}

/** What locksmith answers, or why it did not. Texts are locksmith's own. */
export type SemaphoreResult =
  | { readonly ok: true; readonly semaphore: Semaphore }
  | { readonly ok: false; readonly error: string };

/** lock.ErrExist: for the daemon that is as good as success. */
export const HOLDER_EXISTS = "holder exists";
/** lock.ErrNotExist: for the daemon that is as good as success. */
export const HOLDER_DOES_NOT_EXIST = "holder does not exist";

/** What `init` creates. */
export const NEW_SEMAPHORE: Semaphore = { semaphore: 1, max: 1, holders: null };

const KEY_PREFIX = "/coreos.com/updateengine/rebootlock";

/**
 * Takes a permit. The count is looked at before the holders, so a holder that asks again while
 * none is left hears that the semaphore is at 0.
 */
export function lock(s: Semaphore, holder: string): SemaphoreResult {
  if (s.semaphore <= 0) return { ok: false, error: `semaphore is at ${s.semaphore}` };
  const holders = s.holders ?? [];
  const at = search(holders, holder);
  if (holders[at] === holder) return { ok: false, error: HOLDER_EXISTS };
  return changed(s.semaphore - 1, s.max, holders.toSpliced(at, 0, holder));
}

/** Gives a permit back. */
export function unlock(s: Semaphore, holder: string): SemaphoreResult {
  const holders = s.holders ?? [];
  const at = search(holders, holder);
  if (holders[at] !== holder) return { ok: false, error: HOLDER_DOES_NOT_EXIST };
  return changed(s.semaphore + 1, s.max, holders.toSpliced(at, 1));
}

/** Any number goes, negative ones too; permits move by the difference and may go below 0. */
export function setMax(s: Semaphore, max: number): SemaphoreResult {
  return changed(s.semaphore - (s.max - max), max, s.holders);
}

function changed(
  semaphore: number,
  max: number,
  holders: readonly string[] | null,
): SemaphoreResult {
  return { ok: true, semaphore: { semaphore, max, holders } };
}

/**
 * Go's sort.SearchStrings: the least index whose holder is not below `holder`, found by bisection.
 * On a list that is not sorted it may miss a holder that is there.
 */
function search(holders: readonly string[], holder: string): number {
  let low = 0;
  let high = holders.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareUtf8(holders[middle] ?? "", holder) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The key of a group's semaphore, as path.Join makes it of the escaped group: ".." leads back to
 * the default group's key, "." to one beside the groups. Absolute, as the keys API wants it.
 */
export function semaphoreKey(group: string): string {
  if (group === "" || group === "..") return `${KEY_PREFIX}/semaphore`;
  if (group === ".") return `${KEY_PREFIX}/groups/semaphore`;
  return `${KEY_PREFIX}/groups/${queryEscape(group)}/semaphore`;
}

const UNRESERVED = /[A-Za-z0-9\-_.~]/;

/** Go's url.QueryEscape. */
function queryEscape(text: string): string {
  let escaped = "";
  for (const character of text) {
    if (character === " ") escaped += "+";
    else if (UNRESERVED.test(character)) escaped += character;
    else {
      for (const byte of utf8(character.codePointAt(0) ?? 0)) {
        escaped += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
      }
    }
  }
  return escaped;
}
