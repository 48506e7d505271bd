import { createHash, hashHex, hashText, hashWord } from "../kernel/index.js";
import type { SystemdState } from "./state.js";

/**
 * Names in the order in which systemd finds them in a hash table. Where it visits units, or a unit's
 * dependencies, that order decides which of several jobs gives way. It hangs on a key that systemd draws when
 * it boots: any order may be met. Without a key the names stay in the order in which they were put in.
 */
export function hashOrder<Name extends string>(
  { hashKey }: SystemdState,
  names: Iterable<Name>,
): Iterable<Name> {
  if (hashKey === undefined) return names;
  const ranked = [...names].map((name) => ({ name, rank: rankOf(hashKey, name) }));
  ranked.sort((left, right) => (left.rank < right.rank ? -1 : 1));
  return ranked.map(({ name }) => name);
}

function rankOf(key: number, name: string): string {
  const hash = createHash();
  hashWord(hash, key);
  hashText(hash, name);
  return hashHex(hash);
}
