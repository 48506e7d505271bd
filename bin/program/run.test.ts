import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  FAILS,
  orrery,
  PROGRAM,
  type Started,
  scratch,
  smallRun,
  smallScenario,
  spawned,
  start,
} from "../testing/program.js";

const scratched = scratch();
const { folder, at, file } = scratched;
const { small, log } = smallRun(scratched);

/** Simulated for longer than any test waits. */
const ENDLESS = "2000h";

describe.concurrent("a run", () => {
  test("that fails what is expected of it exits with 1 and says what was found", async () => {
    const { code, out } = await orrery("run", file("fails.yaml", smallScenario(FAILS)), "-q");
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
    const { child, ended, out } = await endless("interrupted");
    child.kill("SIGINT");
    expect((await ended).code).toBe(0);
    expect(readFileSync(out, "utf8")).toMatch(/"verdict":"stopped".*\n$/);
    const verified = await orrery("verify", out);
    expect(verified.out).toContain("the run was stopped there");
    expect(verified.code).toBe(0);
  });

  test("that is killed leaves a log that opens and says where it ends", async () => {
    const { child, ended, out } = await endless("killed");
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

test("a full disk ends a run with 2 and leaves a log of whole records", async ({ skip }) => {
  const disk = at("disk");
  const reason = whyNoSmallDisk(disk);
  if (process.env.ORRERY_WITNESS_REQUIRED !== "1") skip(reason !== null, reason ?? "");
  expect(reason).toBeNull();
  const endless = file("full.yaml", smallScenario("", ENDLESS));
  const words = [...PROGRAM, "run", endless, "-q", "--out", join(disk, "x.orlog")];
  const ended = await spawned("unshare", [...ON_SMALL_DISK, disk, ...words]).ended;
  expect(ended.err).toContain("E_LOG_WRITE");
  expect(ended.err).toContain("no space left");
  expect(ended.code).toBe(2);
  const verified = await orrery("verify", at("disk.orlog"));
  expect(verified.err).toContain("E_LOG_TRUNCATED");
  expect(verified.code).toBe(0);
});

/**
 * Runs a command that finds a disk of 96 KiB, a chunk of a log and a half, in the folder named first, and copies x.orlog from there to
 * beside the folder. The mount is in a namespace of its own: it goes with the command, however that ends.
 */
const ON_SMALL_DISK = [
  ...["--mount", "sh", "-c"],
  'mount -t tmpfs -o size=96k tmpfs "$0" && "$@"; code=$?; cp "$0"/x.orlog "$0".orlog; exit $code',
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

/** A run without an end, of which the log has begun; its files have this name. */
async function endless(name: string): Promise<Started & { readonly out: string }> {
  const out = at(`${name}.orlog`);
  const started = start("run", file(`${name}.yaml`, smallScenario("", ENDLESS)), "-o", out);
  await grown(out);
  return { ...started, out };
}

/** Waits until a log holds more than its header and a chunk of records. */
async function grown(path: string): Promise<void> {
  const enough = 66_000;
  while (!existsSync(path) || statSync(path).size < enough) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
