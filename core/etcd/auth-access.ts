import type { Micros } from "../kernel/index.js";
import type { AuthHeader } from "./auth-api.js";
import { adminRefusal, checking, leaseReadRefusal, leaseRefusal, whoAsks } from "./auth-check.js";
import { AUTH_ERROR } from "./auth-store.js";
import type { EtcdProfile } from "./profile.js";
import type { Asker, Running } from "./state.js";
import { type V3Failure, type V3Request, v3Failure } from "./v3-api.js";

/** For whom a request is while auth is on. */
type Access =
  /** Anyone; the token is not looked at. */
  | "open"
  /** Anyone here; permissions and a given token are looked at later. */
  | "later"
  /** Whoever has logged in. */
  | "login"
  /** Root. */
  | "root";

function accessOf(profile: EtcdProfile, request: V3Request): Access {
  const sinceLoginForAll = <T extends Access>(access: T, before: Access): Access =>
    profile.loginForAll ? access : before;
  switch (request.op) {
    case "member-add":
    case "member-remove":
    case "member-update":
    case "member-promote":
    case "defragment":
    case "snapshot":
    case "hash":
    case "hash-kv":
      return "root";
    case "move-leader":
    case "downgrade":
      return sinceLoginForAll("root", "open");
    case "alarm":
      return sinceLoginForAll(request.action === "get" ? "login" : "root", "later");
    case "lease-grant":
    case "lease-revoke":
      return sinceLoginForAll("login", "later");
    case "status":
    case "member-list":
    case "lease-keep-alive":
    case "lease-time-to-live":
    case "lease-list":
      return sinceLoginForAll("login", "open");
    case "watch-stream":
      return "open";
    default:
      return "later";
  }
}

/** Whether a request asks at all who makes it: then it waits until the member knows the token. */
export function looksAtToken(profile: EtcdProfile, request: V3Request): boolean {
  return accessOf(profile, request) !== "open";
}

/** Why a member refuses a request at its door; null if it does not, or leaves that for later. */
export function accessRefusal(
  run: Running,
  profile: EtcdProfile,
  asker: Asker,
  request: V3Request,
  now: Micros,
): V3Failure | null {
  const access = accessOf(profile, request);
  // 3.4 judges tokens of requests about alarms like those of all others, and forgets to translate what it finds.
  const isRaw = profile.rawMaintenanceErrors && isMaintenance(request);
  if (access === "open" || (access === "later" && !isRaw)) return null;
  const who = whoAsks(run, profile, asker, now);
  const refusal = refusalFor(run, profile, access, who, request);
  return refusal === null || !isRaw ? refusal : v3Failure("Unknown", rawText(refusal));
}

function refusalFor(
  run: Running,
  profile: EtcdProfile,
  access: "later" | "login" | "root",
  who: AuthHeader | null | V3Failure,
  request: V3Request,
): V3Failure | null {
  if (who !== null && "ok" in who) return who;
  if (!run.stores.auth.enabled || access === "later") return null;
  if (access === "root") return adminRefusal(run.stores.auth, who);
  if (who === null) return AUTH_ERROR.userEmpty;
  const check = checking(run.stores, profile, who);
  switch (request.op) {
    case "lease-keep-alive":
      return leaseRefusal(check, request.id);
    case "lease-time-to-live":
      return request.keys === true ? leaseReadRefusal(check, [request.id]) : null;
    case "lease-list":
      return leaseReadRefusal(check, run.stores.lessor.leases.keys());
    default:
      return null;
  }
}

function isMaintenance({ op }: V3Request): boolean {
  const isSnapshot = op === "snapshot" || op === "hash" || op === "hash-kv";
  return isSnapshot || op === "defragment" || op === "alarm";
}

/** The server's own text of a refusal that it forgets to translate for its clients. */
function rawText(refusal: V3Failure): string {
  if (refusal === AUTH_ERROR.userNotFound) return "auth: user not found";
  return refusal.message.replace(/^etcdserver: /, "auth: ");
}
