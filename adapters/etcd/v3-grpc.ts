import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { MethodDefinition } from "@grpc/proto-loader";
import type { ResponseHeader, V3Response } from "../../core/etcd/v3-api.js";
import type { WatchMessage, WatchResponse } from "../../core/etcd/watch-api.js";
import { etcdMethods } from "./proto.js";
import { pathOf, readResponse, writeRequest } from "./wire.js";
import type { CallName, CallRequest } from "./wire-calls.js";
import { failureOf } from "./wire-error.js";
import { bytesAt, isWire, readHeader, type Wire } from "./wire-fields.js";
import { readWatchResponse, WATCH_PATH, watchRequestMessage } from "./wire-watch.js";

/** No answer: the deadline passed, nobody was there, or the connection ended. */
export interface NoAnswer {
  readonly ok: false;
  readonly unreachable: "timeout" | "refused" | "closed";
}

export interface GrpcCallOptions {
  /** Default 5 s. */
  readonly deadlineMs?: number;
  /** What `authenticate` answered. */
  readonly token?: string;
  /** Rather an error than an answer, or silence, of a member without a leader. */
  readonly hasLeader?: boolean;
}

/** A stream of watches, in the words of core. */
export interface GrpcWatchStream {
  send(message: WatchMessage): void;
  /** Stops reading, so that the member has to hold back; or reads again. */
  pause(): void;
  resume(): void;
  cancel(): void;
}

export interface GrpcWatchListener {
  response(header: ResponseHeader, response: WatchResponse): void;
  /** Told once, also after `cancel`. */
  ended(outcome: Exclude<V3Response, { readonly ok: true }> | NoAnswer): void;
}

/**
 * One member of etcd, spoken to in the values of `core/etcd`: what a model answers and what a real
 * member answers can be compared as they are. It neither retries nor changes endpoints.
 */
export class EtcdGrpcClient {
  readonly #client: Client;

  /** @param address - `host:port`, without TLS */
  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.enable_http_proxy": 0,
      "grpc.max_receive_message_length": 64 << 20,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1_000,
      // Clients of one process would share a connection, and with it its flow control and its end.
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** Any request that one message answers. Never rejects. */
  call(
    request: CallRequest<CallName>,
    options: GrpcCallOptions = {},
  ): Promise<V3Response | NoAnswer> {
    const name = request.op;
    const path = pathOf(name);
    const message = writeRequest(name, request);
    const read = (answer: Wire): V3Response => readResponse(name, answer);
    return name === "lease-keep-alive"
      ? this.#firstOfStream(path, message, options, read)
      : this.#unary(path, message, options, read);
  }

  /** The file of a snapshot, whole. */
  snapshot(
    options: GrpcCallOptions = {},
  ): Promise<Buffer | Exclude<V3Response, { readonly ok: true }> | NoAnswer> {
    const method = methodAt("/etcdserverpb.Maintenance/Snapshot");
    const stream: ClientReadableStream<Wire> = this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      decode(method),
      {},
      metadataOf(options),
      { deadline: Date.now() + (options.deadlineMs ?? 30_000) },
    );
    return new Promise((resolve) => {
      const parts: Buffer[] = [];
      stream.on("data", (part: Wire) => parts.push(Buffer.from(bytesAt(part, "blob"), "latin1")));
      stream.on("error", (error: ServiceError) => resolve(outcomeOf(error)));
      stream.on("end", () => resolve(Buffer.concat(parts)));
    });
  }

  watch(listener: GrpcWatchListener, options: GrpcCallOptions = {}): GrpcWatchStream {
    const stream = this.#duplex(WATCH_PATH, options, false);
    let over = false;
    const end = (error: ServiceError | null): void => {
      if (over) return;
      over = true;
      listener.ended(error === null ? { ok: false, unreachable: "closed" } : outcomeOf(error));
    };
    stream.on("data", (message: Wire) =>
      listener.response(readHeader(message), readWatchResponse(message)),
    );
    stream.on("error", end);
    stream.on("end", () => end(null));
    return {
      send: (message) => stream.write(watchRequestMessage(message)),
      pause: () => stream.pause(),
      resume: () => stream.resume(),
      cancel: () => stream.cancel(),
    };
  }

  close(): void {
    this.#client.close();
  }

  #unary(
    path: string,
    message: Wire,
    options: GrpcCallOptions,
    read: (answer: Wire) => V3Response,
  ): Promise<V3Response | NoAnswer> {
    const method = methodAt(path);
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        decode(method),
        message,
        metadataOf(options),
        { deadline: deadlineOf(options) },
        (error, answer) => {
          if (error !== null) resolve(outcomeOf(error));
          else resolve(answer === undefined ? { ok: false, unreachable: "closed" } : read(answer));
        },
      );
    });
  }

  #firstOfStream(
    path: string,
    message: Wire,
    options: GrpcCallOptions,
    read: (answer: Wire) => V3Response,
  ): Promise<V3Response | NoAnswer> {
    const stream = this.#duplex(path, options, true);
    return new Promise((resolve) => {
      stream.on("data", (answer: Wire) => {
        resolve(read(answer));
        stream.end();
      });
      stream.on("error", (error: ServiceError) => resolve(outcomeOf(error)));
      stream.on("end", () => resolve({ ok: false, unreachable: "closed" }));
      stream.write(message);
    });
  }

  #duplex(path: string, options: GrpcCallOptions, due: boolean): ClientDuplexStream<Wire, Wire> {
    const method = methodAt(path);
    return this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      decode(method),
      metadataOf(options),
      due ? { deadline: deadlineOf(options) } : {},
    );
  }
}

function deadlineOf(options: GrpcCallOptions): number {
  return Date.now() + (options.deadlineMs ?? 5_000);
}

function metadataOf(options: GrpcCallOptions): Metadata {
  const metadata = new Metadata();
  if (options.token !== undefined) metadata.set("token", options.token);
  if (options.hasLeader === true) metadata.set("hasleader", "true");
  return metadata;
}

/** What failed: the member's own refusal, or no answer at all. grpc-js reports both as a status. */
function outcomeOf(error: ServiceError): Exclude<V3Response, { readonly ok: true }> | NoAnswer {
  if (error.code === status.DEADLINE_EXCEEDED) return { ok: false, unreachable: "timeout" };
  if (error.code === status.CANCELLED) return { ok: false, unreachable: "closed" };
  // "No connection established": the member was never asked.
  if (error.code === status.UNAVAILABLE && !error.details.startsWith("etcdserver:")) {
    const refused =
      error.details.includes("ECONNREFUSED") || error.details.includes("No connection");
    return { ok: false, unreachable: refused ? "refused" : "closed" };
  }
  return failureOf(error.code, error.details) ?? { ok: false, unreachable: "closed" };
}

function methodAt(path: string): MethodDefinition<object, object> {
  const method = etcdMethods().get(path);
  if (method === undefined) throw new Error(`no method ${path}`);
  return method;
}

function decode(method: MethodDefinition<object, object>) {
  return (buffer: Buffer): Wire => {
    const message: unknown = method.responseDeserialize(buffer);
    return isWire(message) ? message : {};
  };
}
