import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type Ended,
  orrery,
  PROGRAM,
  scratch,
  smallRun,
  smallScenario,
  spawned,
  start,
} from "../testing/program.js";

const scratched = scratch();
const { folder, at, file } = scratched;
const { small, log } = smallRun(scratched);

/** Runs the program for a reader that is gone before anything is said, as `head` is after a line. */
function forNobody(...args: readonly string[]): Promise<Ended> {
  const { child, ended } = start(...args);
  child.stdout?.destroy();
  return ended;
}

describe.concurrent("a reader that goes away", () => {
  const commands: readonly (readonly [name: string, words: () => readonly string[]])[] = [
    ["run", () => ["run", small, "-q"]],
    ["run --json", () => ["run", small, "-q", "--json"]],
    ["log", () => ["log", log]],
    ["log --stimuli", () => ["log", log, "--stimuli", "--json"]],
    ["replay", () => ["replay", log]],
    ["lint", () => ["lint", "--json", small]],
    ["fleet", () => ["fleet", "--scenario", small, "list-machines"]],
  ];
  test.each(commands)("is no failure of %s", async (_, words) => {
    expect(await forNobody(...words())).toEqual({ code: 0, out: "", err: "" });
  });

  test("does not change what a run comes to, or its log", async () => {
    const path = file("fails.yaml", smallScenario("expect: [{ leader: none, at: 20s }]\n"));
    const out = at("unread.orlog");
    expect(await forNobody("run", path, "-q", "-o", out)).toMatchObject({ code: 1, err: "" });
    expect(await orrery("verify", out)).toMatchObject({ code: 0, err: "" });
  });

  test("stops a command that would go on for ever, with its log complete", async () => {
    const out = at("tokens.orlog");
    const ended = await forNobody("discovery", "--port", "0", "--size", "1", "--out", out);
    expect(ended).toMatchObject({ code: 0, err: expect.stringMatching(/^token \w+ for 1\n$/) });
    expect(readFileSync(out, "utf8").trimEnd().split("\n").at(-1)).toContain('"type":"end"');
  });
});

test.skipIf(!existsSync("/dev/full"))(
  "output that cannot be written is an error, of the commands that print in many ways",
  async () => {
    const words = [
      ["log", log],
      ["run", small, "-q", "--json"],
      ["verify", log],
    ];
    await Promise.all(
      words.map(async (args) => {
        const toFull = ["-c", '"$0" "$@" > /dev/full', ...PROGRAM, ...args];
        const { code, err } = await spawned("sh", toFull).ended;
        expect(err).toMatch(/^standard output:1:1: error E_LOG_WRITE: .*ENOSPC/);
        expect(err).not.toMatch(/\n\s+at /);
        expect(code).toBe(2);
      }),
    );
  },
);

describe.concurrent("a file that is read", () => {
  test.each(["--svg", "--tla-trace"])("is not replaced by log %s", async (flag) => {
    const before = readFileSync(log, "utf8");
    const { code, err } = await orrery("log", log, flag, log);
    expect(err).toContain("found the file that is read");
    expect(code).toBe(2);
    expect(readFileSync(log, "utf8")).toBe(before);
  });

  test("is not replaced by the log of its run, even if told to overwrite", async () => {
    const path = file("precious.yaml", smallScenario());
    const { code, err } = await orrery("run", path, "--out", path, "--overwrite");
    expect(err).toContain("found the file that is read");
    expect(code).toBe(2);
    expect(readFileSync(path, "utf8")).toBe(smallScenario());
  });
});

test("a picture or a trace that cannot be put in its place leaves nothing half-written", async () => {
  mkdirSync(at("taken"));
  for (const flag of ["--svg", "--tla-trace"]) {
    const { code, err } = await orrery("log", log, flag, at("taken"));
    expect(err).toContain("E_LOG_WRITE");
    expect(err).not.toMatch(/\n\s+at /);
    expect(code).toBe(2);
  }
  expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
});

test.each([
  ["a type that no record has", ["--type", "rumour"], "stimulus, fact, effect, checkpoint, end"],
  ["two pictures at once", ["--svg", "a.svg", "--history", "b.svg"], "--history"],
])("log refuses %s", async (_, words, found) => {
  const { code, err } = await orrery("log", log, ...words);
  expect(err).toContain(found);
  expect(code).toBe(2);
});
