import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Release } from "./real.js";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "..", "etcd-go");
const PROGRAM = join(FOLDER, "bin", "etcd");

/** The release to compare with, or in a line why there is none here. Builds 3.6, which Go does once. */
export function findRelease(line: Release["line"]): Release | string {
  return line === "3.4" ? installed() : built();
}

/** 3.4 as the distribution has it. */
function installed(): Release | string {
  const { status, stdout } = spawnSync("etcd", ["--version"], { encoding: "utf8" });
  if (status !== 0) return "etcd is not installed";
  const version = /etcd Version: (\S+)/.exec(stdout)?.[1] ?? "unknown";
  if (!version.startsWith("3.4.")) return `the etcd on the PATH is ${version}, not 3.4`;
  return { line: "3.4", program: "etcd", version };
}

/** 3.6 from its Go module, at the version that go.mod pins. */
function built(): Release | string {
  if (spawnSync("go", ["version"]).status !== 0) return "there is no Go here (the command go)";
  const pinned = readFileSync(join(FOLDER, "go.mod"), "utf8");
  const version = /go\.etcd\.io\/etcd\/server\/v3 v(\S+)/.exec(pinned)?.[1];
  if (version === undefined) throw new Error("go.mod pins no etcd");
  const args = ["build", "-trimpath", "-o", PROGRAM, "go.etcd.io/etcd/server/v3"];
  const { status, stderr } = spawnSync("go", args, { cwd: FOLDER, encoding: "utf8" });
  if (status !== 0) throw new Error(`etcd ${version} does not build:\n${stderr}`);
  return { line: "3.6", program: PROGRAM, version };
}
