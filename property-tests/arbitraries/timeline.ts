import fc from "fast-check";
import type { Topology } from "./topology.js";

/** One entry of a timeline, as a scenario file has it. */
export type TimelineLine = { readonly at: string; readonly do: string } & Readonly<
  Record<string, unknown>
>;

/** Units that drawn scenarios carry: a template kept apart, one bound to it, one for all hosts. */
export const UNITS: Readonly<Record<string, string>> = {
  "web@.service":
    "[Service]\nExecStart=/opt/bin/web %i\nRestart=always\nRestartSec=1\n[X-Fleet]\nConflicts=web@*.service\n",
  "sidekick@.service":
    "[Unit]\nBindsTo=web@%i.service\nAfter=web@%i.service\n[Service]\nExecStart=/opt/bin/sidekick\n[X-Fleet]\nMachineOf=web@%i.service\n",
  "everywhere.service": "[Service]\nExecStart=/opt/bin/everywhere\n[X-Fleet]\nGlobal=true\n",
};

/** The release that an operator may publish. */
export const NEXT_RELEASE = "1010.0.0";

const UNIT_NAMES = ["web@1.service", "web@2.service", "sidekick@1.service", "everywhere.service"];

/** Timelines of an operator at work from second `from` to second `until`. */
export function timelines(
  topology: Topology,
  from: number,
  until: number,
): fc.Arbitrary<readonly TimelineLine[]> {
  return fc.array(entry(topology, from, until), { maxLength: 8 });
}

/** Name of a host by its index. */
export function hostName(index: number): string {
  return `core-${index + 1}`;
}

function entry(topology: Topology, from: number, until: number): fc.Arbitrary<TimelineLine> {
  const at = fc
    .integer({ min: from * 1_000, max: until * 1_000 })
    .map((milliseconds) => `${milliseconds}ms`);
  const host = fc.integer({ min: 0, max: topology.hosts - 1 }).map(hostName);
  const units = fc.subarray(UNIT_NAMES, { minLength: 1 });
  const start = fc.record({ at, do: fc.constant("fleet-start"), units });
  const kinds: fc.Arbitrary<TimelineLine>[] = [
    start,
    start,
    fc.record({
      at,
      do: fc.constantFrom("fleet-load", "fleet-stop", "fleet-unload", "fleet-destroy"),
      units,
    }),
    fc.record({ at, do: fc.constant("publish"), version: fc.constant(NEXT_RELEASE) }),
    fc.record({ at, do: fc.constantFrom("attempt-update", "reboot"), hosts: host }),
    fc.record({ at, do: fc.constantFrom("lock", "unlock"), host }),
    // Fewer than hold it is what locksmith takes without a word; more is always sound.
    fc.record({ at, do: fc.constant("set-max"), max: fc.constant(2) }),
  ];
  if (topology.hosts > 1) {
    kinds.push(fc.record({ at, do: fc.constant("partition"), isolate: host }));
    kinds.push(fc.record({ at, do: fc.constant("heal") }));
  }
  return fc.oneof(...kinds);
}
