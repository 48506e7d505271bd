import type { IncomingMessage, ServerResponse } from "node:http";

/** What etcd sends with every answer: its --cors is `*` unless told otherwise. */
const EVERYWHERE = {
  "Access-Control-Allow-Headers": "accept, content-type, authorization",
  "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE",
  "Access-Control-Allow-Origin": "*",
} as const;

/** Largest body that is read: what Go's ParseForm takes, and more than any gRPC message may have. */
const BODY_MAX = 10 << 20;

/** One HTTP/1.1 request and the way to answer it. */
export class Exchange {
  readonly method: string;
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #abort = new AbortController();

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.method = request.method ?? "GET";
    this.url = new URL(request.url ?? "/", "http://etcd");
    this.#response = response;
    response.on("close", () => this.#abort.abort());
    // A connection that is torn while it is written to is the client's affair.
    response.on("error", () => {});
    for (const [name, value] of Object.entries(EVERYWHERE)) response.setHeader(name, value);
  }

  /** Aborted once the client is gone, or answered. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get answered(): boolean {
    return this.#response.headersSent;
  }

  /** The path without escapes; null when they make no sense. */
  get path(): string | null {
    try {
      return decodeURIComponent(this.url.pathname);
    } catch {
      return null;
    }
  }

  header(name: string, value: string | number): this {
    this.#response.setHeader(name, value);
    return this;
  }

  /** The whole body; null when it is too large. */
  async body(): Promise<Buffer | null> {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of this.request) {
      if (!(part instanceof Buffer)) continue;
      size += part.length;
      if (size > BODY_MAX) return null;
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  json(status: number, body: unknown, newline: "" | "\n" = ""): void {
    this.header("Content-Type", "application/json");
    this.end(status, `${JSON.stringify(body)}${newline}`);
  }

  /** As Go's `http.Error` answers. */
  plainError(status: number, text: string): void {
    this.header("Content-Type", "text/plain; charset=utf-8");
    this.header("X-Content-Type-Options", "nosniff");
    this.end(status, `${text}\n`);
  }

  notFound(): void {
    this.plainError(404, "404 page not found");
  }

  notAllowed(allowed: string): void {
    this.#response.removeHeader("X-Etcd-Cluster-Id");
    this.header("Allow", allowed).plainError(405, "Method Not Allowed");
  }

  end(status: number, body: string): void {
    const bytes = Buffer.from(body);
    this.header("Content-Length", bytes.length);
    this.#response.writeHead(status).end(this.method === "HEAD" ? undefined : bytes);
  }

  /** JSON in chunks, with a header behind it: what becomes of gRPC's trailers. */
  jsonWithTrailer(status: number, body: unknown, trailer: Readonly<Record<string, string>>): void {
    this.header("Content-Type", "application/json");
    this.header("Trailer", Object.keys(trailer).join(", "));
    this.#response.writeHead(status);
    this.#response.write(JSON.stringify(body));
    this.#response.addTrailers(trailer);
    this.#response.end();
  }

  /** Sends the head of an answer whose body comes in parts. */
  begin(status: number): void {
    this.#response.writeHead(status);
    this.#response.flushHeaders();
  }

  /** False when the client should be given time to read. */
  write(part: string): boolean {
    return this.#response.write(part);
  }

  onDrain(task: () => void): void {
    this.#response.on("drain", task);
  }

  /** Ends an answer that was begun. */
  finish(): void {
    this.#response.end();
  }

  /** Breaks the connection off, as a server does that has nothing more to say. */
  destroy(): void {
    this.#response.destroy();
  }
}
