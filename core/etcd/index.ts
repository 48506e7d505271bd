export type * from "./auth-api.js";
export {
  type BackendBucket,
  type BackendContent,
  type BackendRow,
  bucketsOf,
  contentOf,
} from "./backend-rows.js";
export * from "./client.js";
export type * from "./cluster-api.js";
export type { EtcdBugs, EtcdConfig, InitialMember } from "./config.js";
export { type Disk, type Durable, pendingWrites, storageFrom } from "./disk.js";
export type * from "./events.js";
export type * from "./lease-api.js";
export type { LogData, Origin } from "./log-data.js";
export type * from "./maintenance-api.js";
export { etcd } from "./member.js";
export {
  clusterIdOf,
  type Member,
  type Membership,
  memberIdOf,
  raftIdOf,
} from "./membership.js";
export { rowsSince } from "./mvcc.js";
export type { Applied, StoreImage, Stores } from "./snapshot.js";
export type { EtcdState, Running, ServerStats } from "./state.js";
export { V2_ERROR_MESSAGE, type V2ErrorCode, v2Failure } from "./v2-error.js";
export { applyV2Command, parseV2Request, type V2Command, type V2Parsed } from "./v2-request.js";
export { v2Digest } from "./v2-snapshot.js";
export type { V2Count, V2Counted, V2Stats } from "./v2-stats.js";
export { removeWatcher, type V2Notice } from "./v2-watch.js";
export * from "./v2store.js";
export type * from "./v3-api.js";
export * from "./view.js";
export type * from "./watch-api.js";
