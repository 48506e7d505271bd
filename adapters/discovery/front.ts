import type { V2Request } from "../../core/etcd/index.js";
import {
  Exchange,
  httpPort,
  type LoopbackPort,
  type V2Port,
  v2KeysOf,
  type WantedPort,
} from "../serve/index.js";
import type { Registry } from "./desk.js";

/** Where `GET /` sends a browser. */
const HOME = "https://coreos.com/docs/cluster-management/setup/etcd-cluster-discovery/";

const TOKEN = /^\/[a-f0-9]{32}(\/[^/]*|\/_config\/size)?$/;

/**
 * The HTTP side of the discovery service (coreos/discovery.etcd.io, http/http.go and handlers): tokens
 * are made at `/new`, everything under a token is handed on to the store behind it as a request of
 * etcd's v2 API, long polls included.
 */
export class DiscoveryFront {
  readonly #registry: Registry;
  readonly #port: LoopbackPort;
  readonly #ownUrls: boolean;

  /** @param ownUrls - the URLs of new tokens begin with this port's address, whatever the service says */
  constructor(registry: Registry, wanted: WantedPort, ownUrls = false) {
    this.#registry = registry;
    this.#ownUrls = ownUrls;
    this.#port = httpPort(wanted, (request, response) => {
      const exchange = new Exchange(request, response);
      this.#route(exchange).catch(() => {
        // etcd's client takes a 5xx for trouble that passes, as it takes the service's own.
        if (exchange.answered || exchange.signal.aborted) exchange.destroy();
        else exchange.plainError(500, "");
      });
    });
  }

  /** `127.0.0.1:PORT`; null before it was first opened. It stays the same from then on. */
  get address(): string | null {
    return this.#port.address;
  }

  /** Begins to listen. Rejects with what Node says when the port is taken. */
  open(): Promise<void> {
    return this.#port.open();
  }

  /** Connections break, new ones are refused. */
  close(): Promise<void> {
    return this.#port.close();
  }

  async #route(exchange: Exchange): Promise<void> {
    const { path, method } = exchange;
    switch (path) {
      case null:
        return exchange.plainError(400, "400 Bad Request");
      case "/":
        exchange.header("Location", HOME).header("Content-Type", "text/html; charset=utf-8");
        return exchange.end(301, `<a href="${HOME}">Moved Permanently</a>.\n\n`);
      case "/new":
        return this.#new(exchange);
      case "/health":
        return this.#health(exchange);
      case "/robots.txt":
        return text(exchange, "User-agent: *\nDisallow: /");
      default:
    }
    if (!TOKEN.test(path)) return exchange.notFound();
    if (!methodsOf(path).includes(method)) {
      // Gorilla's router, as the service carries it, takes a wrong method for no route.
      return exchange.notFound();
    }
    return v2KeysOf(storeOf(this.#registry), exchange, path);
  }

  /** Any method will do; a form in the body counts before the query, as in Go. */
  async #new(exchange: Exchange): Promise<void> {
    const body = await exchange.body();
    const type = exchange.request.headers["content-type"] ?? "";
    const isForm = type.startsWith("application/x-www-form-urlencoded");
    const form = new URLSearchParams(isForm ? body?.toString("utf8") : "");
    const size = form.get("size") ?? exchange.url.searchParams.get("size");
    const reply = await new Promise<Parameters<Parameters<Registry["ask"]>[1]>[0]>((resolve) => {
      this.#registry.ask({ op: "new", size }, resolve);
    });
    if (reply.ok && "token" in reply) return text(exchange, this.#reachable(reply.token));
    const why = !reply.ok && "body" in reply ? reply.body.trimEnd() : "Unable to generate token";
    exchange.plainError(400, why);
  }

  #reachable(url: string): string {
    return this.#ownUrls ? `http://${this.address}${url.slice(url.lastIndexOf("/"))}` : url;
  }

  async #health(exchange: Exchange): Promise<void> {
    const reply = await new Promise<{ readonly ok: boolean }>((resolve) => {
      this.#registry.ask({ op: "health" }, resolve);
    });
    if (reply.ok) text(exchange, "OK");
    else exchange.plainError(400, "health failed to setupToken");
  }
}

function text(exchange: Exchange, body: string): void {
  exchange.header("Content-Type", "text/plain; charset=utf-8");
  exchange.end(200, body);
}

/** What may be done to a token itself, to its size, and to a member's registration. */
function methodsOf(path: string): readonly string[] {
  const [, , name = "", more] = path.split("/");
  if (name === "_config" && more !== undefined) return ["GET"];
  return name === "" ? ["GET", "PUT"] : ["GET", "PUT", "DELETE"];
}

/** The registry as the store that v2 requests are handed on to. It has no raft to tell of. */
function storeOf(registry: Registry): V2Port {
  return {
    clusterId: () => CLUSTER_ID,
    position: () => ({ index: registry.index(), raftIndex: registry.index(), raftTerm: 1 }),
    ask: (request, heard) => {
      const known = handedOn(request);
      if (known === null) throw new Error("the router lets no such method through");
      return registry.ask(known, (reply) => {
        if ("action" in reply || "errorCode" in reply || "unreachable" in reply) heard(reply);
        else heard({ ok: false, unreachable: "closed" });
      });
    },
  };
}

/** Any: clients of the service do not look at it. */
const CLUSTER_ID = "7e27652122e8b2ae";

function handedOn(request: V2Request): Exclude<V2Request, { readonly op: "post" }> | null {
  return request.op === "post" ? null : request;
}
