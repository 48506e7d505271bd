import type { Server as HttpServer } from "node:http";
import type { Socket } from "node:net";
import { withAuthority } from "./authority.js";
import { gateway } from "./gateway.js";
import { GrpcFront } from "./grpc.js";
import { Exchange } from "./http.js";
import { httpServer, LoopbackPort } from "./loopback.js";
import { metricsText } from "./metrics.js";
import type { MemberPort } from "./port.js";
import { MemberService } from "./service.js";
import { failureOf } from "./stream.js";
import { v2Machines, v2Members, v2Stats } from "./v2-admin.js";
import { v2Keys } from "./v2-keys.js";

/**
 * A member's client port: gRPC over HTTP/2, and over HTTP/1.1 the JSON gateway, the v2 API, health,
 * version and metrics, told apart by the first bytes, as etcd does it.
 */
export class MemberFront {
  readonly #member: MemberPort;
  readonly #service: MemberService;
  readonly #http: HttpServer;
  readonly #port: LoopbackPort;
  #grpc: GrpcFront | null = null;

  constructor(member: MemberPort, port: number) {
    this.#member = member;
    this.#service = new MemberService(member);
    this.#port = new LoopbackPort({ port, orAny: false }, (socket) => this.#connected(socket));
    this.#http = httpServer((request, response) => {
      const exchange = new Exchange(request, response);
      this.#route(exchange).catch((error: unknown) => {
        if (exchange.answered || exchange.signal.aborted) exchange.destroy();
        else exchange.plainError(500, failureOf(error).message);
      });
    });
  }

  /** Begins to listen. Rejects with what Node says when the port is taken. */
  open(): Promise<void> {
    this.#grpc ??= new GrpcFront(this.#service);
    return this.#port.open();
  }

  /** The process is gone: connections break, new ones are refused. */
  close(): Promise<void> {
    const closed = this.#port.close();
    this.#grpc?.close();
    this.#grpc = null;
    return closed;
  }

  #connected(socket: Socket): void {
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
