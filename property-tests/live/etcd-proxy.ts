import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What becomes of a request: `unheard` never gets to etcd, of `unanswered` only the answer is lost. */
export type Fate = "answered" | "unheard" | "unanswered";

/** What becomes of a request for a key; asked of each, in order. */
export type Fates = (method: string, key: string) => Fate;

/** Between a client and its etcd, where requests and answers can get lost. */
export class EtcdProxy {
  readonly url: string;
  fate: Fates = () => "answered";
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(etcd: string): Promise<EtcdProxy> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = new EtcdProxy(server);
    server.on("request", (asked: IncomingMessage, answer) => {
      const { method = "GET", url = "/", headers } = asked;
      const fate = proxy.fate(method, keyOf(url));
      if (fate === "unheard") return;
      const forwarded = request(`${etcd}${url}`, { method, headers }, (reply) => {
        if (fate === "unanswered") {
          reply.resume();
          return;
        }
        answer.writeHead(reply.statusCode ?? 500, reply.headers);
        reply.pipe(answer);
      });
      forwarded.on("error", () => answer.destroy());
      asked.pipe(forwarded);
    });
    return proxy;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** The key that a URL of the v2 API names. */
function keyOf(url: string): string {
  return decodeURIComponent(url.replace(/^\/v2\/keys/, "").replace(/\?.*/, ""));
}
