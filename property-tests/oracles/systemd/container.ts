import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import {
  hasProgram,
  type LabSettings,
  labDown,
  labPaths,
  labSettings,
  labUp,
} from "../../../adapters/lab/index.js";
import { SystemBus } from "../../../adapters/systemd/index.js";
import { MOUNT_SLOW, PROGRAM } from "./behaviour.js";
import { FILES, OUTSIDE } from "./unit-set.js";

/** A booted systemd of its own: a host of a lab beside the user's, with the same root file system. */
export interface Container {
  readonly bus: SystemBus;
  /** A path of the container as this machine has it. */
  path(inside: string): string;
  /** Runs a program in it to its end. */
  run(
    program: string,
    words: readonly string[],
  ): { readonly stdout: string; readonly stderr: string };
  /** What systemd says it is. */
  readonly version: string;
}

const CALL_MS = 20_000;

/** Several containers, which are ended together. */
export interface Containers {
  readonly all: readonly Container[];
  close(): Promise<void>;
}

/** Boots containers; takes about 10 s, and a minute more the first time on a machine. */
export async function bootContainers(
  count: number,
  say: (line: string) => void,
): Promise<Containers> {
  const settings: LabSettings = {
    ...labSettings(process.env),
    instance: "oracle",
    bridge: "orrery2",
    network: "10.79.0",
  };
  await labDown(settings);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => void labDown(settings).finally(() => process.exit(1)));
  }
  try {
    const hosts = await labUp(settings, count, say);
    const all = await Promise.all(hosts.map((host) => enter(settings, host.name)));
    return {
      all,
      close: async () => {
        for (const container of all) container.bus.close();
        spawnSync("chrt", ["--all-tasks", "--other", "--pid", "0", String(process.pid)]);
        await labDown(settings);
      },
    };
  } catch (error) {
    await labDown(settings);
    throw error;
  }
}

async function enter(settings: LabSettings, host: string): Promise<Container> {
  const nspawn = Number(readFileSync(join(labPaths(settings).host(host), "pid"), "utf8"));
  const leader = firstChild(nspawn);
  const path = (inside: string): string => `/proc/${leader}/root${inside}`;
  const place = (inside: string, text: string, mode: number): void => {
    mkdirSync(dirname(path(inside)), { recursive: true });
    writeFileSync(path(inside), text, { mode });
  };
  for (const [path, file] of [
    [PROGRAM, "act.pl"],
    [MOUNT_SLOW, "mount-slow.pl"],
  ] as const) {
    place(path, readFileSync(join(import.meta.dirname, file), "utf8"), 0o755);
  }
  for (const folder of [FILES, OUTSIDE]) mkdirSync(path(folder), { recursive: true });
  const stream = createConnection(path("/run/dbus/system_bus_socket"));
  const bus = await SystemBus.over(stream, 0, CALL_MS);
  favour(leader);
  const version = await property(bus, "Version");
  return {
    bus,
    path,
    run: (program, words) => runIn(leader, program, words),
    version,
  };
}

function runIn(leader: number, program: string, words: readonly string[]) {
  const args = ["--target", String(leader), "--all", program, ...words];
  const done = spawnSync("nsenter", args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (done.error !== undefined) throw done.error;
  return { stdout: done.stdout, stderr: done.stderr };
}

/** The container's first process: what systemd-nspawn has started. */
function firstChild(pid: number): number {
  const [first] = childrenOf(pid);
  if (first === undefined) throw new Error("systemd-nspawn has started nothing");
  return first;
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim();
      return children === "" ? [] : children.split(" ").map(Number);
    });
  } catch {
    return [];
  }
}

/**
 * Lets the container and this process go before others on a busy machine: they do little, but what
 * they do is timed. What the container starts inherits it.
 */
function favour(leader: number): void {
  if (!hasProgram("chrt")) return;
  for (const pid of [leader, ...descendants(leader), process.pid]) {
    // One that has just ended, or a kernel that allows it to nobody, does not matter.
    spawnSync("chrt", ["--all-tasks", "--rr", "--pid", "1", String(pid)]);
  }
}

function descendants(pid: number): number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendants)];
}

export const DESTINATION = "org.freedesktop.systemd1";
export const MANAGER = "/org/freedesktop/systemd1";

/** Calls a method of systemd's manager. */
export function callManager(
  bus: SystemBus,
  member: string,
  signature = "",
  body: readonly unknown[] = [],
): Promise<readonly unknown[]> {
  const target = { destination: DESTINATION, path: MANAGER, interface: `${DESTINATION}.Manager` };
  return bus.call({ ...target, member, signature, body }, CALL_MS);
}

async function property(bus: SystemBus, name: string): Promise<string> {
  const value = await getProperty(bus, MANAGER, `${DESTINATION}.Manager`, name);
  return String(value);
}

/** Value of a property of an object of systemd's. */
export async function getProperty(
  bus: SystemBus,
  path: string,
  owner: string,
  name: string,
): Promise<unknown> {
  const [variant] = await bus.call(
    {
      destination: DESTINATION,
      path,
      interface: "org.freedesktop.DBus.Properties",
      member: "Get",
      signature: "ss",
      body: [owner, name],
    },
    CALL_MS,
  );
  return typeof variant === "object" && variant !== null && "value" in variant
    ? variant.value
    : variant;
}
