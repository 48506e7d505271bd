import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EtcdV2Client } from "../../adapters/etcd/index.js";
import {
  type LabHost,
  labDown,
  labKill,
  labPaths,
  labUp,
  testLabSettings,
} from "../../adapters/lab/index.js";
import { SshConnection } from "../../adapters/ssh/index.js";
import {
  type NamedUnit,
  parseUnit,
  reachableSchedules,
  requirements,
} from "../../core/fleet/index.js";
import { SECOND } from "../../core/kernel/index.js";
import { EtcdServer } from "./etcd-server.js";
import { whyNot } from "./needs.js";
import { Orrery, readLog, rederiveFile, until } from "./program.js";

const reason = whyNot("lab");
const settings = testLabSettings(process.env);
const paths = labPaths(settings);
const count = Number(process.env.ORRERY_LAB_HOSTS ?? "1");

const UNITS: Readonly<Record<string, string>> = {
  "web1.service": "[Service]\nExecStart=/bin/sleep 100001\n[X-Fleet]\nConflicts=web*.service\n",
  "web2.service": "[Service]\nExecStart=/bin/sleep 100002\n[X-Fleet]\nConflicts=web*.service\n",
  "mon.service": "[Service]\nExecStart=/bin/sleep 100003\n[X-Fleet]\nGlobal=true\n",
};
const WEBS = ["web1.service", "web2.service"];

let hosts: LabHost[];
let etcd: EtcdServer;
let folder: string;
let flags: string[];

beforeAll(async () => {
  if (reason !== null) return;
  await labDown(settings);
  hosts = await labUp(settings, count, console.log);
  etcd = await EtcdServer.create();
  folder = mkdtempSync(join(tmpdir(), "orrery-drive-"));
  flags = [
    ...["--etcd", etcd.url, "--identity", paths.identity, "--known-hosts", paths.knownHosts],
    ...hosts.flatMap(({ name, address }) => ["--host", `${name}=ssh://root@${address}`]),
    ...["--ttl", "10s"],
  ];
  for (const [name, text] of Object.entries(UNITS)) {
    const file = join(folder, name);
    writeFileSync(file, text);
    const start = ["fleet", "--etcd", etcd.url, "start", "--no-block", file];
    expect(await new Orrery(...start).exit()).toBe(0);
  }
});

afterAll(async () => {
  if (reason !== null) return;
  await etcd.remove();
  await labDown(settings);
  rmSync(folder, { recursive: true, force: true });
});

/** What a host's own systemd says of our units that run: name to InvocationID, which every start changes. */
async function running({ address }: LabHost): Promise<Record<string, string>> {
  const ssh = await SshConnection.open(
    { user: "root", host: address, port: 22 },
    {
      identities: [readFileSync(paths.identity)],
      knownHosts: [readFileSync(paths.knownHosts, "utf8")],
      connectMs: 5_000,
      keepaliveMs: 2_000,
    },
  );
  try {
    const names = Object.keys(UNITS);
    const shown = await ssh.exec(`systemctl show -p ActiveState,InvocationID ${names.join(" ")}`);
    const blocks = shown.trim().split("\n\n");
    return Object.fromEntries(
      blocks.flatMap((block, index) => {
        const [, invocation = ""] = /InvocationID=(\w*)/.exec(block) ?? [];
        return block.includes("ActiveState=active") ? [[names[index] ?? "", invocation]] : [];
      }),
    );
  } finally {
    ssh.close();
  }
}

type Picture = Record<string, Record<string, string>>;

/** All of `hosts` by machine id. */
async function picture(of: readonly LabHost[]): Promise<Picture> {
  const each = await Promise.all(of.map(async (host) => [host.machineId, await running(host)]));
  return Object.fromEntries(each);
}

/** Where the conflicting units run. */
function scheduleIn(shown: Picture): Record<string, string> {
  return Object.fromEntries(
    WEBS.flatMap((unit) =>
      Object.entries(shown)
        .filter(([, units]) => unit in units)
        .map(([machine]) => [unit, machine]),
    ),
  );
}

/** Every schedule in which the modelled engine comes to rest, whatever order Go walks its maps in. */
function modelled(of: readonly LabHost[], start: Readonly<Record<string, string>>) {
  const named = (name: string): NamedUnit => {
    const unit = parseUnit(UNITS[name] ?? "");
    if (!unit.ok) throw new Error(unit.error);
    return { name, requirements: requirements(name, unit.unit) };
  };
  const reach = reachableSchedules(
    {
      jobs: WEBS.map((name) => ({ ...named(name), targetState: "launched", machine: null })),
      globals: [named("mon.service")],
      machines: of.map(({ machineId }) => ({ id: machineId, metadata: {} })),
    },
    start,
    10_000,
  );
  return reach?.fixed ?? [];
}

/** Waits until the hosts show a schedule of the model, with the global unit on every one. */
async function settles(
  of: readonly LabHost[],
  start: Readonly<Record<string, string>>,
): Promise<Picture> {
  const schedules = modelled(of, start).map((schedule) => JSON.stringify(schedule));
  let shown: Picture = {};
  await until(60, `one of ${schedules.join(" ")}`, async () => {
    shown = await picture(of);
    const everywhere = Object.values(shown).every((units) => "mon.service" in units);
    return everywhere && schedules.includes(JSON.stringify(scheduleIn(shown)));
  });
  return shown;
}

test.skipIf(reason !== null)(
  "a dry run says what it would do and why, and changes nothing in etcd or on the hosts",
  async () => {
    const client = new EtcdV2Client({ endpoints: [etcd.url] });
    const index = async (): Promise<number> => {
      const reply = await client.ask({ op: "get", key: "/_coreos.com" }, 5 * SECOND);
      return reply.ok ? reply.etcdIndex : -1;
    };
    const before = await index();
    const orrery = new Orrery("drive", ...flags, "--for", "10s");
    expect(await orrery.exit()).toBe(0);
    expect(await index()).toBe(before);
    client.close();
    expect(Object.values(await picture(hosts))).toEqual(hosts.map(() => ({})));
    const web = "unit currently loaded but desired state is launched";
    expect(orrery.output).toContain(`systemd start mon.service  # ${web}`);
    expect(orrery.output).toMatch(/put \S+\/job\/web\d\.service\/target .*# target state launched/);
    expect(orrery.news).toContain("nothing was changed");
  },
);

test.skipIf(reason !== null)(
  "units run where the model says, are not started twice after a kill -9, and move off a dead host",
  async () => {
    const out = join(folder, "drive.orlog");
    let orrery = new Orrery("drive", ...flags, "--apply", "--out", out);
    const first = await settles(hosts, {});

    await orrery.end("SIGKILL");
    orrery = new Orrery("drive", ...flags, "--apply", "--out", out);
    for (const { name } of hosts) await orrery.says(`${name}: StartUnit mon.service`);
    for (const unit of Object.keys(scheduleIn(first))) await orrery.says(`StartUnit ${unit}`);
    expect(await picture(hosts)).toEqual(first);

    let left = hosts;
    const schedule = scheduleIn(first);
    const dead = hosts.find(({ machineId }) => Object.values(schedule).includes(machineId));
    if (dead !== undefined && hosts.length > 1) {
      left = hosts.filter((host) => host !== dead);
      await labKill(settings, dead.name);
      const moved = await settles(left, schedule);
      await orrery.says(`${dead.name}: lost`);
      for (const { machineId } of left)
        expect(moved[machineId]).toMatchObject(first[machineId] ?? {});
    }

    const before = await picture(left);
    expect(await orrery.end("SIGINT")).toBe(0);
    expect(await picture(left)).toEqual(before);
    expect(readLog(out).end).toBe("ended");
    expect(rederiveFile(out)).toMatchObject({ ok: true });
    expect(await new Orrery("verify", out).exit()).toBe(0);
  },
);
