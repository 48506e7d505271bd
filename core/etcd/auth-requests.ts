import type { Micros } from "../kernel/index.js";
import type { AuthenticateRequest, AuthRequest } from "./auth-api.js";
import { checkPassword, passwordRefusal } from "./auth-store.js";
import { drawToken } from "./auth-token.js";
import { proposeV3 } from "./kv-requests.js";
import { requestTimeout } from "./propose.js";
import { takeRead } from "./reads.js";
import { type EtcdOut, reply, unknownMethod } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";

/** Takes a request about users, roles and logging in. */
export function takeAuth(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: AuthRequest,
  now: Micros,
  out: EtcdOut,
): void {
  const { profile } = state.config;
  switch (request.op) {
    case "authenticate":
      // The password is looked at when the member is up to date.
      takeRead(run, { asker, request, deadline: now + requestTimeout(state) }, now, out);
      return;
    case "auth-status":
      if (profile.authStatus) proposeV3(state, run, asker, request, now, out);
      else reply(asker, unknownMethod("AuthStatus", "etcdserverpb.Auth"), true, out);
      return;
    case "auth-user-add":
    case "auth-user-change-password": {
      const refusal = passwordRefusal(profile, request.password);
      if (refusal === null) proposeV3(state, run, asker, request, now, out);
      else reply(asker, refusal, true, out);
      return;
    }
    default:
      proposeV3(state, run, asker, request, now, out);
  }
}

/** Goes on with a login on a member that is up to date: looks at the password, and has a token made. */
export function logIn(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: AuthenticateRequest,
  now: Micros,
  out: EtcdOut,
): void {
  const { auth } = run.stores;
  const { op, name, password } = request;
  const refusal = checkPassword(auth, name, password);
  if (refusal !== null) {
    reply(asker, refusal, true, out);
    return;
  }
  const write = { op, name, token: drawToken(run.tokenLetters) } as const;
  const after = { kind: "login", request, revision: auth.revision } as const;
  proposeV3(state, run, asker, write, now, out, after);
}
