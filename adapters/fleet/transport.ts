import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import {
  beginRequest,
  type FleetHttpRequest,
  type FleetHttpResponse,
  nextStep,
} from "../../core/fleet/index.js";
import type { Micros } from "../../core/kernel/index.js";
import type { EtcdV2Client, TlsFiles } from "../etcd/index.js";
import { overStream } from "../ssh/index.js";

/** The way to a fleet: to its API, to its etcd, or to a simulated one. */
export interface FleetTransport {
  /** Where it leads, as users wrote it. */
  readonly name: string;
  /** Carries one request out. Rejects with `Unreachable` when there is no answer. */
  exchange(request: FleetHttpRequest): Promise<FleetHttpResponse>;
  /** Asks the fleet's etcd; null where there is no way to it. */
  readonly etcd: ((request: V2Request) => Promise<EtcdReply>) | null;
  /** Lets time pass there; rejects with `Unreachable` when there is none left. */
  sleep(ms: number): Promise<void>;
  close(): void;
}

/** There is no answer, and why. */
export class Unreachable extends Error {}

/** An answer above this is not read to its end, bytes. */
const BODY_MAX = 64 << 20;

/** Where an API listens. */
export type FleetEndpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly tls: boolean };

/** `unix:///var/run/fleet.sock`, `http://HOST:PORT` or `https://HOST:PORT`; null for anything else. */
export function readFleetEndpoint(text: string): FleetEndpoint | null {
  const unix = /^(?:unix|file):\/\/(\/.+)$/.exec(text)?.[1];
  if (unix !== undefined) return { kind: "unix", path: unix };
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.pathname !== "/") return null;
  const tls = url.protocol === "https:";
  return { kind: "tcp", host: url.hostname, port: Number(url.port || (tls ? "443" : "80")), tls };
}

/** How to get to an API. */
export interface FleetWay {
  /** Of one request, ms. */
  readonly timeoutMs: number;
  /** For `https`: what to trust, and what to show. */
  readonly tls?: TlsFiles;
  /** Makes a stream to the endpoint, where it is reached through something else. */
  readonly stream?: () => Promise<Duplex>;
}

/** fleet's API over HTTP, on a socket or a port. */
export function httpTransport(
  name: string,
  endpoint: FleetEndpoint,
  way: FleetWay,
): FleetTransport {
  const place = placeOf(endpoint, way);
  const isTls = endpoint.kind === "tcp" && endpoint.tls;
  return {
    name,
    etcd: null,
    exchange: (request) => exchange(name, place, isTls, request, way.timeoutMs),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: () => {},
  };
}

function placeOf(endpoint: FleetEndpoint, { tls, stream }: FleetWay): RequestOptions {
  const isUnix = endpoint.kind === "unix";
  const host = isUnix ? "domain-sock" : endpoint.host;
  if (stream !== undefined) {
    const options = !isUnix && endpoint.tls ? { ...tls, servername: host } : null;
    return { host, createConnection: overStream(stream, options) };
  }
  const own = isUnix ? { socketPath: endpoint.path } : { port: endpoint.port, ...tls };
  return { host, agent: false, ...own };
}

function exchange(
  name: string,
  place: RequestOptions,
  isTls: boolean,
  { method, target, contentTypes, body }: FleetHttpRequest,
  timeoutMs: number,
): Promise<FleetHttpResponse> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body, "latin1");
    const type = contentTypes.length === 0 ? {} : { "Content-Type": contentTypes.join(", ") };
    const headers = { ...type, "Content-Length": bytes.length };
    const failed = (why: string): void => reject(new Unreachable(`${name}: ${why}`));
    const send = isTls ? httpsRequest : httpRequest;
    const sent = send({ ...place, method, path: target, headers });
    const timer = setTimeout(() => {
      sent.destroy();
      failed(`no answer within ${timeoutMs} ms`);
    }, timeoutMs);
    sent.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      failed(reasonOf(error));
    });
    sent.on("response", (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on("data", (part: Buffer) => {
        size += part.length;
        if (size > BODY_MAX) response.destroy(new Error("the answer is too large"));
        else parts.push(part);
      });
      response.on("error", (error) => failed(error.message));
      response.on("end", () => {
        clearTimeout(timer);
        resolve({
          kind: "answer",
          status: response.statusCode ?? 0,
          headers: { "Content-Type": response.headers["content-type"] ?? "" },
          body: Buffer.concat(parts).toString("utf8"),
        });
      });
    });
    sent.end(bytes);
  });
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused: nobody listens there";
    case "ENOENT":
      return "there is no such socket";
    case "EACCES":
      return "not allowed to use the socket";
    case "ECONNRESET":
      return "the connection was closed without an answer";
    default:
      return message;
  }
}

const UNREACHABLE = {
  refused: "connection refused: nobody listens there",
  closed: "the connection was closed without an answer",
  timeout: "no answer in time",
} as const;

/**
 * A fleet by way of its etcd, as fleetctl's driver `etcd` reaches it: what the API server would do is
 * done here. `timeout` is that of one request to etcd.
 */
export function etcdTransport(
  name: string,
  etcd: EtcdV2Client,
  keyPrefix: string,
  timeout: Micros,
): FleetTransport {
  const ask = async (request: V2Request): Promise<EtcdReply> => {
    const reply = await etcd.ask(request, timeout);
    if (!reply.ok && "errorCode" in reply && reply.errorCode === 0) {
      const found = `status ${reply.status}, ${reply.message}`;
      const advice = "etcd (3.5 and older) has it with --enable-v2=true";
      throw new Unreachable(`etcd at ${name}: there is no v2 keys API (${found}); ${advice}`);
    }
    if (reply.ok || !("unreachable" in reply)) return reply;
    throw new Unreachable(`etcd at ${name}: ${UNREACHABLE[reply.unreachable]}`);
  };
  return {
    name,
    etcd: ask,
    exchange: async (request) => {
      const begun = beginRequest(request, true);
      if (begun.run === null) return begun.response;
      for (;;) {
        const step = nextStep({ keyPrefix, profile: "fixed" }, begun.run);
        if (step.call === null) return step.response;
        begun.run.replies.push(await ask(step.call));
      }
    },
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: () => etcd.close(),
  };
}
