import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { withAuthority } from "./authority.js";
import { gateway } from "./gateway.js";
import { GrpcFront } from "./grpc.js";
import { Exchange } from "./http.js";
import { metricsText } from "./metrics.js";
import type { MemberPort } from "./port.js";
import { MemberService } from "./service.js";
import { failureOf } from "./stream.js";
import { v2Machines, v2Members, v2Stats } from "./v2-admin.js";
import { v2Keys } from "./v2-keys.js";

/** Further HTTP paths of a host, such as another daemon's API. True: it has taken the request. */
export type HttpExtension = (exchange: Exchange) => boolean;

export interface FrontOptions {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly extension?: HttpExtension;
}

/**
 * A member's client port: gRPC over HTTP/2, and over HTTP/1.1 the JSON gateway, the v2 API, health,
 * version and metrics, told apart by the first bytes, as etcd does it.
 */
export class MemberFront {
  readonly #member: MemberPort;
  readonly #options: FrontOptions;
  readonly #service: MemberService;
  readonly #http: HttpServer;
  readonly #sockets = new Set<Socket>();
  #grpc: GrpcFront | null = null;
  #server: Server | null = null;

  constructor(member: MemberPort, options: FrontOptions) {
    this.#member = member;
    this.#options = options;
    this.#service = new MemberService(member);
    this.#http = createHttpServer({ requestTimeout: 0 }, (request, response) => {
      const exchange = new Exchange(request, response);
      this.#route(exchange).catch((error: unknown) => {
        if (exchange.answered || exchange.signal.aborted) exchange.destroy();
        else exchange.plainError(500, failureOf(error).message);
      });
    });
    // The Keep-Alive and Connection headers that Node adds are not etcd's.
    this.#http.keepAliveTimeout = 0;
    this.#http.on("clientError", (_, socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      else socket.destroy();
    });
  }

  get listening(): boolean {
    return this.#server !== null;
  }

  /** Begins to listen. Rejects with what Node says when the port is taken. */
  open(): Promise<void> {
    if (this.#server !== null) return Promise.resolve();
    const server = createServer((socket) => this.#connected(socket));
    this.#server = server;
    this.#grpc = new GrpcFront(this.#service);
    return new Promise((resolve, reject) => {
      server.once("error", (error) => {
        this.#server = null;
        reject(error);
      });
      server.listen(this.#options.port, this.#options.host, () => resolve());
    });
  }

  /** The process is gone: connections break, new ones are refused. */
  close(): Promise<void> {
    const server = this.#server;
    if (server === null) return Promise.resolve();
    this.#server = null;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#grpc?.close();
    this.#grpc = null;
    return closed;
  }

  #connected(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.once("data", (begun: Buffer) => {
      socket.pause();
      // "PRI * HTTP/2.0": no method of HTTP/1.1 begins so.
      if (begun.subarray(0, 3).toString("latin1") === "PRI".slice(0, begun.length)) {
        this.#grpc?.take(withAuthority(socket, begun));
        return;
      }
      socket.unshift(begun);
      this.#http.emit("connection", socket);
      process.nextTick(() => socket.resume());
    });
  }

  async #route(exchange: Exchange): Promise<void> {
    const path = exchange.path;
    if (path === null) return exchange.plainError(400, "400 Bad Request");
    if (exchange.method === "OPTIONS") return exchange.end(200, "");
    if (this.#options.extension?.(exchange) === true) return;
    const clean = cleanPath(exchange.request.url ?? "/");
    if (clean !== null) {
      exchange.header("Location", clean).header("Content-Type", "text/html; charset=utf-8");
      return exchange.end(301, `<a href="${clean}">Moved Permanently</a>.\n\n`);
    }
    if (path.startsWith("/v3/") || path.startsWith("/v3beta/")) {
      return gateway(this.#service, exchange);
    }
    const member = this.#member;
    if (path === "/v2/keys" || path.startsWith("/v2/keys/")) {
      return v2Keys(member, exchange, path.slice("/v2/keys".length) || "/");
    }
    if (path === "/v2/members" || path.startsWith("/v2/members/")) {
      return v2Members(member, exchange, path.slice("/v2/members/".length));
    }
    if (path.startsWith("/v2/stats/")) {
      return v2Stats(member, exchange, path.slice("/v2/stats/".length));
    }
    switch (path) {
      case "/v2/machines":
        return v2Machines(member, exchange);
      case "/v2/auth/enable":
        exchange.header("X-Etcd-Cluster-Id", member.state()?.run?.clusterId ?? "");
        return exchange.json(200, { enabled: false }, "\n");
      case "/version":
        return this.#version(exchange);
      case "/health":
        return this.#health(exchange);
      case "/metrics": {
        const state = member.state();
        exchange.header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        return exchange.end(200, state === null ? "" : metricsText(state));
      }
      default:
        return exchange.notFound();
    }
  }

  #version(exchange: Exchange): void {
    if (exchange.method !== "GET") {
      exchange.notAllowed("GET");
      return;
    }
    const state = this.#member.state();
    const cluster = state?.run?.stores.clusterVersion ?? "";
    exchange.json(200, {
      etcdserver: state?.config.version ?? "",
      etcdcluster: cluster === "" ? "not_decided" : cluster,
    });
  }

  /** Healthy is who has no alarm, knows a leader, and gets a read through within a second. */
  async #health(exchange: Exchange): Promise<void> {
    if (exchange.method !== "GET") return exchange.notAllowed("GET");
    const healthy = await this.#isHealthy();
    exchange.header("Content-Type", "text/plain; charset=utf-8");
    exchange.end(healthy ? 200 : 503, `{"health":"${healthy}"}`);
  }

  async #isHealthy(): Promise<boolean> {
    const run = this.#member.state()?.run ?? null;
    if (run === null || run.node.lead === 0 || run.stores.alarms.size > 0) return false;
    return new Promise((resolve) => {
      const conversation = this.#member.ask({ op: "get", key: "/", quorum: true }, {}, (reply) =>
        end("action" in reply),
      );
      const timer = this.#member.every(1_000_000, () => end(false));
      const end = (healthy: boolean): void => {
        timer.stop();
        conversation.hangUp();
        resolve(healthy);
      };
    });
  }
}

/** Where Go's mux sends a path with dots or doubled slashes; null for one that is clean. */
function cleanPath(url: string): string | null {
  const [path = "/", query] = url.split("?", 2);
  if (!/\/\/|\/\.\.?(\/|$)/.test(path)) return null;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const clean = `/${parts.join("/")}${path.endsWith("/") && parts.length > 0 ? "/" : ""}`;
  return query === undefined ? clean : `${clean}?${query}`;
}
