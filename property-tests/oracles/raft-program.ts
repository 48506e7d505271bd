import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { comparable, type Script, scriptText } from "./raft-play.js";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "raft-go");
const MODULE = "go.etcd.io/raft/v3";

/** How long the library may take over a batch, in milliseconds; a batch takes about one second. */
const PATIENCE_MS = 120_000;

/** Answers scripts with Go's library; each answer is one output per directive, up to a panic. */
export interface Library {
  ask(scripts: readonly Script[]): Promise<readonly (readonly string[])[]>;
  close(): void;
}

/** What `go version` says; null without Go. */
export function goVersion(): string | null {
  const { status, stdout } = spawnSync("go", ["version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

/** The library and its version, as go.mod pins it. */
export function libraryVersion(): string {
  const found = readFileSync(join(FOLDER, "go.mod"), "utf8").match(/go\.etcd\.io\/raft\/v3 (\S+)/);
  return `${MODULE} ${found?.[1] ?? "of unknown version"}`;
}

/** The program as built: the library as it is, or with what it traces for its TLA+ specification. */
function programOf(traced: boolean): string {
  return join(FOLDER, "bin", traced ? "raft-oracle-traced" : "raft-oracle");
}

/** Builds the program, which Go does only after a change. Throws with Go's complaint. */
export function buildLibrary(traced = false): void {
  const tags = traced ? ["-tags", "with_tla"] : [];
  const args = ["build", "-trimpath", ...tags, "-o", programOf(traced), "."];
  const { status, stderr } = spawnSync("go", args, { cwd: FOLDER, encoding: "utf8" });
  if (status !== 0) throw new Error(`the Go program does not build:\n${stderr}`);
}

/** Starts the program. */
export function startLibrary(traced = false): Library {
  const child = spawn(programOf(traced), { stdio: ["pipe", "pipe", "pipe"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = endOf(child);
  return {
    async ask(scripts) {
      for (const script of scripts) child.stdin.write(`${JSON.stringify(scriptText(script))}\n`);
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
      try {
        const answers: string[][] = [];
        while (answers.length < scripts.length) {
          const line = await lines.next();
          if (line.done) {
            const unanswered = scriptText(scripts[answers.length] ?? []);
            throw new Error(`${await ended} before it answered\n${unanswered}`);
          }
          const outputs: string[] = JSON.parse(line.value);
          answers.push(outputs.map(comparable));
        }
        return answers;
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => child.stdin.end(),
  };
}

/** How the program ended, with the end of what it complained. */
function endOf(child: ChildProcessWithoutNullStreams): Promise<string> {
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint = `${complaint}${chunk}`.slice(-4000);
  });
  // Writing to a program that has ended fails too; how it ended says more.
  child.stdin.on("error", () => {});
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => {
      resolve(`the Go program ended (${signal ?? `exit code ${code}`})\n${complaint}`);
    });
  });
}
