import type { ClientReply, KeyValue, V3Response, V3Result } from "../etcd/index.js";
import type { Machine, Micros, Out } from "../kernel/index.js";
import { unreachable } from "../kernel/index.js";
import {
  type Endpoint,
  type Range,
  type WorkloadEffect,
  type WorkloadStimulus,
  widthOf,
  within,
} from "./events.js";
import type { Unknown, WorkloadFact } from "./facts.js";
import { type Choice, type Knowledge, type Mix, OFFSETS, requestFor, weightOf } from "./mix.js";
import { REFUSED, type StoreRequest } from "./request.js";

export interface ClientConfig {
  readonly name: string;
  /** Whom it asks: one of them, chosen anew for each request. */
  readonly members: readonly Endpoint[];
  readonly mix: Mix;
  /** How many keys all clients share. */
  readonly keys: number;
  /** From one request's end to the next. */
  readonly pause: Range;
  /** How long it waits for an answer. */
  readonly timeout: Micros;
}

/** A client of etcd's key-value and lease services that does what it is told to choose from. */
export interface ClientState {
  readonly config: ClientConfig;
  running: boolean;
  /** Grows with each request that nobody knows the outcome of: who goes on is another client. */
  identity: number;
  /** Requests so far; the last one's number. */
  calls: number;
  /** What to ask after the pause; null while it is not chosen. */
  plan: { readonly choice: Choice; readonly to: Endpoint } | null;
  /** The request under way. */
  waiting: { readonly call: number; readonly to: Endpoint; readonly request: StoreRequest } | null;
  known: Knowledge;
}

type ClientOut = Out<WorkloadFact, WorkloadEffect>;

const PATIENCE_TIMER = "patience";
const NEXT_TIMER = "next";

/**
 * One client of a workload: a request at a time, to one member or another, and a pause. What it asks
 * next is a choice of its world. A request that is not answered in time, or with an error that says
 * nothing of its effect, may still take effect; the client goes on under a new identity.
 */
export const trafficClient: Machine<
  ClientConfig,
  ClientState,
  WorkloadStimulus,
  WorkloadFact,
  WorkloadEffect
> = {
  name: "client",
  create: (config) => ({
    config,
    running: false,
    identity: 1,
    calls: 0,
    plan: null,
    waiting: null,
    known: { revision: 1, keys: new Map(), lease: "" },
  }),
  step(state, stimulus, _now, out) {
    switch (stimulus.kind) {
      case "start":
        state.running = true;
        choose(state, out);
        return;
      case "stop":
        state.running = false;
        return;
      case "timer":
        if (stimulus.timer === PATIENCE_TIMER) giveUp(state, out);
        else if (state.running) ask(state, out);
        return;
      case "chosen":
        plan(state, stimulus.values, out);
        return;
      case "reply":
        if (state.waiting?.call === stimulus.call) hear(state, stimulus.reply, out);
        return;
      default:
        unreachable(stimulus);
    }
  },
};

const identityOf = ({ config, identity }: ClientState): string => `${config.name}.${identity}`;

/** Asks for the choices of the next request, and of the pause before it. */
function choose({ config, calls }: ClientState, out: ClientOut): void {
  const { mix, keys, members, pause } = config;
  const bounds = [weightOf(mix), keys, keys, OFFSETS, members.length, widthOf(pause)];
  out.effects.push({ kind: "choose", id: calls + 1, bounds });
}

function plan(state: ClientState, values: readonly number[], out: ClientOut): void {
  const { members, pause } = state.config;
  const [op = 0, key = 0, other = 0, offset = 0, member = 0, length = 0] = values;
  const to = members[member];
  if (to === undefined) return;
  state.plan = { choice: { op, key, other, offset }, to };
  out.effects.push({ kind: "arm-timer", timer: NEXT_TIMER, delay: within(pause, length) });
}

function ask(state: ClientState, out: ClientOut): void {
  const { config, known, plan: planned } = state;
  if (planned === null || state.waiting !== null) return;
  state.plan = null;
  const { choice, to } = planned;
  const call = ++state.calls;
  const request = requestFor(config.mix, config.keys, choice, known, `${config.name}:${call}`);
  state.waiting = { call, to, request };
  const client = identityOf(state);
  out.facts.push({ kind: "client.invoked", client, call, member: to.name, request });
  out.effects.push({ kind: "request", to: to.node, call, request });
  out.effects.push({ kind: "arm-timer", timer: PATIENCE_TIMER, delay: config.timeout });
}

function giveUp(state: ClientState, out: ClientOut): void {
  const { waiting } = state;
  if (waiting === null) return;
  out.effects.push({ kind: "hang-up", to: waiting.to.node, call: waiting.call });
  lose(state, "timeout", "", out);
}

function lose(state: ClientState, why: Unknown, message: string, out: ClientOut): void {
  const { waiting } = state;
  if (waiting === null) return;
  const client = identityOf(state);
  out.facts.push({ kind: "client.unknown", client, call: waiting.call, why, message });
  state.identity++;
  // It may be gone.
  if (waiting.request.op === "lease-revoke") state.known.lease = "";
  goOn(state, out);
}

function hear(state: ClientState, reply: ClientReply, out: ClientOut): void {
  const { waiting } = state;
  if (waiting === null) return;
  out.effects.push({ kind: "cancel-timer", timer: PATIENCE_TIMER });
  const answer = definite(reply);
  if ("why" in answer) {
    lose(state, answer.why, answer.message, out);
    return;
  }
  const client = identityOf(state);
  const { response } = answer;
  out.facts.push({ kind: "client.returned", client, call: waiting.call, response });
  learn(state.known, waiting.request, response);
  goOn(state, out);
}

/** The request is over; the next one comes after a pause. */
function goOn(state: ClientState, out: ClientOut): void {
  state.waiting = null;
  if (state.running) choose(state, out);
}

/** Refusals that follow from what the store holds: such a request had no effect. */
const REFUSALS: ReadonlySet<string> = new Set(Object.values(REFUSED));

/** The answer, or why it leaves open what became of the request. */
export function definite(
  reply: ClientReply,
): { readonly response: V3Response } | { readonly why: Unknown; readonly message: string } {
  if ("unreachable" in reply) {
    const why = reply.unreachable === "refused" ? "connection refused" : "connection closed";
    return { why, message: "" };
  }
  if ("header" in reply) return { response: reply };
  if ("code" in reply) {
    if (REFUSALS.has(reply.message)) return { response: reply };
    return { why: "unavailable", message: reply.message };
  }
  return { why: "unavailable", message: "not an answer of the v3 API" };
}

function learn(known: Knowledge, request: StoreRequest, response: V3Response): void {
  if (!response.ok) {
    // Another client's or time's doing: it needs a new one.
    if (response.code === "NotFound") known.lease = "";
    return;
  }
  known.revision = Math.max(known.revision, response.header.revision);
  if (request.op === "lease-revoke") known.lease = "";
  for (const kv of told(response.result)) known.keys.set(kv.key, kv);
  if (response.result.op === "lease-grant") known.lease = response.result.id;
}

/** Keys as a read told them, and reads within transactions. */
function told(result: V3Result): readonly KeyValue[] {
  if (result.op === "kv-range") return result.kvs;
  return result.op === "kv-txn" ? result.responses.flatMap((response) => told(response)) : [];
}
