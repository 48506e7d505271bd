import { connect } from "node:net";

/** `fleetctl fd-forward`: what a tunnel runs at its other end, for a socket that is there. */
export function fdForward(sockets: readonly string[]): Promise<number> {
  const [path] = sockets;
  if (path === undefined || sockets.length > 1) {
    console.error("Provide a single argument");
    return Promise.resolve(1);
  }
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("error", ({ message }) => {
      console.error(`Failed dialing remote address: ${message}`);
      resolve(1);
    });
    socket.on("close", () => {
      process.stdin.pause();
      resolve(0);
    });
    process.stdin.pipe(socket).pipe(process.stdout);
  });
}
