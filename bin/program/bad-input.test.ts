import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { HOLDS, orrery, scratch, smallScenario } from "../testing/program.js";

const { at, file } = scratch();

const small = file("small.yaml", smallScenario(HOLDS));

describe.concurrent("bad input exits with 2, names the place and shows no stack", () => {
  const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 10; i++) {
    const [name, before] = [String.fromCharCode(97 + i), String.fromCharCode(96 + i)];
    bomb.push(`${name}: &${name} [${`*${before},`.repeat(8)}*${before}]`);
  }
  const entry = (text: string) => `timeline: [{ at: 5s, do: ${text} }]\n`;
  const scenarios: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["an empty file", "", "E_SCENARIO_EMPTY"],
    ["a binary file", new Uint8Array(4096).map((_, i) => (i * 197) % 256), "E_FILE_NOT_TEXT"],
    ["a YAML bomb", `${bomb.join("\n")}\n`, "E_YAML_ALIASES"],
    ["text that is not YAML", "orrery: [1\nname: {", "E_YAML_SYNTAX"],
    ["an unknown key", smallScenario("colour: blue\n"), "E_SCENARIO_UNKNOWN_KEY"],
    ["a negative duration", smallScenario("", "-30s"), "E_SCENARIO_VALUE"],
    [
      "a unit file with NULs",
      smallScenario("units: { web.service: { file: nul.service } }\n"),
      "E_FILE_NOT_TEXT",
    ],
    [
      "a host that is not there",
      smallScenario(entry("reboot, hosts: n-9")),
      "E_SCENARIO_REFERENCE",
    ],
  ];
  test.each(scenarios)("%s", async (name, content, code) => {
    file("nul.service", "[Service]\nExecStart=/bin/\0web\n");
    const path = file(`${name.replaceAll(" ", "-")}.yaml`, content);
    const ended = await orrery("run", path);
    expect(ended.err).toContain(code);
    expect(ended.err).toMatch(/[^/]+\.(yaml|service):\d+:\d+: error/);
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.code).toBe(2);
  });

  const flags: readonly (readonly [string, readonly string[], string])[] = [
    ["a seed that is no number", ["--seed", "x"], "--seed"],
    ["an unknown flag", ["--sede", "1"], "--sede"],
    ["a bug nobody built in", ["--bug", "raft-vote"], "E_FLAG"],
    ["a fault the plan does not have", ["--faults", "3"], "E_FLAG"],
    ["a fault plan that is none", ["--fault-plan", "{a: 1}"], "E_SCENARIO"],
    ["a counterfactual that is not there", ["--counterfactual"], "E_FLAG"],
  ];
  test.each(flags)("%s", async (_, args, found) => {
    const ended = await orrery("run", small, ...args);
    expect(ended.err).toContain(found);
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.code).toBe(2);
  });

  const elsewhere: readonly (readonly [string, readonly string[], string])[] = [
    ["check of no seeds", ["check", small, "--seeds", "0"], "from 1 to"],
    ["log with half an expression", ["log", small, "--grep", "["], "a regular expression"],
    ["serve at ports that there are not", ["serve", small, "--port", "65530"], "65550"],
    ["ctl without a cluster", ["ctl", "--socket", at("none.sock"), "status"], "orrery serve"],
    ["fleet at no time", ["fleet", "--scenario", small, "--at", "noon", "list-units"], "--at"],
    ["observe of no server", ["observe", "--etcd", "etcd", "--out", at("x.orlog")], "http://"],
    ["drive of no host", ["drive", "--etcd", "http://127.0.0.1:1"], "--host NAME=ssh://"],
    ["lint of nothing like it", ["lint", "--as", "poem", small], "cloud-config, unit"],
  ];
  test.each(elsewhere)("%s", async (_, args, found) => {
    const ended = await orrery(...args);
    expect(ended.err).toContain(found);
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.code).toBe(2);
  });

  test("a scenario that is not there", async () => {
    const ended = await orrery("run", at("nowhere.yaml"));
    expect(ended.err).toContain("E_FILE_UNREADABLE");
    expect(ended.code).toBe(2);
  });
});

describe.concurrent("help", () => {
  const commands = [
    [],
    ["run"],
    ["check"],
    ["replay"],
    ["log"],
    ["verify"],
    ["observe"],
    ["drive"],
    ["lint"],
    ["discovery"],
  ];
  test.each(commands.map((words) => [words.join(" ") || "orrery", words] as const))(
    "%s --help shows examples",
    async (_, words) => {
      const { code, out, err } = await orrery(...words, "--help");
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toMatch(/Examples:\n {2}orrery /);
    },
  );

  test("a word that is no command, and none at all, are bad input", async () => {
    const [unknown, none] = await Promise.all([orrery("rum"), orrery()]);
    expect(unknown.code).toBe(2);
    expect(unknown.err).toContain("rum");
    expect(none.code).toBe(2);
  });
});

test("a log of an etcd that never answered is gone on with when it is asked again", async () => {
  const out = at("never.orlog");
  for (let starts = 1; starts <= 2; starts++) {
    const words = ["--etcd", "http://127.0.0.1:1", "--start-timeout", "100ms", "--out", out];
    const { code, err } = await orrery("observe", ...words);
    expect(err).toContain("E_CONNECT");
    expect(code).toBe(2);
    expect(readFileSync(out, "utf8").match(/"world\.started"/g)).toHaveLength(starts);
  }
  expect((await orrery("verify", out)).code).toBe(0);
});
