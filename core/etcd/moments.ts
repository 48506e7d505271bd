import type { Micros } from "../kernel/index.js";
import type { LogIndex } from "../raft/index.js";

/**
 * What a crash did to a database that playing the log again would not bring back. Without a defect there is nothing:
 * see `disk.ts`. A scar belongs to the disk until a snapshot covers it.
 */
export interface Scar {
  /** Where in the log it is felt, whenever the log is played again. */
  readonly index: LogIndex;
  readonly wound: /** The entry is never applied here: the database says it was. */
    | "entry-lost"
    /** After this entry the revision goes back to that of the newest row there is. */
    | "revision-back"
    /** The member was started again after this entry, which brought its checks back (etcd 3.4). */
    | "checks-back";
}

/** What a member with a defect remembers of the last moments, to know what a crash would take. */
export interface Moments {
  /** Entries that the backend may not have committed. */
  entries: { readonly index: LogIndex; readonly at: Micros }[];
  defragmentedAt: Micros | null;
  /** The last compaction that left no row of the newest revision. */
  emptied: { readonly index: LogIndex; readonly at: Micros } | null;
}

export function createMoments(): Moments {
  return { entries: [], defragmentedAt: null, emptied: null };
}
