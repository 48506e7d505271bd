import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../oracles/fleet-go", import.meta.url));

/** What a command printed, and its exit code. */
export interface Printed {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** By package. */
const PROGRAMS = {
  ".": "fleet-api",
  "./mux": "fleet-mux",
  "github.com/coreos/fleet/fleetctl": "fleetctl",
};

/** Builds fleet's own programs from their Go module, which Go does only after a change. Throws with Go's complaint. */
export function buildFleet(packageName: keyof typeof PROGRAMS): string {
  const name = PROGRAMS[packageName];
  const program = `${FOLDER}/bin/${name}`;
  const args = ["build", "-trimpath", "-o", program, packageName];
  const { status, stderr } = spawnSync("go", args, { cwd: FOLDER, encoding: "utf8" });
  if (status !== 0) throw new Error(`the Go program does not build:\n${stderr}`);
  return program;
}

/** Whether Go is there to build them with. */
export function hasGo(): boolean {
  return spawnSync("go", ["version"]).status === 0;
}

/** No command of the tables takes longer, ms; one that does is ended, and has no exit code. */
const COMMAND_MS = 15_000;

/** Runs a program to its end. */
export function run(program: string, words: readonly string[], cwd: string): Promise<Printed> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: COMMAND_MS,
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (part: Buffer) => {
      out += part.toString();
    });
    child.stderr.on("data", (part: Buffer) => {
      err += part.toString();
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}
