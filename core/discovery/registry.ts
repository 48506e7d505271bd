import type { V2Action, V2Node, V2Request, V2Response } from "../etcd/client.js";
import {
  createGenerator,
  type Generator,
  type Machine,
  type Micros,
  nextUint32,
  type Out,
  unreachable,
} from "../kernel/index.js";
import type {
  DiscoveryReply,
  RegistryConfig,
  RegistryFact,
  RegistryResponse,
  RegistryStimulus,
} from "./types.js";

/** Where the service keeps its tokens in the store behind it. */
const PREFIX = "/_etcd/registry";

/** Events a watch can still ask for, as in etcd's v2 store. */
const HISTORY_MAX = 1000;

const DEFAULT_SIZE = "3";

interface Entry {
  value: string;
  readonly created: number;
  modified: number;
}

interface Event {
  readonly index: number;
  readonly action: V2Action;
  /** Without the prefix, as clients state it. */
  readonly key: string;
  readonly node: V2Node;
  readonly prevNode: V2Node | null;
}

interface Waiter {
  readonly id: number;
  readonly key: string;
  readonly recursive: boolean;
  readonly index: number;
}

/** The service and the store behind it. Keys are without the prefix. */
export interface RegistryState {
  readonly host: string;
  readonly generator: Generator;
  index: number;
  entries: Map<string, Entry>;
  events: Event[];
  waiters: Waiter[];
}

export type RegistryEffect = RegistryResponse;

type Sinks = Out<RegistryFact, RegistryEffect>;

const TOKEN_KEY = /^\/([0-9a-f]{32})(\/.+)?$/;

function create(config: RegistryConfig): RegistryState {
  return {
    host: config.host.replace(/\/$/, ""),
    generator: createGenerator(config.seed, "discovery-tokens"),
    index: 0,
    entries: new Map(),
    events: [],
    waiters: [],
  };
}

function step(state: RegistryState, stimulus: RegistryStimulus, _now: Micros, out: Sinks): void {
  switch (stimulus.kind) {
    case "registry-hangup":
      state.waiters = state.waiters.filter((waiter) => waiter.id !== stimulus.id);
      return;
    case "registry-request": {
      const { id, request } = stimulus;
      const reply =
        request.op === "new" ? newToken(state, request.size, out) : answer(state, request, id, out);
      if (reply !== null) out.effects.push({ kind: "registry-response", id, reply });
      return;
    }
    default:
      unreachable(stimulus);
  }
}

/** `/new?size=N`: any integer will do, also 0 and negative ones. */
function newToken(state: RegistryState, size: string | null, out: Sinks): DiscoveryReply {
  const text = size === null || size === "" ? DEFAULT_SIZE : size;
  if (!/^[-+]?[0-9]{1,15}$/.test(text)) {
    return { ok: false, status: 400, body: `strconv.Atoi: parsing "${text}": invalid syntax` };
  }
  let token = "";
  for (let i = 0; i < 4; i++) token += nextUint32(state.generator).toString(16).padStart(8, "0");
  const number = Number(text);
  put(state, `/${token}/_config/size`, String(number), out);
  out.facts.push({ kind: "discovery.token-created", token, size: number });
  return { ok: true, token: `${state.host}/${token}` };
}

type KeysRequest = Extract<V2Request, { readonly op: "get" | "put" | "delete" | "watch" }>;

/**
 * Requests under a token, handed on to the store. `_config/size` can be written here too: the public
 * service does not offer it, but whoever runs a registry of their own makes tokens that way.
 *
 * @returns null for a watch that has to wait
 */
function answer(
  state: RegistryState,
  request: KeysRequest,
  id: number,
  out: Sinks,
): DiscoveryReply | null {
  const match = TOKEN_KEY.exec(request.key);
  if (match === null) return { ok: false, status: 404, body: "404 page not found\n" };
  const token = match[1] ?? "";
  const member = (match[2] ?? "/").slice(1);
  switch (request.op) {
    case "get":
      return get(state, request.key);
    case "put": {
      if (isDirectory(state, request.key))
        return failure(state, 403, 102, "Not a file", request.key);
      if (request.prevExist === false && state.entries.has(request.key)) {
        return failure(state, 412, 105, "Key already exists", request.key);
      }
      if (request.prevExist === true && !state.entries.has(request.key)) {
        return failure(state, 404, 100, "Key not found", request.key);
      }
      const event = put(state, request.key, request.value ?? "", out, request.prevExist);
      if (!member.startsWith("_")) {
        out.facts.push({ kind: "discovery.member-registered", token, member });
      }
      return success(event, state.index, event.prevNode === null ? 201 : 200);
    }
    case "delete": {
      const before = state.entries.get(request.key);
      if (isDirectory(state, request.key))
        return failure(state, 403, 102, "Not a file", request.key);
      if (before === undefined) return failure(state, 404, 100, "Key not found", request.key);
      const event = remove(state, request.key, before, out);
      out.facts.push({ kind: "discovery.member-removed", token, member });
      return success(event, state.index, 200);
    }
    case "watch":
      return watch(state, request, id);
  }
}

function get(state: RegistryState, key: string): DiscoveryReply {
  const entry = state.entries.get(key);
  if (entry !== undefined) {
    const node = nodeOf(key, entry);
    return { ok: true, status: 200, action: "get", node, etcdIndex: state.index };
  }
  if (!isDirectory(state, key)) return failure(state, 404, 100, "Key not found", key);
  const nodes: V2Node[] = [];
  let created = Number.MAX_SAFE_INTEGER;
  for (const [name, item] of state.entries) {
    if (!name.startsWith(`${key}/`)) continue;
    created = Math.min(created, item.created);
    // A name that begins with `_` is hidden from listings.
    if (!/\/(_|.*\/)/.test(name.slice(key.length))) nodes.push(nodeOf(name, item));
  }
  nodes.sort((a, b) => (a.key < b.key ? -1 : 1));
  const node: V2Node = {
    key: PREFIX + key,
    dir: true,
    nodes,
    modifiedIndex: created,
    createdIndex: created,
  };
  return { ok: true, status: 200, action: "get", node, etcdIndex: state.index };
}

function isDirectory(state: RegistryState, key: string): boolean {
  for (const name of state.entries.keys()) if (name.startsWith(`${key}/`)) return true;
  return false;
}

function nodeOf(key: string, entry: Entry): V2Node {
  return {
    key: PREFIX + key,
    value: entry.value,
    modifiedIndex: entry.modified,
    createdIndex: entry.created,
  };
}

function put(
  state: RegistryState,
  key: string,
  value: string,
  out: Sinks,
  prevExist?: boolean,
): Event {
  const before = state.entries.get(key);
  const index = ++state.index;
  const entry: Entry = { value, created: index, modified: index };
  const prevNode = before === undefined ? null : nodeOf(key, before);
  state.entries.set(key, entry);
  const action = prevExist === false ? "create" : prevExist === true ? "update" : "set";
  const event: Event = { index, action, key, node: nodeOf(key, entry), prevNode };
  record(state, event, out);
  return event;
}

function remove(state: RegistryState, key: string, before: Entry, out: Sinks): Event {
  const index = ++state.index;
  state.entries.delete(key);
  const node: V2Node = {
    key: PREFIX + key,
    modifiedIndex: index,
    createdIndex: before.created,
  };
  const event: Event = { index, action: "delete", key, node, prevNode: nodeOf(key, before) };
  record(state, event, out);
  return event;
}

/** Remembers an event and answers the watches it concerns. */
function record(state: RegistryState, event: Event, out: Sinks): void {
  state.events.push(event);
  if (state.events.length > HISTORY_MAX) state.events.shift();
  const waiting: Waiter[] = [];
  for (const waiter of state.waiters) {
    if (event.index < waiter.index || !concerns(event, waiter)) waiting.push(waiter);
    else {
      const reply = success(event, state.index, 200);
      out.effects.push({ kind: "registry-response", id: waiter.id, reply });
    }
  }
  if (waiting.length < state.waiters.length) state.waiters = waiting;
}

function concerns(event: Event, watcher: { readonly key: string; readonly recursive: boolean }) {
  if (event.key === watcher.key) return true;
  if (!watcher.recursive || !event.key.startsWith(`${watcher.key}/`)) return false;
  return !event.key.slice(watcher.key.length).includes("/_");
}

function watch(
  state: RegistryState,
  request: Extract<V2Request, { readonly op: "watch" }>,
  id: number,
): V2Response | null {
  const { key, recursive = false, waitIndex } = request;
  const index = waitIndex === undefined || waitIndex === 0 ? state.index + 1 : waitIndex;
  const oldest = state.events[0]?.index ?? state.index + 1;
  if (index < oldest && state.events.length >= HISTORY_MAX) {
    const cause = `the requested history has been cleared [${oldest}/${index}]`;
    const message = "The event in requested index is outdated and cleared";
    return { ok: false, status: 400, errorCode: 401, message, cause, index: state.index };
  }
  const past = state.events.find(
    (event) => event.index >= index && concerns(event, { key, recursive }),
  );
  if (past !== undefined) return success(past, state.index, 200);
  state.waiters.push({ id, key, recursive, index });
  return null;
}

function success(event: Event, etcdIndex: number, status: 200 | 201): V2Response {
  const { action, node, prevNode } = event;
  const reply = { ok: true, status, action, node, etcdIndex } as const;
  return prevNode === null ? reply : { ...reply, prevNode };
}

function failure(
  state: RegistryState,
  status: number,
  errorCode: number,
  message: string,
  key: string,
): V2Response {
  return { ok: false, status, errorCode, message, cause: PREFIX + key, index: state.index };
}

/**
 * The discovery service (coreos/discovery.etcd.io) with the store behind it. Tokens never expire: the
 * code of the service has no expiry, whoever runs it clears them away by hand.
 */
export const discoveryRegistry: Machine<
  RegistryConfig,
  RegistryState,
  RegistryStimulus,
  RegistryFact,
  RegistryEffect
> = { name: "discovery-registry", create, step };
