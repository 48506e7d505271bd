import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

/** Whether Debian's or another etcdctl is there, and its version; null when it is not. */
export function etcdctlVersion(): string | null {
  try {
    const text = execFileSync("etcdctl", ["version"], {
      env: { ...process.env, ETCDCTL_API: "3" },
      encoding: "utf8",
      timeout: 10_000,
    });
    return /etcdctl version: (\S+)/.exec(text)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** A cluster that etcdctl is run against: members in the order of their names. */
export interface Target {
  readonly endpoints: readonly Endpoint[];
}

interface Endpoint {
  readonly name: string;
  /** `host:port` for clients, and for peers. */
  readonly address: string;
  readonly peer: string;
}

/** One run of etcdctl, as a script has it. */
export interface Step {
  /** Its words; `$1` to `$9` stand for what `keep` has kept, `@n-2` and `%n-2` for the client and peer address of a member. */
  readonly run: string;
  readonly api?: 2 | 3;
  /** Members to speak to; default: the first. */
  readonly at?: readonly string[];
  readonly stdin?: string;
  /** Goes on beside the next steps until its output has so many lines; then it is interrupted. */
  readonly lines?: number;
  /** Keeps the first match's first group for later steps. */
  readonly keep?: RegExp;
}

/** What a step printed and ended with. */
export interface Outcome {
  readonly run: string;
  readonly code: number | null;
  readonly output: string;
}

/** Longest that one etcdctl may take, ms. */
const PATIENCE_MS = 40_000;

/** Runs the steps of a script one after the other, those beside others at their side. */
export async function runScript(target: Target, steps: readonly Step[]): Promise<Outcome[]> {
  const kept: string[] = [];
  const beside: { readonly at: number; readonly running: Running; readonly lines: number }[] = [];
  const outcomes: Outcome[] = [];
  for (const step of steps) {
    const words = splitWords(step.run).map((word) => filled(word, kept, target));
    const running = new Running(target, step, words);
    outcomes.push({ run: step.run, code: null, output: "" });
    if (step.lines === undefined) {
      const done = await running.end();
      outcomes[outcomes.length - 1] = { run: step.run, ...done };
      if (step.keep !== undefined) kept.push(step.keep.exec(done.output)?.[1] ?? "");
    } else {
      beside.push({ at: outcomes.length - 1, running, lines: step.lines });
      await running.settles();
      if (step.keep !== undefined) kept.push(step.keep.exec(running.output)?.[1] ?? "");
    }
  }
  for (const { at, running, lines } of beside) {
    await running.says(lines);
    const { output } = await running.interrupt();
    // What it says of the interruption, and how it ends, differs from one run to the next.
    const said = output.split("\n").slice(0, lines).join("\n");
    outcomes[at] = { run: outcomes[at]?.run ?? "", code: null, output: said };
  }
  return outcomes;
}

/** One process of etcdctl. */
class Running {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  output = "";

  constructor(target: Target, step: Step, words: readonly string[]) {
    const at = step.at ?? [target.endpoints[0]?.name ?? ""];
    const endpoints = at.map((name) => addressOf(target, name));
    const flags =
      step.api === 2
        ? ["--endpoints", endpoints.map((address) => `http://${address}`).join(",")]
        : ["--endpoints", endpoints.join(",")];
    this.#child = spawn("etcdctl", [...flags, ...words], {
      env: { ...process.env, ETCDCTL_API: String(step.api ?? 3) },
      stdio: "pipe",
    });
    const hear = (chunk: Buffer): void => {
      this.output += chunk.toString("latin1");
    };
    this.#child.stdout?.on("data", hear);
    this.#child.stderr?.on("data", hear);
    // It may end without having read.
    this.#child.stdin?.on("error", () => {});
    if (step.lines === undefined || step.stdin !== undefined) {
      this.#child.stdin?.end(step.stdin ?? "");
    }
    this.#exit = new Promise((resolve) => this.#child.once("close", resolve));
  }

  async end(): Promise<{ readonly code: number | null; readonly output: string }> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
    const code = await this.#exit;
    clearTimeout(timer);
    return { code, output: this.output };
  }

  /** Waits until it has said so many lines. */
  async says(lines: number): Promise<void> {
    for (let waited = 0; waited < PATIENCE_MS; waited += 20) {
      if (this.output.split("\n").length > lines || this.#child.exitCode !== null) return;
      await sleep(20);
    }
  }

  /** Gives it the time to reach the server: a watch that begins late would miss what follows. */
  async settles(): Promise<void> {
    await sleep(1_500);
  }

  interrupt(): Promise<{ readonly code: number | null; readonly output: string }> {
    this.#child.kill("SIGINT");
    return this.end();
  }
}

function addressOf(target: Target, name: string): string {
  return target.endpoints.find((one) => one.name === name)?.address ?? name;
}

function peerOf(target: Target, name: string): string {
  return target.endpoints.find((one) => one.name === name)?.peer ?? name;
}

function filled(word: string, kept: readonly string[], target: Target): string {
  return word
    .replace(/\$(\d)/g, (_, n: string) => kept[Number(n) - 1] ?? "")
    .replace(/@([a-z]+-\d)/g, (_, name: string) => addressOf(target, name))
    .replace(/%([a-z]+-\d)/g, (_, name: string) => peerOf(target, name));
}

/** Splits at spaces, except within single quotes. */
function splitWords(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
}
