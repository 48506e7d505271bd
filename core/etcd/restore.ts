import { EMPTY_CONF_STATE, type HardState, type Snapshot } from "../raft/index.js";
import type { BackendContent } from "./backend-rows.js";
import { type Member, raftIdOf } from "./membership.js";
import { createStores, imageOfStores, restoreStores, type StoreImage } from "./snapshot.js";
import { countHiddenChanges } from "./v2store.js";

/** What `etcdctl snapshot restore` leaves for a member to start from. */
export interface RestoredDisk {
  readonly snapshot: Snapshot<StoreImage>;
  readonly hardState: HardState;
}

/**
 * A new cluster that begins with the data of another: its members are new, its log begins behind one entry
 * for each of them. As with etcdctl the v2 store begins empty, and nobody has been removed.
 */
export function restoredDisk(content: BackendContent, members: readonly Member[]): RestoredDisk {
  const stores = createStores();
  const fresh = imageOfStores(stores);
  const term = 1;
  const index = members.length;
  const { mvcc, lessor, auth, alarms } = content;
  restoreStores(stores, {
    ...fresh,
    mvcc,
    lessor,
    auth,
    alarms,
    membership: { members, removed: [] },
    applied: { ...fresh.applied, index, term },
  });
  countHiddenChanges(stores.v2, members.length);
  const voters = members.map(({ id }) => raftIdOf(id));
  const confState = { ...EMPTY_CONF_STATE, voters };
  return {
    snapshot: { index, term, confState, data: imageOfStores(stores) },
    hardState: { term, vote: voters[0] ?? 0, commit: index },
  };
}
