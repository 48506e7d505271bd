import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Rederived, rederive } from "../../adapters/live/index.js";
import { openLog } from "../../adapters/logfile/index.js";
import type { LogRecord } from "../../core/kernel/index.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** An `orrery` command that is running. */
export class Orrery {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  #output = "";
  #news = "";

  constructor(...words: readonly string[]) {
    this.#child = spawn(process.execPath, ["--import", "tsx", "bin/orrery.ts", ...words], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#news += chunk.toString();
    });
    this.#exit = new Promise((resolve) => this.#child.once("exit", resolve));
  }

  /** Standard output so far. */
  get output(): string {
    return this.#output;
  }

  /** Standard error so far. */
  get news(): string {
    return this.#news;
  }

  /** Waits until standard error holds the text. */
  async says(text: string, seconds = 60): Promise<void> {
    await until(seconds, `the news "${text}" in:\n${this.#news}`, () => this.#news.includes(text));
  }

  /** The exit code, null when a signal ended it. */
  exit(): Promise<number | null> {
    return this.#exit;
  }

  /** Sends a signal and waits for the end. */
  async end(signal: "SIGINT" | "SIGKILL"): Promise<number | null> {
    this.#child.kill(signal);
    return this.#exit;
  }
}

/** Waits until something holds; looks ten times a second. */
export async function until(
  seconds: number,
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + seconds * 1_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(100);
  }
}

/** Every record of a log, and how the log ends. */
export function readLog(path: string): { records: LogRecord[]; end: string | undefined } {
  const opened = openLog(path);
  if (!opened.ok) throw new Error(JSON.stringify(opened.diagnostics));
  const records = [...opened.value.records()];
  opened.value.close();
  return { records, end: opened.value.status?.kind };
}

/** Re-derives a recording from its stimuli. */
export function rederiveFile(path: string): Rederived {
  const opened = openLog(path);
  if (!opened.ok) throw new Error(JSON.stringify(opened.diagnostics));
  const result = rederive(opened.value.header, opened.value.records());
  opened.value.close();
  return result;
}
