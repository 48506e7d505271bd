import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureRoot } from "./root.js";
import { LAB_HOSTS_MAX, type LabHost, type LabSettings, labHost, labPaths } from "./settings.js";
import { hasProgram, LabError, run, whyNoLab } from "./shell.js";

/** How one host of the lab is doing. */
export interface LabHostStatus extends LabHost {
  readonly running: boolean;
  readonly ssh: boolean;
}

const BOOT_DEADLINE_MS = 90_000;

/** Boots hosts 1 … count that do not run yet and waits until each answers on SSH. */
export async function labUp(
  settings: LabSettings,
  count: number,
  say: (line: string) => void,
): Promise<LabHost[]> {
  const reason = whyNoLab();
  if (reason !== null) throw new LabError(reason);
  if (!Number.isInteger(count) || count < 1 || count > LAB_HOSTS_MAX) {
    throw new LabError(`a lab has 1 to ${LAB_HOSTS_MAX} hosts, not ${count}`);
  }
  ensureRoot(settings, say);
  ensureBridge(settings);
  const hosts = Array.from({ length: count }, (_, i) => labHost(settings, i + 1));
  for (const host of hosts) if (nspawnPid(settings, host.name) === null) boot(settings, host);
  await Promise.all(hosts.map((host) => awaitSsh(settings, host)));
  return hosts;
}

/** Ends every host, takes the bridge down and removes the hosts' folders; root and keys stay for the next time. */
export async function labDown(settings: LabSettings): Promise<void> {
  for (const name of hostNames(settings)) await labKill(settings, name);
  const paths = labPaths(settings);
  rmSync(paths.hosts, { recursive: true, force: true });
  if (hasProgram("ip") && bridgeExists(settings)) run("ip", "link", "del", settings.bridge);
}

/** Cuts a host's power: its first process is killed and everything goes with it. False when it did not run. */
export async function labKill(settings: LabSettings, name: string): Promise<boolean> {
  const pid = nspawnPid(settings, name);
  if (pid === null) return false;
  const leader = readChildren(pid);
  for (const child of leader) signal(child);
  for (let waited = 0; alive(pid, settings, name) && waited < 10_000; waited += 50) {
    if (waited === 5_000) signal(pid);
    await sleep(50);
  }
  rmSync(join(labPaths(settings).host(name), "pid"), { force: true });
  const link = `vb-${settings.instance}${name}`;
  if (existsSync(`/sys/class/net/${link}`)) run("ip", "link", "del", link);
  return true;
}

/** Every host this lab has a folder for. */
export async function labStatus(settings: LabSettings): Promise<LabHostStatus[]> {
  const hosts = hostNames(settings).map((name) => labHost(settings, Number(name.slice(1))));
  return Promise.all(
    hosts.map(async (host) => {
      const running = nspawnPid(settings, host.name) !== null;
      return { ...host, running, ssh: running && (await answers(host)) };
    }),
  );
}

function hostNames(settings: LabSettings): string[] {
  const { hosts } = labPaths(settings);
  if (!existsSync(hosts)) return [];
  return readdirSync(hosts)
    .filter((name) => /^h\d+$/.test(name))
    .sort((left, right) => Number(left.slice(1)) - Number(right.slice(1)));
}

function bridgeExists(settings: LabSettings): boolean {
  return existsSync(`/sys/class/net/${settings.bridge}`);
}

function ensureBridge(settings: LabSettings): void {
  if (bridgeExists(settings)) return;
  run("ip", "link", "add", settings.bridge, "type", "bridge");
  run("ip", "addr", "add", `${settings.network}.1/24`, "dev", settings.bridge);
  run("ip", "link", "set", settings.bridge, "up");
}

function boot(settings: LabSettings, host: LabHost): void {
  const paths = labPaths(settings);
  const folder = paths.host(host.name);
  mkdirSync(folder, { recursive: true });
  const network = join(folder, "host0.network");
  writeFileSync(
    network,
    `[Match]\nName=host0\n[Network]\nAddress=${host.address}/24\nLinkLocalAddressing=no\n`,
  );
  const log = openSync(join(folder, "console.log"), "w");
  const child = spawn(
    "systemd-nspawn",
    [
      "--quiet",
      "--register=no",
      "--keep-unit",
      "--volatile=overlay",
      "--console=pipe",
      "--boot",
      `--directory=${paths.root}`,
      `--machine=${host.container}`,
      `--uuid=${host.machineId}`,
      `--network-bridge=${settings.bridge}`,
      `--bind-ro=${network}:/etc/systemd/network/10-host0.network`,
    ],
    { detached: true, stdio: ["ignore", log, log] },
  );
  child.on("error", (error) => {
    throw new LabError(`cannot run systemd-nspawn: ${error.message}`);
  });
  child.unref();
  if (child.pid !== undefined) writeFileSync(join(folder, "pid"), `${child.pid}\n`);
}

async function awaitSsh(settings: LabSettings, host: LabHost): Promise<void> {
  for (let waited = 0; waited < BOOT_DEADLINE_MS; waited += 200) {
    if (await answers(host)) return;
    if (nspawnPid(settings, host.name) === null) break;
    await sleep(200);
  }
  const console = join(labPaths(settings).host(host.name), "console.log");
  const tail = existsSync(console) ? readFileSync(console, "utf8").split("\n").slice(-8) : [];
  throw new LabError(`${host.name} did not come up; the end of ${console}:\n${tail.join("\n")}`);
}

/** True when the host's sshd sends its banner. */
function answers(host: LabHost): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: host.address, port: 22 });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => done(false));
    socket.once("error", () => done(false));
    socket.once("data", (banner) => done(banner.toString("latin1").startsWith("SSH-")));
  });
}

/** The pid of the host's systemd-nspawn, or null when it does not run. A reused pid is not taken for it. */
function nspawnPid(settings: LabSettings, name: string): number | null {
  const file = join(labPaths(settings).host(name), "pid");
  if (!existsSync(file)) return null;
  const pid = Number(readFileSync(file, "utf8"));
  return alive(pid, settings, name) ? pid : null;
}

function alive(pid: number, settings: LabSettings, name: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return (
      words.includes(`--machine=${settings.instance}${name}`) &&
      words.includes(`--directory=${labPaths(settings).root}`)
    );
  } catch {
    return false;
  }
}

function readChildren(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? [] : text.split(" ").map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone by itself.
  }
}
