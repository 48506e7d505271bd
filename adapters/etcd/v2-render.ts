import type { EtcdReply, V2Action, V2Node, V2Request } from "../../core/etcd/client.js";
import type { Micros } from "../../core/kernel/index.js";

/** A v2 request as HTTP: method, path with query, and the form in the body, "" for none. */
export interface V2Http {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly form: string;
}

/** Writes a request of the v2 keys API as HTTP. */
export function v2Http(request: V2Request): V2Http {
  const query = new URLSearchParams();
  const form = new URLSearchParams();
  const flag = (name: string, value: boolean | number | string | undefined): void => {
    if (value !== undefined) query.set(name, String(value));
  };
  switch (request.op) {
    case "get":
      flag("recursive", request.recursive);
      flag("sorted", request.sorted);
      flag("quorum", request.quorum);
      break;
    case "watch":
      query.set("wait", "true");
      flag("recursive", request.recursive);
      flag("waitIndex", request.waitIndex);
      break;
    case "put":
      flag("dir", request.dir);
      flag("prevExist", request.prevExist);
      flag("prevValue", request.prevValue);
      flag("prevIndex", request.prevIndex);
      flag("refresh", request.refresh);
      if (request.value !== undefined) form.set("value", request.value);
      if (request.ttl !== undefined) form.set("ttl", String(request.ttl));
      break;
    case "post":
      form.set("value", request.value);
      if (request.ttl !== undefined) form.set("ttl", String(request.ttl));
      break;
    case "delete":
      flag("recursive", request.recursive);
      flag("dir", request.dir);
      flag("prevValue", request.prevValue);
      flag("prevIndex", request.prevIndex);
      break;
  }
  const key = request.key.split("/").map(encodeURIComponent).join("/");
  const search = query.toString();
  const path = `/v2/keys${key.startsWith("/") ? "" : "/"}${key}${search === "" ? "" : `?${search}`}`;
  return { method: METHOD[request.op], path, form: form.toString() };
}

const METHOD = { get: "GET", watch: "GET", put: "PUT", post: "POST", delete: "DELETE" } as const;

const ACTIONS: readonly V2Action[] = [
  "get",
  "set",
  "create",
  "update",
  "delete",
  "compareAndSwap",
  "compareAndDelete",
  "expire",
];

/**
 * Reads an answer of the v2 keys API. What is not etcd's JSON (a proxy's page, `404 page not
 * found` of a member without `--enable-v2`, a body cut short) becomes an error with code 0 and the
 * start of the text, except an empty body, which is how a member that stops ends its watches.
 *
 * @param etcdIndex - the X-Etcd-Index header, null when absent
 */
export function readV2(status: number, etcdIndex: string | null, body: string): EtcdReply {
  const json = parse(body);
  if (isObject(json) && (status === 200 || status === 201)) {
    const node = readNode(json.node);
    const action = ACTIONS.find((known) => known === json.action);
    if (node !== null && action !== undefined) {
      const prevNode = readNode(json.prevNode);
      return {
        ok: true,
        status,
        action,
        node,
        ...(prevNode === null ? {} : { prevNode }),
        etcdIndex: Number(etcdIndex ?? 0),
      };
    }
  }
  if (isObject(json) && typeof json.errorCode === "number") {
    const { errorCode, message, cause, index } = json;
    return {
      ok: false,
      status,
      errorCode,
      message: typeof message === "string" ? message : "",
      cause: typeof cause === "string" ? cause : "",
      index: typeof index === "number" ? index : 0,
    };
  }
  if (body.trim() === "") return { ok: false, unreachable: "closed" };
  const message = body.trim().slice(0, 200);
  return { ok: false, status, errorCode: 0, message, cause: "", index: 0 };
}

function readNode(json: unknown): V2Node | null {
  if (!isObject(json)) return null;
  const { key, value, dir, nodes, expiration, ttl, modifiedIndex, createdIndex } = json;
  return {
    // The root has no key of its own in etcd's answers.
    key: typeof key === "string" ? key : "/",
    ...(typeof value === "string" ? { value } : {}),
    ...(dir === true ? { dir } : {}),
    ...(Array.isArray(nodes) ? { nodes: nodes.map(readNode).filter((node) => node !== null) } : {}),
    ...(typeof expiration === "string" ? { expiration: microsOf(expiration) } : {}),
    ...(typeof ttl === "number" ? { ttl } : {}),
    modifiedIndex: typeof modifiedIndex === "number" ? modifiedIndex : 0,
    createdIndex: typeof createdIndex === "number" ? createdIndex : 0,
  };
}

/** µs since 1970 of an RFC 3339 time in UTC with up to nine digits of fraction. */
function microsOf(time: string): Micros {
  const [, seconds = "", fraction = ""] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(time) ?? [];
  const whole = Date.parse(`${seconds}Z`);
  if (Number.isNaN(whole)) return 0;
  return whole * 1_000 + Number(fraction.padEnd(6, "0").slice(0, 6));
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
