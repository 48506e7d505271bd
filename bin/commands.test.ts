import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const program = ["--import", "tsx", join(root, "bin/orrery.ts")];
const folder = mkdtempSync(join(tmpdir(), "orrery-"));
const at = (name: string) => join(folder, name);

interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const start = (args: readonly string[]) => spawned(process.execPath, [...program, ...args]);

function spawned(
  command: string,
  args: readonly string[],
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
  return { child, ended };
}

const orrery = (...args: string[]): Promise<Ended> => start(args).ended;

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}

/** Three members of a cluster, up in two seconds. */
function scenario(extra = "", duration = "30s"): string {
  const peers = [1, 2, 3].map((n) => `n-${n}=http://10.8.0.${n}:2380`).join(",");
  return `orrery: 1
name: small
duration: ${duration}
hosts:
  - group: n
    count: 3
    address: 10.8.0.1
    os: { version: 1.0.0 }
    boot: 1s..2s
    cloud_config: |
      #cloud-config
      coreos:
        etcd2: { initial-cluster: "${peers}", initial-advertise-peer-urls: "http://$private_ipv4:2380" }
        units:
          - { name: etcd2.service, command: start }
          - { name: fleet.service, command: start }
${extra}`;
}

const HOLDS = "expect: [{ leader: exactly-one, by: 15s }]\n";
const FAILS = "expect: [{ leader: none, at: 20s }]\n";
/** Simulated for longer than any test waits. */
const ENDLESS = "2000h";

let small = "";
let log = "";
beforeAll(async () => {
  small = file("small.yaml", scenario(HOLDS));
  log = at("small.orlog");
  const made = await orrery("run", small, "--seed", "7", "--out", log, "-q");
  expect(made.err).toBe("");
  expect(made.code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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

describe.concurrent("a run", () => {
  test("that fails what is expected of it exits with 1 and says what was found", async () => {
    const { code, out } = await orrery("run", file("fails.yaml", scenario(FAILS)), "-q");
    expect(code).toBe(1);
    expect(out).toContain("VIOLATED");
    expect(out).toContain("found 1");
  });

  test("makes the same log in another process, another from another seed, and verify finds it so", async () => {
    const [again, other] = [at("again.orlog"), at("other.orlog")];
    await orrery("run", small, "--seed", "7", "--out", again, "-q");
    await orrery("run", small, "--seed", "8", "--out", other, "-q");
    expect(sha256(again)).toBe(sha256(log));
    expect(sha256(other)).not.toBe(sha256(log));
    const verified = await orrery("verify", again);
    expect(verified.out).toContain("intact");
    expect(verified.code).toBe(0);
  });

  test("looked at after every step says so in its log, which verify then does too", async () => {
    const path = at("every-step.orlog");
    const run = await orrery("run", small, "--invariants", "every-step", "--out", path, "-q");
    expect(run.code).toBe(0);
    expect(readFileSync(path, "utf8").split("\n")[0]).toContain('"invariants":"every-step"');
    expect(readFileSync(log, "utf8").split("\n")[0]).not.toContain('"invariants"');
    expect(await orrery("verify", path)).toMatchObject({ code: 0, err: "" });
  });

  test("is traced for etcd's TLA+ specification, an event a line, in order", async () => {
    const path = at("small.ndjson");
    const { code, err } = await orrery("log", log, "--tla-trace", path, "--to", "20s");
    expect(code).toBe(0);
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(err).toContain(`${lines.length} events`);
    expect([...lines].sort()).toEqual(lines);
    const events = lines.map((line) => JSON.parse(line));
    expect(events[0]).toMatchObject({ tag: "trace", event: { name: "InitState", log: 0 } });
    expect(new Set(events.map(({ event }) => event.nid)).size).toBe(3);
    expect(events.some(({ event }) => event.name === "BecomeLeader")).toBe(true);
    const none = await orrery("log", log, "--tla-trace", at("none.ndjson"), "--host", "nobody");
    expect(none.code).toBe(2);
    expect(none.err).toContain("no member of etcd");
    expect(existsSync(at("none.ndjson"))).toBe(false);
  });

  test("leaves a log that is there alone, unless told to replace it", async () => {
    const out = file("kept.orlog", "precious\n");
    const refused = await orrery("run", small, "--out", out, "-q");
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("E_LOG_WRITE");
    expect(readFileSync(out, "utf8")).toBe("precious\n");
    expect((await orrery("run", small, "--out", out, "--overwrite", "-q")).code).toBe(0);
    expect(readFileSync(out, "utf8")).toMatch(/^\{"orrery":1,/);
  });

  test("that cannot make its log says so before it runs", async () => {
    // Root may write into any folder but those the kernel makes up.
    const locked = process.getuid?.() === 0 ? "/proc" : at("locked");
    if (locked !== "/proc") mkdirSync(locked, { mode: 0o555 });
    const outs = [join(locked, "x.orlog"), at("nowhere/x.orlog"), folder];
    for (const ended of await Promise.all(outs.map((out) => orrery("run", small, "-o", out)))) {
      expect(ended.code).toBe(2);
      expect(ended.err).toContain("E_LOG_WRITE");
      expect(ended.err).not.toContain("at Object.");
    }
  });

  test("that is interrupted leaves a log complete to that point", async () => {
    const out = at("interrupted.orlog");
    const { child, ended } = start(["run", file("endless.yaml", scenario("", ENDLESS)), "-o", out]);
    await grown(out);
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
    expect(readFileSync(out, "utf8")).toMatch(/"verdict":"stopped".*\n$/);
    const verified = await orrery("verify", out);
    expect(verified.out).toContain("the run was stopped there");
    expect(verified.code).toBe(0);
  });

  test("that is killed leaves a log that opens and says where it ends", async () => {
    const out = at("killed.orlog");
    const { child, ended } = start(["run", file("killed.yaml", scenario("", ENDLESS)), "-o", out]);
    await grown(out);
    child.kill("SIGKILL");
    expect((await ended).code).toBeNull();
    const [printed, verified] = await Promise.all([
      orrery("log", out, "--kind", "etcd.role"),
      orrery("verify", out),
    ]);
    expect(printed.code).toBe(0);
    expect(printed.out).toContain("leader");
    for (const { err } of [printed, verified]) {
      expect(err).toContain("E_LOG_TRUNCATED");
      expect(err).toMatch(/after the record of seq \d+ at \d+ µs/);
    }
    expect(verified.code).toBe(0);
  });
});

describe.concurrent("check", () => {
  test("over seeds that hold exits with 0", async () => {
    const { code, out } = await orrery("check", small, "--seeds", "3", "--workers", "2");
    expect(out).toContain("3 seeds from 1, 0 failed");
    expect(code).toBe(0);
  });

  test("makes the first failure small, and its last line brings it back", async () => {
    const budget = `faults: { budget: { crash: { count: 3..5, for: 1s..5s } } }\n`;
    const path = file("budget.yaml", scenario(budget + FAILS));
    const checked = await orrery("check", path, "--seeds", "2", "--workers", "1");
    expect(checked.code).toBe(1);
    expect(checked.out).toContain("0 left");
    const line = /reproduce:\n {2}orrery (.*)\n/.exec(checked.out)?.[1] ?? "";
    expect(line).toContain(path);
    const again = await orrery(...line.split(" "));
    expect(again.code).toBe(1);
    expect(again.out).toContain("VIOLATED");
  });
});

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
    ["an unknown key", scenario("colour: blue\n"), "E_SCENARIO_UNKNOWN_KEY"],
    ["a negative duration", scenario("", "-30s"), "E_SCENARIO_VALUE"],
    [
      "a unit file with NULs",
      scenario("units: { web.service: { file: nul.service } }\n"),
      "E_FILE_NOT_TEXT",
    ],
    ["a host that is not there", scenario(entry("reboot, hosts: n-9")), "E_SCENARIO_REFERENCE"],
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

  test("a scenario that is not there", async () => {
    const ended = await orrery("run", at("nowhere.yaml"));
    expect(ended.err).toContain("E_FILE_UNREADABLE");
    expect(ended.code).toBe(2);
  });
});

describe.concurrent("a log that is not what was written", () => {
  const readers = ["verify", "log", "replay"];

  test.each([
    ["of a newer version", '{"orrery":2,"kind":"run","origin":{}}\n', "E_LOG_VERSION"],
    ["that is empty", "", "E_LOG_TRUNCATED"],
    ["that is something else", "hello\nworld\n", "E_LOG_HEADER"],
  ])("a log %s is refused by every reader", async (name, content, code) => {
    const path = file(`${name.replaceAll(" ", "-")}.orlog`, content);
    for (const ended of await Promise.all(readers.map((reader) => orrery(reader, path)))) {
      expect(ended.err).toContain(code);
      expect(ended.err).not.toMatch(/\n\s+at /);
      expect(ended.code).toBe(2);
    }
  });

  test("a log with a flipped byte names the record, wherever the byte is", async () => {
    const bytes = readFileSync(log);
    const places = [0.001, 0.4, 0.999].map((share) => Math.floor(bytes.length * share));
    await Promise.all(
      places.map(async (place) => {
        const copy = Buffer.from(bytes);
        copy[place] = (copy[place] ?? 0) ^ 4;
        const ended = await orrery("verify", file(`flipped-${place}.orlog`, copy));
        const record = bytes.subarray(0, place).filter((byte) => byte === 10).length;
        expect(ended.err).toContain(record === 0 ? "E_LOG_HEADER" : `record ${record},`);
        expect(ended.code).toBe(2);
      }),
    );
  });

  test("a log whose header holds no run that could be done again is bad input", async () => {
    const { LogEncoder } = await import("../core/kernel/index.js");
    const origin = { scenario: { orrery: 1, hosts: "many" }, seed: 1, plan: { faults: [] } };
    const text = new LogEncoder().header({ orrery: 1, kind: "run", origin });
    const ended = await orrery("verify", file("strange.orlog", text));
    expect(ended.err).toContain("E_LOG_HEADER");
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.code).toBe(2);
  });

  test("a log that does not follow from its header diverges: verify exits with 1", async () => {
    const { LogDecoder, LogEncoder } = await import("../core/kernel/index.js");
    const decoder = new LogDecoder();
    const encoder = new LogEncoder();
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    const forged = lines.map((line, i) => {
      const decoded = decoder.line(line);
      if (!decoded.ok) throw new Error(decoded.detail);
      if ("header" in decoded) return encoder.header(decoded.header);
      const { record } = decoded;
      return encoder.record(i === 20 ? { ...record, host: "n-4" } : record);
    });
    const ended = await orrery("verify", file("forged.orlog", forged.join("")));
    expect(ended.err).toBe("");
    expect(ended.out).toContain("diverges at record 20,");
    expect(ended.code).toBe(1);
  });
});

test("a full disk ends a run with 2 and leaves a log of whole records", async ({ skip }) => {
  const disk = at("disk");
  const reason = whyNoSmallDisk(disk);
  if (process.env.ORRERY_WITNESS_REQUIRED !== "1") skip(reason !== null, reason ?? "");
  expect(reason).toBeNull();
  const endless = file("full.yaml", scenario("", ENDLESS));
  const words = [...program, "run", endless, "-q", "--out", join(disk, "x.orlog")];
  const ended = await spawned("unshare", [...ON_SMALL_DISK, disk, process.execPath, ...words])
    .ended;
  expect(ended.err).toContain("E_LOG_WRITE");
  expect(ended.err).toContain("no space left");
  expect(ended.code).toBe(2);
  const verified = await orrery("verify", at("disk.orlog"));
  expect(verified.err).toContain("E_LOG_TRUNCATED");
  expect(verified.code).toBe(0);
});

/**
 * Runs a command that finds a disk of 256 KiB in the folder named first, and copies x.orlog from there to
 * beside the folder. The mount is in a namespace of its own: it goes with the command, however that ends.
 */
const ON_SMALL_DISK = [
  ...["--mount", "sh", "-c"],
  'mount -t tmpfs -o size=256k tmpfs "$0" && "$@"; code=$?; cp "$0"/x.orlog "$0".orlog; exit $code',
];

/** Says in a line why no small disk can be had, or null. */
function whyNoSmallDisk(path: string): string | null {
  mkdirSync(path);
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", path], { stdio: "pipe" });
    return null;
  } catch {
    return "mounting a small disk is not permitted here";
  }
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Waits until a log holds more than its header and a chunk of records. */
async function grown(path: string): Promise<void> {
  const enough = 66_000;
  while (!existsSync(path) || statSync(path).size < enough) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
