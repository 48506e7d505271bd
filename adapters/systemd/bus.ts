import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, Transform } from "node:stream";
import { DBusError, Message, type MessageBus, sessionBus } from "dbus-next";
import { type Observable, Subject } from "rxjs";

/** One method call. `signature` and `body` as D-Bus has them. */
export interface BusCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
}

export interface BusSignal {
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly body: readonly unknown[];
}

/** A call that failed: `name` of the D-Bus error, and its text. */
export class BusError extends Error {
  constructor(
    readonly errorName: string,
    message: string,
  ) {
    super(message);
  }
}

export const BUS_GONE = "org.freedesktop.DBus.Error.Disconnected";
export const BUS_NO_REPLY = "org.freedesktop.DBus.Error.NoReply";

/**
 * A connection to a message bus. dbus-next does the wire format; this adds what it lacks: every
 * call settles (by a deadline, or when the bus dies), the death of the bus is an event, and no
 * proxies or match rules pile up.
 */
export class SystemBus {
  readonly #bus: MessageBus;
  readonly #signals = new Subject<BusSignal>();
  readonly #pending = new Set<(error: BusError) => void>();
  #gone: BusError | null = null;
  readonly #listeners: ((reason: string) => void)[] = [];

  private constructor(bus: MessageBus) {
    this.#bus = bus;
    bus.on("error", (error) => this.lost(String(error)));
    bus.on("message", (message: Message) => {
      if (SIGNAL !== Number(message.type)) return;
      const { sender, path, member, body } = message;
      this.#signals.next({ sender, path, interface: message.interface, member, body });
    });
  }

  /**
   * Speaks D-Bus on a stream that reaches the socket of a bus.
   *
   * dbus-next takes no stream, only an address, and states the uid of this process; a bus behind
   * SSH knows us by the uid of the log-in. So a private socket stands in between, in a folder that
   * only this user can enter, and sets `uid` in the one line that names it.
   *
   * @throws BusError when the bus does not welcome us within `deadlineMs`
   */
  static async over(stream: Duplex, uid: number, deadlineMs: number): Promise<SystemBus> {
    const folder = await mkdtemp(join(tmpdir(), "orrery-bus-"));
    const path = join(folder, "bus");
    const server = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, resolve);
      });
      let bus: SystemBus | null = null;
      let early = "";
      const ended = (reason: string): void => {
        early = reason;
        bus?.lost(reason);
      };
      server.once("connection", (socket) => {
        socket.pipe(identify(uid)).pipe(stream).pipe(socket);
        socket.on("error", () => stream.destroy());
        socket.on("close", () => stream.destroy());
        stream.on("close", () => {
          ended("the bus closed the connection");
          socket.destroy();
        });
      });
      stream.on("error", (error) => ended(error.message));
      bus = new SystemBus(
        sessionBus({ busAddress: `unix:socket=${path}`, authMethods: ["EXTERNAL"] }),
      );
      if (early !== "") bus.lost(early);
      await bus.#welcome(deadlineMs);
      return bus;
    } finally {
      server.close();
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** All signals that match rules let through. */
  get signals(): Observable<BusSignal> {
    return this.#signals;
  }

  /** Hears once when the bus is gone. */
  onGone(listener: (reason: string) => void): void {
    if (this.#gone !== null) listener(this.#gone.message);
    else this.#listeners.push(listener);
  }

  /** Calls a method and returns the body of the reply. @throws BusError, at the latest after `deadlineMs`. */
  call(call: BusCall, deadlineMs: number): Promise<readonly unknown[]> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== null) return reject(this.#gone);
      const settle = (): void => {
        clearTimeout(timeout);
        this.#pending.delete(fail);
      };
      const fail = (error: BusError): void => {
        settle();
        reject(error);
      };
      const timeout = setTimeout(
        () => fail(new BusError(BUS_NO_REPLY, `${call.member}: no reply in ${deadlineMs} ms`)),
        deadlineMs,
      );
      this.#pending.add(fail);
      const { signature = "", body = [] } = call;
      this.#bus.call(new Message({ ...call, signature, body: [...body] })).then(
        (reply) => {
          settle();
          resolve(reply?.body ?? []);
        },
        (error: unknown) => fail(busError(error)),
      );
    });
  }

  close(): void {
    this.lost("closed here");
    this.#bus.disconnect();
  }

  /** Marks the bus dead: whoever waits for a reply hears it. */
  lost(reason: string): void {
    if (this.#gone !== null) return;
    this.#gone = new BusError(BUS_GONE, reason);
    for (const fail of [...this.#pending]) fail(this.#gone);
    for (const listener of this.#listeners.splice(0)) listener(reason);
    this.#signals.complete();
  }

  #welcome(deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => {
        this.lost("no welcome from the bus");
        reject(new BusError(BUS_NO_REPLY, `no welcome from the bus in ${deadlineMs} ms`));
      }, deadlineMs);
      this.#bus.on("connect", () => {
        clearTimeout(timeout);
        resolve();
      });
      this.onGone((reason) => {
        clearTimeout(timeout);
        reject(new BusError(BUS_GONE, reason));
      });
    });
  }
}

/** MessageType.SIGNAL, which dbus-next declares as an enum that does not exist at run time in ESM. */
const SIGNAL = 4;

/** Replaces the uid in `AUTH EXTERNAL …`, the first line a client sends. */
function identify(uid: number): Transform {
  let head: string | null = "";
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (head === null) return done(null, chunk);
      head += chunk.toString("latin1");
      if (!head.includes("\r\n")) return done();
      const id = Buffer.from(String(uid)).toString("hex");
      const line = head.replace(/AUTH EXTERNAL [0-9a-f]*\r\n/, `AUTH EXTERNAL ${id}\r\n`);
      head = null;
      done(null, Buffer.from(line, "latin1"));
    },
  });
}

function busError(error: unknown): BusError {
  if (error instanceof DBusError) return new BusError(error.type, error.text);
  const message = error instanceof Error ? error.message : String(error);
  return new BusError("org.freedesktop.DBus.Error.Failed", message);
}
