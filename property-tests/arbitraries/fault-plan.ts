import fc from "fast-check";
import {
  type Fault,
  type FaultKind,
  type FaultPlan,
  faultPlan,
  type Scenario,
} from "../../sim/index.js";

/** What drawn plans may do. */
export interface FaultLimits {
  readonly faultsMax: number;
  /** Longest fault, ms. */
  readonly durationMaxMs: number;
  /** Disks may be lost with everything on them. */
  readonly loseDisks: boolean;
}

const LIMITS: FaultLimits = { faultsMax: 12, durationMaxMs: 45_000, loseDisks: false };

/**
 * Fault plans over a scenario's hosts. Nothing keeps a plan survivable: faults overlap, repeat and
 * undo each other. They lie in the first two thirds of the run, so that there is time to recover,
 * and shrink by being dropped, shortened and moved to the start. Ids stay with the faults.
 */
export function faultPlans(
  scenario: Scenario,
  limits: Partial<FaultLimits> = {},
): fc.Arbitrary<FaultPlan> {
  const { faultsMax, durationMaxMs, loseDisks } = { ...LIMITS, ...limits };
  const windowMs = Math.floor(scenario.duration / 1_500);
  const longest = Math.min(durationMaxMs, Math.floor(windowMs / 2));
  const timed = fc.record({
    id: fc.nat(9_999),
    at: ms(0, windowMs - longest),
    duration: ms(1, longest),
    what: faultKind(scenario, loseDisks),
  });
  return fc
    .uniqueArray(timed, { maxLength: faultsMax, selector: ({ id }) => id })
    .map((drawn) =>
      faultPlan(drawn.map(({ id, at, duration, what }): Fault => ({ id, at, duration, ...what }))),
    );
}

/** A time or a delay of whole milliseconds, in µs. */
function ms(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min, max }).map((value) => value * 1_000);
}

function faultKind(scenario: Scenario, loseDisks: boolean): fc.Arbitrary<FaultKind> {
  const host = fc.nat(scenario.hosts.length - 1);
  const delay = (max: number) =>
    fc
      .tuple(ms(0, max), ms(0, max))
      .map(([a, b]) => ({ low: Math.min(a, b), high: Math.max(a, b) }));
  const share = fc.constantFrom(1_000_000, 0, 500_000);
  const kinds: fc.Arbitrary<FaultKind>[] = [
    fc.record({
      kind: fc.constant("crash" as const),
      host,
      loseUnsyncedPpm: share,
      loseDisk: loseDisks ? fc.boolean() : fc.constant(false),
    }),
    fc.record({
      kind: fc.constant("kill-process" as const),
      host,
      unit: fc.constantFrom("etcd2.service", "fleet.service", "locksmithd.service"),
    }),
    fc.record({ kind: fc.constant("pause" as const), host }),
    fc.record({ kind: fc.constant("clock-step" as const), host, by: ms(-5_000, 5_000) }),
    fc.record({
      kind: fc.constant("clock-drift" as const),
      host,
      ppm: fc.integer({ min: -500, max: 500 }),
    }),
    fc.record({ kind: fc.constant("slow-disk" as const), host, delay: delay(2_000) }),
  ];
  if (scenario.update !== null) kinds.push(fc.constant({ kind: "update-down" }));
  if (scenario.discovery !== null) kinds.push(fc.constant({ kind: "discovery-down" }));
  if (scenario.containers !== undefined) kinds.push(fc.constant({ kind: "registry-down" }));
  const nodes = scenario.hosts.map((each) => each.index);
  if (nodes.length > 1) {
    const sides = fc.subarray(nodes, { minLength: 1, maxLength: nodes.length - 1 });
    const cut = fc.tuple(sides, fc.boolean(), fc.boolean()).map(([from, oneWay, services]) => {
      const rest = nodes.filter((node) => !from.includes(node));
      return { from, to: services ? [...rest, ...servicesOf(scenario)] : rest, oneWay };
    });
    kinds.push(cut.map((sides) => ({ kind: "partition", ...sides })));
    kinds.push(
      fc
        .record({ cut, lossPpm: share, duplicatePpm: share, delay: delay(1_500) })
        .map(({ cut: sides, ...worse }) => ({ kind: "link", ...sides, ...worse })),
    );
  }
  return fc.oneof(...kinds);
}

function servicesOf(scenario: Scenario): number[] {
  return [scenario.discovery?.node, scenario.update?.node, scenario.containers?.node].filter(
    (node) => node !== undefined,
  );
}
