import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A real etcd on loopback with a data folder of its own, which survives restarts until `remove`. */
export class EtcdServer {
  readonly url: string;
  readonly #arguments: readonly string[];
  readonly #folder: string;
  #child: ChildProcess | null = null;

  private constructor(url: string, peer: string, folder: string) {
    this.url = url;
    this.#folder = folder;
    this.#arguments = [
      "--data-dir",
      folder,
      "--enable-v2=true",
      "--listen-client-urls",
      url,
      "--advertise-client-urls",
      url,
      "--listen-peer-urls",
      peer,
      "--initial-advertise-peer-urls",
      peer,
      "--initial-cluster",
      `default=${peer}`,
      "--log-level",
      "error",
    ];
  }

  static async create(): Promise<EtcdServer> {
    const [client, peer] = await Promise.all([freePort(), freePort()]);
    const folder = mkdtempSync(join(tmpdir(), "orrery-etcd-"));
    const server = new EtcdServer(`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`, folder);
    await server.start();
    return server;
  }

  /** Starts it on the same ports and data, and waits until it is healthy. */
  async start(): Promise<void> {
    this.#child = spawn("etcd", this.#arguments, { stdio: "ignore" });
    for (let waited = 0; waited < 30_000; waited += 50) {
      if (await this.#healthy()) return;
      await sleep(50);
    }
    throw new Error("etcd did not become healthy in 30 s");
  }

  /** SIGKILL, as a crash of the process; waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** Stops (SIGSTOP) or lets go on a running etcd: alive for TCP, silent for its clients. */
  freeze(frozen: boolean): void {
    this.#child?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #healthy(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(1_000) });
      return (await answer.text()).includes('"true"');
    } catch {
      return false;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no port"));
      });
    });
  });
}
