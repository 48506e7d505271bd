import type { Micros } from "../kernel/index.js";
import { whoAsks } from "./auth-check.js";
import { type LogData, logDataBytes } from "./log-data.js";
import { newOrigin } from "./propose.js";
import { APPLY_LAG_MAX, LIMIT_ERROR } from "./quota.js";
import type { Asker, EtcdState, Running } from "./state.js";
import type { V3Failure, V3Write } from "./v3-api.js";

/**
 * What goes to the log for a request, with who asks; or why the member does not even propose it, in the
 * order etcd looks: applying lags too far behind, the token is not valid, the request is too large.
 */
export function admitted(
  state: EtcdState,
  run: Running,
  asker: Asker,
  write: V3Write,
  now: Micros,
): Extract<LogData, { readonly kind: "v3" }> | V3Failure {
  const { profile, requestBytesMax } = state.config;
  const lag = run.node.log.committed - run.stores.applied.index;
  if (lag > APPLY_LAG_MAX) return LIMIT_ERROR.tooManyRequests;
  // Since 3.5 one who logs in is not asked for a token, which may be an old one.
  const isLogin = write.op === "authenticate" && profile.loginForAll;
  const auth = isLogin ? null : whoAsks(run, profile, asker, now);
  if (auth !== null && "ok" in auth) return auth;
  const data = { kind: "v3", origin: newOrigin(run), write, ...(auth && { auth }) } as const;
  return logDataBytes(data) > requestBytesMax ? LIMIT_ERROR.tooLarge : data;
}
