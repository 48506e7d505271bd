import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";

/** A fleetd as its clients reach it, whatever world it lives in. */
export interface FleetPort {
  /** `heard` is called once, never while `ask` itself runs. */
  ask(request: FleetHttpRequest, heard: (response: FleetHttpResponse) => void): void;
  /** What is answered beside fleet's own API; null for what is not. */
  extension?(request: FleetHttpRequest): FleetHttpResponse | null;
}

/** Largest body that is read, bytes: some hundred times the longest unit file. */
const BODY_MAX = 4 << 20;

/** A host's fleet API on a port of loopback, open while its fleetd runs. */
export class FleetFront {
  readonly #fleet: FleetPort;
  readonly #wanted: number;
  readonly #mustHave: boolean;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port: number | null = null;

  /**
   * @param wanted - the port to listen on
   * @param mustHave - false: any other will do when it is taken
   */
  constructor(fleet: FleetPort, wanted: number, mustHave: boolean) {
    this.#fleet = fleet;
    this.#wanted = wanted;
    this.#mustHave = mustHave;
  }

  /** `127.0.0.1:PORT`; null before it was first opened. It stays the same from then on. */
  get address(): string | null {
    return this.#port === null ? null : `127.0.0.1:${this.#port}`;
  }

  /** Begins to listen. Rejects with what Node says when the port is taken. */
  async open(): Promise<void> {
    if (this.#server !== null) return;
    const server = this.#createServer();
    this.#server = server;
    try {
      this.#port = await listen(server, this.#port ?? this.#wanted);
    } catch (error) {
      if (this.#mustHave || this.#port !== null) {
        this.#server = null;
        throw error;
      }
      this.#port = await listen(server, 0);
    }
  }

  /** The process is gone: connections break, new ones are refused. */
  close(): Promise<void> {
    const server = this.#server;
    if (server === null) return Promise.resolve();
    this.#server = null;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    return closed;
  }

  #createServer(): Server {
    const server = createServer({ requestTimeout: 0 }, (incoming, outgoing) => {
      outgoing.on("error", () => {});
      this.#take(incoming, outgoing).catch(() => outgoing.destroy());
    });
    server.keepAliveTimeout = 0;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    return server;
  }

  async #take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await readBody(incoming);
    if (body === null) {
      outgoing.writeHead(413, { Connection: "close" }).end();
      return;
    }
    const request: FleetHttpRequest = {
      method: incoming.method ?? "GET",
      target: incoming.url ?? "/",
      contentTypes: contentTypes(incoming.rawHeaders),
      body,
    };
    const beside = this.#fleet.extension?.(request) ?? null;
    if (beside !== null) write(outgoing, request.method, beside);
    else this.#fleet.ask(request, (response) => write(outgoing, request.method, response));
  }
}

/** Node joins headers that come twice; fleet counts them. */
function contentTypes(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "content-type",
  );
}

async function readBody(incoming: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of incoming) {
    if (!(part instanceof Buffer)) continue;
    size += part.length;
    if (size > BODY_MAX) return null;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("latin1");
}

function write(outgoing: ServerResponse, method: string, response: FleetHttpResponse): void {
  if (response.kind !== "answer") {
    outgoing.destroy();
    return;
  }
  const { status, headers, body } = response;
  const bytes = Buffer.from(body);
  const length = status === 204 ? {} : { "Content-Length": bytes.length };
  outgoing.writeHead(status, { ...headers, ...length });
  outgoing.end(method === "HEAD" || status === 204 ? undefined : bytes);
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      const address = server.address();
      resolve(address !== null && typeof address === "object" ? address.port : port);
    });
  });
}
