import {
  createHost,
  type HostEffect,
  type HostFact,
  type HostState,
  type HostStimulus,
  hostMachine,
} from "../../core/host/index.js";
import {
  hashState,
  type Micros,
  type Outcome,
  stepImmutable,
  stepInPlace,
} from "../../core/kernel/index.js";
import { nextBoot } from "../../core/update/index.js";
import { type FaultPlan, type Scenario, Simulation } from "../../sim/index.js";
import type { Finding } from "./finding.js";

/** A stimulus as a host of a simulated run got it. */
export interface Delivery {
  readonly node: number;
  readonly stimulus: HostStimulus;
  /** What the host's clock showed. */
  readonly now: Micros;
}

/** Every stimulus that hosts get in a run, in order, and the hash of each host's last state. */
export function recordDeliveries(
  scenario: Scenario,
  seed: number,
  plan: FaultPlan,
): { readonly deliveries: readonly Delivery[]; readonly states: readonly HostState[] } {
  const deliveries: Delivery[] = [];
  const simulation: Simulation = new Simulation({
    scenario,
    seed,
    plan,
    observer: {
      record: () => undefined,
      stimulus(record) {
        const node = simulation.nodeNamed(record.host);
        const clock = simulation.clocks[node];
        if (node >= simulation.hosts.length || clock === undefined) return;
        const stimulus = record.data as HostStimulus;
        deliveries.push({ node, stimulus, now: clock.read(simulation.at) });
      },
    },
  });
  simulation.advance(scenario.duration);
  return { deliveries, states: simulation.hosts };
}

/** Steps at which the states of both runners are compared whole; facts and effects are at each. */
const HASH_EVERY = 500;

/**
 * Fresh host machines, fed what the hosts of a run were told, end as the run's hosts did: on owned
 * states changed in place and on frozen ones, with the same facts and effects at every step. On
 * the way no host asks for a write to the slot it runs, and each keeps a slot that boots.
 */
export function runnersAgree(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  const { deliveries, states } = recordDeliveries(scenario, seed, plan);
  const origin = new Simulation({ scenario, seed, plan });
  const owned = origin.hosts.map((host) => createHost(host.config));
  const frozen = origin.hosts.map((host) => createHost(host.config));
  for (const [i, { node, stimulus, now }] of deliveries.entries()) {
    const host = owned[node];
    const before = frozen[node];
    if (host === undefined || before === undefined) return `no host ${node}`;
    const inPlace = stepInPlace(hostMachine, host, stimulus, now);
    const immutable = stepImmutable(hostMachine, before, stimulus, now);
    frozen[node] = immutable.state;
    const where = `step ${i}, ${host.config.name}, ${stimulus.kind}`;
    const different = outcomesDiffer(inPlace, immutable);
    if (different !== null) return `${where}: ${different}`;
    if (i % HASH_EVERY === 0 && hashState(host) !== hashState(immutable.state)) {
      return `${where}: the states differ`;
    }
    const slots = slotsUnsafe(host, inPlace.effects);
    if (slots !== null) return `${where}: ${slots}`;
  }
  for (const [node, state] of states.entries()) {
    const hash = hashState(state);
    if (hash !== hashState(owned[node])) return `${state.config.name} ends otherwise in place`;
    if (hash !== hashState(frozen[node])) return `${state.config.name} ends otherwise immutably`;
  }
  return null;
}

/** No host writes to the slot it runs, and each keeps a slot that boots. */
export function slotsStaySafe(scenario: Scenario, seed: number, plan: FaultPlan): Finding {
  const { deliveries } = recordDeliveries(scenario, seed, plan);
  const origin = new Simulation({ scenario, seed, plan });
  const hosts = origin.hosts.map((host) => createHost(host.config));
  for (const [i, { node, stimulus, now }] of deliveries.entries()) {
    const host = hosts[node];
    if (host === undefined) return `no host ${node}`;
    const { effects } = stepInPlace(hostMachine, host, stimulus, now);
    const unsafe = slotsUnsafe(host, effects);
    if (unsafe !== null) return `step ${i}, ${host.config.name}, ${stimulus.kind}: ${unsafe}`;
  }
  return null;
}

type HostOutcome = Outcome<HostFact, HostEffect>;

function outcomesDiffer(left: HostOutcome, right: HostOutcome): Finding {
  if (!same(left.facts, right.facts)) {
    return `facts ${JSON.stringify(left.facts)} in place, ${JSON.stringify(right.facts)} immutably`;
  }
  if (!same(left.effects, right.effects)) {
    return `effects ${JSON.stringify(left.effects)} in place, ${JSON.stringify(right.effects)} immutably`;
  }
  return null;
}

function same(left: readonly unknown[], right: readonly unknown[]): boolean {
  if (left.length === 0 && right.length === 0) return true;
  return hashState(left) === hashState(right);
}

function slotsUnsafe(host: HostState, effects: readonly HostEffect[]): Finding {
  for (const effect of effects) {
    if (effect.kind === "slot-write" && effect.slot === host.running) {
      return `${effect.slot} runs and is to be written`;
    }
  }
  const choice = nextBoot(host.slots);
  if (choice === null) return "no slot would boot";
  return host.slots[choice.slot].complete ? null : `${choice.slot} would boot and is incomplete`;
}
