import type { EtcdReply, V2Request } from "../../etcd/client.js";
import { applyV2Command, createV2Store, parseV2Request, type V2Notice } from "../../etcd/index.js";
import { toBytes } from "../../go/index.js";
import {
  beginRequest,
  type FleetHttpRequest,
  type FleetHttpResponse,
  fleetctl,
  nextStep,
} from "../index.js";
import { heartbeat, saveUnitState, schedule, writeMachine, writeTargetState } from "../registry.js";

export const PREFIX = "/_coreos.com/fleet";

/** A registry in a v2 store without hosts, and the API over it. */
export class Registry {
  readonly requests: V2Request[] = [];
  readonly #store = createV2Store();
  readonly #profile: "faithful" | "fixed";
  /** Answers instead of the store while it is set. */
  broken: EtcdReply | null = null;

  constructor(profile: "faithful" | "fixed" = "faithful") {
    this.#profile = profile;
  }

  etcd(request: V2Request): EtcdReply {
    this.requests.push(request);
    if (this.broken !== null) return this.broken;
    const parsed = parseV2Request(request, 0);
    if (!parsed.ok) return parsed.failure;
    if (parsed.command.op === "watch") throw new Error("not a watch");
    const notices: V2Notice[] = [];
    return applyV2Command(this.#store, parsed.command, 0, notices);
  }

  ask(request: Partial<FleetHttpRequest>): FleetHttpResponse {
    const whole = { method: "GET", target: "/", contentTypes: [], body: "", ...request };
    const begun = beginRequest(whole, true);
    if (begun.run === null) return begun.response;
    for (;;) {
      const step = nextStep({ keyPrefix: PREFIX, profile: this.#profile }, begun.run);
      if (step.call === null) return step.response;
      begun.run.replies.push(this.etcd(step.call));
    }
  }

  get(path: string): FleetHttpResponse {
    return this.ask({ target: `/fleet/v1${path}` });
  }

  put(unit: string, body: unknown): FleetHttpResponse {
    return this.ask({
      method: "PUT",
      target: `/fleet/v1/units/${encodeURIComponent(unit)}`,
      contentTypes: ["application/json"],
      body: toBytes(typeof body === "string" ? body : JSON.stringify(body)),
    });
  }

  patch(body: unknown): FleetHttpResponse {
    const bytes = toBytes(typeof body === "string" ? body : JSON.stringify(body));
    return this.ask({ method: "PATCH", target: "/fleet/v1/machines", body: bytes });
  }

  destroy(unit: string): FleetHttpResponse {
    return this.ask({ method: "DELETE", target: `/fleet/v1/units/${unit}` });
  }

  /** A unit as fleetctl submits it. */
  submit(unit: string, text = "[Service]\nExecStart=/bin/true\n"): void {
    const session = fleetctl(PREFIX, "submit", unit, text);
    let next = session.next();
    while (next.done !== true) next = session.next(this.etcd(next.value));
  }

  target(unit: string, state: string): void {
    this.etcd(writeTargetState(PREFIX, unit, state));
  }

  machine(id: string, metadata: Readonly<Record<string, string>> = {}, publicIp = ""): void {
    this.etcd(writeMachine(PREFIX, { id, publicIp, metadata }, 30, false));
  }

  schedule(unit: string, machine: string): void {
    this.etcd(schedule(PREFIX, unit, machine));
  }

  report(unit: string, machine: string, active = "active", sub = "running"): void {
    const report = { load: "loaded", active, sub, hash: "1".repeat(40) };
    for (const request of saveUnitState(PREFIX, unit, machine, report, 30)) this.etcd(request);
  }

  beat(unit: string, machine: string): void {
    this.etcd(heartbeat(PREFIX, unit, machine, 30));
  }
}

/** Status and body, as `status body`; the kind of what is no answer. */
export function shown(response: FleetHttpResponse): string {
  return response.kind === "answer" ? `${response.status} ${response.body}`.trim() : response.kind;
}
