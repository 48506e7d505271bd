import type { AuthRequest, AuthWrite, Permission } from "../../core/etcd/auth-api.js";
import type { Call, CallRequest, Calls } from "./wire-calls.js";
import {
  bytes,
  bytesAt,
  choiceAt,
  flagAt,
  intAt,
  messageAt,
  messagesAt,
  present,
  textAt,
  textsAt,
  type Wire,
} from "./wire-fields.js";

/** A change, whose answer is a header and nothing else. */
function change<Op extends AuthWrite["op"]>(
  op: Op,
  method: string,
  writeRequest: (request: CallRequest<Op>) => Wire,
  readRequest: (message: Wire) => CallRequest<Op>,
) {
  return {
    path: `/etcdserverpb.Auth/${method}`,
    writeRequest,
    readRequest,
    writeResult: (): Wire => ({}),
    readResult: (): { readonly op: Op } => ({ op }),
  };
}

const userAdd: Call<"auth-user-add"> = change(
  "auth-user-add",
  "UserAdd",
  ({ name, password, noPassword }) => ({
    name,
    password,
    ...(noPassword === true ? { options: { no_password: true } } : {}),
  }),
  (message) => ({
    op: "auth-user-add",
    name: textAt(message, "name"),
    password: textAt(message, "password"),
    ...present({ noPassword: flagAt(messageAt(message, "options") ?? {}, "no_password") }),
  }),
);

const PERMISSIONS = {
  READ: "read",
  WRITE: "write",
  READWRITE: "read-write",
} as const satisfies Record<string, Permission["type"]>;

function permissionMessage(permission: Permission): Wire {
  return {
    permType: permission.type === "read-write" ? "READWRITE" : permission.type.toUpperCase(),
    key: bytes(permission.key),
    range_end: bytes(permission.rangeEnd),
  };
}

function readPermission(message: Wire): Permission {
  return {
    type: choiceAt<Permission["type"]>(message, "permType", PERMISSIONS, "read"),
    key: bytesAt(message, "key"),
    rangeEnd: bytesAt(message, "range_end"),
  };
}

/** Service Auth. */
export const authCalls: Calls<AuthRequest["op"]> = {
  "auth-enable": change(
    "auth-enable",
    "AuthEnable",
    () => ({}),
    () => ({ op: "auth-enable" }),
  ),
  "auth-disable": change(
    "auth-disable",
    "AuthDisable",
    () => ({}),
    () => ({ op: "auth-disable" }),
  ),
  "auth-status": {
    path: "/etcdserverpb.Auth/AuthStatus",
    writeRequest: () => ({}),
    readRequest: () => ({ op: "auth-status" }),
    writeResult: (result) => ({
      enabled: result.enabled,
      authRevision: String(result.authRevision),
    }),
    readResult: (message) => ({
      op: "auth-status",
      enabled: flagAt(message, "enabled"),
      authRevision: intAt(message, "authRevision"),
    }),
  },
  authenticate: {
    path: "/etcdserverpb.Auth/Authenticate",
    writeRequest: ({ name, password }) => ({ name, password }),
    readRequest: (message) => ({
      op: "authenticate",
      name: textAt(message, "name"),
      password: textAt(message, "password"),
    }),
    writeResult: ({ token }) => ({ token }),
    readResult: (message) => ({ op: "authenticate", token: textAt(message, "token") }),
  },
  "auth-user-add": userAdd,
  "auth-user-get": {
    path: "/etcdserverpb.Auth/UserGet",
    writeRequest: ({ name }) => ({ name }),
    readRequest: (message) => ({ op: "auth-user-get", name: textAt(message, "name") }),
    writeResult: ({ roles }) => ({ roles }),
    readResult: (message) => ({ op: "auth-user-get", roles: textsAt(message, "roles") }),
  },
  "auth-user-list": {
    path: "/etcdserverpb.Auth/UserList",
    writeRequest: () => ({}),
    readRequest: () => ({ op: "auth-user-list" }),
    writeResult: ({ users }) => ({ users }),
    readResult: (message) => ({ op: "auth-user-list", users: textsAt(message, "users") }),
  },
  "auth-user-delete": change(
    "auth-user-delete",
    "UserDelete",
    ({ name }) => ({ name }),
    (message) => ({ op: "auth-user-delete", name: textAt(message, "name") }),
  ),
  "auth-user-change-password": change(
    "auth-user-change-password",
    "UserChangePassword",
    ({ name, password }) => ({ name, password }),
    (message) => ({
      op: "auth-user-change-password",
      name: textAt(message, "name"),
      password: textAt(message, "password"),
    }),
  ),
  "auth-user-grant-role": change(
    "auth-user-grant-role",
    "UserGrantRole",
    ({ user, role }) => ({ user, role }),
    (message) => ({
      op: "auth-user-grant-role",
      user: textAt(message, "user"),
      role: textAt(message, "role"),
    }),
  ),
  "auth-user-revoke-role": change(
    "auth-user-revoke-role",
    "UserRevokeRole",
    ({ name, role }) => ({ name, role }),
    (message) => ({
      op: "auth-user-revoke-role",
      name: textAt(message, "name"),
      role: textAt(message, "role"),
    }),
  ),
  "auth-role-add": change(
    "auth-role-add",
    "RoleAdd",
    ({ name }) => ({ name }),
    (message) => ({ op: "auth-role-add", name: textAt(message, "name") }),
  ),
  "auth-role-get": {
    path: "/etcdserverpb.Auth/RoleGet",
    writeRequest: ({ role }) => ({ role }),
    readRequest: (message) => ({ op: "auth-role-get", role: textAt(message, "role") }),
    writeResult: (result) => ({ perm: result.permissions.map(permissionMessage) }),
    readResult: (message) => ({
      op: "auth-role-get",
      permissions: messagesAt(message, "perm").map(readPermission),
    }),
  },
  "auth-role-list": {
    path: "/etcdserverpb.Auth/RoleList",
    writeRequest: () => ({}),
    readRequest: () => ({ op: "auth-role-list" }),
    writeResult: ({ roles }) => ({ roles }),
    readResult: (message) => ({ op: "auth-role-list", roles: textsAt(message, "roles") }),
  },
  "auth-role-delete": change(
    "auth-role-delete",
    "RoleDelete",
    ({ role }) => ({ role }),
    (message) => ({ op: "auth-role-delete", role: textAt(message, "role") }),
  ),
  "auth-role-grant-permission": change(
    "auth-role-grant-permission",
    "RoleGrantPermission",
    ({ name, permission }) => ({ name, perm: permissionMessage(permission) }),
    (message) => ({
      op: "auth-role-grant-permission",
      name: textAt(message, "name"),
      permission: readPermission(messageAt(message, "perm") ?? {}),
    }),
  ),
  "auth-role-revoke-permission": change(
    "auth-role-revoke-permission",
    "RoleRevokePermission",
    ({ role, key, rangeEnd }) => ({ role, key: bytes(key), range_end: bytes(rangeEnd) }),
    (message) => ({
      op: "auth-role-revoke-permission",
      role: textAt(message, "role"),
      key: bytesAt(message, "key"),
      rangeEnd: bytesAt(message, "range_end"),
    }),
  ),
};
