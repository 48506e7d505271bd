import {
  type ApiMachine,
  type ApiUnit,
  type FleetHttpRequest,
  type FleetHttpResponse,
  type JobState,
  type RegisteredState,
  type UnitFile,
  type UnitOption,
  unitFromOptions,
} from "../../core/fleet/index.js";
import { type FleetTransport, Unreachable } from "./transport.js";

/** The API has refused a request. The message is as fleet's own client words it. */
export class FleetApiError extends Error {
  readonly status: number;

  constructor(status: number, body: string) {
    super(errorText(status, body));
    this.status = status;
  }
}

/** systemd's view of a unit on one machine, where a fleet is simulated. */
export interface HostUnitStatus {
  readonly unit: string;
  readonly description: string;
  readonly loadState: string;
  readonly activeState: string;
  readonly subState: string;
  /** Where its unit file lies; "" if nowhere. */
  readonly fragment: string;
}

/** What systemd of a simulated machine has said of a unit. */
export interface UnitMessage {
  /** Counts up over all that a fleet's machines say. */
  readonly cursor: number;
  /** The machine's clock, µs since 1970. */
  readonly at: number;
  readonly host: string;
  readonly unit: string;
  /** How often the machine had booted. */
  readonly boot: number;
  readonly message: string;
}

/** Path at which a simulated fleet tells what a real one's API does not: its machines, and their systemds. */
export const MACHINES_PATH = "/orrery/v1/machines";

const API = "/fleet/v1";

/** A client of fleet's API. Collections are read page by page. */
export class FleetClient {
  readonly transport: FleetTransport;

  constructor(transport: FleetTransport) {
    this.transport = transport;
  }

  machines(): Promise<ApiMachine[]> {
    return this.#pages("/machines", "machines", (item) => ({
      id: text(item, "id"),
      publicIp: text(item, "primaryIP"),
      metadata: texts(field(item, "metadata")),
    }));
  }

  units(): Promise<ApiUnit[]> {
    return this.#pages("/units", "units", readUnit);
  }

  /** One unit; null when there is none. */
  async unit(name: string): Promise<ApiUnit | null> {
    const json = await this.#get(`/units/${encodeURIComponent(name)}`);
    return json === null ? null : readUnit(json);
  }

  unitStates(): Promise<RegisteredState[]> {
    return this.#pages("/state", "states", (item) => ({
      unit: text(item, "name"),
      reporter: text(item, "machineID"),
      machine: text(item, "machineID"),
      load: text(item, "systemdLoadState"),
      active: text(item, "systemdActiveState"),
      sub: text(item, "systemdSubState"),
      hash: text(item, "hash"),
    }));
  }

  async createUnit(name: string, { options }: UnitFile): Promise<void> {
    const listed = options.map((option) => ({
      section: decoded(option.section),
      name: decoded(option.name),
      value: decoded(option.value),
    }));
    await this.#put(name, { name, options: listed });
  }

  async setTargetState(name: string, desiredState: JobState): Promise<void> {
    await this.#put(name, { name, desiredState });
  }

  /** False when there was no such unit. */
  async destroyUnit(name: string): Promise<boolean> {
    const target = `${API}/units/${encodeURIComponent(name)}`;
    const { status, body } = await this.#ask({ method: "DELETE", target });
    if (status === 404) return false;
    if (status >= 300) throw new FleetApiError(status, body);
    return true;
  }

  /** systemd's view of a unit; null where the endpoint does not tell, as a real fleet's does not. */
  async hostStatus(machine: string, unit: string): Promise<HostUnitStatus | null> {
    const json = await this.#beside(`/${machine}/units/${encodeURIComponent(unit)}`);
    if (json === null) return null;
    return {
      unit: text(json, "unit"),
      description: text(json, "description"),
      loadState: text(json, "loadState"),
      activeState: text(json, "activeState"),
      subState: text(json, "subState"),
      fragment: text(json, "fragment"),
    };
  }

  /** Whether the endpoint is that of a simulated fleet, whose machines cannot be logged in to. */
  async isSimulated(): Promise<boolean> {
    return (await this.#beside("")) !== null;
  }

  /** What systemd of a simulated machine has last said of a unit, the oldest first. */
  async messages(machine: string, unit: string, lines: number): Promise<readonly UnitMessage[]> {
    const path = `/${machine}/units/${encodeURIComponent(unit)}/journal?lines=${lines}`;
    const json = await this.#beside(path);
    if (!Array.isArray(json)) return [];
    return json.map((item) => ({
      cursor: integer(item, "cursor"),
      at: integer(item, "at"),
      host: text(item, "host"),
      unit: text(item, "unit"),
      boot: integer(item, "boot"),
      message: text(item, "message"),
    }));
  }

  /** What a simulated fleet has there; null on a real one, and for what is not there. */
  async #beside(path: string): Promise<unknown> {
    const target = `${MACHINES_PATH}${path}`;
    const { status, headers, body } = await this.#ask({ method: "GET", target });
    if (status !== 200 || !(headers["Content-Type"] ?? "").startsWith("application/json"))
      return null;
    try {
      return JSON.parse(body);
    } catch {
      return null;
    }
  }

  async #pages<Item>(
    path: string,
    collection: string,
    read: (item: unknown) => Item,
  ): Promise<Item[]> {
    const items: Item[] = [];
    for (let token = ""; ; ) {
      const query = token === "" ? "" : `?nextPageToken=${encodeURIComponent(token)}`;
      const page = await this.#get(`${path}${query}`);
      const listed = field(page, collection);
      if (Array.isArray(listed)) items.push(...listed.map(read));
      token = text(page, "nextPageToken");
      if (token === "") return items;
    }
  }

  /** The JSON there; null for 404. */
  async #get(path: string): Promise<unknown> {
    const { status, body } = await this.#ask({ method: "GET", target: `${API}${path}` });
    if (status === 404) return null;
    if (status !== 200) throw new FleetApiError(status, body);
    try {
      return JSON.parse(body);
    } catch {
      throw new Unreachable(`${this.transport.name}: what answers there is no fleet API`);
    }
  }

  async #put(name: string, json: unknown): Promise<void> {
    const { status, body } = await this.#ask({
      method: "PUT",
      target: `${API}/units/${encodeURIComponent(name)}`,
      contentTypes: ["application/json"],
      body: Buffer.from(JSON.stringify(json)).toString("latin1"),
    });
    if (status >= 300) throw new FleetApiError(status, body);
  }

  async #ask(
    request: Pick<FleetHttpRequest, "method" | "target"> & Partial<FleetHttpRequest>,
  ): Promise<FleetHttpResponse & { readonly kind: "answer" }> {
    const whole = { contentTypes: [], body: "", ...request };
    const response = await this.transport.exchange(whole);
    if (response.kind === "answer") return response;
    const { name } = this.transport;
    const why = response.kind === "refused" ? "no fleetd runs there" : "closed without an answer";
    throw new Unreachable(`${name}: ${why}`);
  }
}

function readUnit(json: unknown): ApiUnit {
  const listed = field(json, "options");
  const options = Array.isArray(listed) ? listed.map(readOption) : [];
  const currentState = text(json, "currentState");
  return {
    name: text(json, "name"),
    file: unitFromOptions(options),
    desiredState: text(json, "desiredState"),
    currentState: JOB_STATES.find((state) => state === currentState) ?? "",
    machine: text(json, "machineID"),
  };
}

const JOB_STATES: readonly JobState[] = ["inactive", "loaded", "launched"];

function readOption(json: unknown): UnitOption {
  const bytes = (name: string) => Buffer.from(text(json, name)).toString("latin1");
  return { section: bytes("section"), name: bytes("name"), value: bytes("value") };
}

function decoded(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function field(json: unknown, name: string): unknown {
  if (json === null || typeof json !== "object") return undefined;
  return Object.entries(json).find(([key]) => key === name)?.[1];
}

function text(json: unknown, name: string): string {
  const value = field(json, name);
  return typeof value === "string" ? value : "";
}

function integer(json: unknown, name: string): number {
  const value = field(json, name);
  return typeof value === "number" ? value : 0;
}

function texts(json: unknown): Record<string, string> {
  if (json === null || typeof json !== "object") return {};
  return Object.fromEntries(Object.entries(json).filter(([, value]) => typeof value === "string"));
}

function errorText(status: number, body: string): string {
  let message = "";
  try {
    message = text(field(JSON.parse(body), "error"), "message");
  } catch {
    // Not fleet's error entity: the body itself says what there is to say.
  }
  if (message !== "") return `googleapi: Error ${status}: ${message}`;
  return `googleapi: got HTTP response code ${status} with body: ${body}`;
}
