import type {
  AlarmRequest,
  AlarmType,
  MaintenanceRequest,
} from "../../core/etcd/maintenance-api.js";
import type { Call, Calls } from "./wire-calls.js";
import {
  choiceAt,
  flagAt,
  idAt,
  intAt,
  messageAt,
  messagesAt,
  textAt,
  textsAt,
  unsignedId,
  type Wire,
} from "./wire-fields.js";

const ALARMS = { NONE: "none", NOSPACE: "nospace", CORRUPT: "corrupt" } as const satisfies Record<
  string,
  AlarmType
>;

const ACTIONS = {
  GET: "get",
  ACTIVATE: "activate",
  DEACTIVATE: "deactivate",
} as const satisfies Record<string, AlarmRequest["action"]>;

const alarm: Call<"alarm"> = {
  path: "/etcdserverpb.Maintenance/Alarm",
  writeRequest: (request) => ({
    action: request.action.toUpperCase(),
    memberID: unsignedId(request.member),
    alarm: request.alarm.toUpperCase(),
  }),
  readRequest: (message) => ({
    op: "alarm",
    action: choiceAt<AlarmRequest["action"]>(message, "action", ACTIONS, "get"),
    member: idAt(message, "memberID"),
    alarm: choiceAt<AlarmType>(message, "alarm", ALARMS, "none"),
  }),
  writeResult: (result) => ({
    alarms: result.alarms.map((one) => ({
      memberID: unsignedId(one.member),
      alarm: one.alarm.toUpperCase(),
    })),
  }),
  readResult: (message) => ({
    op: "alarm",
    alarms: messagesAt(message, "alarms").map((one) => ({
      member: idAt(one, "memberID"),
      alarm: choiceAt<AlarmType>(one, "alarm", ALARMS, "none"),
    })),
  }),
};

const status: Call<"status"> = {
  path: "/etcdserverpb.Maintenance/Status",
  writeRequest: () => ({}),
  readRequest: () => ({ op: "status" }),
  writeResult: (result) => ({
    version: result.version,
    dbSize: String(result.dbSize),
    leader: unsignedId(result.leader),
    raftIndex: String(result.raftIndex),
    raftTerm: String(result.raftTerm),
    raftAppliedIndex: String(result.raftAppliedIndex),
    errors: result.errors,
    dbSizeInUse: String(result.dbSizeInUse),
    isLearner: result.learner,
    ...(result.storageVersion === undefined ? {} : { storageVersion: result.storageVersion }),
    ...(result.dbSizeQuota === undefined ? {} : { dbSizeQuota: String(result.dbSizeQuota) }),
    ...(result.downgradeTarget === undefined
      ? {}
      : {
          downgradeInfo: {
            enabled: result.downgradeTarget !== "",
            targetVersion: result.downgradeTarget,
          },
        }),
  }),
  readResult: (message) => ({
    op: "status",
    version: textAt(message, "version"),
    dbSize: intAt(message, "dbSize"),
    dbSizeInUse: intAt(message, "dbSizeInUse"),
    leader: idAt(message, "leader"),
    raftIndex: intAt(message, "raftIndex"),
    raftTerm: intAt(message, "raftTerm"),
    raftAppliedIndex: intAt(message, "raftAppliedIndex"),
    errors: textsAt(message, "errors"),
    learner: flagAt(message, "isLearner"),
    ...readNewStatus(message),
  }),
};

/** What members tell since 3.6; nothing where an older one answered. */
function readNewStatus(message: Wire) {
  const downgrade = messageAt(message, "downgradeInfo");
  if (downgrade === null) return {};
  return {
    storageVersion: textAt(message, "storageVersion"),
    dbSizeQuota: intAt(message, "dbSizeQuota"),
    downgradeTarget: textAt(downgrade, "targetVersion"),
  };
}

const defragment: Call<"defragment"> = {
  path: "/etcdserverpb.Maintenance/Defragment",
  writeRequest: () => ({}),
  readRequest: () => ({ op: "defragment" }),
  writeResult: () => ({}),
  readResult: () => ({ op: "defragment" }),
};

const hash: Call<"hash"> = {
  path: "/etcdserverpb.Maintenance/Hash",
  writeRequest: () => ({}),
  readRequest: () => ({ op: "hash" }),
  writeResult: (result) => ({ hash: result.hash }),
  readResult: (message) => ({ op: "hash", hash: intAt(message, "hash") }),
};

const hashKv: Call<"hash-kv"> = {
  path: "/etcdserverpb.Maintenance/HashKV",
  writeRequest: (request) => ({ revision: String(request.revision) }),
  readRequest: (message) => ({ op: "hash-kv", revision: intAt(message, "revision") }),
  writeResult: (result) => ({
    hash: result.hash,
    compact_revision: String(result.compactRevision),
    hash_revision: String(result.hashRevision),
  }),
  readResult: (message) => ({
    op: "hash-kv",
    hash: intAt(message, "hash"),
    compactRevision: intAt(message, "compact_revision"),
    hashRevision: intAt(message, "hash_revision"),
  }),
};

const moveLeader: Call<"move-leader"> = {
  path: "/etcdserverpb.Maintenance/MoveLeader",
  writeRequest: (request) => ({ targetID: unsignedId(request.to) }),
  readRequest: (message) => ({ op: "move-leader", to: idAt(message, "targetID") }),
  writeResult: () => ({}),
  readResult: () => ({ op: "move-leader" }),
};

type DowngradeAction = Extract<MaintenanceRequest, { readonly op: "downgrade" }>["action"];

const DOWNGRADES = {
  VALIDATE: "validate",
  ENABLE: "enable",
  CANCEL: "cancel",
} as const satisfies Record<string, DowngradeAction>;

const downgrade: Call<"downgrade"> = {
  path: "/etcdserverpb.Maintenance/Downgrade",
  writeRequest: (request) => ({ action: request.action.toUpperCase(), version: request.version }),
  readRequest: (message) => ({
    op: "downgrade",
    action: choiceAt<DowngradeAction>(message, "action", DOWNGRADES, "validate"),
    version: textAt(message, "version"),
  }),
  writeResult: (result) => ({ version: result.version }),
  readResult: (message) => ({ op: "downgrade", version: textAt(message, "version") }),
};

/** Service Maintenance, but for Snapshot, whose answer is a file in parts. */
export const maintenanceCalls: Calls<Exclude<MaintenanceRequest["op"], "snapshot">> = {
  alarm,
  status,
  defragment,
  hash,
  "hash-kv": hashKv,
  "move-leader": moveLeader,
  downgrade,
};
