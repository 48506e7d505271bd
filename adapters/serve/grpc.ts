import type { Duplex } from "node:stream";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  ServerInterceptingCall,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { etcdPackage } from "../etcd/proto.js";
import { isWire, type Wire } from "../etcd/wire-fields.js";
import type { CallContext, MemberService } from "./service.js";
import type { CallFailure } from "./status.js";
import { failureOf, type StreamHandle, type StreamSink } from "./stream.js";

/** What a member takes in one message: --max-request-bytes and 512 KiB for gRPC's part. */
export const RECEIVE_MAX = (1.5 * 1024 + 512) * 1024;

/** A member's gRPC server. It has no port of its own: connections are handed to it. */
export class GrpcFront {
  readonly #server: Server;
  readonly #connections: ReturnType<Server["createConnectionInjector"]>;

  constructor(service: MemberService) {
    this.#server = new Server({
      "grpc.max_receive_message_length": RECEIVE_MAX,
      "grpc.max_send_message_length": -1,
      interceptors: [
        (_, call) =>
          new ServerInterceptingCall(call, {
            sendStatus: (outcome, next) =>
              next({ ...outcome, details: inGoWords(outcome.details ?? "") }),
          }),
      ],
    });
    for (const definition of Object.values(etcdPackage())) {
      if ("format" in definition) continue;
      const methods: ServiceDefinition = definition;
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

/** Clients of etcd know errors by their texts, also those that gRPC itself finds. */
function inGoWords(details: string): string {
  const large = /^Received message larger than max \((\d+) vs (\d+)\)$/.exec(details);
  if (large !== null) {
    return `grpc: received message larger than max (${large[1] ?? ""} vs. ${large[2] ?? ""})`;
  }
  const broken = /^Error deserializing request: (.*)$/.exec(details);
  if (broken !== null) {
    return `grpc: failed to unmarshal the received message ${broken[1] ?? ""}`;
  }
  return details;
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
        call.on("data", (message: unknown) => handle.message(wire(message)));
        call.on("end", () => handle.halfClosed());
      };
    } else if (responseStream) {
      handlers[name] = (call: ServerWritableStream<unknown, Wire>) => {
        const handle = service.open(path, contextOf(call), sinkOf(call));
        follow(call, handle);
        handle.message(wire(call.request));
      };
    } else {
      handlers[name] = (call: ServerUnaryCall<unknown, Wire>, done: sendUnaryData<Wire>) => {
        service.call(path, wire(call.request), contextOf(call)).then(
          (answer) => done(null, answer),
          (error: unknown) => done(statusObject(failureOf(error))),
        );
      };
    }
  }
  return handlers;
}

function wire(message: unknown): Wire {
  return isWire(message) ? message : {};
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
  return {
    token: value("token") ?? value("authorization"),
    needsLeader: value("hasleader") === "true",
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
