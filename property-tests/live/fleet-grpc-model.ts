import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import type { FleetFact } from "../../core/fleet/events.js";
import type { RpcReply, RpcRequest, RpcUnit } from "../../core/fleet/grpc-calls.js";
import type { EnginePresence } from "../../core/fleet/grpc-client.js";
import { engineChanged } from "../../core/fleet/grpc-mux.js";
import {
  FLEET_DEFAULTS,
  type FleetEffect,
  type FleetHttpRequest,
  type FleetHttpResponse,
  type FleetState,
  type FleetStimulus,
  fleetd,
} from "../../core/fleet/index.js";
import { Registry } from "../../core/fleet/testing/registry.js";
import { type Outcome, SECOND, stepInPlace } from "../../core/kernel/index.js";
import type { Fates } from "./etcd-proxy.js";
import { inOrder, optionsOf } from "./fleet-grpc.js";

/** Who calls, for the model: its own client, or the test. */
const SELF = 0;
const TEST = 1;

const METHODS = { get: "GET", put: "PUT", post: "POST", delete: "DELETE", watch: "GET" };

/** A fleetd of the model that nobody but the test tells who leads, over a v2 store that answers at once. */
export class ModelMux {
  readonly registry = new Registry("faithful");
  readonly state: FleetState;
  readonly exits: number[] = [];
  /** What becomes of its requests to etcd. */
  fate: Fates = () => "answered";
  readonly #effects: FleetEffect[] = [];
  #performing = false;
  #now = 0;
  #replies: RpcReply[] = [];
  #responses: FleetHttpResponse[] = [];

  constructor(machineId: string, publicIp: string) {
    this.state = fleetd.create({ ...FLEET_DEFAULTS, machineId, publicIp, enableGrpc: true });
    this.state.phase = "running";
  }

  engineChanged(engine: EnginePresence): void {
    const out: Outcome<FleetFact, FleetEffect> = { facts: [], effects: [] };
    engineChanged({ state: this.state, now: this.#now, out }, engine);
    this.#take(out);
  }

  /** Time passes. */
  pass(seconds: number): void {
    this.#now += seconds * SECOND;
  }

  /** Says that this one leads. */
  lead(): void {
    const { machineId, publicIp } = this.state.config;
    this.engineChanged({ id: machineId, publicIp, grpc: true });
  }

  /** A call of the server. */
  call(request: RpcRequest): RpcReply {
    this.#step({ kind: "rpc-request", client: { from: TEST, call: 0 }, request });
    const [reply] = this.#replies.splice(0);
    if (reply === undefined) throw new Error(`no answer to ${request.rpc}`);
    return reply;
  }

  ask(request: FleetHttpRequest): FleetHttpResponse {
    this.#step({ kind: "http-request", client: { from: TEST, call: 0 }, request });
    const [response] = this.#responses.splice(0);
    if (response === undefined) throw new Error(`no answer to ${request.method} ${request.target}`);
    return response;
  }

  etcd(request: V2Request): EtcdReply {
    return this.registry.etcd(request);
  }

  #step(stimulus: FleetStimulus): void {
    this.#take(stepInPlace(fleetd, this.state, stimulus, ++this.#now));
  }

  #take({ effects }: Outcome<FleetFact, FleetEffect>): void {
    this.#effects.push(...effects);
    if (this.#performing) return;
    this.#performing = true;
    for (let next = this.#effects.shift(); next !== undefined; next = this.#effects.shift()) {
      this.#perform(next);
    }
    this.#performing = false;
  }

  #perform(effect: FleetEffect): void {
    switch (effect.kind) {
      case "etcd-call": {
        const { id, request } = effect;
        const fate = this.fate(METHODS[request.op], request.key);
        const made = fate === "unheard" ? null : this.registry.etcd(request);
        const reply: EtcdReply =
          made === null || fate === "unanswered" ? { ok: false, unreachable: "timeout" } : made;
        this.#step({ kind: "etcd-reply", id, reply });
        return;
      }
      case "rpc-call": {
        const { id, address, request } = effect;
        if (address === this.state.config.publicIp) {
          this.#step({ kind: "rpc-request", client: { from: SELF, call: id }, request });
        } else this.#heard(id, { ok: false, rpc: "error", error: "refused" });
        return;
      }
      case "rpc-response":
        if (effect.client.from === SELF) this.#heard(effect.client.call, effect.reply);
        else this.#replies.push(effect.reply);
        return;
      case "rpc-hangup":
        if (effect.peer === SELF) {
          this.#step({ kind: "rpc-closed", address: this.state.config.publicIp });
        }
        return;
      case "http-response":
        this.#responses.push(effect.response);
        return;
      case "exit":
        this.exits.push(effect.code);
        return;
      default:
        return;
    }
  }

  #heard(id: number, reply: RpcReply): void {
    this.#step({ kind: "rpc-reply", id, reply });
  }
}

/** What fleet's client makes of an answer, in the words of the Go program. */
export function modelAnswer(request: RpcRequest, reply: RpcReply): unknown {
  switch (reply.rpc) {
    case "error":
      return "error";
    case "done":
      return null;
    case "units":
      return reply.units.map(stored);
    case "unit":
      return reply.unit && stored(reply.unit);
    case "schedule":
      return request.rpc === "GetScheduledUnit" ? (reply.units[0] ?? null) : inOrder(reply.units);
    case "states":
      return request.rpc === "GetUnitState" ? (reply.states[0] ?? NO_STATE) : reply.states;
  }
}

const NO_STATE = { name: "", machine: "", load: "", active: "", sub: "", hash: "" };

function stored({ name, file, state }: RpcUnit): unknown {
  return { name, state, options: optionsOf(file) };
}
