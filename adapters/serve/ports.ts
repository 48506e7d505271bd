import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/** The only address that any server here listens on. */
export const LOOPBACK = "127.0.0.1";

/**
 * Where any port will do, it comes from below those that systems give to outgoing connections: one that is
 * closed for a while, as its process is down, could be such a connection's by the time it is to open again.
 */
const ANY_FROM = 10_240;
const ANY_BELOW = 32_768;
const DRAWS_MAX = 200;

/** A port of loopback that cannot be had. */
export class PortTaken extends Error {
  constructor(
    readonly port: number,
    override readonly cause: NodeJS.ErrnoException,
  ) {
    super(`${LOOPBACK}:${port} ${cannotBeHad(cause)}`);
  }
}

/** What is wrong with a place to listen at, as the end of a sentence that begins with it. */
export function cannotBeHad({ code, message }: NodeJS.ErrnoException): string {
  if (code === "EADDRINUSE") return "is in use";
  return code === "EACCES" ? "cannot be opened" : `cannot be opened: ${message}`;
}

/** Listens on a port of loopback, or with 0 on any that is free; the port. Rejects with `PortTaken`. */
export async function listen(server: Server, port: number): Promise<number> {
  if (port !== 0) return listenOn(server, port);
  for (let draws = 1; ; draws++) {
    try {
      return await listenOn(server, randomInt(ANY_FROM, ANY_BELOW));
    } catch (error) {
      const taken = error instanceof PortTaken && error.cause.code === "EADDRINUSE";
      if (!taken || draws === DRAWS_MAX) throw error;
    }
  }
}

/**
 * Free ports on loopback, as wanted; 0 stands for any. Rejects with `PortTaken`. They are held all at
 * once, so that none is given twice, and let go again.
 */
export async function reservePorts(wanted: readonly number[]): Promise<readonly number[]> {
  const servers = wanted.map(() => createServer());
  try {
    return await Promise.all(servers.map((server, index) => listen(server, wanted[index] ?? 0)));
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(new PortTaken(port, error));
    server.once("error", failed);
    server.listen(port, LOOPBACK, () => {
      server.off("error", failed);
      resolve(port);
    });
  });
}
