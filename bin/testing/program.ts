import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What starts the program: this Node, and the words before its own. */
export const PROGRAM: readonly [node: string, file: string] = [process.execPath, inject("program")];

/** What a process left behind. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A process that runs, and its end. */
export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts the program in a process of its own, from the root of the tree; nobody types anything. */
export function start(...args: readonly string[]): Started {
  const [node, file] = PROGRAM;
  return spawned(node, [file, ...args]);
}

/** Runs the program to its end. */
export function orrery(...args: readonly string[]): Promise<Ended> {
  return start(...args).ended;
}

/** Those that run: of a test that failed, one may be left that would never end. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts any command as {@link start} does. */
export function spawned(command: string, args: readonly string[]): Started {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      running.delete(child);
      resolve({ code, out, err });
    });
  });
  return { child, ended };
}

/** A folder for the files of one test file, which goes with it. */
export interface Scratch {
  readonly folder: string;
  /** The path of a name in it. */
  at(name: string): string;
  /** Writes a file into it, and gives its path. */
  file(name: string, content: string | Uint8Array): string;
}

/** Makes a {@link Scratch}, and deletes it after the tests of the file. */
export function scratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), "orrery-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  return {
    folder,
    at,
    file(name, content) {
      writeFileSync(at(name), content);
      return at(name);
    },
  };
}

/** Three members of a cluster, up in two seconds. */
export function smallScenario(extra = "", duration = "30s"): string {
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

/** An expectation that the small scenario keeps. */
export const HOLDS = "expect: [{ leader: exactly-one, by: 15s }]\n";

/** One that it does not keep. */
export const FAILS = "expect: [{ leader: none, at: 20s }]\n";

/** Before the tests of the file runs the small scenario with seed 7; gives the paths of scenario and log. */
export function smallRun({ at, file }: Scratch): { readonly small: string; readonly log: string } {
  const small = file("small.yaml", smallScenario(HOLDS));
  const log = at("small.orlog");
  beforeAll(async () => {
    const made = await orrery("run", small, "--seed", "7", "--out", log, "-q");
    expect(made).toMatchObject({ code: 0, err: "" });
  });
  return { small, log };
}
