import { setTimeout as sleep } from "node:timers/promises";
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { MethodDefinition } from "@grpc/proto-loader";
import { etcdPackage } from "../../../adapters/etcd/proto.js";
import { pathOf, writeRequest } from "../../../adapters/etcd/wire.js";
import type { CallName, CallRequest } from "../../../adapters/etcd/wire-calls.js";
import { failureOf } from "../../../adapters/etcd/wire-error.js";
import type { Wire } from "../../../adapters/etcd/wire-fields.js";
import { WATCH_PATH, watchRequestMessage } from "../../../adapters/etcd/wire-watch.js";
import type { V3Failure, WatchMessage } from "../../../core/etcd/index.js";
import { EtcdServer } from "../../live/etcd-server.js";

/** Milliseconds that a call may take. etcd itself gives up after 7 s. */
const DEADLINE_MS = 12_000;

const CHANNEL: ChannelOptions = {
  "grpc.max_receive_message_length": 64 << 20,
  "grpc.enable_http_proxy": 0,
  "grpc.initial_reconnect_backoff_ms": 50,
  "grpc.max_reconnect_backoff_ms": 200,
};

/** What a call came to: the message of its response as it came over the wire, or a refusal. */
export type Answer = { readonly ok: true; readonly message: Wire } | V3Failure;

/**
 * How both sides tell that members ended instead of answering. Which of them, and who is left to give up
 * waiting, depends on the elections between.
 */
export const ENDED: Answer = { ok: false, code: "Unavailable", message: "the member ended" };

/** A release of etcd to compare with. */
export interface Release {
  readonly line: "3.4" | "3.6";
  readonly program: string;
  readonly version: string;
}

/** A cluster of real members on loopback, and a client of each. */
export class RealCluster {
  readonly #clients: readonly Client[];

  private constructor(readonly servers: readonly EtcdServer[]) {
    const secure = credentials.createInsecure();
    this.#clients = servers.map(({ url }) => new Client(new URL(url).host, secure, CHANNEL));
  }

  static async start(release: Release, names: readonly string[]): Promise<RealCluster> {
    const options = { program: release.program, v2: release.line === "3.4" };
    return new RealCluster(await EtcdServer.cluster(names, options));
  }

  async remove(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.servers.map((server) => server.remove()));
  }

  url(member: number): string {
    return this.servers[member]?.url ?? "";
  }

  async call<Name extends CallName>(
    member: number,
    name: Name,
    request: CallRequest<Name>,
    token = "",
  ): Promise<Answer> {
    const message = writeRequest(name, request);
    if (name === "lease-keep-alive") return this.#keepAlive(member, message);
    // A physical compaction is over when it is answered.
    return this.#unary(
      member,
      pathOf(name),
      name === "kv-compact" ? { ...message, physical: true } : message,
      token,
    );
  }

  /** Whether the process of some member has ended, or ends in so many milliseconds. */
  async someEnded(milliseconds: number): Promise<boolean> {
    const allRun = (): boolean => this.servers.every(({ running }) => running);
    for (const deadline = Date.now() + milliseconds; allRun() && Date.now() < deadline; ) {
      await sleep(10);
    }
    return !allRun();
  }

  /** Waits until a member has applied all that was committed before. */
  async catchUp(member: number): Promise<void> {
    const key = "\0";
    await this.call(member, "kv-range", { op: "kv-range", key, countOnly: true });
  }

  openStream(member: number): RealStream {
    const method = methodAt(WATCH_PATH);
    const stream: ClientDuplexStream<object, Wire> = this.#client(member).makeBidiStreamRequest(
      WATCH_PATH,
      method.requestSerialize,
      decoder(WATCH_PATH),
      new Metadata(),
    );
    return new RealStream(stream);
  }

  #client(member: number): Client {
    const client = this.#clients[member];
    if (client === undefined) throw new Error(`no member ${member}`);
    return client;
  }

  #unary(member: number, path: string, request: Wire, token: string): Promise<Answer> {
    const method = methodAt(path);
    const metadata = new Metadata();
    if (token !== "") metadata.set("token", token);
    return new Promise((done) => {
      this.#client(member).makeUnaryRequest(
        path,
        method.requestSerialize,
        decoder(path),
        request,
        metadata,
        { deadline: Date.now() + DEADLINE_MS },
        (error, message) => {
          if (error !== null) done(refusal(error));
          else if (message === undefined) throw new Error(`${path} answered nothing`);
          else done({ ok: true, message });
        },
      );
    });
  }

  #keepAlive(member: number, request: Wire): Promise<Answer> {
    const path = pathOf("lease-keep-alive");
    const method = methodAt(path);
    const stream: ClientDuplexStream<object, Wire> = this.#client(member).makeBidiStreamRequest(
      path,
      method.requestSerialize,
      decoder(path),
      new Metadata(),
      { deadline: Date.now() + DEADLINE_MS },
    );
    return new Promise((done) => {
      stream.on("data", (message: Wire) => {
        done({ ok: true, message });
        stream.end();
      });
      stream.on("error", (error: ServiceError) => done(refusal(error)));
      stream.write(request);
    });
  }
}

/** A stream of watches at a real member. */
export class RealStream {
  readonly responses: Wire[] = [];
  #wake: () => void = () => {};

  constructor(readonly stream: ClientDuplexStream<object, Wire>) {
    stream.on("data", (message: Wire) => {
      this.responses.push(message);
      this.#wake();
    });
    stream.on("error", () => this.#wake());
  }

  say(message: WatchMessage): void {
    this.stream.write(watchRequestMessage(message));
  }

  /** Waits until the next response, at most so long. */
  next(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): void {
    this.stream.cancel();
  }
}

function refusal(error: ServiceError): V3Failure {
  return (
    failureOf(error.code, error.details) ?? {
      ok: false,
      code: "Unknown",
      message: `gRPC status ${error.code}: ${error.details}`,
    }
  );
}

/** By path; the zeros that protobuf leaves out are there, so that both sides have them. */
const METHODS: ReadonlyMap<string, MethodDefinition<object, object>> = new Map(
  Object.values(etcdPackage()).flatMap((service) =>
    "format" in service
      ? []
      : Object.values(service).map((method) => [method.path, method] as const),
  ),
);

function methodAt(path: string) {
  const method = METHODS.get(path);
  if (method === undefined) throw new Error(`no method ${path}`);
  return method;
}

/** Reads messages as they come over the wire, with the zeros that protobuf leaves out. */
export function decoder(path: string): (bytes: Buffer) => Wire {
  const { responseDeserialize } = methodAt(path);
  // A message of protobufjs is a plain object with the fields of its table.
  return (bytes) => responseDeserialize(bytes) as Wire;
}

/** A message as it would arrive, had it gone over the wire. */
export function overTheWire(path: string, message: Wire): Wire {
  return decoder(path)(methodAt(path).responseSerialize(message));
}
