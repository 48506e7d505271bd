import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A real etcd of one member on loopback, with the v2 API. */
export interface EtcdServer {
  readonly clientUrl: string;
  /** Ends the process and removes its data. */
  stop(): Promise<void>;
}

/** `etcd --version`'s first line, or null if there is no etcd on the PATH. */
export function installedEtcd(): string | null {
  const asked = spawnSync("etcd", ["--version"], { encoding: "utf8" });
  return asked.status === 0 ? (asked.stdout.split("\n")[0] ?? null) : null;
}

/** Starts one on free ports with a data directory of its own, and waits until it is healthy. */
export async function startEtcd(): Promise<EtcdServer> {
  const directory = mkdtempSync(join(tmpdir(), "orrery-etcd-"));
  const [clientPort, peerPort] = [await freePort(), await freePort()];
  const clientUrl = `http://127.0.0.1:${clientPort}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const child = spawn(
    "etcd",
    [
      "--name=witness",
      `--data-dir=${directory}`,
      `--listen-client-urls=${clientUrl}`,
      `--advertise-client-urls=${clientUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=witness=${peerUrl}`,
      "--enable-v2=true",
    ],
    { stdio: "ignore" },
  );
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await healthy(clientUrl);
  } catch (error) {
    await stop();
    throw error;
  }
  return { clientUrl, stop };
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function healthy(clientUrl: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await fetch(`${clientUrl}/health`).catch(() => null);
    if (answer !== null && (await answer.text()).includes("true")) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`etcd at ${clientUrl} did not become healthy in 10 s`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exit;
}
