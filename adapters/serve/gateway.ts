import { etcdMethods, methodTypes } from "../etcd/proto.js";
import { RECEIVE_MAX } from "./grpc.js";
import type { Exchange } from "./http.js";
import { fromJson, JsonProblem, parseJson, toJson } from "./json.js";
import type { CallContext, MemberService } from "./service.js";
import { CallFailure } from "./status.js";
import { failureOf, type StreamSink } from "./stream.js";

/** A method and how it is called: by one message, by a stream of them, or for a stream of answers. */
type Route = readonly [path: string, kind?: "stream" | "answers"];

const KV = "/etcdserverpb.KV";
const LEASE = "/etcdserverpb.Lease";
const CLUSTER = "/etcdserverpb.Cluster";
const MAINTENANCE = "/etcdserverpb.Maintenance";
const AUTH = "/etcdserverpb.Auth";

/**
 * The JSON gateway's paths below `/v3` and `/v3beta`, as etcd 3.4 has them: without what 3.5 added, and with
 * `maintenance/hash` for Hash alone (there two methods are bound to it, and the first wins: #16490).
 */
const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["kv/range", [`${KV}/Range`]],
  ["kv/put", [`${KV}/Put`]],
  ["kv/deleterange", [`${KV}/DeleteRange`]],
  ["kv/txn", [`${KV}/Txn`]],
  ["kv/compaction", [`${KV}/Compact`]],
  ["watch", ["/etcdserverpb.Watch/Watch", "stream"]],
  ["lease/grant", [`${LEASE}/LeaseGrant`]],
  ["lease/revoke", [`${LEASE}/LeaseRevoke`]],
  ["kv/lease/revoke", [`${LEASE}/LeaseRevoke`]],
  ["lease/keepalive", [`${LEASE}/LeaseKeepAlive`, "stream"]],
  ["lease/timetolive", [`${LEASE}/LeaseTimeToLive`]],
  ["kv/lease/timetolive", [`${LEASE}/LeaseTimeToLive`]],
  ["lease/leases", [`${LEASE}/LeaseLeases`]],
  ["kv/lease/leases", [`${LEASE}/LeaseLeases`]],
  ["cluster/member/add", [`${CLUSTER}/MemberAdd`]],
  ["cluster/member/remove", [`${CLUSTER}/MemberRemove`]],
  ["cluster/member/update", [`${CLUSTER}/MemberUpdate`]],
  ["cluster/member/list", [`${CLUSTER}/MemberList`]],
  ["cluster/member/promote", [`${CLUSTER}/MemberPromote`]],
  ["maintenance/alarm", [`${MAINTENANCE}/Alarm`]],
  ["maintenance/status", [`${MAINTENANCE}/Status`]],
  ["maintenance/defragment", [`${MAINTENANCE}/Defragment`]],
  ["maintenance/hash", [`${MAINTENANCE}/Hash`]],
  ["maintenance/snapshot", [`${MAINTENANCE}/Snapshot`, "answers"]],
  ["maintenance/transfer-leadership", [`${MAINTENANCE}/MoveLeader`]],
  ["auth/enable", [`${AUTH}/AuthEnable`]],
  ["auth/disable", [`${AUTH}/AuthDisable`]],
  ["auth/authenticate", [`${AUTH}/Authenticate`]],
  ["auth/user/add", [`${AUTH}/UserAdd`]],
  ["auth/user/get", [`${AUTH}/UserGet`]],
  ["auth/user/list", [`${AUTH}/UserList`]],
  ["auth/user/delete", [`${AUTH}/UserDelete`]],
  ["auth/user/changepw", [`${AUTH}/UserChangePassword`]],
  ["auth/user/grant", [`${AUTH}/UserGrantRole`]],
  ["auth/user/revoke", [`${AUTH}/UserRevokeRole`]],
  ["auth/role/add", [`${AUTH}/RoleAdd`]],
  ["auth/role/get", [`${AUTH}/RoleGet`]],
  ["auth/role/list", [`${AUTH}/RoleList`]],
  ["auth/role/delete", [`${AUTH}/RoleDelete`]],
  ["auth/role/grant", [`${AUTH}/RoleGrantPermission`]],
  ["auth/role/revoke", [`${AUTH}/RoleRevokePermission`]],
  ["lock/lock", ["/v3lockpb.Lock/Lock"]],
  ["lock/unlock", ["/v3lockpb.Lock/Unlock"]],
  ["election/campaign", ["/v3electionpb.Election/Campaign"]],
  ["election/proclaim", ["/v3electionpb.Election/Proclaim"]],
  ["election/leader", ["/v3electionpb.Election/Leader"]],
  ["election/observe", ["/v3electionpb.Election/Observe", "answers"]],
  ["election/resign", ["/v3electionpb.Election/Resign"]],
]);

/** Answers what comes to `/v3/…` over HTTP/1.1. */
export async function gateway(service: MemberService, exchange: Exchange): Promise<void> {
  const [, , ...rest] = exchange.url.pathname.split("/");
  const route = ROUTES.get(rest.join("/"));
  if (route === undefined) return exchange.plainError(404, "Not Found");
  if (exchange.method !== "POST") return exchange.plainError(405, "Method Not Allowed");
  const [path, kind] = route;
  const { authorization: token, "grpc-metadata-hasleader": hasLeader } = exchange.request.headers;
  const context: CallContext = {
    asking: {
      ...(token === undefined ? {} : { token }),
      ...(hasLeader === "true" ? { requireLeader: true } : {}),
    },
    signal: exchange.signal,
  };
  const types = methodTypes(path);
  if (types === null) throw new Error(`no method ${path}`);
  if (kind === "stream") return stream(service, exchange, context, path, types);
  let message: Record<string, unknown>;
  try {
    const body = await exchange.body();
    if (body === null) throw new JsonProblem("http: request body too large");
    const text = body.toString("utf8");
    message = text.trim() === "" ? {} : fromJson(parseJson(text), types.request);
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    return answerFailure(exchange, new CallFailure(3, error.message), false);
  }
  if (kind === "answers") {
    const handle = service.open(path, context, sink(exchange, types.response));
    exchange.onDrain(() => handle.drained());
    exchange.signal.addEventListener("abort", () => handle.gone());
    handle.message(message);
    return;
  }
  try {
    checkSize(path, message);
    const answer = await service.call(path, message, context);
    exchange.header("Grpc-Metadata-Content-Type", "application/grpc");
    exchange.json(200, toJson(answer, types.response));
  } catch (error) {
    answerFailure(exchange, failureOf(error), true);
  }
}

/** The gateway is a client of the member's gRPC port, whose limit holds for it, too. */
function checkSize(path: string, message: Record<string, unknown>): void {
  const size = etcdMethods().get(path)?.requestSerialize(message).length ?? 0;
  if (size <= RECEIVE_MAX) return;
  const text = `grpc: received message larger than max (${size} vs. ${RECEIVE_MAX})`;
  throw new CallFailure(8, text);
}

/** One JSON value after the other, read as they come; an answer is a line. */
function stream(
  service: MemberService,
  exchange: Exchange,
  context: CallContext,
  path: string,
  types: { readonly request: string; readonly response: string },
): void {
  const handle = service.open(path, context, sink(exchange, types.response));
  const splitter = new JsonSplitter();
  exchange.onDrain(() => handle.drained());
  exchange.signal.addEventListener("abort", () => handle.gone());
  const { request } = exchange;
  request.on("data", (chunk: Buffer) => {
    try {
      for (const text of splitter.push(chunk.toString("latin1"))) {
        const utf8 = Buffer.from(text, "latin1").toString("utf8");
        handle.message(fromJson(parseJson(utf8), types.request));
      }
    } catch (error) {
      handle.gone(new CallFailure(3, failureOf(error).message));
    }
  });
  // The gateway leaves a watch open whose client has said all it has to say.
  request.on("end", () => {
    if (path !== "/etcdserverpb.Watch/Watch") handle.halfClosed();
  });
}

/** Cuts a stream of JSON objects where one ends and the next begins. */
export class JsonSplitter {
  #text = "";
  #at = 0;
  #depth = 0;
  #quoted = false;
  #escaped = false;

  /** The objects that are whole by now. Throws a `JsonProblem` for what cannot begin one, or is too long. */
  push(chunk: string): string[] {
    this.#text += chunk;
    const whole: string[] = [];
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (this.#quoted) {
        if (this.#escaped) this.#escaped = false;
        else if (char === "\\") this.#escaped = true;
        else if (char === '"') this.#quoted = false;
      } else if (char === '"') this.#quoted = this.#depth > 0 || fail(char);
      else if (char === "{") this.#depth++;
      else if (char === "}" && this.#depth > 0) {
        if (--this.#depth > 0) continue;
        whole.push(this.#text.slice(0, this.#at + 1));
        this.#text = this.#text.slice(this.#at + 1);
        this.#at = -1;
      } else if (this.#depth === 0 && !/\s/.test(char)) fail(char);
    }
    if (this.#text.length > OBJECT_MAX) throw new JsonProblem("http: request body too large");
    return whole;
  }
}

const OBJECT_MAX = 10 << 20;

function fail(char: string): never {
  throw new JsonProblem(`invalid character '${char}' looking for beginning of value`);
}

/** Answers as `{"result":…}`, one in a line. */
function sink(exchange: Exchange, type: string): StreamSink {
  return {
    send: (message) => {
      if (!exchange.answered) {
        exchange.header("Content-Type", "application/json");
        exchange.header("Grpc-Metadata-Content-Type", "application/grpc");
        exchange.begin(200);
      }
      return exchange.write(`${JSON.stringify({ result: toJson(message, type) })}\n`);
    },
    end: (failure) => {
      if (!exchange.answered) {
        if (failure !== null) answerFailure(exchange, failure, true);
        else exchange.header("Content-Type", "application/json").end(200, "");
        return;
      }
      if (failure !== null) {
        const { code, details } = failure;
        const error = {
          grpc_code: code,
          http_code: httpStatus(code),
          message: details,
          http_status: HTTP_TEXT[httpStatus(code)] ?? "",
        };
        exchange.write(`${JSON.stringify({ error })}\n`);
      }
      exchange.finish();
    },
  };
}

function answerFailure(exchange: Exchange, { code, details }: CallFailure, called: boolean): void {
  const body = { error: details, message: details, code };
  if (!called) exchange.json(httpStatus(code), body);
  else exchange.jsonWithTrailer(httpStatus(code), body, CALLED);
}

/** Of a call that reached gRPC. */
const CALLED = { "Grpc-Trailer-Content-Type": "application/grpc" };

/** The HTTP status that grpc-gateway 1.9 gives a gRPC code. */
function httpStatus(code: number): number {
  return HTTP_STATUS[code] ?? 500;
}

const HTTP_STATUS: Readonly<Record<number, number>> = {
  0: 200,
  1: 408,
  2: 500,
  3: 400,
  4: 504,
  5: 404,
  6: 409,
  7: 403,
  8: 429,
  9: 412,
  10: 409,
  11: 400,
  12: 501,
  13: 500,
  14: 503,
  15: 500,
  16: 401,
};

const HTTP_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  429: "Too Many Requests",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};
