import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, beforeAll } from "vitest";
import { EtcdV2Client } from "../../adapters/etcd/index.js";
import type { FleetTransport } from "../../adapters/fleet/index.js";
import type { EtcdReply, V2Node, V2Request } from "../../core/etcd/client.js";
import type { RpcRequest } from "../../core/fleet/grpc-calls.js";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";
import { PREFIX } from "../../core/fleet/testing/registry.js";
import type { UnitFile } from "../../core/fleet/unit-file.js";
import { fromBytes } from "../../core/go/index.js";
import { EtcdServer } from "./etcd-server.js";
import { exchange, transportTo } from "./fleet-api.js";
import { buildFleet } from "./fleetctl.js";

/** A call of the real registry, in the words of the Go program. */
export interface MuxCommand {
  readonly call: string;
  readonly unit?: string;
  readonly machine?: string;
  readonly address?: string;
  readonly grpc?: boolean;
  readonly state?: string;
  readonly options?: readonly unknown[];
  readonly report?: unknown;
  readonly ttl?: number;
}

/** The same call in the words of the Go program. */
export function commandOf(request: RpcRequest): MuxCommand {
  const { rpc: call } = request;
  switch (request.rpc) {
    case "CreateUnit": {
      const { name, file, state } = request.unit;
      return { call, unit: name, state, options: optionsOf(file) };
    }
    case "SaveUnitState":
      return { call, unit: request.state.name, report: request.state, ttl: request.ttl };
    default:
      return { call, ...request };
  }
}

/** A file's options as the Go program takes and prints them. */
export function optionsOf({ options }: UnitFile): unknown[] {
  return options.map(({ section, name, value }) => ({ section, name, value: fromBytes(value) }));
}

/** What a call came to. */
export interface MuxAnswer {
  /** "" if there was none. */
  readonly error: string;
  readonly value: unknown;
}

/** A fleetd with `enable_grpc` as far as its unit registry goes, built from fleet's own packages. */
export class RealMux {
  readonly machine: string;
  /** Where its server listens while it leads, on a port that fleet does not let anyone choose. */
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #transport: FleetTransport;
  readonly #waiting = new Map<number, (answer: MuxAnswer) => void>();
  readonly #exit: Promise<number | null>;
  #log = "";
  #nextId = 1;

  private constructor(child: ChildProcess, machine: string, address: string, api: string) {
    this.#child = child;
    this.machine = machine;
    this.address = address;
    this.#transport = transportTo(api);
    this.#exit = new Promise((resolve) => child.once("close", resolve));
    child.stderr?.on("data", (part: Buffer) => {
      this.#log += part.toString();
    });
  }

  /**
   * @param etcd - URL of the etcd that it is over
   * @param address - of this host: another one than anybody else's
   */
  static async start(etcd: string, machine: string, address = freeAddress()): Promise<RealMux> {
    const child = spawn(buildFleet("./mux"), [etcd, machine, address], { stdio: "pipe" });
    const lines = createInterface(child.stdout);
    const [api]: unknown[] = await once(lines, "line");
    const mux = new RealMux(child, machine, address, String(api));
    lines.on("line", (line) => mux.#hear(line));
    return mux;
  }

  /** Makes a call; calls do not wait for each other. One that the end of the process cuts off is an error. */
  call(command: MuxCommand): Promise<MuxAnswer> {
    const id = this.#nextId++;
    return new Promise((done) => {
      this.#waiting.set(id, done);
      this.#child.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
      void this.#exit.then(() => this.#answered(id, "the process has ended", null));
    });
  }

  /** Says who leads. */
  async engineChanged(machine: string, address: string, grpc: boolean): Promise<MuxAnswer> {
    return this.call({ call: "EngineChanged", machine, address, grpc });
  }

  /** Says that this one leads. */
  lead(): Promise<MuxAnswer> {
    return this.engineChanged(this.machine, this.address, true);
  }

  ask(request: FleetHttpRequest): Promise<FleetHttpResponse> {
    return exchange(this.#transport, request);
  }

  /** What fleet has written to its log. */
  get log(): string {
    return this.#log;
  }

  /** Its exit code, once it has ended; null if a signal ended it. */
  exit(): Promise<number | null> {
    return this.#exit;
  }

  /** SIGKILL: its connections break at once. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exit;
  }

  /** Stops (SIGSTOP) or lets go on: alive for TCP, silent for others. */
  freeze(frozen: boolean): void {
    this.#child.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exit;
  }

  #hear(line: string): void {
    const { id, error, value }: { id: number; error: string; value: unknown } = JSON.parse(line);
    this.#answered(id, error, value);
  }

  #answered(id: number, error: string, value: unknown): void {
    this.#waiting.get(id)?.({ error, value });
    this.#waiting.delete(id);
  }
}

let given = 0;

/** A loopback address that no other test has: the port is always the same. */
export function freeAddress(): string {
  const byte = (from: number): number => 1 + (from % 254);
  return `127.${byte(process.pid >> 8)}.${byte(process.pid)}.${byte(given++)}`;
}

/** The schedule has no order in fleet: here it has that of the names. */
export function inOrder(units: unknown): unknown {
  const text = (unit: unknown): string => JSON.stringify(unit);
  if (!Array.isArray(units)) return units;
  return [...units].sort((left, right) => (text(left) < text(right) ? -1 : 1));
}

/** What the real registry answered, as far as it can be compared. */
export function answered({ rpc }: RpcRequest, { error, value }: MuxAnswer): unknown {
  if (error !== "") return "error";
  return rpc === "GetScheduledUnits" ? inOrder(value) : value;
}

/** Reads all that fleet has in etcd. */
export const READ_ALL: V2Request = { op: "get", key: PREFIX, recursive: true };

/** Keys and values, and whether they expire. */
export function contents(reply: EtcdReply): string[] {
  const lines: string[] = [];
  const visit = ({ key, value, nodes, dir, ttl }: V2Node): void => {
    if (dir !== true) lines.push(`${key} ${value} ${ttl === undefined ? "" : "ttl"}`);
    for (const node of nodes ?? []) visit(node);
  };
  if (reply.ok) visit(reply.node);
  return lines.sort();
}

/** A real mux over a real etcd, for as long as the tests of a block run. */
export interface MuxOverEtcd {
  readonly client: EtcdV2Client;
  readonly real: RealMux;
}

/** Makes a {@link MuxOverEtcd} before the tests of a block and takes it away after them; what it gives is there in tests. */
export function muxOverEtcd(machine: string): () => MuxOverEtcd {
  let store: EtcdServer | undefined;
  let made: MuxOverEtcd | undefined;
  beforeAll(async () => {
    store = await EtcdServer.create();
    const client = new EtcdV2Client({ endpoints: [store.url] });
    made = { client, real: await RealMux.start(store.url, machine) };
  });
  afterAll(async () => {
    await made?.real.stop();
    made?.client.close();
    await store?.remove();
  });
  return () => {
    if (made === undefined) throw new Error("asked for before the tests");
    return made;
  };
}
