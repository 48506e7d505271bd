import { expect, test } from "vitest";
import { firstDifference, shrink } from "./raft-compare.js";
import { play, type Script } from "./raft-play.js";
import { generateScript } from "./raft-scripts.js";

const walks = Array.from({ length: 60 }, (_, number) => generateScript(11, number, 50));

test("the same seed and number give the same scripts, other numbers others", () => {
  expect(generateScript(11, 3, 50)).toEqual(walks[3]);
  expect(new Set(walks.map(({ walk }) => walk.script.join("\n"))).size).toBe(walks.length);
});

test("every script has its length, plays to its end and leaves nothing to chance", () => {
  for (const { walk } of walks) {
    expect(walk.script).toHaveLength(50);
    expect(play(walk.script)).toEqual({ outputs: walk.outputs, sound: true });
  }
});

test("scripts kept for their panic end in it", () => {
  const panics = walks.flatMap((walk) => walk.panics);
  expect(panics.length).toBeGreaterThan(0);
  for (const { script, outputs } of panics) {
    expect(outputs).toHaveLength(script.length);
    expect(outputs.at(-1)).toMatch(/^panic: /);
  }
});

test("the scripts ask for every command of the interaction environment", () => {
  const asked = new Set(
    walks.flatMap(({ walk }) => walk.script.map((source) => source.split(/[ \n]/)[0])),
  );
  const commands =
    "_breakpoint add-nodes campaign compact deliver-msgs forget-leader log-level process-append-thread " +
    "process-apply-thread process-ready propose propose-conf-change raft-log raft-state " +
    "report-unreachable send-snapshot set-randomized-election-timeout stabilize status tick-election " +
    "tick-heartbeat transfer-leadership";
  expect(commands.split(" ").filter((command) => !asked.has(command))).toEqual([]);
});

test("a tick that may fire without its timeout set has no answer to be held to", () => {
  const group = "add-nodes 3 voters=(1,2,3) index=2";
  const pin = "set-randomized-election-timeout 2 timeout=2";
  expect(play([group, "tick-election 2"]).sound).toBe(false);
  expect(play([group, pin, "tick-election 2"]).sound).toBe(true);
  expect(play([group, pin, "tick-election 1"]).sound).toBe(false);
});

test("a group that never rests has no answer either: two forward a proposal to each other for ever", () => {
  const script = [
    "add-nodes 3 voters=(1,2,3) index=8",
    "send-snapshot 1 2",
    "send-snapshot 2 1",
    "stabilize",
    "propose 1 a",
    "stabilize",
  ];
  expect(play(script.slice(0, 5)).sound).toBe(true);
  expect(play(script).sound).toBe(false);
});

test("a difference shrinks to the directives it needs, a tick with what sets its timeout", async () => {
  // A library that forgets to say that a node starts an election because its time is up.
  const ask = async (script: Script) => {
    const { outputs } = play(script);
    return outputs.map((text, at) => (script[at]?.startsWith("tick-election 2") ? "ok" : text));
  };
  const script = [
    "add-nodes 3 voters=(1,2,3) index=4",
    "campaign 1",
    "stabilize",
    "propose 1 a",
    "raft-state",
    "set-randomized-election-timeout 2 timeout=2",
    "tick-election 2",
    "status 1",
  ];
  const actual = play(script).outputs;
  const expected = await ask(script);
  const at = firstDifference(expected, actual);
  expect(at).toBe(6);
  const shrunk = await shrink({ script, expected, actual, at: at ?? 0 }, ask);
  expect(shrunk.script).toEqual([script[0], script[5], script[6]]);
});

test("a traced script answers as it does untraced, and then with what happened", () => {
  const script = ["add-nodes 1 voters=(1) index=2", "campaign 1", "stabilize"];
  const plain = play(script).outputs;
  const traced = play(script, true).outputs;
  for (const [at, output] of traced.entries()) {
    const said = plain[at] ?? "";
    expect(output.startsWith(`${said}\n{"name":`)).toBe(true);
  }
  expect(traced.at(-1)).toContain('"name":"BecomeLeader"');
});
