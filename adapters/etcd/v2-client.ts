import {
  type ClientRequest,
  type ClientRequestArgs,
  Agent as HttpAgent,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import type { Micros } from "../../core/kernel/index.js";
import { type Connect, overStream } from "../ssh/index.js";
import { readV2, v2Http } from "./v2-render.js";
import type { TlsFiles } from "./v3-client.js";

export interface EtcdV2Options {
  /** `http://host:port` or `https://host:port`, tried in turn. */
  readonly endpoints: readonly string[];
  readonly tls?: TlsFiles;
  /** Another way to the endpoints than a connection of one's own, such as a tunnel. */
  readonly connect?: Connect;
}

/** A call under way. */
export interface V2Call {
  /** Gives up: no reply is told any more. */
  cancel(): void;
}

/** An answer above this is not read to its end, but counts as closed. */
const BODY_BYTES_MAX = 64 << 20;

/** A connection that was not made for reasons after which another endpoint may be tried at once. */
const NEVER_SENT = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND"]);

/**
 * A client of etcd's v2 keys API over HTTP. A call goes to the endpoint that last answered; when
 * that refuses the connection, so that nothing was sent, to the next. A call that was sent is never
 * repeated: it may have been carried out.
 */
export class EtcdV2Client {
  readonly #endpoints: readonly URL[];
  readonly #tls: TlsFiles;
  readonly #connect: Connect | undefined;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };
  #current = 0;

  constructor({ endpoints, tls = {}, connect }: EtcdV2Options) {
    if (endpoints.length === 0) throw new RangeError("at least one endpoint");
    this.#endpoints = endpoints.map((endpoint) => new URL(endpoint));
    this.#tls = tls;
    this.#connect = connect;
    // A watch holds its connection; keepalive makes TCP notice a peer that is gone.
    const keep = { keepAlive: true, keepAliveMsecs: 5_000 };
    this.#agents = { http: new HttpAgent(keep), https: new HttpsAgent(keep) };
  }

  /**
   * Makes one request; `replied` is called once, unless it is cancelled.
   *
   * @param timeout - for the whole call; null for none, as a watch needs
   */
  call(request: V2Request, timeout: Micros | null, replied: (reply: EtcdReply) => void): V2Call {
    let over = false;
    let current: ClientRequest | null = null;
    const end = (reply: EtcdReply | null): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      current?.destroy();
      if (reply !== null) replied(reply);
    };
    const timer =
      timeout === null
        ? undefined
        : setTimeout(
            () => {
              this.#leave();
              end({ ok: false, unreachable: "timeout" });
            },
            Math.ceil(timeout / 1_000),
          );
    const attempt = (tried: number): void => {
      current = this.#send(request, (reply, again) => {
        if (over) return;
        if (reply.ok || !("unreachable" in reply)) return end(reply);
        this.#leave();
        if (again && tried < this.#endpoints.length) attempt(tried + 1);
        else end(reply);
      });
    };
    attempt(1);
    return { cancel: () => end(null) };
  }

  /** As `call`, as a promise. */
  ask(request: V2Request, timeout: Micros): Promise<EtcdReply> {
    return new Promise((resolve) => {
      this.call(request, timeout, resolve);
    });
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #leave(): void {
    this.#current = (this.#current + 1) % this.#endpoints.length;
  }

  #way(
    { protocol, hostname, port }: URL,
    agent: HttpAgent,
  ): Pick<ClientRequestArgs, "agent" | "createConnection"> {
    const connect = this.#connect;
    if (connect === undefined) return { agent };
    const isTls = protocol === "https:";
    const number = Number(port || (isTls ? "443" : "80"));
    const tls = isTls ? { ...this.#tls, servername: hostname } : null;
    return { createConnection: overStream(() => connect(hostname, number), tls) };
  }

  #send(request: V2Request, heard: (reply: EtcdReply, again: boolean) => void): ClientRequest {
    const { method, path, form } = v2Http(request);
    const endpoint = this.#endpoints[this.#current];
    if (endpoint === undefined) throw new RangeError("no endpoint");
    const headers = form === "" ? {} : FORM;
    const to = { method, path, headers, hostname: endpoint.hostname, port: endpoint.port };
    const sent =
      endpoint.protocol === "https:"
        ? httpsRequest({ ...to, ...this.#tls, ...this.#way(endpoint, this.#agents.https) })
        : httpRequest({ ...to, ...this.#way(endpoint, this.#agents.http) });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      const refused = NEVER_SENT.has(error.code ?? "");
      heard({ ok: false, unreachable: refused ? "refused" : "closed" }, refused);
    });
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const closed = (): void => heard({ ok: false, unreachable: "closed" }, false);
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > BODY_BYTES_MAX) sent.destroy(new Error("the answer is too large"));
        else chunks.push(chunk);
      });
      response.on("aborted", closed);
      response.on("error", closed);
      response.on("end", () => {
        const index = response.headers["x-etcd-index"];
        const body = Buffer.concat(chunks).toString("utf8");
        heard(
          readV2(response.statusCode ?? 0, typeof index === "string" ? index : null, body),
          false,
        );
      });
    });
    sent.end(form);
    return sent;
  }
}

const FORM = { "content-type": "application/x-www-form-urlencoded" };
