import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** What a user can mend: printed without a stack. */
export class LabError extends Error {}

/** Runs a program to its end and returns its standard output. @throws LabError with what it said on failure. */
export function run(program: string, ...args: readonly string[]): string {
  const done = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (done.error !== undefined) throw new LabError(`cannot run ${program}: ${done.error.message}`);
  if (done.status !== 0) {
    const said = (done.stderr || done.stdout).trim().split("\n").slice(-5).join("\n");
    throw new LabError(
      `${program} ${args.join(" ")} failed (${done.status ?? done.signal}): ${said}`,
    );
  }
  return done.stdout;
}

/** True when the program is on the PATH (sbin included: some users have it not). */
export function hasProgram(name: string): boolean {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return [...folders, "/usr/sbin", "/sbin"].some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const TOOLS: Readonly<Record<string, string>> = {
  debootstrap: "debootstrap",
  "systemd-nspawn": "systemd-container",
  ip: "iproute2",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
};

/** Why a lab cannot run here, in a line; null when it can. */
export function whyNoLab(): string | null {
  if (process.platform !== "linux") return "the lab needs Linux";
  if (process.getuid?.() !== 0) return "the lab needs root: it makes a bridge and boots containers";
  const missing = Object.keys(TOOLS).filter((tool) => !hasProgram(tool));
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map((tool) => TOOLS[tool]))].join(" ");
  return `the lab misses ${missing.join(", ")}: apt-get install ${packages}`;
}
