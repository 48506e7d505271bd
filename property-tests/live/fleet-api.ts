import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { EtcdV2Client } from "../../adapters/etcd/index.js";
import {
  type FleetTransport,
  httpTransport,
  readFleetEndpoint,
  Unreachable,
} from "../../adapters/fleet/index.js";
import type { V2Request } from "../../core/etcd/client.js";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";
import { SECOND } from "../../core/kernel/index.js";
import { buildFleet } from "./fleetctl.js";

/** The API server of fleet 1.0, built from its own packages, over a real etcd. */
export class RealApi {
  readonly #client: EtcdV2Client;
  readonly #child: ChildProcess;
  readonly #transport: FleetTransport;

  private constructor(etcd: string, child: ChildProcess, address: string) {
    this.#client = new EtcdV2Client({ endpoints: [etcd] });
    this.#child = child;
    this.#transport = transportTo(address);
  }

  /**
   * @param etcd - URL of the etcd that it is over
   * @param engine - the machine whose engine is to run as well
   */
  static async start(etcd: string, engine?: string): Promise<RealApi> {
    const program = buildFleet(".");
    const words = [etcd, ...(engine === undefined ? [] : [engine])];
    const child = spawn(program, words, { stdio: ["pipe", "pipe", "ignore"] });
    const [line]: unknown[] = await once(child.stdout, "data");
    return new RealApi(etcd, child, String(line).trim());
  }

  ask(request: FleetHttpRequest): Promise<FleetHttpResponse> {
    return exchange(this.#transport, request);
  }

  async etcd(request: V2Request): Promise<void> {
    await this.#client.ask(request, 5 * SECOND);
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await once(this.#child, "exit");
    this.#client.close();
  }
}

/** To an API that listens at `address`. */
export function transportTo(address: string): FleetTransport {
  const name = `http://${address}`;
  const endpoint = readFleetEndpoint(name);
  if (endpoint === null) throw new Error(name);
  return httpTransport(name, endpoint, { timeoutMs: 30_000 });
}

/** One request to an API. */
export async function exchange(
  transport: FleetTransport,
  request: FleetHttpRequest,
): Promise<FleetHttpResponse> {
  try {
    return await transport.exchange(request);
  } catch (error) {
    if (error instanceof Unreachable && error.message.includes("closed")) {
      return { kind: "dropped" };
    }
    throw error;
  }
}
