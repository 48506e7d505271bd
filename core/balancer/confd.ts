import type { EtcdCall, EtcdReplied, EtcdReply, V2Node } from "../etcd/client.js";
import {
  type Machine,
  MINUTE,
  type Micros,
  type Out,
  SECOND,
  type TimerEffect,
  type TimerFired,
} from "../kernel/index.js";
import { type Backend, parseBackend } from "./backend.js";

/** How a confd is started. */
export interface ConfdConfig {
  /** The directory that announcements are in. */
  readonly prefix: string;
  /** `-watch`: it hears of each change; otherwise it looks every `interval`. */
  readonly watch: boolean;
  readonly interval: Micros;
}

export interface ConfdState {
  readonly config: ConfdConfig;
  /** What it last wrote. */
  backends: readonly Backend[];
  call: number;
  watch: number;
  nextCall: number;
}

export type ConfdStimulus = { readonly kind: "start" } | EtcdReplied | TimerFired;

export type ConfdEffect =
  | EtcdCall
  | TimerEffect
  /** The balancer's configuration is written anew and it reloads. */
  | { readonly kind: "configure"; readonly backends: readonly Backend[] };

export type ConfdFact = {
  readonly kind: "balancer.backends";
  /** `host:port`, in the order of their keys. */
  readonly backends: readonly string[];
};

/** Pause after a failure (confd, processor.go). */
const RETRY: Micros = 2 * SECOND;
const PATIENCE: Micros = 5 * SECOND;

/** Packets stand for what TCP carries: a watch that was lost on its way is asked for again. */
const WATCH_AGAIN: Micros = MINUTE;

interface Step {
  readonly state: ConfdState;
  readonly out: Out<ConfdFact, ConfdEffect>;
}

/**
 * confd over etcd's v2 keys: it keeps a balancer's list of backends as the keys under a directory say.
 * What cannot be read leaves the list as it is, so that a balancer goes on without etcd.
 */
export const confd: Machine<ConfdConfig, ConfdState, ConfdStimulus, ConfdFact, ConfdEffect> = {
  name: "balancer",
  create: (config) => ({ config, backends: [], call: 0, watch: 0, nextCall: 1 }),
  step(state, stimulus, _now, out) {
    const step: Step = { state, out };
    if (stimulus.kind !== "etcd-reply") read(step);
    else if (stimulus.id === state.watch) watched(step, stimulus.reply);
    else if (stimulus.id === state.call) came(step, stimulus.reply);
  },
};

function read(step: Step): void {
  const { state } = step;
  const key = state.config.prefix;
  state.call = call(step, { op: "get", key, recursive: true, sorted: true }, PATIENCE);
}

function came(step: Step, reply: EtcdReply): void {
  const { state, out } = step;
  const { watch, interval } = state.config;
  if (!reply.ok) {
    out.effects.push({ kind: "arm-timer", timer: "read", delay: watch ? RETRY : interval });
    return;
  }
  const backends = leavesOf(reply.node).flatMap(({ key, value }) => {
    const backend = parseBackend(key, value ?? "");
    return backend === null ? [] : [backend];
  });
  const shown = backends.map(show);
  if (shown.join() !== state.backends.map(show).join()) {
    state.backends = backends;
    out.facts.push({ kind: "balancer.backends", backends: shown });
    out.effects.push({ kind: "configure", backends });
  }
  if (watch) awaitChange(step, reply.etcdIndex + 1);
  else out.effects.push({ kind: "arm-timer", timer: "read", delay: interval });
}

function awaitChange(step: Step, waitIndex: number): void {
  const key = step.state.config.prefix;
  step.state.watch = call(step, { op: "watch", key, recursive: true, waitIndex }, WATCH_AGAIN);
}

/** Something changed, or the watch broke: either way the keys are read again. */
function watched(step: Step, reply: EtcdReply): void {
  const { state, out } = step;
  state.watch = 0;
  const timedOut = "unreachable" in reply && reply.unreachable === "timeout";
  if (reply.ok || timedOut || ("errorCode" in reply && reply.errorCode === 401)) read(step);
  else out.effects.push({ kind: "arm-timer", timer: "read", delay: RETRY });
}

function call(step: Step, request: EtcdCall["request"], timeout: Micros): number {
  const id = step.state.nextCall++;
  step.out.effects.push({ kind: "etcd-call", id, request, timeout });
  return id;
}

function leavesOf(node: V2Node): V2Node[] {
  return node.dir === true ? (node.nodes ?? []).flatMap(leavesOf) : [node];
}

function show({ host, port }: Backend): string {
  return `${host}:${port}`;
}
