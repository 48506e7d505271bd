import type { Revision } from "../etcd/client.js";
import { type Machine, type Out, unreachable } from "../kernel/index.js";
import type {
  ObservedChange,
  ObservedPair,
  ObservedValue,
  ObserveEffect,
  ObserveFact,
  ObserveStimulus,
} from "./events.js";
import { keyId, keyOfId, type ObserverConfig, type ObserverState } from "./state.js";

type ObserveOut = Out<ObserveFact, ObserveEffect>;
type Stimulus<Kind extends ObserveStimulus["kind"]> = Extract<
  ObserveStimulus,
  { readonly kind: Kind }
>;

/**
 * Follows the keys of an etcd: a paged range at one revision, then a watch from the next. After any
 * failure it watches again from the last revision told, so nothing is missed or told twice unless
 * etcd itself has forgotten it; then it says which revisions are missing, and resyncs by a range.
 */
export const observer: Machine<
  ObserverConfig,
  ObserverState,
  ObserveStimulus,
  ObserveFact,
  ObserveEffect
> = {
  name: "observe",
  create: (config) => ({
    config,
    phase: "idle",
    id: 0,
    cluster: "",
    revision: 0,
    ahead: 0,
    skip: 0,
    keys: new Map(),
    range: null,
    pageSize: config.pageSize,
    failures: 0,
    lastFailure: "no answer yet",
    heard: false,
    asked: false,
    puts: 0,
    deletes: 0,
  }),
  step: (state, stimulus, _now, out) => {
    if (state.phase === "stopped") return;
    switch (stimulus.kind) {
      case "start":
        return start(state, out);
      case "stop":
        return stop(state, out);
      case "timer":
        return timer(state, stimulus.timer, out);
      case "failed":
        if (stimulus.id === state.id) failed(state, stimulus, out);
        return;
      case "range-page":
        if (stimulus.id === state.id) rangePage(state, stimulus, out);
        return;
      case "watch-created":
        if (stimulus.id === state.id) watchCreated(state, stimulus, out);
        return;
      case "watch-events":
        if (stimulus.id === state.id) watchEvents(state, stimulus, out);
        return;
      case "watch-progress":
        if (stimulus.id === state.id) progressed(state, stimulus.revision);
        return;
      case "watch-compacted":
        if (stimulus.id !== state.id) return;
        return gap(state, "compacted", stimulus.compactRevision - 1, out);
      default:
        return unreachable(stimulus);
    }
  },
};

function start(state: ObserverState, out: ObserveOut): void {
  out.effects.push({ kind: "arm-timer", timer: "give-up", delay: state.config.startTimeout });
  state.range = { revision: 0, after: null, present: null };
  ask(state, out);
}

/** Asks for what is wanted next: a page of the range, or the watch. */
function ask(state: ObserverState, out: ObserveOut): void {
  state.id++;
  const { prefix, progressInterval } = state.config;
  const { id, range } = state;
  if (range !== null) {
    state.phase = "ranging";
    const { after, revision } = range;
    const from = after === null ? null : { ...after };
    out.effects.push({ kind: "range", id, prefix, after: from, revision, limit: state.pageSize });
    return;
  }
  state.phase = "connecting";
  state.skip = state.ahead;
  state.heard = false;
  state.asked = false;
  out.effects.push({ kind: "watch", id, prefix, startRevision: state.revision + 1 });
  out.effects.push({ kind: "arm-timer", timer: "progress", delay: progressInterval });
}

/** Hears which cluster and endpoint answered. False when the answer made it start over. */
function connected(
  state: ObserverState,
  answer: Stimulus<"range-page" | "watch-created">,
  out: ObserveOut,
): boolean {
  const { cluster, endpoint, revision } = answer;
  if (state.cluster === "") out.effects.push({ kind: "cancel-timer", timer: "give-up" });
  const changed = state.cluster !== "" && state.cluster !== cluster;
  const first = state.cluster === "" || state.failures > 0 || changed;
  state.cluster = cluster;
  state.failures = 0;
  if (first) out.facts.push({ kind: "observe.connected", endpoint, cluster, revision });
  const known = state.range?.revision ?? 0;
  if (changed || revision < Math.max(known, state.revision)) {
    gap(state, changed ? "other-cluster" : "rewound", revision, out);
    return false;
  }
  return true;
}

/** What lies between the last revision told and the present cannot be told: start over by comparing. */
function gap(
  state: ObserverState,
  reason: "compacted" | "rewound" | "other-cluster",
  to: Revision,
  out: ObserveOut,
): void {
  if (state.phase !== "ranging") out.effects.push({ kind: "watch-cancel", id: state.id });
  if (reason === "compacted") {
    out.facts.push({ kind: "observe.gap", reason, from: state.revision + 1, to });
  } else {
    // The same numbers now name other changes: no revision told so far says anything about a key.
    out.facts.push({ kind: "observe.gap", reason, from: 1, to });
    for (const key of state.keys.keys()) state.keys.set(key, 0);
    state.revision = 0;
  }
  state.range = { revision: 0, after: null, present: new Set() };
  state.ahead = 0;
  ask(state, out);
}

function rangePage(state: ObserverState, page: Stimulus<"range-page">, out: ObserveOut): void {
  if (!connected(state, page, out)) return;
  const { range } = state;
  if (range === null) return;
  if (range.revision === 0) range.revision = page.revision;
  for (const pair of page.pairs) {
    const id = keyId(pair);
    range.present?.add(id);
    if (state.keys.get(id) === pair.revision) continue;
    put(state, pair, range.present === null ? "initial" : "resync", undefined, out);
  }
  const last = page.pairs.at(-1);
  if (page.more && last !== undefined) {
    const { key, keyEncoding } = last;
    range.after = keyEncoding === undefined ? { key } : { key, keyEncoding };
    ask(state, out);
    return;
  }
  if (range.present !== null) {
    for (const id of [...state.keys.keys()].sort()) {
      if (!range.present.has(id)) remove(state, id, range.revision, "resync", undefined, out);
    }
  }
  state.revision = range.revision;
  state.range = null;
  out.facts.push({ kind: "observe.synced", revision: state.revision, keys: state.keys.size });
  ask(state, out);
}

function watchCreated(
  state: ObserverState,
  created: Stimulus<"watch-created">,
  out: ObserveOut,
): void {
  state.heard = true;
  if (connected(state, created, out)) state.phase = "watching";
}

function watchEvents(
  state: ObserverState,
  answer: Stimulus<"watch-events">,
  out: ObserveOut,
): void {
  state.heard = true;
  for (const change of answer.changes) {
    if (state.skip > 0) state.skip--;
    else {
      tell(state, change, out);
      state.ahead++;
    }
  }
  const last = answer.changes.at(-1);
  if (last === undefined) return;
  const revision = revisionOf(last);
  // A fragment may end inside a revision, which counts as told only with its end.
  const complete = answer.fragment ? revision - 1 : revision;
  if (complete <= state.revision) return;
  state.revision = complete;
  state.ahead =
    state.skip + answer.changes.filter((change) => revisionOf(change) > complete).length;
}

function progressed(state: ObserverState, revision: Revision): void {
  state.heard = true;
  if (state.phase !== "watching" || state.ahead > 0) return;
  state.revision = Math.max(state.revision, revision);
}

function failed(
  state: ObserverState,
  { failure, message }: Stimulus<"failed">,
  out: ObserveOut,
): void {
  if (state.phase === "ranging" && failure === "too-large" && state.pageSize > 1) {
    state.pageSize = Math.max(1, Math.floor(state.pageSize / 4));
    ask(state, out);
    return;
  }
  if (state.range !== null && failure === "compacted") {
    // The pages' revision was compacted under us: what was told stays told, the rest is compared.
    state.range = { revision: 0, after: null, present: new Set() };
    ask(state, out);
    return;
  }
  const news = state.cluster !== "" && state.failures === 0;
  if (news) out.facts.push({ kind: "observe.lost", failure, message, revision: state.revision });
  state.lastFailure = message;
  const { retryMin, retryMax } = state.config;
  const delay = Math.min(retryMax, retryMin * 2 ** Math.min(state.failures, 20));
  state.failures++;
  state.phase = "waiting";
  out.effects.push({ kind: "arm-timer", timer: "retry", delay });
}

function timer(state: ObserverState, name: string, out: ObserveOut): void {
  if (name === "retry" && state.phase === "waiting") ask(state, out);
  else if (name === "give-up" && state.cluster === "") giveUp(state, out);
  else if (name === "progress") checkAlive(state, out);
}

function giveUp(state: ObserverState, out: ObserveOut): void {
  state.phase = "stopped";
  const after = state.config.startTimeout;
  out.facts.push({ kind: "observe.gave-up", after, message: state.lastFailure });
  out.effects.push({ kind: "exit", code: 2 });
}

function checkAlive(state: ObserverState, out: ObserveOut): void {
  if (state.phase !== "watching" && state.phase !== "connecting") return;
  const { id } = state;
  if (!state.heard && (state.asked || state.phase === "connecting")) {
    out.effects.push({ kind: "watch-cancel", id });
    const message = "the watch is silent";
    failed(state, { kind: "failed", id, failure: "deadline", message }, out);
    return;
  }
  state.asked = !state.heard;
  state.heard = false;
  if (state.asked) out.effects.push({ kind: "watch-ask-progress", id });
  out.effects.push({
    kind: "arm-timer",
    timer: "progress",
    delay: state.config.progressInterval,
  });
}

function stop(state: ObserverState, out: ObserveOut): void {
  if (state.phase === "watching" || state.phase === "connecting") {
    out.effects.push({ kind: "watch-cancel", id: state.id });
  }
  state.phase = "stopped";
  const { revision, puts, deletes } = state;
  out.facts.push({ kind: "observe.stopped", revision, puts, deletes });
  out.effects.push({ kind: "exit", code: 0 });
}

function tell(state: ObserverState, change: ObservedChange, out: ObserveOut): void {
  const previous = change.previous === undefined ? undefined : bareValue(change.previous);
  if (change.type === "put") put(state, change.pair, undefined, previous, out);
  else remove(state, keyId(change.key), change.revision, undefined, previous, out);
}

function put(
  state: ObserverState,
  pair: ObservedPair,
  by: "initial" | "resync" | undefined,
  previous: ObservedValue | undefined,
  out: ObserveOut,
): void {
  state.keys.set(keyId(pair), pair.revision);
  state.puts++;
  out.facts.push({
    kind: "observed.put",
    ...pair,
    ...(previous === undefined ? {} : { previous }),
    ...(by === undefined ? {} : { by }),
  });
}

function remove(
  state: ObserverState,
  id: string,
  revision: Revision,
  by: "resync" | undefined,
  previous: ObservedValue | undefined,
  out: ObserveOut,
): void {
  state.keys.delete(id);
  state.deletes++;
  out.facts.push({
    kind: "observed.delete",
    ...keyOfId(id),
    revision,
    ...(previous === undefined ? {} : { previous }),
    ...(by === undefined ? {} : { by }),
  });
}

function revisionOf(change: ObservedChange): Revision {
  return change.type === "put" ? change.pair.revision : change.revision;
}

function bareValue({ value, valueEncoding, size, sha256 }: ObservedValue): ObservedValue {
  return {
    value,
    ...(valueEncoding === undefined ? {} : { valueEncoding }),
    ...(size === undefined ? {} : { size }),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}
