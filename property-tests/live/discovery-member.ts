import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./program.js";

/** A real etcd that finds its cluster through a discovery service. */
export class DiscoveryMember {
  readonly name: string;
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #said = "";

  constructor(
    name: string,
    token: string,
    [clientPort, peerPort]: readonly [number, number],
    fallback: "exit" | "proxy" = "exit",
  ) {
    this.name = name;
    this.url = `http://127.0.0.1:${clientPort}`;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    this.#folder = mkdtempSync(
      join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "orrery-disc-"),
    );
    const words = [
      ["--name", name],
      ["--data-dir", join(this.#folder, "data")],
      ["--listen-client-urls", this.url],
      ["--advertise-client-urls", this.url],
      ["--listen-peer-urls", peerUrl],
      ["--initial-advertise-peer-urls", peerUrl],
      ["--discovery", token],
      ["--discovery-fallback", fallback],
      ["--enable-v2=true"],
      ["--logger", "capnslog"],
    ].flat();
    this.#child = spawn("etcd", words, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#said += chunk.toString();
      });
    }
  }

  /** What it has printed. */
  get said(): string {
    return this.#said;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Waits until it serves, as "member" or "proxy", or is gone: the last that it said then. */
  async end(seconds = 60): Promise<string> {
    let end = "";
    await until(seconds, `an end of ${this.name} in:\n${this.#said}`, async () => {
      if (this.ended) end = reason(this.#said);
      else if (await this.#isHealthy())
        end = /falling back to proxy/i.test(this.#said) ? "proxy" : "member";
      return end !== "";
    });
    return end;
  }

  async remove(): Promise<void> {
    if (!this.ended) {
      const gone = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGKILL");
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1_000) });
      return (await answer.text()).includes('"true"');
    } catch {
      return false;
    }
  }
}

/** Why a member gave up: the errors it printed, without what differs from run to run. */
function reason(said: string): string {
  const errors = said.split("\n").filter((line) => / [CE] \| |^panic:/.test(line));
  return errors
    .map((line) => line.replace(/^.* [CE] \| /, ""))
    .join("; ")
    .replace(/(Key not found \(\S+\)) \[\d+\]/g, "$1 [INDEX]")
    .replace(/[0-9a-f]{32}/g, "TOKEN")
    .replace(/\b[0-9a-f]{16}\b/g, "MEMBER")
    .replace(/127\.0\.0\.1:\d+(\/v2\/keys\/_etcd\/registry)?/g, "SERVICE");
}
