import type { Call, Calls } from "./wire-calls.js";
import {
  bytes,
  bytesOf,
  flagAt,
  idAt,
  intAt,
  listAt,
  messagesAt,
  present,
  signedId,
} from "./wire-fields.js";

const grant: Call<"lease-grant"> = {
  path: "/etcdserverpb.Lease/LeaseGrant",
  writeRequest: (request) => ({ TTL: String(request.ttl), ID: signedId(request.id ?? "") }),
  readRequest: (message) => ({
    op: "lease-grant",
    ttl: intAt(message, "TTL"),
    ...present({ id: idAt(message, "ID") }),
  }),
  writeResult: (result) => ({ ID: signedId(result.id), TTL: String(result.ttl) }),
  readResult: (message) => ({
    op: "lease-grant",
    id: idAt(message, "ID"),
    ttl: intAt(message, "TTL"),
  }),
};

const revoke: Call<"lease-revoke"> = {
  path: "/etcdserverpb.Lease/LeaseRevoke",
  writeRequest: (request) => ({ ID: signedId(request.id) }),
  readRequest: (message) => ({ op: "lease-revoke", id: idAt(message, "ID") }),
  writeResult: () => ({}),
  readResult: () => ({ op: "lease-revoke" }),
};

const keepAlive: Call<"lease-keep-alive"> = {
  path: "/etcdserverpb.Lease/LeaseKeepAlive",
  writeRequest: (request) => ({ ID: signedId(request.id) }),
  readRequest: (message) => ({ op: "lease-keep-alive", id: idAt(message, "ID") }),
  writeResult: (result) => ({ ID: signedId(result.id), TTL: String(result.ttl) }),
  readResult: (message) => ({
    op: "lease-keep-alive",
    id: idAt(message, "ID"),
    ttl: intAt(message, "TTL"),
  }),
};

const timeToLive: Call<"lease-time-to-live"> = {
  path: "/etcdserverpb.Lease/LeaseTimeToLive",
  writeRequest: (request) => ({ ID: signedId(request.id), keys: request.keys === true }),
  readRequest: (message) => ({
    op: "lease-time-to-live",
    id: idAt(message, "ID"),
    ...present({ keys: flagAt(message, "keys") }),
  }),
  writeResult: (result) => ({
    ID: signedId(result.id),
    TTL: String(result.ttl),
    grantedTTL: String(result.grantedTtl),
    keys: result.keys.map(bytes),
  }),
  readResult: (message) => ({
    op: "lease-time-to-live",
    id: idAt(message, "ID"),
    ttl: intAt(message, "TTL"),
    grantedTtl: intAt(message, "grantedTTL"),
    keys: listAt(message, "keys").map(bytesOf),
  }),
};

const list: Call<"lease-list"> = {
  path: "/etcdserverpb.Lease/LeaseLeases",
  writeRequest: () => ({}),
  readRequest: () => ({ op: "lease-list" }),
  writeResult: (result) => ({ leases: result.leases.map((id) => ({ ID: signedId(id) })) }),
  readResult: (message) => ({
    op: "lease-list",
    leases: messagesAt(message, "leases").map((lease) => idAt(lease, "ID")),
  }),
};

/** Service Lease. A stream of keep-alives carries one request after the other. */
export const leaseCalls: Calls<
  "lease-grant" | "lease-revoke" | "lease-keep-alive" | "lease-time-to-live" | "lease-list"
> = {
  "lease-grant": grant,
  "lease-revoke": revoke,
  "lease-keep-alive": keepAlive,
  "lease-time-to-live": timeToLive,
  "lease-list": list,
};
