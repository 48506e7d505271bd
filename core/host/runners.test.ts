import fc from "fast-check";
import { expect, test } from "vitest";
import { hashState, stepImmutable, stepInPlace } from "../kernel/index.js";
import { createHost, type HostStimulus, hostMachine } from "./index.js";
import { etcdConfig, hostConfigOf, initialCluster, TestCluster } from "./testing/cluster.js";

const CLOUD_CONFIG = etcdConfig(
  { name: "h0", "initial-cluster": initialCluster([0, 1, 2]) },
  "  units:\n    - {name: etcd2.service, command: start}\n    - {name: fleet.service, command: start}\n",
);

/** What host 0 of a live cluster was told: stimuli that lead somewhere. */
function lived(): readonly HostStimulus[] {
  const configs = [0, 1, 2].map((i) =>
    hostConfigOf(i, { cloudConfig: CLOUD_CONFIG.replace("name: h0", `name: h${i}`) }),
  );
  const cluster = new TestCluster(configs).powerOn().run(9);
  return cluster.told.filter(({ node }) => node === 0).map(({ stimulus }) => stimulus);
}

test("in place and under immer a host does the same, whatever it is told and in whatever order (a draft kept in an effect)", () => {
  const base = lived();
  const wild: fc.Arbitrary<HostStimulus> = fc.oneof(
    fc.constant<HostStimulus>({ kind: "power-on" }),
    fc.constant<HostStimulus>({ kind: "booted" }),
    fc.record({
      kind: fc.constant("power-loss" as const),
      survivingWrites: fc.nat(3),
      diskLost: fc.boolean(),
    }),
    fc.record({
      kind: fc.constantFrom("hold-unit" as const, "release-unit" as const),
      unit: fc.constantFrom("etcd2.service", "fleet.service"),
    }),
    fc.record({
      kind: fc.constant("operator" as const),
      action: fc.constantFrom("reboot" as const, "attempt-update" as const),
    }),
    fc.nat(base.length - 1).map((i) => base[i] as HostStimulus),
  );
  const change = fc.tuple(fc.nat(base.length), wild);
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), fc.nat(base.length), (changes, length) => {
      const stimuli = base.slice(0, length);
      for (const [at, stimulus] of changes) stimuli.splice(at, 0, stimulus);
      const config = hostConfigOf(0, { cloudConfig: CLOUD_CONFIG });
      const mutable = createHost(config);
      let frozen = createHost(config);
      for (const [i, stimulus] of stimuli.entries()) {
        const now = i * 10_000;
        const left = stepInPlace(hostMachine, mutable, stimulus, now);
        const right = stepImmutable(hostMachine, frozen, stimulus, now);
        frozen = right.state;
        expect(right.facts).toEqual(left.facts);
        expect(right.effects).toEqual(left.effects);
      }
      expect(hashState(frozen)).toBe(hashState(mutable));
    }),
    { numRuns: 25 },
  );
});
