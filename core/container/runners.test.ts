import fc from "fast-check";
import { expect, test } from "vitest";
import { hashState, SECOND, stepImmutable, stepInPlace } from "../kernel/index.js";
import { containerEngine } from "./engine.js";
import type { ContainerStimulus } from "./events.js";
import type { ContainerConfig } from "./state.js";
import { APP } from "./testing/engine.js";

const word = fc.constantFrom(
  ...[
    "docker",
    "rkt",
    "run",
    "-d",
    "--rm",
    "--name",
    "a",
    "b",
    "-p",
    "80:80",
    "app:1",
    "gone",
    "stop",
  ],
  ...[
    "kill",
    "rm",
    "-f",
    "start",
    "-a",
    "pull",
    "wait",
    "rmi",
    "logs",
    "--restart=always",
    "fetch",
  ],
  ...["--net=host", "restart", "-t", "0", "-s", "TERM", "ps", "", "=", "--", "-"],
);
const pid = fc.integer({ min: 1, max: 6 });
const id = fc.integer({ min: 1, max: 8 });
const signal = fc.constantFrom("SIGTERM", "SIGKILL", "SIGHUP");
const line = fc.constantFrom(
  "run --name a -p 80:80 app:1",
  "run -d --restart=always --name b -p 81:80 app:1",
  "run --rm --name a new:1",
  "stop a",
  "rm -f a b",
  "kill a",
  "pull new:1",
  "start -a a",
  "restart b",
);

const stimulus: fc.Arbitrary<ContainerStimulus> = fc.oneof(
  fc.record({ kind: fc.constant("daemon-start" as const), bip: fc.constant("") }),
  fc.record({ kind: fc.constant("daemon-signal" as const), signal }),
  fc.record({
    ...{ kind: fc.constantFrom("docker" as const, "rkt" as const), pid, unit: fc.constant("u") },
    args: fc.oneof(
      fc.array(word, { maxLength: 8 }),
      line.map((text) => text.split(" ")),
    ),
  }),
  fc.record({ kind: fc.constant("signal" as const), pid, signal }),
  fc.record({ kind: fc.constant("no-socket" as const), pid }),
  fc.record({ kind: fc.constant("app-exit" as const), pid, code: id }),
  fc.record({ kind: fc.constant("manifest" as const), id, image: fc.constantFrom(null, APP) }),
  fc.record({ kind: fc.constantFrom("fetched" as const, "fetch-broken" as const), id }),
  fc.record({
    kind: fc.constant("timer" as const),
    timer: fc.oneof(
      fc.constant("daemon"),
      fc.constant("layer new:1 base"),
      fc
        .tuple(
          fc.constantFrom("ready", "exit", "term", "grace", "restart", "pod-ready", "pod-term"),
          id,
        )
        .map(([what, of]) => `${what} ${of}`),
    ),
  }),
);

test("in place and under immer the engines do the same, whatever they are told; no client is answered twice", () => {
  const config: ContainerConfig = {
    version: [1, 12],
    liveRestore: false,
    startTakes: [0, SECOND],
    images: { "app:1": APP },
    seed: 7,
  };
  fc.assert(
    fc.property(fc.array(stimulus, { maxLength: 40 }), (stimuli) => {
      const mutable = containerEngine.create(config);
      let frozen = containerEngine.create(config);
      const open = new Set<number>();
      for (const [i, told] of stimuli.entries()) {
        // systemd gives a pid to one process at a time.
        if ((told.kind === "docker" || told.kind === "rkt") && open.has(told.pid)) continue;
        if (told.kind === "docker" || told.kind === "rkt") open.add(told.pid);
        const left = stepInPlace(containerEngine, mutable, told, i * SECOND);
        const right = stepImmutable(containerEngine, frozen, told, i * SECOND);
        frozen = right.state;
        expect(right.facts).toEqual(left.facts);
        expect(right.effects).toEqual(left.effects);
        for (const effect of left.effects) {
          if (effect.kind === "client-exit") expect(open.delete(effect.pid)).toBe(true);
        }
      }
      expect(hashState(frozen)).toBe(hashState(mutable));
    }),
    { numRuns: 300 },
  );
});
