import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type RequestListener,
} from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { LOOPBACK, listen } from "./ports.js";

/** Which port to have. */
export interface WantedPort {
  /** 0: any that is free. */
  readonly port: number;
  /** True: any other will do when it is taken. */
  readonly orAny: boolean;
}

/**
 * A port of loopback as a process has it: connections are taken while it is open, and all break
 * when it closes. It can be opened again, and is the same one then.
 */
export class LoopbackPort {
  readonly #wanted: WantedPort;
  readonly #connected: (socket: Socket) => void;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port: number | null = null;

  /** @param connected - takes each connection */
  constructor(wanted: WantedPort, connected: (socket: Socket) => void) {
    this.#wanted = wanted;
    this.#connected = connected;
  }

  /** `127.0.0.1:PORT`; null before it was first opened. */
  get address(): string | null {
    return this.#port === null ? null : `${LOOPBACK}:${this.#port}`;
  }

  /** Begins to listen. Rejects with `PortTaken` when another has the port. */
  async open(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer((socket) => this.#take(socket));
    this.#server = server;
    try {
      this.#port = await listen(server, this.#port ?? this.#wanted.port).catch((error) => {
        if (this.#port !== null || !this.#wanted.orAny) throw error;
        return listen(server, 0);
      });
    } catch (error) {
      this.#server = null;
      throw error;
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

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    this.#connected(socket);
  }
}

/** A server of HTTP/1.1 as Go's is, for connections that a port takes; it does not listen itself. */
export function httpServer(listener: RequestListener): HttpServer {
  const server = createHttpServer({ requestTimeout: 0 }, listener);
  // The Keep-Alive and Connection headers that Node adds are not Go's.
  server.keepAliveTimeout = 0;
  server.on("clientError", (_, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    else socket.destroy();
  });
  return server;
}

/** A port that speaks HTTP/1.1 and nothing else. */
export function httpPort(wanted: WantedPort, listener: RequestListener): LoopbackPort {
  const server = httpServer(listener);
  return new LoopbackPort(wanted, (socket) => {
    server.emit("connection", socket);
  });
}
