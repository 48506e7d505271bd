import {
  applyV2Command,
  createV2Store,
  parseV2Request,
  type V2Request,
  type V2Response,
  v2Watch,
} from "../../core/etcd/index.js";
import {
  beginRequest,
  type FleetHttpRequest,
  heartbeat,
  nextStep,
  saveUnitState,
  schedule,
  writeMachine,
} from "../../core/fleet/index.js";
import { fromBytes, type GoJson, readGoJson, toBytes } from "../../core/go/index.js";
import { BrokenPromise, gist, promise, size } from "./promises.js";

/** A request as text: request line, content types, an empty line, the body. */
export function askFleetApi(text: string): readonly string[] {
  const [head = "", ...rest] = text.split("\n\n");
  const [line = "", ...contentTypes] = head.split("\n");
  const [method = "", target = ""] = line.split(" ", 2);
  const body = rawBytes(rest.join("\n\n"));
  const json = body === "" ? [] : compareJson(body);
  // Only what may write needs a registry of its own.
  const store = method === "GET" ? FILLED : copy(FILLED);
  return [...json, ...ask(store, { method, target, contentTypes, body })];
}

/** Bytes as they are below 256, so that not all are UTF-8; other characters as UTF-8. */
export function rawBytes(text: string): string {
  return text.replace(/[\u0100-\uffff]+/g, toBytes);
}

/** A copy of a store, which is plain data: faster by far than `structuredClone`. */
function copy<T>(value: T): T;
function copy(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(copy);
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [copy(key), copy(item)]));
  if (value instanceof Set) return new Set([...value].map(copy));
  const copied: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) copied[key] = copy(item);
  return copied;
}

/** More calls than any request makes. */
const CALLS_MAX = 5_000;

type Store = ReturnType<typeof createV2Store>;

const PREFIX = "/_coreos.com/fleet";

/** What earlier requests and a machine left. */
const FILLED: Store = (() => {
  const store = createV2Store();
  const put = (name: string, body: string): void => {
    const target = `/fleet/v1/units/${name}`;
    ask(store, { method: "PUT", target, contentTypes: ["application/json"], body });
  };
  put(
    "a.service",
    '{"desiredState":"loaded","options":[{"section":"Service","name":"ExecStart","value":"/bin/a"}]}',
  );
  put("web@.service", '{"options":[{"section":"X-Fleet","name":"Global","value":"true"}]}');
  put(
    "b.service",
    '{"desiredState":"launched","options":[{"section":"S","name":"n","value":"v"}]}',
  );
  const report = { load: "loaded", active: "active", sub: "running", hash: "1".repeat(40) };
  const machine = { id: "m1", publicIp: "192.0.2.1", metadata: { disk: "ssd" } };
  for (const request of [
    writeMachine(PREFIX, machine, 30, false),
    schedule(PREFIX, "b.service", "m1"),
    heartbeat(PREFIX, "b.service", "m1", 30),
    ...saveUnitState(PREFIX, "b.service", "m1", report, 30),
  ]) {
    answer(store, request);
  }
  return store;
})();

function ask(store: Store, request: FleetHttpRequest): string[] {
  const { run, response } = beginRequest(request, true);
  if (run === null) {
    promise(response.kind !== "refused", "somebody listens");
    return [`at once ${response.kind} ${response.kind === "answer" ? response.status : ""}`];
  }
  for (let calls = 0; calls < CALLS_MAX; calls++) {
    const step = nextStep({ keyPrefix: PREFIX, profile: "faithful" }, run);
    if (step.call === null) {
      const { response: last } = step;
      if (last.kind !== "answer") return [last.kind];
      fromBytes(last.body);
      const message = /"message":"([^"]*)/.exec(last.body)?.[1] ?? "";
      return [
        `${request.method.slice(0, 8)} ${last.status} ${gist(message)}`,
        size("calls", calls),
      ];
    }
    run.replies.push(answer(store, step.call));
  }
  throw new BrokenPromise(`a request ends within ${CALLS_MAX} calls`);
}

function answer(store: Store, request: V2Request): V2Response {
  const parsed = parseV2Request(request, 0);
  if (!parsed.ok) return parsed.failure;
  const { command } = parsed;
  if (command.op !== "watch") return applyV2Command(store, command, 0, []);
  const { key, recursive, sinceIndex } = command;
  const event = v2Watch(store, 1, key, recursive, false, sinceIndex);
  promise(event !== null, "the API never waits");
  return event;
}

/**
 * The reader of JSON against the one of the engine: Go's decoder stops behind the first value and
 * reads what is no character as U+FFFD; else they must say the same.
 */
function compareJson(body: string): string[] {
  const ours = readGoJson(body);
  const theirs = parsed(fromBytes(body));
  if (theirs !== undefined) {
    promise(ours.ok || ours.error === "exceeded max depth", "JSON.parse takes what is refused");
    const same = !ours.ok || JSON.stringify(plain(ours.value)) === JSON.stringify(theirs);
    promise(same, "JSON.parse reads another value");
  }
  return [ours.ok ? `json ${ours.value.type}` : `json ${gist(ours.error.replace(/'.*?'/, ""))}`];
}

/** Nested more deeply, the engine's functions on values have no stack left. */
const COMPARED_DEPTH = 1_000;

/** Undefined when it is not JSON, or too deep to be compared. */
function parsed(text: string): unknown {
  if (text.split(/[[{]/).length > COMPARED_DEPTH) return undefined;
  try {
    return wellFormed(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The same value with U+FFFD for halves of pairs of surrogates. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/\p{Surrogate}/gu, "\ufffd");
  if (Array.isArray(value)) return value.map(wellFormed);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, item]) => [
    key.replace(/\p{Surrogate}/gu, "\ufffd"),
    wellFormed(item),
  ]);
  return Object.fromEntries(entries);
}

function plain(value: GoJson): unknown {
  switch (value.type) {
    case "null":
      return null;
    case "bool":
    case "string":
      return value.value;
    case "number":
      return Number(value.text);
    case "array":
      return value.items.map(plain);
    case "object":
      return Object.fromEntries(value.entries.map(([key, item]) => [key, plain(item)]));
  }
}
