import { type FleetTransport, Unreachable } from "../../adapters/fleet/index.js";
import type { EtcdReply } from "../../core/etcd/client.js";
import type { ClientReply } from "../../core/etcd/index.js";
import type { FleetHttpResponse } from "../../core/fleet/index.js";
import type { Packet } from "../../core/host/index.js";
import { MILLISECOND, MINUTE, type Micros, SECOND } from "../../core/kernel/index.js";
import { type FaultPlan, type Scenario, Simulation } from "../../sim/index.js";
import { formatTime } from "../../viz/index.js";
import { besideTheApi } from "./serve-fleet.js";
import { isServing } from "./serve-world.js";
import { clockOf, UnitJournal } from "./unit-journal.js";

export interface SimulatedFleetOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly plan: FaultPlan;
  /** Simulated time at which the command is given. */
  readonly at: Micros;
  /** Name of the host whose fleetd is asked; null for the first that runs one. */
  readonly host: string | null;
}

/** How far the world goes on between two looks for an answer. */
const STEP: Micros = 10 * MILLISECOND;

/** An answer that has not come by then does not come: fleetd asks etcd for a second at most, a few times. */
const PATIENCE: Micros = 60 * SECOND;

/** How long a command may wait after the end of the scenario. */
const GRACE: Micros = 10 * MINUTE;

/**
 * A fleet in a run of its own, in memory: the run goes on until the time asked for, and further only
 * while a command waits. Rejects with `Unreachable` if there is no fleetd at that time.
 */
export async function simulatedTransport(options: SimulatedFleetOptions): Promise<FleetTransport> {
  const { seed, plan, at } = options;
  const end = Math.max(options.scenario.duration, at) + GRACE;
  const scenario: Scenario = { ...options.scenario, duration: end };
  const responses = new Map<number, FleetHttpResponse>();
  const replies = new Map<number, ClientReply>();
  const journal = new UnitJournal((host) => clockOf(simulation, host));
  const simulation: Simulation = new Simulation({
    scenario,
    seed,
    plan,
    observer: { record: (record) => journal.note(record) },
    outside: (_, packet) => {
      if (packet.kind === "fleet-response") responses.set(packet.call, packet.response);
      else if (packet.kind === "etcd-response") replies.set(packet.call, packet.reply);
    },
  });
  simulation.advance(at);
  const name = `${scenario.name} at ${formatTime(simulation.at)}`;
  const running = simulation.hosts.filter(({ fleet }) => fleet !== null);
  const chosen = running.find(
    ({ config }) => options.host === null || config.name === options.host,
  );
  if (chosen === undefined) {
    const names = running.map(({ config }) => config.name).join(", ") || "no host";
    throw new Unreachable(
      `${name}: no fleetd runs on ${options.host ?? "any host"}; one runs on ${names}`,
    );
  }
  const node = chosen.config.index;
  let calls = 0;
  /** Sends a packet and lets the world go on until there is an answer. */
  const ask = <Answer>(host: number, packet: Packet, answer: () => Answer | undefined): Answer => {
    simulation.intervene({ kind: "packet", host, packet });
    const last = simulation.at + PATIENCE;
    for (let more = true; ; more = simulation.advance(simulation.at + STEP)) {
      const heard = answer();
      if (heard !== undefined) return heard;
      if (!more || simulation.at >= last) {
        throw new Unreachable(`${name}: no answer by ${formatTime(simulation.at)}`);
      }
    }
  };
  return {
    name,
    exchange: async (request) => {
      const beside = besideTheApi(simulation.hosts, journal, request);
      if (beside !== null) return beside;
      const call = ++calls;
      return ask(node, { kind: "fleet-request", call, request }, () => responses.get(call));
    },
    etcd: async (request) => {
      const member = simulation.hosts.find(isServing);
      if (member === undefined) throw new Unreachable(`${name}: no etcd member runs`);
      const call = ++calls;
      const packet = { kind: "etcd-request", call, request } as const;
      const reply = ask(member.config.index, packet, () => replies.get(call));
      if (isV2Reply(reply)) return reply;
      throw new Unreachable(`${name}: etcd did not answer as the v2 API does`);
    },
    sleep: async (ms) => {
      if (simulation.advance(simulation.at + ms * MILLISECOND)) return;
      throw new Unreachable(`${scenario.name} ends at ${formatTime(simulation.at)}`);
    },
    close: () => {},
  };
}

function isV2Reply(reply: ClientReply): reply is EtcdReply {
  return "node" in reply || "errorCode" in reply || "unreachable" in reply;
}
