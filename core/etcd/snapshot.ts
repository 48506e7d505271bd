import type { Bytes } from "../kernel/index.js";
import { type AlarmStore, listAlarms } from "./alarm.js";
import {
  type AuthImage,
  type AuthStore,
  authStoreOf,
  createAuthStore,
  imageOfAuth,
} from "./auth-store.js";
import { type BackendSize, createBackendSize, recountRows } from "./backend.js";
import {
  attachKey,
  createLessor,
  imageOfLessor,
  type Lessor,
  type LessorImage,
  restoreLessor,
} from "./lease.js";
import type { Alarm } from "./maintenance-api.js";
import {
  imageOfMembership,
  type Membership,
  type MembershipImage,
  membershipOf,
} from "./membership.js";
import {
  createMvcc,
  imageOfMvcc,
  liveKvs,
  type Mvcc,
  type MvccImage,
  restoreMvcc,
} from "./mvcc.js";
import { imageOfV2, restoreV2, type V2Image } from "./v2-snapshot.js";
import { createV2Store, type V2Store } from "./v2store.js";

/** Everything that applying the log changes: equal on members that have applied the same. */
export interface Stores {
  v2: V2Store;
  mvcc: Mvcc;
  lessor: Lessor;
  membership: Membership;
  auth: AuthStore;
  alarms: AlarmStore;
  /** Of the member's own file: members with the same rows may have files of different length. */
  backend: BackendSize;
  /** "" until a leader has set it. */
  clusterVersion: string;
  /** The version the cluster is to go back to; "" if it is not. */
  downgradeTarget: string;
  applied: Applied;
}

/** How far the log was applied, and a running hash over what was. */
export interface Applied {
  index: number;
  term: number;
  /** Two 32-bit lanes over (index, term, request) of every entry since the first. */
  hashX: number;
  hashY: number;
}

/** The stores at one index, as snapshots carry them. Never changed. */
export interface StoreImage {
  readonly v2: V2Image;
  readonly mvcc: MvccImage;
  readonly lessor: LessorImage;
  readonly membership: MembershipImage;
  readonly auth: AuthImage;
  readonly alarms: readonly Alarm[];
  /** Pages of the database file it was taken from. */
  readonly filePages: number;
  readonly clusterVersion: string;
  readonly downgradeTarget: string;
  readonly applied: Readonly<Applied>;
  /** About the size of what etcd would write or send. */
  readonly bytes: Bytes;
}

export function createStores(): Stores {
  return {
    v2: createV2Store(),
    mvcc: createMvcc(),
    lessor: createLessor(),
    membership: { members: new Map(), removed: new Set() },
    auth: createAuthStore(),
    alarms: new Map(),
    backend: createBackendSize(),
    clusterVersion: "",
    downgradeTarget: "",
    applied: { index: 0, term: 0, hashX: 0, hashY: 0 },
  };
}

/** A copy of the stores that nothing changes. */
export function imageOfStores(stores: Stores): StoreImage {
  const v2 = imageOfV2(stores.v2);
  const mvcc = imageOfMvcc(stores.mvcc);
  return {
    v2,
    mvcc,
    lessor: imageOfLessor(stores.lessor),
    membership: imageOfMembership(stores.membership),
    auth: imageOfAuth(stores.auth),
    alarms: listAlarms(stores.alarms, "none"),
    filePages: stores.backend.filePages,
    clusterVersion: stores.clusterVersion,
    downgradeTarget: stores.downgradeTarget,
    applied: { ...stores.applied },
    bytes: imageBytes(v2, mvcc),
  };
}

function imageBytes(v2: V2Image, mvcc: MvccImage): Bytes {
  // JSON of a v2 node is about 120 bytes besides its texts, of a remembered event about 300.
  let bytes = 4096 + 300 * v2.history.length;
  for (const node of v2.nodes) bytes += 120 + 2 * node.key.length + (node.value?.length ?? 0);
  for (const row of mvcc.rows) bytes += 64 + row.key.length + (row.kv?.value.length ?? 0);
  return bytes;
}

/** Puts an image in the place of what the stores hold. v2 watchers stay. */
export function restoreStores(stores: Stores, image: StoreImage): void {
  restoreV2(stores.v2, image.v2);
  restoreMvcc(stores.mvcc, image.mvcc);
  restoreLessor(stores.lessor, image.lessor);
  for (const { key, lease } of liveKvs(stores.mvcc)) {
    if (lease !== "") attachKey(stores.lessor, key, lease);
  }
  stores.membership = membershipOf(image.membership);
  stores.auth = authStoreOf(image.auth);
  stores.alarms = new Map(image.alarms.map((alarm) => [`${alarm.alarm}/${alarm.member}`, alarm]));
  stores.backend.filePages = image.filePages;
  recountRows(stores.backend, image.mvcc.rows);
  stores.clusterVersion = image.clusterVersion;
  stores.downgradeTarget = image.downgradeTarget;
  stores.applied = { ...image.applied };
}
