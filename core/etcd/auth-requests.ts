import type { AuthRequest } from "./auth-api.js";
import { type EtcdOut, reply } from "./reply.js";
import type { Asker } from "./state.js";
import { v3Failure } from "./v3-api.js";

/** Takes a request about users, roles and logging in. */
export function takeAuth(asker: Asker, request: AuthRequest, out: EtcdOut): void {
  reply(asker, v3Failure("Unimplemented", `${request.op} is not modelled`), true, out);
}
