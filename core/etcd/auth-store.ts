import type { AuthRead, AuthResult, AuthWrite, Permission } from "./auth-api.js";
import { isPermissionRange } from "./auth-range.js";
import type { EtcdProfile } from "./profile.js";
import { type V3Failure, v3Failure } from "./v3-api.js";

/** etcd's refusals about users, roles and permissions. Source: etcd 3.6 api/v3rpc/rpctypes/error.go. */
export const AUTH_ERROR = {
  rootUserMissing: v3Failure("FailedPrecondition", "etcdserver: root user does not exist"),
  rootRoleMissing: v3Failure("FailedPrecondition", "etcdserver: root user does not have root role"),
  userExists: v3Failure("FailedPrecondition", "etcdserver: user name already exists"),
  userEmpty: v3Failure("InvalidArgument", "etcdserver: user name is empty"),
  userNotFound: v3Failure("FailedPrecondition", "etcdserver: user name not found"),
  roleExists: v3Failure("FailedPrecondition", "etcdserver: role name already exists"),
  roleNotFound: v3Failure("FailedPrecondition", "etcdserver: role name not found"),
  roleEmpty: v3Failure("InvalidArgument", "etcdserver: role name is empty"),
  failed: v3Failure(
    "InvalidArgument",
    "etcdserver: authentication failed, invalid user ID or password",
  ),
  /** etcd's table of gRPC errors lacks this one, so its text comes through as it is. */
  noPasswordUser: v3Failure(
    "Unknown",
    "auth: authentication failed, password was given for no password user",
  ),
  passwordTooLong: v3Failure("Unknown", "bcrypt: password length exceeds 72 bytes"),
  permissionDenied: v3Failure("PermissionDenied", "etcdserver: permission denied"),
  roleNotGranted: v3Failure("FailedPrecondition", "etcdserver: role is not granted to the user"),
  permissionNotGranted: v3Failure(
    "FailedPrecondition",
    "etcdserver: permission is not granted to the role",
  ),
  notEnabled: v3Failure("FailedPrecondition", "etcdserver: authentication is not enabled"),
  invalidToken: v3Failure("Unauthenticated", "etcdserver: invalid auth token"),
  invalidManagement: v3Failure("InvalidArgument", "etcdserver: invalid auth management"),
  oldRevision: v3Failure("InvalidArgument", "etcdserver: revision of auth store is old"),
} as const satisfies Record<string, V3Failure>;

/** The user without whom auth cannot be enabled, and the role that may do everything. */
export const ROOT = "root";

/** bcrypt reads no more of a password. */
const PASSWORD_BYTES_MAX = 72;

/**
 * What a user must know to log in. Passwords are kept as they are: nothing here is a secret, and bcrypt
 * would only cost time. A hash comes from a real etcd's snapshot; nobody can log in with it here.
 */
export type Password =
  | { readonly kind: "plain"; readonly text: string }
  | { readonly kind: "hash"; readonly bytes: string };

export interface AuthUser {
  readonly name: string;
  /** null for a user who cannot log in with one. */
  readonly password: Password | null;
  /** Ascending. */
  readonly roles: readonly string[];
}

export interface AuthRole {
  readonly name: string;
  /** By key, ascending. */
  readonly permissions: readonly Permission[];
}

/** Users, roles and whether they count; replicated. Source: etcd auth/store.go. */
export interface AuthStore {
  enabled: boolean;
  /** Grows with every change but enabling, from 1. A request that was checked at an older one is refused. */
  revision: number;
  users: Map<string, AuthUser>;
  roles: Map<string, AuthRole>;
  /** Permissions by user that count until the next change, whatever roles say; null but for a defect. */
  stale: ReadonlyMap<string, readonly Permission[]> | null;
}

/** The store as snapshots carry it: by name, ascending. */
export interface AuthImage {
  readonly enabled: boolean;
  readonly revision: number;
  readonly users: readonly AuthUser[];
  readonly roles: readonly AuthRole[];
}

export function createAuthStore(): AuthStore {
  return { enabled: false, revision: 1, users: new Map(), roles: new Map(), stale: null };
}

export function imageOfAuth({ enabled, revision, users, roles }: AuthStore): AuthImage {
  return { enabled, revision, users: byName(users), roles: byName(roles) };
}

export function authStoreOf({ enabled, revision, users, roles }: AuthImage): AuthStore {
  return {
    enabled,
    revision,
    users: new Map(users.map((user) => [user.name, user])),
    roles: new Map(roles.map((role) => [role.name, role])),
    stale: null,
  };
}

/** Permissions of all of a user's roles that are there: one, root, may never have been made. */
export function permissionsOf(auth: AuthStore, user: AuthUser): readonly Permission[] {
  if (auth.stale !== null) return auth.stale.get(user.name) ?? [];
  return user.roles.flatMap((role) => auth.roles.get(role)?.permissions ?? []);
}

/** Keeps the permissions of another store in force until the next change. */
export function keepPermissions(auth: AuthStore, before: AuthStore): void {
  const users = [...before.users.values()];
  auth.stale = new Map(users.map((user) => [user.name, permissionsOf(before, user)]));
}

function byName<T extends { readonly name: string }>(items: ReadonlyMap<string, T>): T[] {
  return [...items.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** Whether a user may do everything. */
export function hasRootRole(user: AuthUser): boolean {
  return user.roles.includes(ROOT);
}

/** Whether a password is right; a refusal says why not. */
export function checkPassword(store: AuthStore, name: string, password: string): V3Failure | null {
  if (!store.enabled) return AUTH_ERROR.notEnabled;
  const user = store.users.get(name);
  if (user === undefined) return AUTH_ERROR.failed;
  if (user.password === null) return AUTH_ERROR.noPasswordUser;
  if (user.password.kind === "hash") return AUTH_ERROR.failed;
  const given = password.slice(0, PASSWORD_BYTES_MAX);
  return given === user.password.text.slice(0, PASSWORD_BYTES_MAX) ? null : AUTH_ERROR.failed;
}

/** Why the member that takes a change of a password in does not even propose it; null if it does. */
export function passwordRefusal(profile: EtcdProfile, password: string): V3Failure | null {
  const tooLong = password.length > PASSWORD_BYTES_MAX;
  return profile.hashesBeforeLog && tooLong ? AUTH_ERROR.passwordTooLong : null;
}

/** Makes a change of users and roles, or says why not. Equal on every member. */
export function changeAuth(
  store: AuthStore,
  write: AuthWrite,
  profile: EtcdProfile,
): AuthResult | V3Failure {
  const result = makeChange(store, write, profile);
  if (!("ok" in result) && write.op !== "auth-role-add") store.stale = null;
  return result;
}

function makeChange(
  store: AuthStore,
  write: AuthWrite,
  profile: EtcdProfile,
): AuthResult | V3Failure {
  const { op } = write;
  switch (op) {
    case "auth-enable":
      return enable(store) ?? { op };
    case "auth-disable":
      if (store.enabled) {
        store.enabled = false;
        store.revision++;
      }
      return { op };
    case "auth-user-add":
    case "auth-user-delete":
    case "auth-user-change-password":
    case "auth-user-grant-role":
    case "auth-user-revoke-role": {
      const user = changedUser(store, write, profile);
      if ("ok" in user) return user;
      if (write.op === "auth-user-delete") store.users.delete(user.name);
      else if (user === store.users.get(user.name)) return { op };
      else store.users.set(user.name, user);
      store.revision++;
      return { op };
    }
    case "auth-role-add":
    case "auth-role-delete":
    case "auth-role-grant-permission":
    case "auth-role-revoke-permission": {
      const role = changedRole(store, write, profile);
      if ("ok" in role) return role;
      if (write.op === "auth-role-delete") deleteRole(store, role.name);
      else store.roles.set(role.name, role);
      store.revision++;
      return { op };
    }
  }
}

function enable(store: AuthStore): V3Failure | null {
  if (store.enabled) return null;
  const root = store.users.get(ROOT);
  if (root === undefined) return AUTH_ERROR.rootUserMissing;
  if (!hasRootRole(root)) return AUTH_ERROR.rootRoleMissing;
  store.enabled = true;
  return null;
}

type UserWrite = Extract<AuthWrite, { readonly op: `auth-user-${string}` }>;

/** The user as a change leaves it (the same object if it changes nothing), or why it cannot be made. */
function changedUser(
  store: AuthStore,
  write: UserWrite,
  profile: EtcdProfile,
): AuthUser | V3Failure {
  if (write.op === "auth-user-add") {
    const { name } = write;
    if (name === "") return AUTH_ERROR.userEmpty;
    if (store.users.has(name)) return AUTH_ERROR.userExists;
    const password = write.noPassword === true ? null : plain(write.password);
    return { name, password, roles: [] };
  }
  if (store.enabled && isRootsPower(write)) return AUTH_ERROR.invalidManagement;
  const user = store.users.get("user" in write ? write.user : write.name);
  if (user === undefined) return AUTH_ERROR.userNotFound;
  switch (write.op) {
    case "auth-user-delete":
      return user;
    case "auth-user-change-password":
      // Since 3.5 one without a password stays without; before, a new password gave access to nothing.
      if (user.password === null) return { ...user };
      // An empty password is no hash, and no password matches none: the user is locked out.
      if (profile.hashesBeforeLog && write.password === "") {
        return { ...user, password: { kind: "hash", bytes: "" } };
      }
      return { ...user, password: plain(write.password) };
    case "auth-user-grant-role":
      if (write.role !== ROOT && !store.roles.has(write.role)) return AUTH_ERROR.roleNotFound;
      if (user.roles.includes(write.role)) return user;
      return { ...user, roles: [...user.roles, write.role].sort() };
    case "auth-user-revoke-role":
      if (!user.roles.includes(write.role)) return AUTH_ERROR.roleNotGranted;
      return { ...user, roles: user.roles.filter((role) => role !== write.role) };
  }
}

/** While auth is on, nobody may lock themselves out by taking root away. */
function isRootsPower(write: UserWrite): boolean {
  if (write.op === "auth-user-delete") return write.name === ROOT;
  return write.op === "auth-user-revoke-role" && write.name === ROOT && write.role === ROOT;
}

function plain(text: string): Password {
  return { kind: "plain", text };
}

type RoleWrite = Extract<AuthWrite, { readonly op: `auth-role-${string}` }>;

function changedRole(
  store: AuthStore,
  write: RoleWrite,
  profile: EtcdProfile,
): AuthRole | V3Failure {
  if (write.op === "auth-role-add") {
    const { name } = write;
    if (name === "") return AUTH_ERROR.roleEmpty;
    return store.roles.has(name) ? AUTH_ERROR.roleExists : { name, permissions: [] };
  }
  if (write.op === "auth-role-grant-permission") {
    const { key, rangeEnd } = write.permission;
    if (profile.checksPermissionRange && !isPermissionRange(key, rangeEnd)) {
      return AUTH_ERROR.invalidManagement;
    }
  }
  if (write.op === "auth-role-delete" && store.enabled && write.role === ROOT) {
    return AUTH_ERROR.invalidManagement;
  }
  const role = store.roles.get("role" in write ? write.role : write.name);
  if (role === undefined) return AUTH_ERROR.roleNotFound;
  switch (write.op) {
    case "auth-role-delete":
      return role;
    case "auth-role-grant-permission":
      return { ...role, permissions: granted(role.permissions, write.permission) };
    case "auth-role-revoke-permission": {
      const permissions = role.permissions.filter(
        ({ key, rangeEnd }) => key !== write.key || rangeEnd !== write.rangeEnd,
      );
      if (permissions.length === role.permissions.length) return AUTH_ERROR.permissionNotGranted;
      return { ...role, permissions };
    }
  }
}

/**
 * Permissions with one more. As in etcd only the first of those with the same key is looked at: it is
 * replaced if its range is the same, and otherwise the new one is added beside it.
 */
function granted(permissions: readonly Permission[], added: Permission): Permission[] {
  const { type, key, rangeEnd } = added;
  const next = [...permissions];
  const place = next.findIndex((permission) => permission.key >= key);
  const first = next[place];
  if (first !== undefined && first.key === key && first.rangeEnd === rangeEnd) {
    next[place] = { ...first, type };
    return next;
  }
  next.push({ type, key, rangeEnd });
  return next.sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0));
}

function deleteRole(store: AuthStore, name: string): void {
  store.roles.delete(name);
  for (const user of store.users.values()) {
    if (!user.roles.includes(name)) continue;
    const roles = user.roles.filter((role) => role !== name);
    store.users.set(user.name, { ...user, roles });
  }
}

const ROOT_PERMISSION: Permission = { type: "read-write", key: "", rangeEnd: "\0" };

/** Answers a question about users and roles. */
export function readAuth(
  store: AuthStore,
  read: AuthRead,
  profile: EtcdProfile,
): AuthResult | V3Failure {
  switch (read.op) {
    case "auth-status":
      return { op: read.op, enabled: store.enabled, authRevision: store.revision };
    case "auth-user-get": {
      const user = store.users.get(read.name);
      return user === undefined ? AUTH_ERROR.userNotFound : { op: read.op, roles: [...user.roles] };
    }
    case "auth-user-list":
      return { op: read.op, users: byName(store.users).map(({ name }) => name) };
    case "auth-role-get": {
      const role = store.roles.get(read.role);
      if (role === undefined) return AUTH_ERROR.roleNotFound;
      const showsAll = profile.showsRootPermission && role.name === ROOT;
      const permissions = showsAll ? [ROOT_PERMISSION] : [...role.permissions];
      return { op: read.op, permissions };
    }
    case "auth-role-list":
      return { op: read.op, roles: byName(store.roles).map(({ name }) => name) };
  }
}
