import type { ClientRequestArgs } from "node:http";
import { type Duplex, PassThrough } from "node:stream";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** Makes a stream to a port, over whatever way there is to it. */
export type Connect = (host: string, port: number) => Promise<Duplex>;

/** `createConnection` of Node's HTTP client, for a stream that comes from elsewhere; `tls` is spoken on it. */
export function overStream(
  stream: () => Promise<Duplex>,
  tls: ConnectionOptions | null,
): NonNullable<ClientRequestArgs["createConnection"]> {
  return (_, done) => {
    stream().then(
      (socket) => done(null, tls === null ? socket : connectTls({ ...tls, socket })),
      // Node looks at the error alone then, though its types want a stream, too.
      (error: Error) => done(error, new PassThrough().destroy()),
    );
    return undefined;
  };
}
