import type { IncomingMessage, ServerResponse } from "node:http";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";
import { httpPort, type LoopbackPort, type WantedPort } from "../serve/index.js";

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
  readonly #port: LoopbackPort;

  constructor(fleet: FleetPort, wanted: WantedPort) {
    this.#fleet = fleet;
    this.#port = httpPort(wanted, (incoming, outgoing) => {
      outgoing.on("error", () => {});
      this.#take(incoming, outgoing).catch(() => outgoing.destroy());
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

  /** The process is gone: connections break, new ones are refused. */
  close(): Promise<void> {
    return this.#port.close();
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
