import type { ClientReply, Revision, WatchResponse } from "../etcd/index.js";
import type { Machine, Micros, Out } from "../kernel/index.js";
import { unreachable } from "../kernel/index.js";
import { definite } from "./client.js";
import {
  type Endpoint,
  type Range,
  type WorkloadEffect,
  type WorkloadStimulus,
  widthOf,
  within,
} from "./events.js";
import type { Unknown, WatchRequest, WorkloadFact } from "./facts.js";
import { ALL_KEYS, keyName } from "./mix.js";
import type { StoreRequest } from "./request.js";

export interface WatcherConfig {
  readonly name: string;
  /** Whom it watches: one of them, chosen anew for each watch. */
  readonly members: readonly Endpoint[];
  readonly keys: number;
  /**
   * `record`: every key from revision 1 on, as long as it runs, resumed where it broke off.
   * `list`: a list of all keys, then what changes after it, as Kubernetes does.
   * `revision`: from so many revisions before or after the last one it knows of; some of the keys.
   */
  readonly from: "record" | "list" | "revision";
  /** For `revision`: how far before (negative) or after. */
  readonly offset: readonly [number, number];
  /** How long a watch is kept; a recorder keeps it for ever. */
  readonly lasts: Range;
  /** How often it asks how far the watch has come. */
  readonly progressEvery: Micros;
  /** Without a word for so long the connection counts as lost. */
  readonly patience: Micros;
}

/** What is drawn for one watch. */
interface WatchPlan {
  readonly to: Endpoint;
  readonly request: WatchRequest;
  readonly lasts: Micros;
}

export interface WatcherState {
  readonly config: WatcherConfig;
  running: boolean;
  /** Calls so far: lists and streams. */
  calls: number;
  /** Watches under other names than the lists, which may be left without an answer. */
  identity: number;
  phase:
    | { readonly at: "rest" }
    | {
        readonly at: "listing";
        readonly call: number;
        readonly plan: WatchPlan;
        readonly until: Micros;
      }
    | {
        readonly at: "watching";
        readonly call: number;
        readonly plan: WatchPlan;
        /** When it is left. */
        readonly until: Micros | null;
        heard: Micros;
      };
  /** The highest revision it was told of. */
  revision: Revision;
  /** Where a recorder goes on. */
  next: Revision;
}

type WatcherOut = Out<WorkloadFact, WorkloadEffect>;

const TIMER = "progress";
const ALL = { key: "\0", rangeEnd: "\0" } as const;

/** One client of etcd's watches: a watch at a time, each on a stream of its own, over and over. */
export const watchClient: Machine<
  WatcherConfig,
  WatcherState,
  WorkloadStimulus,
  WorkloadFact,
  WorkloadEffect
> = {
  name: "watcher",
  create: (config) => ({
    config,
    running: false,
    calls: 0,
    identity: 1,
    phase: { at: "rest" },
    revision: 1,
    next: 1,
  }),
  step(state, stimulus, now, out) {
    switch (stimulus.kind) {
      case "start":
        state.running = true;
        choose(state, out);
        return;
      case "stop":
        // A recorder goes on: what was asked for last is told last.
        if (state.config.from !== "record") state.running = false;
        return;
      case "chosen":
        begin(state, stimulus.values, now, out);
        return;
      case "timer":
        tick(state, now, out);
        return;
      case "reply":
        hear(state, stimulus.call, stimulus.reply, now, out);
        return;
      default:
        unreachable(stimulus);
    }
  },
};

const nameOf = ({ config, identity }: WatcherState): string => `${config.name}.${identity}`;

function choose({ config, calls }: WatcherState, out: WatcherOut): void {
  const { members, keys, offset, lasts } = config;
  const [low, high] = offset;
  const bounds = [members.length, high - low + 1, widthOf(lasts), keys, 4];
  out.effects.push({ kind: "choose", id: calls + 1, bounds });
}

function begin(state: WatcherState, values: readonly number[], now: Micros, out: WatcherOut): void {
  const { config } = state;
  const [member = 0, offset = 0, length = 0, key = 0, shape = 0] = values;
  const to = config.members[member];
  if (to === undefined || state.phase.at !== "rest") return;
  const lasts = within(config.lasts, length);
  switch (config.from) {
    case "record":
      watch(
        state,
        { to, lasts, request: { ...ALL, startRevision: state.next, prevKv: true } },
        now,
        out,
      );
      return;
    case "revision": {
      const startRevision = Math.max(0, state.revision + config.offset[0] + offset);
      const range = shape === 0 ? { key: keyName(key) } : shape === 1 ? ALL : ALL_KEYS;
      const filter = shape === 2 ? { noDelete: true } : {};
      const request = { ...range, ...filter, startRevision, prevKv: shape % 2 === 1 };
      watch(state, { to, lasts, request }, now, out);
      return;
    }
    case "list":
      list(state, { to, lasts, request: { ...ALL_KEYS, prevKv: true } }, now, out);
      return;
    default:
      unreachable(config.from);
  }
}

function list(state: WatcherState, plan: WatchPlan, now: Micros, out: WatcherOut): void {
  const call = ++state.calls;
  const request: StoreRequest = { op: "kv-range", ...ALL_KEYS };
  const client = nameOf(state);
  state.phase = { at: "listing", call, plan, until: now + state.config.patience };
  out.facts.push({ kind: "client.invoked", client, call, member: plan.to.name, request });
  out.effects.push({ kind: "request", to: plan.to.node, call, request });
  arm(state, out);
}

function watch(state: WatcherState, plan: WatchPlan, now: Micros, out: WatcherOut): void {
  const { to, request, lasts } = plan;
  const call = ++state.calls;
  const until = state.config.from === "record" ? null : now + lasts;
  state.phase = { at: "watching", call, plan, until, heard: now };
  const client = nameOf(state);
  out.facts.push({ kind: "client.watching", client, watch: call, member: to.name, request });
  out.effects.push({ kind: "request", to: to.node, call, request: { op: "watch-stream" } });
  out.effects.push({ kind: "message", to: to.node, call, message: { type: "create", ...request } });
  arm(state, out);
}

function arm({ config }: WatcherState, out: WatcherOut): void {
  out.effects.push({ kind: "arm-timer", timer: TIMER, delay: config.progressEvery });
}

/** Now and then: is anybody there, is it time to leave, how far is the watch? */
function tick(state: WatcherState, now: Micros, out: WatcherOut): void {
  const { phase, config } = state;
  switch (phase.at) {
    case "rest":
      if (state.running) choose(state, out);
      return;
    case "listing":
      if (now >= phase.until) end(state, "timeout", true, out);
      else arm(state, out);
      return;
    case "watching": {
      const { plan, call } = phase;
      if (now - phase.heard >= config.patience) end(state, "timeout", true, out);
      else if (phase.until !== null && now >= phase.until) end(state, "left", true, out);
      else {
        const message = { type: "progress" } as const;
        out.effects.push({ kind: "message", to: plan.to.node, call, message });
        arm(state, out);
      }
      return;
    }
    default:
      unreachable(phase);
  }
}

function hear(
  state: WatcherState,
  call: number,
  reply: ClientReply,
  now: Micros,
  out: WatcherOut,
): void {
  const { phase } = state;
  if (phase.at === "rest" || phase.call !== call) return;
  const answer = definite(reply);
  if ("why" in answer) {
    end(state, answer.why, false, out);
    return;
  }
  const { response } = answer;
  if (!response.ok) {
    end(state, "unavailable", false, out);
    return;
  }
  const { revision } = response.header;
  state.revision = Math.max(state.revision, revision);
  if (phase.at === "listing") {
    const client = nameOf(state);
    out.facts.push({ kind: "client.returned", client, call, response });
    const request = { ...phase.plan.request, startRevision: revision + 1 };
    watch(state, { ...phase.plan, request }, now, out);
    return;
  }
  if (response.result.op !== "watch-response") return;
  phase.heard = now;
  told(state, call, response.result, revision, out);
}

function told(
  state: WatcherState,
  call: number,
  response: WatchResponse,
  revision: Revision,
  out: WatcherOut,
): void {
  const { created, canceled, compactRevision, fragment, events } = response;
  const client = nameOf(state);
  const what = { revision, created, canceled, compactRevision, fragment, events };
  out.facts.push({ kind: "client.watch-told", client, watch: call, told: what });
  // Parts of one revision may come apart: only what is whole can be skipped when it goes on.
  if (!fragment) {
    for (const { kv } of events) state.next = Math.max(state.next, kv.modRevision + 1);
  }
  if (!canceled) return;
  state.next = Math.max(state.next, compactRevision);
  end(state, "canceled", true, out);
}

/** The list or the watch is over; the next one begins at the next tick. */
function end(
  state: WatcherState,
  why: Unknown | "canceled" | "left",
  hangUp: boolean,
  out: WatcherOut,
): void {
  const { phase } = state;
  if (phase.at === "rest") return;
  const { call, plan } = phase;
  const client = nameOf(state);
  if (hangUp) out.effects.push({ kind: "hang-up", to: plan.to.node, call });
  if (phase.at === "watching") {
    out.facts.push({ kind: "client.watch-ended", client, watch: call, why });
  } else {
    const lost = why === "canceled" || why === "left" ? "unavailable" : why;
    out.facts.push({ kind: "client.unknown", client, call, why: lost, message: "" });
    state.identity++;
  }
  state.phase = { at: "rest" };
  arm(state, out);
}
