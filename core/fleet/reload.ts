import type { EtcdReply } from "../etcd/client.js";
import { MINUTE, SECOND } from "../kernel/index.js";
import { presenceOf } from "./config.js";
import { writeMachine } from "./registry.js";
import { killedBySignal, startComponents, terminate } from "./server.js";
import { arm, callEtcd, disarm, fixesOf, forget, type Step, ttlSeconds } from "./step.js";

/**
 * SIGHUP, by which fleetd reads its configuration again. fleet 1.0 means to put a new server into the
 * place of the old one, but lets the old one run on: its `Kill` does nothing while a reload is under way
 * (server.go). The new server cannot register, as the old one keeps its machine in the registry, and
 * tries for ever. Until it succeeds no signal is heard, for the goroutine that hears them waits for
 * it; and both serve the API's sockets in turn, the new one with 503. It succeeds when the old
 * one's presence has expired. From then on there are two servers, which do the same; here they are one.
 *
 * The settings come from the environment of the process, which SIGHUP does not change, so what is
 * read is what is known.
 */
export function hangUp(step: Step): void {
  const { state } = step;
  if (state.phase === "down" || state.phase === "purging") return;
  if (!state.server.hearsSignals) killedBySignal(step);
  else if (fixesOf(step).reloadsInPlace) reloaded(step);
  else if (state.server.reload !== null) state.server.reload.waiting ??= "SIGHUP";
  else {
    state.server.reload = { backoff: SECOND, asked: 0, waiting: null };
    registerSecond(step);
  }
}

/** SIGTERM, which waits for a reload to end; of several signals that wait the first counts. */
export function askToEnd(step: Step): void {
  const { reload } = step.state.server;
  if (reload === null) terminate(step);
  else reload.waiting ??= "SIGTERM";
}

/** The second server tries to register. */
export function registerSecond(step: Step): void {
  const { config } = step.state;
  const write = writeMachine(config.keyPrefix, presenceOf(config), ttlSeconds(step.state), false);
  callEtcd(step, "reload", write);
}

/** The answer to that: at last the second server runs, or it tries again. */
export function secondReplied(step: Step, reply: EtcdReply): void {
  const { state } = step;
  const { reload } = state.server;
  if (reload === null) return;
  if (!reply.ok) {
    arm(step, "reload", reload.backoff);
    reload.backoff = Math.min(2 * reload.backoff, MINUTE);
    return;
  }
  state.server.reload = null;
  reloaded(step);
  if (state.phase === "registering") {
    disarm(step, "register");
    forget(step, "register");
    forget(step, "register-create");
    startComponents(step);
  }
  if (reload.waiting === "SIGTERM") terminate(step);
  else if (reload.waiting === "SIGHUP") hangUp(step);
}

function reloaded(step: Step): void {
  step.out.facts.push({ kind: "fleet.reloaded", machine: step.state.config.machineId });
}
