import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reservePorts } from "../../adapters/serve/index.js";

/** How a member of a real cluster is started. */
export interface EtcdServerOptions {
  /** The program; default: `etcd` on the PATH. */
  readonly program?: string;
  /** The v2 API, which releases since 3.6 no longer have; default true. */
  readonly v2?: boolean;
  /** A file to begin with: every member restores it with `etcdctl snapshot restore`. */
  readonly snapshot?: string;
}

/** A real etcd on loopback with a data folder of its own, which survives restarts until `remove`. */
export class EtcdServer {
  readonly name: string;
  /** For clients. */
  readonly url: string;
  readonly peerUrl: string;
  readonly #program: string;
  readonly #arguments: readonly string[];
  readonly #folder: string;
  #child: ChildProcess | null = null;

  private constructor(seat: Seat, seats: readonly Seat[], options: EtcdServerOptions) {
    const { name, url, peerUrl } = seat;
    this.name = name;
    this.url = url;
    this.peerUrl = peerUrl;
    this.#program = options.program ?? "etcd";
    this.#folder = mkdtempSync(join(memoryFolder(), "orrery-etcd-"));
    const cluster = seats.map((each) => `${each.name}=${each.peerUrl}`).join(",");
    const data = join(this.#folder, "data");
    if (options.snapshot !== undefined) {
      const seat = ["--name", name, "--initial-advertise-peer-urls", peerUrl];
      restore(options.snapshot, [...seat, "--initial-cluster", cluster, "--data-dir", data]);
    }
    this.#arguments = [
      ["--name", name],
      ["--data-dir", data],
      ...(options.v2 === false ? [] : [["--enable-v2=true"]]),
      ["--listen-client-urls", url],
      ["--advertise-client-urls", url],
      ["--listen-peer-urls", peerUrl],
      ["--initial-advertise-peer-urls", peerUrl],
      ["--initial-cluster", cluster],
      ["--log-level", "error"],
    ].flat();
  }

  /** One member that is a cluster of its own. */
  static async create(options: EtcdServerOptions = {}): Promise<EtcdServer> {
    const [server] = await EtcdServer.cluster(["default"], options);
    if (server === undefined) throw new Error("a cluster has as many members as it has names");
    return server;
  }

  /** A new cluster of members with these names; healthy when it is returned. */
  static async cluster(
    names: readonly string[],
    options: EtcdServerOptions = {},
  ): Promise<readonly EtcdServer[]> {
    const ports = await freePorts(2 * names.length);
    const seats = names.map((name, i): Seat => {
      const loopback = (port: number | undefined): string => `http://127.0.0.1:${port ?? 0}`;
      return { name, url: loopback(ports[2 * i]), peerUrl: loopback(ports[2 * i + 1]) };
    });
    const servers = seats.map((seat) => new EtcdServer(seat, seats, options));
    try {
      await Promise.all(servers.map((server) => server.start()));
    } catch (error) {
      await Promise.all(servers.map((server) => server.remove()));
      throw error;
    }
    return servers;
  }

  /** Whether the process runs; false after it ended by itself. */
  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it on the same ports and data, and waits until it is healthy. */
  async start(): Promise<void> {
    const child = spawn(this.#program, this.#arguments, { stdio: "ignore" });
    this.#child = child;
    // Whatever ends this process, etcd does not stay behind.
    const end = (): void => {
      child.kill("SIGKILL");
      rmSync(this.#folder, { recursive: true, force: true });
    };
    process.once("exit", end);
    child.once("exit", () => process.off("exit", end));
    let failure: string | null = null;
    child.once("error", (error) => {
      failure = error.message;
    });
    for (let waited = 0; waited < 30_000; waited += 25) {
      if (await this.#healthy()) return;
      if (failure !== null) throw new Error(`etcd does not start: ${failure}`);
      if (child.exitCode !== null) throw new Error(`etcd ended with exit code ${child.exitCode}`);
      await sleep(25);
    }
    throw new Error("etcd did not become healthy in 30 s");
  }

  /** SIGKILL, as a crash of the process; waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
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

function restore(file: string, options: readonly string[]): void {
  execFileSync("etcdctl", ["snapshot", "restore", file, ...options], {
    env: { ...process.env, ETCDCTL_API: "3" },
    stdio: "pipe",
    timeout: 30_000,
  });
}

/** Where a member is. */
interface Seat {
  readonly name: string;
  readonly url: string;
  readonly peerUrl: string;
}

/** Data of tests need not outlive the machine: without a disk to wait for, writes are fast. */
function memoryFolder(): string {
  return existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}

/** Ports that nobody listened on a moment ago, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = await reservePorts(new Array<number>(count).fill(0));
  // Between being given and being used a port is free: nobody else here may be given it.
  if (ports.some((port) => given.has(port))) return freePorts(count);
  for (const port of ports) given.add(port);
  return ports;
}

/** Ports that this process has given away. */
const given = new Set<number>();
