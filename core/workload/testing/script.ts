import type { Event, KeyValue, Revision, V3Response } from "../../etcd/index.js";
import type { WatchRequest, WatchTold } from "../facts.js";
import type { ClientCall, ClientHistory, ClientWatch } from "../history.js";
import { perform, rangeAnswer, withLease } from "../perform.js";
import {
  type Change,
  EMPTY_STORE,
  inStoreRange,
  type StoreRequest,
  type StoreState,
} from "../request.js";

/** What is wrong about a call on purpose; nothing by default. */
interface Twist {
  /** Nobody is told what became of it; it takes effect all the same unless it is lost. */
  readonly unanswered?: true;
  /** It has no effect. */
  readonly lost?: true;
  /** Answered as if at this revision. */
  readonly at?: Revision;
}

/** A history that a right store makes, one call after the other, and the ways to make it wrong. */
export class Script {
  readonly calls: ClientCall[] = [];
  readonly watches: ClientWatch[] = [];
  readonly states = new Map<Revision, StoreState>([[1, EMPTY_STORE]]);
  readonly changes = new Map<Revision, readonly Change[]>();
  state: StoreState = EMPTY_STORE;
  #time = 0;

  call(client: string, request: StoreRequest, twist: Twist = {}): this {
    const invoked = ++this.#time;
    const { response, state } = this.#answer(request, twist);
    if (twist.lost !== true && twist.at === undefined) this.#enter(state);
    const answered = twist.unanswered === true ? null : response;
    const returned = answered === null ? null : ++this.#time;
    this.calls.push({
      client,
      member: "m",
      request,
      invoked,
      returned,
      response: answered,
      sent: true,
    });
    return this;
  }

  put(key: string, value: string, twist: Twist = {}): this {
    return this.call("writer", { op: "kv-put", key, value }, twist);
  }

  /** A watch that tells the truth, a response for each revision, then its progress. */
  watch(request: WatchRequest, bend: (told: WatchTold[]) => WatchTold[] = (told) => told): this {
    const opened = ++this.#time;
    const { revision } = this.state;
    const told: WatchTold[] = [tell({ revision, created: true })];
    for (let at = request.startRevision ?? 1; at <= revision; at++) {
      const events = (this.changes.get(at) ?? [])
        .filter(({ key }) => inStoreRange(key, request.key, request.rangeEnd))
        .map((change) => eventOf(change, at, request));
      if (events.length > 0) told.push(tell({ revision: at, events }));
    }
    told.push(tell({ revision }));
    const responses = bend(told).map((response) => ({ at: ++this.#time, told: response }));
    this.watches.push({ client: "watcher", member: "m", request, opened, told: responses });
    return this;
  }

  history(): ClientHistory {
    return { calls: this.calls, watches: this.watches };
  }

  #answer(
    request: StoreRequest,
    twist: Twist,
  ): { readonly response: V3Response; readonly state: StoreState } {
    const now = twist.at === undefined ? this.state : (this.states.get(twist.at) ?? this.state);
    const { state, result, refusal } = perform(now, request);
    if (refusal !== null) {
      return { response: { ok: false, code: "NotFound", message: refusal }, state: this.state };
    }
    if (request.op === "lease-grant") {
      const id = `lease${this.#time}`;
      const granted = { op: "lease-grant", id, ttl: request.ttl } as const;
      return { response: answer(state.revision, granted), state: withLease(state, id) };
    }
    const past = request.op === "kv-range" ? this.states.get(request.revision ?? 0) : undefined;
    const told = request.op === "kv-range" && past ? rangeAnswer(past.keys, request) : result;
    if (told === null) throw new Error("no answer");
    return { response: answer(state.revision, told), state };
  }

  #enter(state: StoreState): void {
    const { revision } = state;
    if (revision > this.state.revision) this.changes.set(revision, changesOf(this.state, state));
    this.state = state;
    this.states.set(revision, state);
  }
}

type Answer = Extract<V3Response, { readonly ok: true }>;

function answer(revision: Revision, result: Answer["result"]): V3Response {
  return { ok: true, header: { clusterId: "c", memberId: "m", revision, raftTerm: 2 }, result };
}

export function tell(what: Partial<WatchTold> & { readonly revision: Revision }): WatchTold {
  return {
    created: false,
    canceled: false,
    compactRevision: 0,
    fragment: false,
    events: [],
    ...what,
  };
}

function changesOf(before: StoreState, after: StoreState): Change[] {
  const keys = [...new Set([...before.keys.keys(), ...after.keys.keys()])].sort();
  return keys.flatMap((key): Change[] => {
    const kv = after.keys.get(key) ?? null;
    const old = before.keys.get(key) ?? null;
    return kv === old ? [] : [{ key, kv, before: old }];
  });
}

function eventOf({ key, kv, before }: Change, revision: Revision, request: WatchRequest): Event {
  const gone: KeyValue = {
    key,
    createRevision: 0,
    modRevision: revision,
    version: 0,
    value: "",
    lease: "",
  };
  const event: Event = kv === null ? { type: "delete", kv: gone } : { type: "put", kv };
  return request.prevKv === true && before !== null ? { ...event, prevKv: before } : event;
}
