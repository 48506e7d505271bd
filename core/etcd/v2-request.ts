import { type Micros, SECOND, type Sink, unreachable } from "../kernel/index.js";
import type { Revision, V2Request, V2Response } from "./client.js";
import { type V2Failure, v2Failure } from "./v2-error.js";
import { cleanKey } from "./v2-path.js";
import { countV2, type V2Counted } from "./v2-stats.js";
import type { V2Notice } from "./v2-watch.js";
import {
  type V2Comparison,
  type V2Lifetime,
  type V2Store,
  v2CompareAndDelete,
  v2CompareAndSwap,
  v2Create,
  v2CreateInOrder,
  v2Delete,
  v2Get,
  v2Set,
  v2Update,
} from "./v2store.js";

interface Write {
  readonly key: string;
  readonly dir: boolean;
  readonly value: string;
  readonly life: V2Lifetime;
}

/** A v2 request as it goes through the log: keys are clean, times are absolute, the operation is chosen. */
export type V2Command =
  | {
      readonly op: "get";
      readonly key: string;
      readonly recursive: boolean;
      readonly sorted: boolean;
    }
  | ({ readonly op: "create" | "create-in-order" | "set" } & Write)
  | {
      readonly op: "update";
      readonly key: string;
      readonly value: string;
      readonly life: V2Lifetime;
    }
  | {
      readonly op: "compare-and-swap";
      readonly key: string;
      readonly value: string;
      readonly life: V2Lifetime;
      readonly expected: V2Comparison;
    }
  | {
      readonly op: "delete";
      readonly key: string;
      readonly dir: boolean;
      readonly recursive: boolean;
    }
  | { readonly op: "compare-and-delete"; readonly key: string; readonly expected: V2Comparison };

/** A long poll; it is never replicated. */
export interface V2Watch {
  readonly op: "watch";
  readonly key: string;
  readonly recursive: boolean;
  readonly stream: boolean;
  readonly sinceIndex: Revision;
}

/** What a request asks: of the member's own store (`local`), or of the group through the log. */
export type V2Parsed =
  | { readonly ok: true; readonly local: true; readonly command: V2Watch | V2Command }
  | { readonly ok: true; readonly local: false; readonly command: V2Command }
  | { readonly ok: false; readonly failure: V2Failure };

/**
 * Chooses the operation of a request as etcd's HTTP layer and applier do, and fixes its times on the
 * clock `now` of the member that took it.
 *
 * Errors: 201 for an empty prevValue, 211 and 212 for a refresh with a value or without a ttl.
 */
export function parseV2Request(request: V2Request, now: Micros): V2Parsed {
  const key = cleanKey(request.key);
  switch (request.op) {
    case "get": {
      const { recursive = false, sorted = false, quorum = false } = request;
      return { ok: true, local: !quorum, command: { op: "get", key, recursive, sorted } };
    }
    case "watch": {
      const { recursive = false, stream = false, waitIndex = 0 } = request;
      const command: V2Watch = { op: "watch", key, recursive, stream, sinceIndex: waitIndex };
      return { ok: true, local: true, command };
    }
    case "put":
      return parsePut(request, key, now);
    case "post": {
      const life = { expiresAt: deadline(request.ttl, now), refresh: false };
      const { value, dir = false } = request;
      return replicated({ op: "create-in-order", key, dir, value, life });
    }
    case "delete": {
      if (request.prevValue === "") return refused(201, '"prevValue" cannot be empty');
      const expected = comparison(request.prevValue, request.prevIndex);
      if (expected !== null) return replicated({ op: "compare-and-delete", key, expected });
      const { dir = false, recursive = false } = request;
      return replicated({ op: "delete", key, dir, recursive });
    }
    default:
      return unreachable(request);
  }
}

function parsePut(
  request: Extract<V2Request, { readonly op: "put" }>,
  key: string,
  now: Micros,
): V2Parsed {
  const { value = "", dir = false, prevExist, refresh = false } = request;
  if (request.prevValue === "") return refused(201, '"prevValue" cannot be empty');
  if (refresh && value !== "") return refused(211, "A value was provided on a refresh");
  const expiresAt = deadline(request.ttl, now);
  if (refresh && expiresAt === null) return refused(212, "No TTL value set");
  const life = { expiresAt, refresh };
  if (prevExist === false) return replicated({ op: "create", key, dir, value, life });
  const expected = comparison(request.prevValue, request.prevIndex);
  if (expected !== null) return replicated({ op: "compare-and-swap", key, value, life, expected });
  if (prevExist === true) return replicated({ op: "update", key, value, life });
  return replicated({ op: "set", key, dir, value, life });
}

function replicated(command: V2Command): V2Parsed {
  return { ok: true, local: false, command };
}

function refused(code: 201 | 211 | 212, cause: string): V2Parsed {
  return { ok: false, failure: v2Failure(code, cause, 0) };
}

function comparison(prevValue = "", prevIndex = 0): V2Comparison | null {
  return prevValue === "" && prevIndex === 0 ? null : { prevValue, prevIndex };
}

/** When a node with this time to live expires; null if it does not, or not within what a clock can tell. */
function deadline(ttl: number | "" | undefined, now: Micros): Micros | null {
  if (ttl === undefined || ttl === "") return null;
  const at = now + ttl * SECOND;
  return Number.isSafeInteger(at) ? at : null;
}

/** Does what a command says. `now` is the clock of the member that applies it: it only shows in `ttl`. */
export function applyV2Command(
  store: V2Store,
  command: V2Command,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  const response = perform(store, command, now, notices);
  countV2(store.stats, COUNTED[command.op], response.ok);
  return response;
}

/** What requests count as. */
const COUNTED = {
  get: "get",
  set: "set",
  create: "create",
  "create-in-order": "create",
  update: "update",
  delete: "delete",
  "compare-and-swap": "compareAndSwap",
  "compare-and-delete": "compareAndDelete",
} as const satisfies Record<V2Command["op"], V2Counted>;

function perform(
  store: V2Store,
  command: V2Command,
  now: Micros,
  notices: Sink<V2Notice>,
): V2Response {
  const { key } = command;
  switch (command.op) {
    case "get":
      return v2Get(store, key, command.recursive, command.sorted, now);
    case "create":
      return v2Create(store, key, command.dir, command.value, command.life, now, notices);
    case "create-in-order":
      return v2CreateInOrder(store, key, command.dir, command.value, command.life, now, notices);
    case "set":
      return v2Set(store, key, command.dir, command.value, command.life, now, notices);
    case "update":
      return v2Update(store, key, command.value, command.life, now, notices);
    case "compare-and-swap": {
      const { expected, value, life } = command;
      return v2CompareAndSwap(store, key, expected, value, life, now, notices);
    }
    case "delete":
      return v2Delete(store, key, command.dir, command.recursive, now, notices);
    case "compare-and-delete":
      return v2CompareAndDelete(store, key, command.expected, now, notices);
    default:
      return unreachable(command);
  }
}
