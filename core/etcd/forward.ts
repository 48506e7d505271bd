import type { Micros } from "../kernel/index.js";
import type { ClientRequest } from "./events.js";
import { newOrigin, requestTimeout } from "./propose.js";
import type { EtcdOut } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";

/** Passes a request on to the leader. Without one the client waits until its time is up. */
export function forward(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: ClientRequest,
  now: Micros,
  out: EtcdOut,
): void {
  const id = newOrigin(run).request;
  const deadline = now + requestTimeout(state);
  run.requests.set(id, { asker, purpose: "v3", since: now, deadline });
  const to = run.node.lead;
  if (to === 0) return;
  out.effects.push({ kind: "send", to, message: { type: "forward", id, request }, sizeBytes: 256 });
}
