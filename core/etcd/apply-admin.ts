import type { Micros } from "../kernel/index.js";
import { applyAlarm } from "./alarm.js";
import { adminRefusal, type Checking } from "./auth-check.js";
import { AUTH_ERROR, changeAuth, readAuth } from "./auth-store.js";
import { assignToken, disableTokens, enableTokens, voidTokensOf } from "./auth-token.js";
import type { Running } from "./state.js";
import type { V3Failure, V3Result, V3Write } from "./v3-api.js";

/** What the log carries about users, roles, logins and alarms. */
export type AdminWrite = Extract<
  V3Write,
  { readonly op: `auth-${string}` | "authenticate" | "alarm" }
>;

/** Where an entry stands, for what depends on more than the stores. */
export interface EntryPlace {
  readonly index: number;
  /** Whether it is applied for the first time. */
  readonly isNews: boolean;
  readonly now: Micros;
}

/** Applies what is about users, roles, logins and alarms. */
export function applyAdmin(
  run: Running,
  { profile }: Pick<Checking, "profile">,
  write: AdminWrite,
  place: EntryPlace,
): V3Result | V3Failure {
  const { auth } = run.stores;
  switch (write.op) {
    case "alarm":
      return { op: "alarm", alarms: applyAlarm(run, profile, write) };
    case "authenticate":
      return login(run, profile.tokenOfEntryBefore, write, place);
    case "auth-status":
    case "auth-user-get":
    case "auth-user-list":
    case "auth-role-get":
    case "auth-role-list":
      return readAuth(auth, write, profile);
    default: {
      const result = changeAuth(auth, write, profile);
      if (!("ok" in result)) followUp(run, write, place.now);
      return result;
    }
  }
}

/** Every member learns the token, so that the client can go on with any of them. */
function login(
  run: Running,
  ofEntryBefore: boolean,
  { name, token: letters }: Extract<V3Write, { readonly op: "authenticate" }>,
  { index, isNews, now }: EntryPlace,
): V3Result | V3Failure {
  const { auth } = run.stores;
  if (!auth.enabled) return AUTH_ERROR.notEnabled;
  const user = auth.users.get(name);
  if (user === undefined || user.password === null) return AUTH_ERROR.failed;
  const token = `${letters}.${ofEntryBefore ? index - 1 : index}`;
  if (isNews) assignToken(run.tokens, token, name, now);
  return { op: "authenticate", token };
}

/** What a change means for those who have logged in. */
function followUp({ tokens }: Running, write: AdminWrite, now: Micros): void {
  switch (write.op) {
    case "auth-enable":
      enableTokens(tokens, now);
      return;
    case "auth-disable":
      disableTokens(tokens);
      return;
    case "auth-user-delete":
    case "auth-user-change-password":
      voidTokensOf(tokens, write.name);
  }
}

/** Why someone may not do this, as it is found before the alarms are looked at: what only root may do. */
export function rootRefusal({ stores, who }: Checking, write: V3Write): V3Failure | null {
  switch (write.op) {
    case "auth-enable":
    case "auth-disable":
    case "auth-status":
    case "auth-user-add":
    case "auth-user-delete":
    case "auth-user-change-password":
    case "auth-user-grant-role":
    case "auth-user-revoke-role":
    case "auth-user-list":
    case "auth-role-add":
    case "auth-role-delete":
    case "auth-role-grant-permission":
    case "auth-role-revoke-permission":
    case "auth-role-list":
      return adminRefusal(stores.auth, who);
    default:
      return null;
  }
}

/** Why someone may not see a user or a role: those who are not root see themselves, and their own roles. */
export function ownRefusal({ stores, who }: Checking, write: V3Write): V3Failure | null {
  if (write.op !== "auth-user-get" && write.op !== "auth-role-get") return null;
  const { auth } = stores;
  const isOwn =
    write.op === "auth-user-get"
      ? write.name === who.user
      : auth.users.get(who.user)?.roles.includes(write.role) === true;
  return isOwn ? null : adminRefusal(auth, who);
}
