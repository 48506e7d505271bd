import fc from "fast-check";
import {
  applyV2Command,
  createV2Store,
  parseV2Request,
  type V2Node,
  type V2Notice,
  type V2Request,
  type V2Response,
  type V2Store,
  v2Expire,
  v2Get,
  v2Watch,
} from "../../core/etcd/index.js";

/**
 * Random v2 requests, put to a real etcd over HTTP and to the model, answer by answer. Indexes are
 * compared as they are: the model starts at the server's index, with the server's keys removed.
 */

/** A request whose indexes are not known before it is run. */
export type Step =
  | { readonly request: V2Request }
  | {
      readonly request: Extract<V2Request, { readonly op: "put" | "delete" }>;
      /** Adds prevIndex: that of the key as it is, or one that it has not. */
      readonly prevIndex: "current" | "other";
    }
  | {
      readonly request: Extract<V2Request, { readonly op: "watch" }>;
      /** Adds waitIndex: so many changes back, from the beginning of the run at the earliest. */
      readonly back: number;
    };

const segment = fc.constantFrom("a", "b", "c", "_h", "ab", "é");
const key = fc
  .oneof(
    { weight: 12, arbitrary: fc.array(segment, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant<string[]>([]) },
  )
  .map((segments) => `/${segments.join("/")}`);
const flag = fc.boolean();
const value = fc.constantFrom("", "x", "y", "longer value & more=1");
const ttl = fc.constantFrom<number | "">(1000, 5000, "");

/** Seconds; runs out within a test. */
export const SHORT_TTL = 2;

function optional<T extends object>(
  record: { [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<Partial<T>> {
  return fc.record(record, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;
}

const get = fc
  .tuple(key, optional({ recursive: flag, sorted: flag, quorum: flag }))
  .map(([at, options]): Step => ({ request: { op: "get", key: at, ...options } }));

const putOptions = optional({
  value,
  ttl,
  dir: flag,
  prevExist: flag,
  prevValue: fc.constantFrom("x", "y", "nope", ""),
  refresh: flag,
});
const put = fc
  .tuple(key, putOptions)
  .map(([at, options]): Step => ({ request: { op: "put", key: at, ...options } }));
const plainPut = fc.tuple(key, value, flag).map(
  ([at, text, dir]): Step => ({
    request: { op: "put", key: at, ...(dir ? { dir } : { value: text }) },
  }),
);
const putIndexed = fc
  .tuple(key, value, fc.constantFrom<"current" | "other">("current", "other"))
  .map(
    ([at, text, prevIndex]): Step => ({ request: { op: "put", key: at, value: text }, prevIndex }),
  );
const post = fc
  .tuple(key, value, optional({ ttl: fc.constant(1000), dir: flag }))
  .map(
    ([at, text, options]): Step => ({ request: { op: "post", key: at, value: text, ...options } }),
  );
const remove = fc
  .tuple(key, optional({ recursive: flag, dir: flag, prevValue: fc.constantFrom("x", "") }))
  .map(([at, options]): Step => ({ request: { op: "delete", key: at, ...options } }));
const removeIndexed = fc
  .tuple(key, fc.constantFrom<"current" | "other">("current", "other"))
  .map(([at, prevIndex]): Step => ({ request: { op: "delete", key: at }, prevIndex }));
const watch = fc
  .tuple(key, flag, fc.nat({ max: 12 }))
  .map(([at, recursive, back]): Step => ({ request: { op: "watch", key: at, recursive }, back }));

/** One request. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: plainPut },
  { weight: 4, arbitrary: put },
  { weight: 2, arbitrary: putIndexed },
  { weight: 2, arbitrary: post },
  { weight: 3, arbitrary: remove },
  { weight: 1, arbitrary: removeIndexed },
  { weight: 3, arbitrary: get },
  { weight: 2, arbitrary: watch },
);

const shortPut = fc
  .tuple(key, fc.record({ dir: flag, refresh: flag }, { requiredKeys: [] }))
  .map(([at, options]): Step => ({ request: { op: "put", key: at, ttl: SHORT_TTL, ...options } }));

/** One request, of which many let keys and directories expire soon. */
export const expiringStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: shortPut },
  { weight: 1, arbitrary: watch },
  { weight: 2, arbitrary: step },
);

/** What both sides are brought to before they are compared. */
export type Answer =
  | {
      readonly status: number;
      readonly errorCode: number;
      readonly message: string;
      readonly cause: string;
      readonly index: number;
    }
  | {
      readonly status: number;
      readonly action: string;
      readonly etcdIndex: number;
      readonly node: unknown;
      readonly prevNode: unknown;
    };

/** A difference between the server and the model. */
export interface Difference {
  readonly at: number;
  readonly request: V2Request;
  readonly server: Answer | "waiting";
  readonly model: Answer | "waiting";
}

/** The model's side of a run. */
interface Model {
  readonly store: V2Store;
  readonly fired: Map<number, V2Response>;
  readonly base: number;
}

/** The server's side of a watch that has not answered. */
interface OpenWatch {
  readonly at: number;
  readonly request: V2Request;
  readonly abort: AbortController;
  answer: Answer | "waiting";
  readonly done: Promise<void>;
}

/**
 * Runs steps on a server whose keys are removed first; returns every difference. With `expireMs` both
 * sides then wait so long, which must be enough for every ttl of `SHORT_TTL` to run out.
 */
export async function compareRuns(
  clientUrl: string,
  steps: readonly Step[],
  expireMs = 0,
): Promise<Difference[]> {
  await removeAllKeys(clientUrl);
  const base = await indexOf(clientUrl);
  const store = createV2Store();
  store.index = base;
  const model: Model = { store, fired: new Map(), base };
  const open: OpenWatch[] = [];
  const differences: Difference[] = [];
  const began = Date.now();
  const compare = async (at: number, request: V2Request): Promise<void> => {
    const expected = runModel(model, at, request);
    const { answer: server, watching } = await runServer(clientUrl, at, request);
    if (watching !== null) open.push(watching);
    if (!equal(server, expected)) differences.push({ at, request, server, model: expected });
  };
  for (const [at, item] of steps.entries()) await compare(at, resolveStep(model, item));
  if (expireMs > 0) {
    // On a machine too slow to finish the steps before the first key expires nothing can be said.
    fc.pre(Date.now() - began < SHORT_TTL * 1000);
    await pause(expireMs);
    expireModel(model);
    const all: V2Request = { op: "get", key: "/", recursive: true, quorum: true };
    await compare(steps.length, all);
  }
  for (const watching of open) {
    const response = model.fired.get(watching.at);
    if (response !== undefined) await Promise.race([watching.done, pause(2000)]);
    const expected = response === undefined ? "waiting" : normalise(response);
    if (!equal(watching.answer, expected)) {
      const { at, request, answer: server } = watching;
      differences.push({ at, request, server, model: expected });
    }
    watching.abort.abort();
  }
  return differences;
}

function expireModel(model: Model): void {
  const notices: V2Notice[] = [];
  const now = Date.now() * 1000;
  v2Expire(model.store, now, now, notices);
  for (const { id, response } of notices) model.fired.set(id, response);
}

/** States a step's request, with the indexes of the store before it. */
export function resolveStep(model: Pick<Model, "store" | "base">, item: Step): V2Request {
  if ("prevIndex" in item) {
    const found = v2Get(model.store, item.request.key, false, false, 0);
    const current = found.ok ? found.node.modifiedIndex : 1;
    return { ...item.request, prevIndex: item.prevIndex === "current" ? current : current + 7 };
  }
  if ("back" in item) {
    const waitIndex = Math.max(model.base + 1, model.store.index + 1 - item.back);
    return { ...item.request, waitIndex };
  }
  return item.request;
}

function runModel(model: Model, at: number, request: V2Request): Answer | "waiting" {
  // No two requests at the same time: those that expire then would have no order.
  const now = Date.now() * 1000 + at;
  const parsed = parseV2Request(request, now);
  if (!parsed.ok) return normalise(parsed.failure);
  const { command } = parsed;
  if (command.op === "watch") {
    const { key: at_, recursive, stream, sinceIndex } = command;
    const response = v2Watch(model.store, at, at_, recursive, stream, sinceIndex);
    return response === null ? "waiting" : normalise(response);
  }
  const notices: V2Notice[] = [];
  const response = applyV2Command(model.store, command, now, notices);
  for (const { id, response: event } of notices) model.fired.set(id, event);
  return normalise(response);
}

async function runServer(
  clientUrl: string,
  at: number,
  request: V2Request,
): Promise<{ answer: Answer | "waiting"; watching: OpenWatch | null }> {
  const abort = new AbortController();
  const response = await fetch(...httpRequest(clientUrl, request, abort.signal));
  const read = async (): Promise<Answer> => answerOf(response, await response.text());
  if (request.op !== "watch" || response.status !== 200) {
    return { answer: await read(), watching: null };
  }
  const watching: OpenWatch = {
    at,
    request,
    abort,
    answer: "waiting",
    done: read().then(
      (answer) => {
        watching.answer = answer;
      },
      () => {},
    ),
  };
  // The headers come when the watch stands; an event of the past follows at once.
  const early = await Promise.race([watching.done.then(() => true), pause(15).then(() => false)]);
  if (early) return { answer: watching.answer, watching: null };
  return { answer: "waiting", watching };
}

/** The HTTP request that states a v2 request. */
export function httpRequest(
  clientUrl: string,
  request: V2Request,
  signal: AbortSignal,
): [string, RequestInit] {
  const path = request.key.split("/").map(encodeURIComponent).join("/");
  const parameters = new URLSearchParams();
  for (const [name, option] of Object.entries(request)) {
    if (name !== "op" && name !== "key") parameters.set(name, String(option));
  }
  const url = `${clientUrl}/v2/keys${path}`;
  switch (request.op) {
    case "watch":
      parameters.set("wait", "true");
      return [`${url}?${parameters}`, { method: "GET", signal }];
    case "get":
      return [`${url}?${parameters}`, { method: "GET", signal }];
    case "delete":
      return [`${url}?${parameters}`, { method: "DELETE", signal }];
    case "put":
      return [url, { method: "PUT", body: parameters, signal }];
    case "post":
      return [url, { method: "POST", body: parameters, signal }];
  }
}

interface ServerNode {
  readonly key?: string;
  readonly value?: string;
  readonly dir?: boolean;
  readonly nodes?: readonly ServerNode[];
  readonly expiration?: string;
  readonly ttl?: number;
  readonly modifiedIndex?: number;
  readonly createdIndex?: number;
}

interface ServerBody {
  readonly errorCode?: number;
  readonly message?: string;
  readonly cause?: string;
  readonly index?: number;
  readonly action?: string;
  readonly node?: ServerNode;
  readonly prevNode?: ServerNode;
}

/** A server's answer. */
export function answerOf(response: Response, text: string): Answer {
  const body = JSON.parse(text) as ServerBody;
  const { status } = response;
  if (body.errorCode !== undefined) {
    const { errorCode, message = "", cause = "", index = 0 } = body;
    return { status, errorCode, message, cause, index };
  }
  const etcdIndex = Number(response.headers.get("x-etcd-index"));
  const show = (node: ServerNode | undefined): unknown =>
    node === undefined
      ? null
      : shape(node, node.expiration === undefined ? null : Date.parse(node.expiration));
  return {
    status,
    action: body.action ?? "",
    etcdIndex,
    node: show(body.node),
    prevNode: show(body.prevNode),
  };
}

/** The model's answer. */
export function normalise(response: V2Response): Answer {
  if (!response.ok) {
    const { status, errorCode, message, cause, index } = response;
    return { status, errorCode, message, cause, index };
  }
  const { status, action, etcdIndex, node, prevNode } = response;
  const show = (shown: V2Node): unknown =>
    shape(shown, shown.expiration === undefined ? null : shown.expiration / 1000);
  return {
    status,
    action,
    etcdIndex,
    node: show(node),
    prevNode: prevNode === undefined ? null : show(prevNode),
  };
}

/** Children by key, since etcd lists them in random order; times to within what two clock readings differ. */
function shape(node: ServerNode | V2Node, expirationMs: number | null): unknown {
  const children = (node.nodes ?? []).map((child: ServerNode | V2Node) => {
    const at = child.expiration;
    return shape(
      child,
      at === undefined ? null : typeof at === "string" ? Date.parse(at) : at / 1000,
    );
  });
  return {
    key: node.key ?? "",
    value: node.value ?? null,
    dir: node.dir ?? false,
    modifiedIndex: node.modifiedIndex ?? 0,
    createdIndex: node.createdIndex ?? 0,
    expires: expirationMs === null ? null : Math.round((expirationMs - Date.now()) / 100_000),
    ttl: Math.round((node.ttl ?? 0) / 100) || null,
    nodes: children.sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)),
  };
}

function equal(server: Answer | "waiting", model: Answer | "waiting"): boolean {
  return JSON.stringify(server) === JSON.stringify(model);
}

async function indexOf(clientUrl: string): Promise<number> {
  const response = await fetch(`${clientUrl}/v2/keys/?quorum=true`);
  await response.text();
  return Number(response.headers.get("x-etcd-index"));
}

/** Hidden keys do not show in the listing of the root, so the one name that is used is removed by name. */
async function removeAllKeys(clientUrl: string): Promise<void> {
  const response = await fetch(`${clientUrl}/v2/keys/?quorum=true`);
  const body = (await response.json()) as ServerBody;
  const keys = ["/_h", ...(body.node?.nodes ?? []).map((node) => node.key ?? "")];
  for (const name of keys) {
    const path = name.split("/").map(encodeURIComponent).join("/");
    const gone = await fetch(`${clientUrl}/v2/keys${path}?recursive=true`, { method: "DELETE" });
    await gone.text();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
