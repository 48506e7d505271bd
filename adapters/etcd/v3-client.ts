import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { MethodDefinition, PackageDefinition } from "@grpc/proto-loader";
import { etcdPackage } from "./proto.js";
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  StatusResponse,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
  WatchResponse,
} from "./v3-types.js";

/** PEM texts; all absent: the system's authorities and no client certificate. */
export interface TlsFiles {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface EtcdV3Options {
  /** `http://host:port` or `https://host:port`, tried in turn. */
  readonly endpoints: readonly string[];
  readonly tls?: TlsFiles;
  /** Deadline of every unary call. grpc-js has none of its own. */
  readonly deadlineMs?: number;
}

/** A call that failed, with gRPC's code (`status` of grpc-js) and etcd's text. */
export class EtcdCallError extends Error {
  constructor(
    readonly code: number,
    readonly details: string,
    readonly endpoint: string,
  ) {
    super(`${endpoint}: ${status[code] ?? code}: ${details}`);
  }
}

/** One watch: a stream of its own, so that its end, and its signs of life, are its alone. */
export interface WatchStream {
  /** Asks for a progress answer, which proves that the watch is alive. */
  askProgress(): void;
  /** Ends the watch; nothing is heard from it afterwards. */
  cancel(): void;
}

export interface WatchListener {
  response(response: WatchResponse, endpoint: string): void;
  /** The stream is over; told once, and not after `cancel`. */
  ended(error: EtcdCallError): void;
}

const CHANNEL_OPTIONS: ChannelOptions = {
  // etcd refuses pings more often than every 5 s (grpc-keepalive-min-time).
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 0,
  // grpc-js waits up to two minutes between attempts by itself; the caller decides when to retry.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.max_receive_message_length": 64 << 20,
  "grpc.enable_http_proxy": 0,
};

/**
 * A thin client of etcd's v3 API. Every call has a deadline. A call whose endpoint cannot be
 * reached moves the client to the next endpoint; a range is tried once at each, a write is not
 * repeated, because it may have been carried out.
 */
export class EtcdV3Client {
  readonly #endpoints: readonly string[];
  readonly #clients: (Client | null)[];
  readonly #credentials: (endpoint: string) => ChannelCredentials;
  readonly #package: PackageDefinition = etcdPackage();
  readonly #deadlineMs: number;
  #current = 0;

  constructor(options: EtcdV3Options) {
    if (options.endpoints.length === 0) throw new RangeError("at least one endpoint");
    this.#endpoints = options.endpoints;
    this.#clients = options.endpoints.map(() => null);
    this.#deadlineMs = options.deadlineMs ?? 5_000;
    const { ca = null, key = null, cert = null } = options.tls ?? {};
    this.#credentials = (endpoint) =>
      endpoint.startsWith("https:")
        ? credentials.createSsl(ca, key, cert)
        : credentials.createInsecure();
  }

  /** The endpoint that the next call goes to. */
  get endpoint(): string {
    return this.#endpoints[this.#current] ?? "";
  }

  async range(request: RangeRequest): Promise<RangeResponse> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#unary<RangeResponse>("KV", "Range", request);
      } catch (error) {
        if (!isUnreachable(error) || tried >= this.#endpoints.length) throw error;
      }
    }
  }

  put(request: PutRequest): Promise<PutResponse> {
    return this.#unary("KV", "Put", request);
  }

  deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse> {
    return this.#unary("KV", "DeleteRange", request);
  }

  txn(request: TxnRequest): Promise<TxnResponse> {
    return this.#unary("KV", "Txn", request);
  }

  compact(revision: string): Promise<{ readonly header: ResponseHeader }> {
    return this.#unary("KV", "Compact", { revision });
  }

  leaseGrant(ttlSeconds: number, id = "0"): Promise<LeaseGrantResponse> {
    return this.#unary("Lease", "LeaseGrant", { TTL: String(ttlSeconds), ID: id });
  }

  leaseRevoke(id: string): Promise<{ readonly header: ResponseHeader }> {
    return this.#unary("Lease", "LeaseRevoke", { ID: id });
  }

  status(): Promise<StatusResponse> {
    return this.#unary("Maintenance", "Status", {});
  }

  /** Opens a watch at the current endpoint. A member that loses its leader ends it (`hasleader`). */
  watch(request: WatchCreateRequest, listener: WatchListener): WatchStream {
    const definition = this.#method("Watch", "Watch");
    const metadata = new Metadata();
    metadata.set("hasleader", "true");
    const { endpoint } = this;
    const at = this.#current;
    const stream: ClientDuplexStream<object, WatchResponse> = this.#client().makeBidiStreamRequest(
      definition.path,
      definition.requestSerialize,
      decoder<WatchResponse>(definition),
      metadata,
    );
    let over = false;
    const end = (code: number, details: string): void => {
      if (over) return;
      over = true;
      if (code === status.UNAVAILABLE) this.#leave(at);
      listener.ended(new EtcdCallError(code, details, endpoint));
    };
    stream.on("data", (response: WatchResponse) => {
      if (!over) listener.response(response, endpoint);
    });
    stream.on("error", (error: ServiceError) => end(error.code, error.details));
    stream.on("end", () => end(status.UNAVAILABLE, "the stream ended"));
    stream.write({ create_request: request });
    return {
      askProgress: () => {
        if (!over) stream.write({ progress_request: {} });
      },
      cancel: () => {
        over = true;
        stream.cancel();
      },
    };
  }

  close(): void {
    for (const client of this.#clients) client?.close();
  }

  #unary<Response>(service: string, name: string, request: object): Promise<Response> {
    const definition = this.#method(service, name);
    const at = this.#current;
    const { endpoint } = this;
    return new Promise((resolve, reject) => {
      this.#client().makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        decoder<Response>(definition),
        request,
        new Metadata(),
        { deadline: Date.now() + this.#deadlineMs },
        (error, response) => {
          if (error === null && response !== undefined) return resolve(response);
          const failure = new EtcdCallError(
            error?.code ?? status.UNKNOWN,
            error?.details ?? "no response",
            endpoint,
          );
          if (isUnreachable(failure)) this.#leave(at);
          reject(failure);
        },
      );
    });
  }

  /** Moves on from an endpoint that failed, unless another call did so already. */
  #leave(at: number): void {
    if (this.#current === at) this.#current = (at + 1) % this.#endpoints.length;
  }

  #client(): Client {
    const known = this.#clients[this.#current];
    if (known !== null && known !== undefined) return known;
    const client = new Client(
      new URL(this.endpoint).host,
      this.#credentials(this.endpoint),
      CHANNEL_OPTIONS,
    );
    this.#clients[this.#current] = client;
    return client;
  }

  #method(service: string, name: string): MethodDefinition<object, object> {
    const methods = this.#package[`etcdserverpb.${service}`];
    if (methods === undefined || "format" in methods) throw new Error(`no service ${service}`);
    const definition = methods[name];
    if (definition === undefined) throw new Error(`no method ${service}.${name}`);
    return definition;
  }
}

/** True when the endpoint did not answer, so that another may. */
export function isUnreachable(error: unknown): boolean {
  return (
    error instanceof EtcdCallError &&
    (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED)
  );
}

/** The shape follows from the definition in proto.ts and its loader options, which v3-types.ts states again. */
function decoder<Response>(definition: MethodDefinition<object, object>) {
  return (bytes: Buffer): Response => definition.responseDeserialize(bytes) as Response;
}
