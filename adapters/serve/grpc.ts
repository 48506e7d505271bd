import type { Duplex } from "node:stream";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { etcdMethods, etcdPackage } from "../etcd/proto.js";
import { isWire, type Wire } from "../etcd/wire-fields.js";
import type { CallContext, MemberService } from "./service.js";
import { CallFailure } from "./status.js";
import { failureOf, type StreamHandle, type StreamSink } from "./stream.js";

/** What a member takes in one message: --max-request-bytes and 512 KiB for gRPC's part. */
export const RECEIVE_MAX = (1.5 * 1024 + 512) * 1024;

/** Beyond this gRPC itself refuses a message before it is read; its text is not Go's. */
const READ_MAX = 16 << 20;

/** A member's gRPC server. It has no port of its own: connections are handed to it. */
export class GrpcFront {
  readonly #server: Server;
  readonly #connections: ReturnType<Server["createConnectionInjector"]>;

  constructor(service: MemberService) {
    this.#server = new Server({
      "grpc.max_receive_message_length": READ_MAX,
      "grpc.max_send_message_length": -1,
    });
    for (const definition of Object.values(etcdPackage())) {
      if ("format" in definition) continue;
      const methods = raw(definition);
      this.#server.addService(methods, implementation(methods, service));
    }
    this.#connections = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** Takes over a connection whose first bytes are still to be read. */
  take(connection: Duplex): void {
    this.#connections.injectConnection(connection);
  }

  /** Ends everything at once. */
  close(): void {
    this.#connections.destroy();
    this.#server.forceShutdown();
  }
}

/** Messages come as bytes: what gRPC would say of those that cannot be read is not in Go's words. */
function raw(definition: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      { ...method, requestDeserialize: (bytes: Buffer) => bytes },
    ]),
  );
}

/** Reads a message. Throws a `CallFailure` with the text of Go's gRPC. */
function read(path: string, bytes: unknown, stream: boolean): Wire {
  const message = bytes instanceof Buffer ? bytes : Buffer.alloc(0);
  if (message.length > RECEIVE_MAX) {
    const text = `grpc: received message larger than max (${message.length} vs. ${RECEIVE_MAX})`;
    throw new CallFailure(status.RESOURCE_EXHAUSTED, text);
  }
  try {
    const value: unknown = etcdMethods().get(path)?.requestDeserialize(message);
    return isWire(value) ? value : {};
  } catch (error) {
    const why = error instanceof RangeError ? "unexpected EOF" : failureOf(error).message;
    const where = stream
      ? "grpc: failed to unmarshal the received message"
      : "grpc: error unmarshalling request:";
    throw new CallFailure(status.INTERNAL, `${where} ${why}`);
  }
}

function implementation(
  methods: ServiceDefinition,
  service: MemberService,
): UntypedServiceImplementation {
  const handlers: UntypedServiceImplementation = {};
  for (const [name, { path, requestStream, responseStream }] of Object.entries(methods)) {
    if (requestStream) {
      handlers[name] = (call: ServerDuplexStream<unknown, Wire>) => {
        const handle = service.open(path, contextOf(call), sinkOf(call));
        follow(call, handle);
        call.on("data", (bytes: unknown) => hand(handle, path, bytes));
        call.on("end", () => handle.halfClosed());
      };
    } else if (responseStream) {
      handlers[name] = (call: ServerWritableStream<unknown, Wire>) => {
        const handle = service.open(path, contextOf(call), sinkOf(call));
        follow(call, handle);
        hand(handle, path, call.request);
      };
    } else {
      handlers[name] = (call: ServerUnaryCall<unknown, Wire>, done: sendUnaryData<Wire>) => {
        const context = contextOf(call);
        const answer = async (): Promise<Wire> =>
          service.call(path, read(path, call.request, false), context);
        answer().then(
          (message) => done(null, message),
          (error: unknown) => done(statusObject(failureOf(error))),
        );
      };
    }
  }
  return handlers;
}

/** One message of a stream; one that cannot be read ends it. */
function hand(handle: StreamHandle, path: string, bytes: unknown): void {
  try {
    handle.message(read(path, bytes, true));
  } catch (error) {
    handle.gone(failureOf(error));
  }
}

interface Cancellable {
  readonly metadata: Metadata;
  on(event: "cancelled", listener: () => void): unknown;
}

function contextOf(call: Cancellable): CallContext {
  const controller = new AbortController();
  call.on("cancelled", () => controller.abort());
  const value = (name: string): string | undefined => {
    const [found] = call.metadata.get(name);
    return found === undefined ? undefined : String(found);
  };
  const token = value("token") ?? value("authorization");
  return {
    asking: {
      ...(token === undefined ? {} : { token }),
      ...(value("hasleader") === "true" ? { requireLeader: true } : {}),
    },
    signal: controller.signal,
  };
}

/** What streams with many messages and streams with one have in common. */
interface Outgoing extends Cancellable {
  readonly cancelled: boolean;
  write(message: Wire): boolean;
  end(): void;
  emit(event: "error", error: unknown): boolean;
  on(event: "cancelled" | "drain", listener: () => void): unknown;
}

function sinkOf(call: Outgoing): StreamSink {
  return {
    send: (message) => call.write(message),
    end: (failure) => {
      if (failure === null) call.end();
      // An error event of a call that is over would be thrown.
      else if (!call.cancelled) call.emit("error", statusObject(failure));
    },
  };
}

function follow(call: Outgoing, handle: StreamHandle): void {
  call.on("drain", () => handle.drained());
  call.on("cancelled", () => handle.gone());
}

function statusObject({ code, details }: CallFailure) {
  return { name: status[code] ?? "UNKNOWN", message: details, code, details };
}
