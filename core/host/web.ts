import { answersOn } from "../container/index.js";
import type { NodeIndex } from "../kernel/index.js";
import { BACKEND_PATIENCE } from "./containers.js";
import { armTimer, type HostStep } from "./context.js";
import { type Packet, packetBytes } from "./packet.js";

const TIMER = "web:";

/** The number in a timer's name, or null when it is another timer. */
export function requestOfTimer(timer: string): number | null {
  return timer.startsWith(TIMER) ? Number(timer.slice(TIMER.length)) : null;
}

/**
 * A request for this host: for what answers on a port of it, or for its balancer, which hands it to the
 * next backend of its list and to no other if that fails.
 */
export function webRequested(
  step: HostStep,
  from: NodeIndex,
  { call, port }: Packet & { readonly kind: "web-request" },
): void {
  const { containers, config } = step.host;
  if (containers === undefined) return;
  if (port !== null) {
    answer(step, from, call, answersOn(containers.engine, port) ? 200 : 502);
    return;
  }
  const backend = containers.backends[containers.turn % Math.max(1, containers.backends.length)];
  if (backend === undefined) {
    conclude(step, from, call, 503, "");
    return;
  }
  containers.turn = (containers.turn + 1) % containers.backends.length;
  const { host, port: behind } = backend;
  const name = `${host}:${behind}`;
  const node = config.directory[host] ?? config.containers?.names[host];
  if (node === undefined) {
    conclude(step, from, call, 502, name);
    return;
  }
  if (node === config.index) {
    conclude(step, from, call, answersOn(containers.engine, behind) ? 200 : 502, name);
    return;
  }
  const number = step.host.nextCall++;
  containers.requests.set(number, { from, call, backend: name });
  const packet = { kind: "web-request", call: number, port: behind } as const;
  step.out.effects.push({ kind: "send", to: node, packet, bytes: packetBytes(packet) });
  const timer = `${TIMER}${number}`;
  armTimer(step, "host", { kind: "arm-timer", timer, delay: BACKEND_PATIENCE });
}

/** A backend has answered, or refused the connection. */
export function webAnswered(
  step: HostStep,
  { call, status }: Packet & { readonly kind: "web-response" },
): void {
  const request = step.host.containers?.requests.get(call);
  if (request === undefined) return;
  step.host.containers?.requests.delete(call);
  armTimer(step, "host", { kind: "cancel-timer", timer: `${TIMER}${call}` });
  conclude(step, request.from, request.call, status, request.backend);
}

/** A backend does not answer. */
export function webTimedOut(step: HostStep, number: number): void {
  const request = step.host.containers?.requests.get(number);
  if (request === undefined) return;
  step.host.containers?.requests.delete(number);
  conclude(step, request.from, request.call, 504, request.backend);
}

/** Answers the user. That a backend fails is news the first time, and that it answers again. */
function conclude(
  step: HostStep,
  to: NodeIndex,
  call: number,
  status: number,
  backend: string,
): void {
  const failing = step.host.containers?.failing;
  if (status === 200) {
    if (failing?.delete(backend)) step.out.facts.push({ kind: "balancer.answers", backend });
  } else if (failing?.has(backend) === false) {
    failing.add(backend);
    step.out.facts.push({ kind: "balancer.fails", status, backend });
  }
  answer(step, to, call, status);
}

function answer(step: HostStep, to: NodeIndex, call: number, status: number): void {
  const packet = { kind: "web-response", call, status } as const;
  step.out.effects.push({ kind: "send", to, packet, bytes: packetBytes(packet) });
}
