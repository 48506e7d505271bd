import type { Micros } from "../kernel/index.js";
import type { AuthHeader } from "./auth-api.js";
import { permitsRange } from "./auth-range.js";
import { AUTH_ERROR, type AuthStore, hasRootRole, permissionsOf, ROOT } from "./auth-store.js";
import { indexOfToken, userOfToken } from "./auth-token.js";
import type { LeaseId } from "./client.js";
import type { EtcdProfile } from "./profile.js";
import type { Stores } from "./snapshot.js";
import type { Asker, Running } from "./state.js";
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
  V3Failure,
} from "./v3-api.js";

/** Who asks nothing of a login: nobody. Every check refuses them while auth is on. */
const NOBODY: AuthHeader = { user: "", revision: 0 };

/** What a check needs to know: users, roles, what hangs on leases, and how strict the release is. */
export interface Checking {
  readonly stores: Stores;
  readonly profile: EtcdProfile;
  readonly who: AuthHeader;
}

/** A check of whoever stands in an entry's header. */
export function checking(
  stores: Stores,
  profile: EtcdProfile,
  who: AuthHeader | null | undefined,
): Checking {
  return { stores, profile, who: who ?? NOBODY };
}

/** Whether a request must wait until the member has applied the entry that made its token. */
export function waitsForToken(run: Running, profile: EtcdProfile, { token }: Asker): boolean {
  if (token === "" || !judgesTokens(run, profile)) return false;
  return (indexOfToken(token) ?? 0) > run.stores.applied.index;
}

function judgesTokens(run: Running, profile: EtcdProfile): boolean {
  return run.stores.auth.enabled || profile.judgesTokensWhileOff;
}

/** Who asks, by the token: null for nobody. Using a token lets it last longer. */
export function whoAsks(
  run: Running,
  profile: EtcdProfile,
  asker: Asker,
  now: Micros,
): AuthHeader | null | V3Failure {
  if (asker.token === "" || !judgesTokens(run, profile)) return null;
  const token = profile.bearerTokens ? asker.token.replace(/^Bearer /, "") : asker.token;
  const user = userOfToken(run.tokens, token, now);
  if (user === null) return AUTH_ERROR.invalidToken;
  return { user, revision: run.stores.auth.revision };
}

/** What a member writes over its own requests that only root may make. */
export function asRoot(run: Running): AuthHeader | null {
  const { enabled, revision } = run.stores.auth;
  return enabled ? { user: ROOT, revision } : null;
}

/** Why someone may not do what only root may; null if they may, or auth is off. */
export function adminRefusal(auth: AuthStore, who: AuthHeader | null): V3Failure | null {
  if (!auth.enabled) return null;
  if (who === null || who.user === "") return AUTH_ERROR.userEmpty;
  const user = auth.users.get(who.user);
  if (user === undefined) return AUTH_ERROR.userNotFound;
  return hasRootRole(user) ? null : AUTH_ERROR.permissionDenied;
}

/** Why someone may not read or write a range of keys; null if they may. */
function rangeRefusal(
  { stores, who }: Checking,
  type: "read" | "write",
  key: string,
  rangeEnd: string,
): V3Failure | null {
  const { auth } = stores;
  if (!auth.enabled) return null;
  if (who.revision === 0) return AUTH_ERROR.userEmpty;
  if (who.revision < auth.revision) return AUTH_ERROR.oldRevision;
  const user = auth.users.get(who.user);
  if (user === undefined) return AUTH_ERROR.permissionDenied;
  if (hasRootRole(user)) return null;
  const permitted = permitsRange(permissionsOf(auth, user), type, key, rangeEnd);
  return permitted ? null : AUTH_ERROR.permissionDenied;
}

/** Why someone may not do one put, delete, range or transaction; null if they may. */
export function kvRefusal(check: Checking, request: RequestOp): V3Failure | null {
  switch (request.op) {
    case "kv-range":
      return readRefusal(check, request);
    case "kv-put":
      return putRefusal(check, request);
    case "kv-delete-range":
      return deleteRefusal(check, request);
    case "kv-txn":
      return txnRefusal(check, request);
  }
}

function readRefusal(
  check: Checking,
  { key, rangeEnd = "" }: Pick<RangeRequest, "key" | "rangeEnd">,
): V3Failure | null {
  return rangeRefusal(check, "read", key, rangeEnd);
}

/** Hanging a key on a lease asks for the right to delete what else hangs there. */
function putRefusal(check: Checking, put: PutRequest): V3Failure | null {
  return (
    rangeRefusal(check, "write", put.key, "") ??
    leaseRefusal(check, put.lease ?? "") ??
    (put.prevKv === true ? rangeRefusal(check, "read", put.key, "") : null)
  );
}

function deleteRefusal(check: Checking, request: DeleteRangeRequest): V3Failure | null {
  const { key, rangeEnd = "", prevKv = false } = request;
  const refusal = rangeRefusal(check, "write", key, rangeEnd);
  return refusal ?? (prevKv ? rangeRefusal(check, "read", key, rangeEnd) : null);
}

function txnRefusal(check: Checking, txn: TxnRequest): V3Failure | null {
  for (const compare of txn.compare) {
    const refusal = readRefusal(check, compare);
    if (refusal !== null) return refusal;
  }
  for (const op of [...txn.success, ...txn.failure]) {
    const refusal = opRefusal(check, op);
    if (refusal !== null) return refusal;
  }
  return null;
}

function opRefusal(check: Checking, op: RequestOp): V3Failure | null {
  if (!check.profile.nestedTxnUnchecked) return kvRefusal(check, op);
  if (op.op === "kv-txn") return null;
  return op.op === "kv-put" ? rangeRefusal(check, "write", op.key, "") : kvRefusal(check, op);
}

/** Why someone may not delete what hangs on a lease; null if they may, or nothing does. */
export function leaseRefusal(check: Checking, id: LeaseId): V3Failure | null {
  if (check.profile.leasesChecked && isAdmin(check)) return null;
  return keysRefusal(check, "write", id);
}

/** Why someone may not know the keys of leases; null if they may. */
export function leaseReadRefusal(check: Checking, ids: Iterable<LeaseId>): V3Failure | null {
  if (isAdmin(check)) return null;
  for (const id of ids) {
    const refusal = keysRefusal(check, "read", id);
    if (refusal !== null) return refusal;
  }
  return null;
}

function isAdmin({ stores, who }: Checking): boolean {
  return adminRefusal(stores.auth, who) === null;
}

function keysRefusal(check: Checking, type: "read" | "write", id: LeaseId): V3Failure | null {
  if (!check.stores.auth.enabled) return null;
  for (const key of check.stores.lessor.keys.get(id) ?? []) {
    const refusal = rangeRefusal(check, type, key, "");
    if (refusal !== null) return refusal;
  }
  return null;
}

/** Why a read may not be answered from this member's store; null if it may. */
export function memberReadRefusal(
  run: Running,
  profile: EtcdProfile,
  asker: Asker,
  request: RangeRequest | TxnRequest,
  now: Micros,
): V3Failure | null {
  if (!judgesTokens(run, profile)) return null;
  const who = whoAsks(run, profile, asker, now);
  if (who !== null && "ok" in who) return who;
  return kvRefusal(checking(run.stores, profile, who), request);
}

/**
 * Why a range may not be watched, as the text of the cancellation; null if it may. etcd makes it of the whole
 * gRPC error.
 */
export function watchRefusal(
  run: Running,
  profile: EtcdProfile,
  asker: Asker,
  range: Pick<RangeRequest, "key" | "rangeEnd">,
  now: Micros,
): string | null {
  if (!judgesTokens(run, profile)) return null;
  const who = whoAsks(run, profile, asker, now);
  const isOpen = range.rangeEnd === "\0";
  const { key } = range;
  const asked = isOpen && profile.openWatchCheckedAsKey ? { key } : range;
  const refusal =
    who !== null && "ok" in who ? who : readRefusal(checking(run.stores, profile, who), asked);
  return refusal === null ? null : `rpc error: code = ${refusal.code} desc = ${refusal.message}`;
}
