import {
  chance,
  createGenerator,
  type Generator,
  type NodeIndex,
  nextBelow,
  nextUint32,
  permutation,
  pick,
} from "../../core/kernel/index.js";
import type { Scenario } from "../scenario/scenario.js";
import { Atlas } from "./atlas.js";
import type { FaultAllowance, FaultBudget } from "./budget.js";
import {
  type Fault,
  type FaultKind,
  type FaultPlan,
  faultPlan,
  NO_FAULTS,
  type Span,
} from "./plan.js";

/** Times a fault is drawn again when the limits forbid it, before it is left out. */
const DRAWS_MAX = 50;

/**
 * The fault plan of a seed: the scenario's explicit plan, or one drawn from its budget.
 *
 * Each fault is drawn from a stream of its own, apart from every stream of the run, so the run's
 * choices stay the same whichever faults are dropped, and one more crash in the budget leaves the
 * partitions alone unless the limits make them give way. A fault that finds no place within the
 * limits is left out; its id stays unused.
 */
export function drawFaultPlan(scenario: Scenario, seed: number): FaultPlan {
  if (scenario.faults.kind === "plan") return scenario.faults.plan;
  const { budget } = scenario.faults;
  if (budget.until <= budget.from) return NO_FAULTS;
  const atlas = new Atlas(scenario, budget);
  const faults: Fault[] = [];
  let id = 0;
  for (const allowance of budget.allowances) {
    const counts = createGenerator(seed, `faults/${allowance.kind}`);
    const count = drawFrom(counts, allowance.count);
    for (let n = 0; n < count; n++) {
      const generator = createGenerator(seed, `faults/${allowance.kind}/${n}`);
      const fault = drawWithin(scenario, budget, allowance, generator, atlas, id);
      if (fault !== null) faults.push(fault);
      id++;
    }
  }
  return faultPlan(faults);
}

function drawWithin(
  scenario: Scenario,
  budget: FaultBudget,
  allowance: FaultAllowance,
  generator: Generator,
  atlas: Atlas,
  id: number,
): Fault | null {
  for (let draw = 0; draw < DRAWS_MAX; draw++) {
    const window = budget.until - budget.from;
    if (allowance.duration.low > window) return null;
    const high = Math.min(allowance.duration.high, window);
    const duration = drawFrom(generator, { low: allowance.duration.low, high });
    const at = drawFrom(generator, { low: budget.from, high: budget.until - duration });
    const kind = drawKind(scenario, budget, allowance, generator);
    if (kind === null) return null;
    const fault: Fault = { id, at, duration, ...kind };
    // A single host with no services has nothing to be cut off from.
    const idle = "from" in fault && (fault.from.length === 0 || fault.to.length === 0);
    if (!idle && atlas.admit(fault)) return fault;
  }
  return null;
}

function drawKind(
  scenario: Scenario,
  budget: FaultBudget,
  allowance: FaultAllowance,
  generator: Generator,
): FaultKind | null {
  const { kind } = allowance;
  if (kind === "update-down" || kind === "discovery-down" || kind === "registry-down") {
    return { kind };
  }
  if (allowance.hosts.length === 0) return null;
  switch (kind) {
    case "partition": {
      const cut = drawSides(
        scenario,
        drawSome(scenario, generator, allowance.hosts, budget),
        generator,
      );
      return { kind, ...cut, oneWay: chance(generator, allowance.oneWayPpm) };
    }
    case "link": {
      const [host, other] = permutation(generator, scenario.hosts.length);
      const one = pick(generator, allowance.hosts);
      const single = chance(generator, 500_000);
      const peer = host === one ? other : host;
      const sides =
        single && peer !== undefined
          ? { from: [one], to: [peer] }
          : drawSides(scenario, [one], generator);
      return {
        kind,
        ...sides,
        oneWay: chance(generator, allowance.oneWayPpm),
        lossPpm: drawFrom(generator, allowance.lossPpm),
        duplicatePpm: drawFrom(generator, allowance.duplicatePpm),
        delay: drawPart(generator, allowance.delay),
      };
    }
    case "crash":
      return {
        kind,
        host: pick(generator, allowance.hosts),
        loseUnsyncedPpm: drawFrom(generator, allowance.loseUnsyncedPpm),
        loseDisk: chance(generator, allowance.loseDiskPpm),
      };
    case "kill-process": {
      const host = pick(generator, allowance.hosts);
      return { kind, host, unit: pick(generator, allowance.units) };
    }
    case "member-change": {
      const host = pick(generator, allowance.hosts);
      return { kind, host, learner: chance(generator, allowance.learnerPpm) };
    }
    case "pause":
      return { kind, host: pick(generator, allowance.hosts) };
    case "clock-step": {
      const host = pick(generator, allowance.hosts);
      return { kind, host, by: drawFrom(generator, allowance.step) };
    }
    case "clock-drift": {
      const host = pick(generator, allowance.hosts);
      return { kind, host, ppm: drawFrom(generator, allowance.driftPpm) };
    }
    case "slow-disk": {
      const host = pick(generator, allowance.hosts);
      return { kind, host, delay: drawPart(generator, allowance.delay) };
    }
  }
}

/** Some of the hosts, at most as many as may be away at once; ascending. */
function drawSome(
  scenario: Scenario,
  generator: Generator,
  hosts: readonly NodeIndex[],
  budget: FaultBudget,
): NodeIndex[] {
  // Cutting off more than half is cutting off the rest.
  const half = Math.floor(scenario.hosts.length / 2);
  const most = Math.max(1, Math.min(hosts.length, budget.hostsAtOnce, half));
  const count = 1 + nextBelow(generator, most);
  const order = permutation(generator, hosts.length);
  return order
    .slice(0, count)
    .flatMap((i) => hosts[i] ?? [])
    .sort((left, right) => left - right);
}

/** Cuts hosts off from all others, half of the time from services or clients as well; either may be `from`. */
function drawSides(
  scenario: Scenario,
  cut: readonly NodeIndex[],
  generator: Generator,
): { from: readonly NodeIndex[]; to: readonly NodeIndex[] } {
  const services = [scenario.discovery?.node, scenario.update?.node, scenario.containers?.node];
  const nodes = scenario.hosts.map((host) => host.index);
  if (chance(generator, 500_000))
    for (const node of services) if (node !== undefined) nodes.push(node);
  // A member without its peers that still has clients is what they may be deceived by.
  if (scenario.clients.length > 0 && chance(generator, 500_000)) {
    for (const { node } of scenario.clients) nodes.push(node);
  }
  const rest = nodes.filter((node) => !cut.includes(node));
  return chance(generator, 500_000) ? { from: cut, to: rest } : { from: rest, to: cut };
}

/** A sub-span: how slow it is differs from fault to fault as well as from write to write. */
function drawPart(generator: Generator, span: Span): Span {
  const one = drawFrom(generator, span);
  const other = drawFrom(generator, span);
  return { low: Math.min(one, other), high: Math.max(one, other) };
}

/** An integer of the span, both ends included; spans may be wider than 32 bits. */
export function drawFrom(generator: Generator, span: Span): number {
  const width = span.high - span.low + 1;
  if (width <= 1) return span.low;
  if (width <= 0x1_0000_0000) return span.low + nextBelow(generator, width);
  const share = (nextUint32(generator) * 0x20_0000 + (nextUint32(generator) >>> 11)) / 2 ** 53;
  return span.low + Math.floor(share * width);
}
