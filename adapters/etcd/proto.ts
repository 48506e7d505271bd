import { fromJSON, type MethodDefinition, type PackageDefinition } from "@grpc/proto-loader";
import { adminMessages, permissionMessages } from "./proto-admin.js";
import { kvMessages, storeMessages } from "./proto-kv.js";
import { electionMessages, healthMessages, lockMessages } from "./proto-recipes.js";
import type { EnumJson, MessageJson } from "./proto-table.js";

/**
 * The gRPC API of an etcd member, by the names and field numbers of etcd's public protos
 * (etcd 3.6 api: rpc.proto, kv.proto, auth.proto; server: v3lock.proto, v3election.proto), without
 * what only 3.7 has. Older members lack the newer fields and methods; on the wire nothing else differs.
 */
const MESSAGES = {
  mvccpb: storeMessages,
  authpb: permissionMessages,
  etcdserverpb: { ...kvMessages, ...adminMessages },
  v3lockpb: lockMessages,
  v3electionpb: electionMessages,
  "grpc.health.v1": healthMessages,
} as const satisfies Readonly<Record<string, Readonly<Record<string, MessageJson | EnumJson>>>>;

type Streams = "request" | "response" | "both";
type MethodSpec = readonly [request: string, response: string, streams?: Streams];

const SERVICES: Readonly<Record<string, Readonly<Record<string, MethodSpec>>>> = {
  "etcdserverpb.KV": {
    Range: ["RangeRequest", "RangeResponse"],
    Put: ["PutRequest", "PutResponse"],
    DeleteRange: ["DeleteRangeRequest", "DeleteRangeResponse"],
    Txn: ["TxnRequest", "TxnResponse"],
    Compact: ["CompactionRequest", "CompactionResponse"],
  },
  "etcdserverpb.Watch": { Watch: ["WatchRequest", "WatchResponse", "both"] },
  "etcdserverpb.Lease": {
    LeaseGrant: ["LeaseGrantRequest", "LeaseGrantResponse"],
    LeaseRevoke: ["LeaseRevokeRequest", "LeaseRevokeResponse"],
    LeaseKeepAlive: ["LeaseKeepAliveRequest", "LeaseKeepAliveResponse", "both"],
    LeaseTimeToLive: ["LeaseTimeToLiveRequest", "LeaseTimeToLiveResponse"],
    LeaseLeases: ["LeaseLeasesRequest", "LeaseLeasesResponse"],
  },
  "etcdserverpb.Cluster": {
    MemberAdd: ["MemberAddRequest", "MemberAddResponse"],
    MemberRemove: ["MemberRemoveRequest", "MemberRemoveResponse"],
    MemberUpdate: ["MemberUpdateRequest", "MemberUpdateResponse"],
    MemberList: ["MemberListRequest", "MemberListResponse"],
    MemberPromote: ["MemberPromoteRequest", "MemberPromoteResponse"],
  },
  "etcdserverpb.Maintenance": {
    Alarm: ["AlarmRequest", "AlarmResponse"],
    Status: ["StatusRequest", "StatusResponse"],
    Defragment: ["DefragmentRequest", "DefragmentResponse"],
    Hash: ["HashRequest", "HashResponse"],
    HashKV: ["HashKVRequest", "HashKVResponse"],
    Snapshot: ["SnapshotRequest", "SnapshotResponse", "response"],
    MoveLeader: ["MoveLeaderRequest", "MoveLeaderResponse"],
    Downgrade: ["DowngradeRequest", "DowngradeResponse"],
  },
  "etcdserverpb.Auth": {
    AuthEnable: ["AuthEnableRequest", "AuthEnableResponse"],
    AuthDisable: ["AuthDisableRequest", "AuthDisableResponse"],
    AuthStatus: ["AuthStatusRequest", "AuthStatusResponse"],
    Authenticate: ["AuthenticateRequest", "AuthenticateResponse"],
    UserAdd: ["AuthUserAddRequest", "AuthUserAddResponse"],
    UserGet: ["AuthUserGetRequest", "AuthUserGetResponse"],
    UserList: ["AuthUserListRequest", "AuthUserListResponse"],
    UserDelete: ["AuthUserDeleteRequest", "AuthUserDeleteResponse"],
    UserChangePassword: ["AuthUserChangePasswordRequest", "AuthUserChangePasswordResponse"],
    UserGrantRole: ["AuthUserGrantRoleRequest", "AuthUserGrantRoleResponse"],
    UserRevokeRole: ["AuthUserRevokeRoleRequest", "AuthUserRevokeRoleResponse"],
    RoleAdd: ["AuthRoleAddRequest", "AuthRoleAddResponse"],
    RoleGet: ["AuthRoleGetRequest", "AuthRoleGetResponse"],
    RoleList: ["AuthRoleListRequest", "AuthRoleListResponse"],
    RoleDelete: ["AuthRoleDeleteRequest", "AuthRoleDeleteResponse"],
    RoleGrantPermission: ["AuthRoleGrantPermissionRequest", "AuthRoleGrantPermissionResponse"],
    RoleRevokePermission: ["AuthRoleRevokePermissionRequest", "AuthRoleRevokePermissionResponse"],
  },
  "v3lockpb.Lock": {
    Lock: ["LockRequest", "LockResponse"],
    Unlock: ["UnlockRequest", "UnlockResponse"],
  },
  "v3electionpb.Election": {
    Campaign: ["CampaignRequest", "CampaignResponse"],
    Proclaim: ["ProclaimRequest", "ProclaimResponse"],
    Leader: ["LeaderRequest", "LeaderResponse"],
    Observe: ["LeaderRequest", "LeaderResponse", "response"],
    Resign: ["ResignRequest", "ResignResponse"],
  },
  "grpc.health.v1.Health": {
    Check: ["HealthCheckRequest", "HealthCheckResponse"],
    Watch: ["HealthCheckRequest", "HealthCheckResponse", "response"],
  },
};

/**
 * Loads the definition. 64-bit integers become decimal strings: a JavaScript number cannot hold all of them.
 *
 * @param defaults - whether fields that are not on the wire are there with their zeros
 */
export function etcdPackage(defaults = true): PackageDefinition {
  const packages = new Map<string, Record<string, object>>();
  for (const [name, messages] of Object.entries(MESSAGES)) packages.set(name, { ...messages });
  for (const [service, methods] of Object.entries(SERVICES)) {
    const dot = service.lastIndexOf(".");
    const home = packages.get(service.slice(0, dot)) ?? {};
    home[service.slice(dot + 1)] = { methods: mapValues(methods, methodJson) };
  }
  const nested: Record<string, object> = {};
  for (const [name, contents] of packages) nest(nested, name.split("."), contents);
  return fromJSON(
    { nested },
    { keepCase: true, longs: String, enums: String, defaults, oneofs: true },
  );
}

let loaded: ReadonlyMap<string, MethodDefinition<object, object>> | null = null;

/**
 * Every method by its path, such as `/etcdserverpb.KV/Range`, without defaults: etcd tells an empty field that is
 * there from one that is not. Loaded when first asked for.
 */
export function etcdMethods(): ReadonlyMap<string, MethodDefinition<object, object>> {
  if (loaded !== null) return loaded;
  const methods = new Map<string, MethodDefinition<object, object>>();
  for (const service of Object.values(etcdPackage(false))) {
    if ("format" in service) continue;
    for (const method of Object.values(service)) methods.set(method.path, method);
  }
  loaded = methods;
  return methods;
}

/** The fields of a message, or the names of an enumeration, by full name; null for a scalar type. */
export function typeNamed(
  name: string,
  home: string,
): (TypeJson & { readonly home: string }) | null {
  const dot = name.lastIndexOf(".");
  const where = dot < 0 ? home : name.slice(0, dot);
  const types: Readonly<Record<string, TypeJson>> =
    Object.entries(MESSAGES).find(([known]) => known === where)?.[1] ?? {};
  const type = types[name.slice(dot + 1)];
  return type === undefined ? null : { ...type, home: where };
}

export type TypeJson = MessageJson | EnumJson;

/** Request and response message of a method, by full name. */
export function methodTypes(
  path: string,
): { readonly request: string; readonly response: string } | null {
  const [, service = "", method = ""] = path.split("/");
  const spec = SERVICES[service]?.[method];
  if (spec === undefined) return null;
  const home = service.slice(0, service.lastIndexOf("."));
  return { request: `${home}.${spec[0]}`, response: `${home}.${spec[1]}` };
}

function methodJson([requestType, responseType, streams]: MethodSpec) {
  return {
    requestType,
    responseType,
    requestStream: streams === "both" || streams === "request",
    responseStream: streams === "both" || streams === "response",
    comment: "",
  };
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  f: (value: A) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
}

/** Puts a package where its dotted name says. */
function nest(into: Record<string, object>, path: readonly string[], contents: object): void {
  const [first = "", ...rest] = path;
  if (rest.length === 0) {
    into[first] = { nested: contents };
    return;
  }
  const inner: Record<string, object> = {};
  nest(inner, rest, contents);
  into[first] = { nested: inner };
}
