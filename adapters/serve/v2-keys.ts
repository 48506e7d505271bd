import type {
  ClientReply,
  EtcdReply,
  V2Node,
  V2Request,
  V2Response,
} from "../../core/etcd/index.js";
import { v2Failure } from "../../core/etcd/v2-error.js";
import type { Exchange } from "./http.js";
import type { MemberPort } from "./port.js";

const METHODS = ["HEAD", "GET", "PUT", "POST", "DELETE"];

/** A store of the v2 API, whoever keeps it. */
export interface V2Port {
  /** What X-Etcd-Cluster-Id says. */
  clusterId(): string;
  /** Where the store is now; null when it cannot be told. */
  position(): {
    readonly index: number;
    readonly raftIndex: number;
    readonly raftTerm: number;
  } | null;
  ask(request: V2Request, heard: (reply: ClientReply) => void): { hangUp(): void };
}

function portOf(member: MemberPort): V2Port {
  return {
    clusterId: () => member.state()?.run?.clusterId ?? "",
    position: () => {
      const run = member.state()?.run ?? null;
      if (run === null) return null;
      const { v2, applied } = run.stores;
      return { index: v2.index, raftIndex: applied.index, raftTerm: run.node.term };
    },
    ask: (request, heard) => member.ask(request, {}, heard),
  };
}

/** Answers `/v2/keys/…`. Source: etcd 3.4 etcdserver/api/v2http/client.go, and its answers. */
export function v2Keys(member: MemberPort, exchange: Exchange, key: string): Promise<void> {
  return v2KeysOf(portOf(member), exchange, key);
}

/** Answers a request of the v2 keys API about `key` from any store. */
export async function v2KeysOf(store: V2Port, exchange: Exchange, key: string): Promise<void> {
  exchange.header("X-Etcd-Cluster-Id", store.clusterId());
  if (!METHODS.includes(exchange.method)) return exchange.notAllowed(METHODS.join(","));
  const body = await exchange.body();
  if (body === null) return refuse(exchange, v2Failure(210, "http: request body too large", 0));
  const form = readForm(exchange, body.toString("utf8"));
  const parsed = form instanceof Form ? readV2Request(exchange.method, key, form) : form;
  if ("ok" in parsed) return refuse(exchange, parsed);
  const { request, noValueOnSuccess } = parsed;
  if (request.op === "watch") return watch(store, exchange, request);
  const reply = await new Promise<EtcdReply | null>((resolve) => {
    const conversation = store.ask(request, (answer) =>
      resolve("action" in answer || "errorCode" in answer ? answer : null),
    );
    exchange.signal.addEventListener("abort", () => {
      conversation.hangUp();
      resolve(null);
    });
  });
  if (reply === null || "unreachable" in reply) return exchange.destroy();
  if (!reply.ok) return refuse(exchange, reply);
  headers(exchange, reply.etcdIndex, reply.raftIndex ?? 0, reply.raftTerm ?? 0);
  exchange.json(reply.status, v2Json(reply, noValueOnSuccess), "\n");
}

/** A long poll, or a stream: the head of the answer goes out before there is an event. */
function watch(
  store: V2Port,
  exchange: Exchange,
  request: V2Request & { readonly op: "watch" },
): void {
  const conversation = store.ask(request, (reply) => {
    if (!("action" in reply)) {
      if ("errorCode" in reply && !exchange.answered) refuse(exchange, reply);
      else exchange.destroy();
      return;
    }
    start();
    // A stream whose client does not read is ended, as etcd drops a watcher that is 100 events behind.
    const ready = exchange.write(`${JSON.stringify(v2Json(reply, false))}\n`);
    if (request.stream !== true || !ready) {
      conversation.hangUp();
      exchange.finish();
    }
  });
  const start = (): void => {
    const at = store.position();
    if (exchange.answered || at === null) return;
    headers(exchange, at.index, at.raftIndex, at.raftTerm);
    exchange.header("Content-Type", "application/json").begin(200);
  };
  exchange.signal.addEventListener("abort", () => conversation.hangUp());
  // What history or a refusal answers has been heard by then.
  setImmediate(() => {
    if (!exchange.signal.aborted) start();
  });
}

function headers(exchange: Exchange, index: number, raftIndex: number, raftTerm: number): void {
  exchange.header("X-Etcd-Index", index);
  exchange.header("X-Raft-Index", raftIndex);
  exchange.header("X-Raft-Term", raftTerm);
}

function refuse(exchange: Exchange, failure: V2Response & { readonly ok: false }): void {
  const { status, errorCode, message, cause, index } = failure;
  exchange.header("X-Etcd-Index", index);
  exchange.json(status, { errorCode, message, cause, index }, "\n");
}

/** A v2 answer as etcd's JSON. */
function v2Json(reply: V2Response & { readonly ok: true }, noValue: boolean): object {
  const { action, node, prevNode } = reply;
  if (noValue && ["set", "create", "update", "compareAndSwap"].includes(action)) return { action };
  return {
    action,
    node: nodeJson(node),
    ...(prevNode === undefined ? {} : { prevNode: nodeJson(prevNode) }),
  };
}

function nodeJson(node: V2Node): object {
  const { key, value, dir, expiration, ttl, nodes, modifiedIndex, createdIndex } = node;
  return {
    ...(key === "" ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    ...(dir === true ? { dir } : {}),
    ...(expiration === undefined ? {} : { expiration: rfc3339(expiration) }),
    ...(ttl === undefined || ttl === 0 ? {} : { ttl }),
    ...(nodes === undefined || nodes.length === 0 ? {} : { nodes: nodes.map(nodeJson) }),
    ...(modifiedIndex === 0 ? {} : { modifiedIndex }),
    ...(createdIndex === 0 ? {} : { createdIndex }),
  };
}

/** RFC 3339 as Go writes it: as many digits of the fraction as it needs. */
export function rfc3339(micros: number): string {
  const whole = new Date(Math.floor(micros / 1_000)).toISOString().slice(0, 19);
  const fraction = String(micros % 1_000_000)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return `${whole}${fraction === "" ? "" : `.${fraction}`}Z`;
}

/** Query and body together; the body's values come first, as in Go. */
class Form {
  readonly #body: URLSearchParams;
  readonly #query: URLSearchParams;

  constructor(body: URLSearchParams, query: URLSearchParams) {
    this.#body = body;
    this.#query = query;
  }

  get(name: string): string | null {
    return this.#body.get(name) ?? this.#query.get(name);
  }
}

type Refusal = V2Response & { readonly ok: false };

function readForm(exchange: Exchange, body: string): Form | Refusal {
  const posted = ["PUT", "POST"].includes(exchange.method);
  const type = exchange.request.headers["content-type"] ?? "";
  const text = posted && type.startsWith("application/x-www-form-urlencoded") ? body : "";
  const wrong = /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(`${text}&${exchange.url.search}`);
  if (wrong !== null) return v2Failure(210, `invalid URL escape "${wrong[0]}"`, 0);
  return new Form(new URLSearchParams(text), exchange.url.searchParams);
}

class Invalid extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.cause);
  }
}

function readV2Request(
  method: string,
  key: string,
  form: Form,
): { readonly request: V2Request; readonly noValueOnSuccess: boolean } | Refusal {
  try {
    return understand(method, key, form);
  } catch (error) {
    if (error instanceof Invalid) return error.refusal;
    throw error;
  }
}

/** Reads in the order of etcd's `parseKeyRequest`, which decides what is complained about first. */
function understand(method: string, key: string, form: Form) {
  const prevIndex = unsigned(form, "prevIndex");
  const waitIndex = unsigned(form, "waitIndex");
  const recursive = flag(form, "recursive");
  const sorted = flag(form, "sorted");
  const wait = flag(form, "wait");
  const dir = flag(form, "dir");
  const quorum = flag(form, "quorum");
  const stream = flag(form, "stream");
  if (wait && method !== "GET") {
    throw new Invalid(v2Failure(209, '"wait" can only be used with GET requests', 0));
  }
  const prevValue = form.get("prevValue") ?? undefined;
  if (prevValue === "") throw new Invalid(v2Failure(201, '"prevValue" cannot be empty', 0));
  const noValueOnSuccess = flag(form, "noValueOnSuccess");
  const ttl = timeToLive(form);
  const prevExist = form.get("prevExist");
  if (prevExist !== null && parseBool(prevExist) === null) {
    throw new Invalid(v2Failure(209, "invalid value for prevExist", 0));
  }
  const refresh = flag(form, "refresh");
  const value = form.get("value") ?? "";
  return {
    noValueOnSuccess,
    request: requestOf(method, key, {
      prevIndex,
      waitIndex,
      recursive,
      sorted,
      wait,
      dir,
      quorum,
      stream,
      prevValue,
      ttl,
      prevExist: prevExist === null ? null : parseBool(prevExist),
      refresh,
      value,
    }),
  };
}

interface Given {
  readonly prevIndex: number;
  readonly waitIndex: number;
  readonly recursive: boolean;
  readonly sorted: boolean;
  readonly wait: boolean;
  readonly dir: boolean;
  readonly quorum: boolean;
  readonly stream: boolean;
  readonly prevValue: string | undefined;
  readonly ttl: number | "" | undefined;
  readonly prevExist: boolean | null;
  readonly refresh: boolean;
  readonly value: string;
}

function requestOf(method: string, key: string, given: Given): V2Request {
  const { recursive, sorted, quorum, stream, dir, value, refresh } = given;
  const ttl = given.ttl === undefined ? {} : { ttl: given.ttl };
  const prevValue = given.prevValue === undefined ? {} : { prevValue: given.prevValue };
  const prevIndex = given.prevIndex === 0 ? {} : { prevIndex: given.prevIndex };
  const prevExist = given.prevExist === null ? {} : { prevExist: given.prevExist };
  switch (method) {
    case "PUT":
      return {
        op: "put",
        key,
        value,
        dir,
        refresh,
        ...ttl,
        ...prevValue,
        ...prevIndex,
        ...prevExist,
      };
    case "POST":
      return {
        op: "post",
        key,
        value,
        dir,
        ...(typeof given.ttl === "number" ? { ttl: given.ttl } : {}),
      };
    case "DELETE":
      return { op: "delete", key, recursive, dir, ...prevValue, ...prevIndex };
    default:
      // A quorum read is answered at once, whatever `wait` says.
      if (!given.wait || quorum) return { op: "get", key, recursive, sorted, quorum };
      return {
        op: "watch",
        key,
        recursive,
        stream,
        ...(given.waitIndex === 0 ? {} : { waitIndex: given.waitIndex }),
      };
  }
}

function unsigned(form: Form, name: string): number {
  const text = form.get(name);
  if (text === null) return 0;
  if (/^\d{1,20}$/.test(text)) return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
  throw new Invalid(v2Failure(203, `invalid value for "${name}"`, 0));
}

function timeToLive(form: Form): number | "" | undefined {
  const text = form.get("ttl");
  if (text === null) return undefined;
  if (text === "") return "";
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Invalid(v2Failure(202, 'invalid value for "ttl"', 0));
}

function flag(form: Form, name: string): boolean {
  const text = form.get(name);
  if (text === null) return false;
  const value = parseBool(text);
  if (value === null) throw new Invalid(v2Failure(209, `invalid value for "${name}"`, 0));
  return value;
}

/** Go's `strconv.ParseBool`. */
function parseBool(text: string): boolean | null {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  return null;
}
