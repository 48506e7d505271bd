import { Command } from "commander";
import {
  type DrivenHost,
  type DriveSetting,
  type EtcdPort,
  EtcdShadow,
  HostSession,
  StartGate,
  SystemdShadow,
} from "../../adapters/drive/index.js";
import { EtcdV2Client } from "../../adapters/etcd/index.js";
import { LiveWorld, Recorder, type RecordSink, realClock } from "../../adapters/live/index.js";
import { FLEET_DEFAULTS, type FleetConfig } from "../../core/fleet/index.js";
import { type Micros, SECOND } from "../../core/kernel/index.js";
import { readHosts, readMetadata, readSsh, type SshFlags } from "./drive-flags.js";
import { DrivePrinter } from "./drive-print.js";
import { probeV2 } from "./drive-probe.js";
import {
  collect,
  guarded,
  readDurationFlag,
  readEndpoints,
  readTls,
  refuse,
  type TlsFlags,
} from "./live-flags.js";
import { openRecording, type Recording } from "./recording.js";

interface DriveFlags extends TlsFlags, SshFlags {
  readonly etcd?: string;
  readonly host: readonly string[];
  readonly metadata: readonly string[];
  readonly apply?: boolean;
  readonly dryRun?: boolean;
  readonly out?: string;
  readonly ttl: string;
  readonly for?: string;
  readonly unloadOnExit?: boolean;
  readonly json?: boolean;
}

/** `orrery drive`: the fleet machines on a real etcd and real hosts. */
export function driveCommand(): Command {
  return new Command("drive")
    .description("run fleet's engine and agents against a real etcd (v2) and real hosts' systemd")
    .option("--etcd <urls>", "client URLs of members, separated by commas")
    .option(
      "--host <name=url>",
      "a host, as NAME=ssh://USER@ADDRESS[:PORT]; repeatable",
      collect,
      [],
    )
    .option("--identity <file>", "private key; otherwise ~/.ssh and the agent")
    .option("--known-hosts <file>", "host keys; otherwise ~/.ssh/known_hosts and /etc/ssh")
    .option("--metadata <k=v>", "metadata of all hosts; repeatable", collect, [])
    .option("--dry-run", "change nothing, print what would be done and why (the default)")
    .option("--apply", "do it")
    .option("--out <file>", "record everything; a recording that was cut short is continued")
    .option("--ttl <duration>", "how long a host's presence outlives its last beat", "30s")
    .option("--for <duration>", "stop after this long (dry run: 15s; --apply: at SIGINT)")
    .option(
      "--unload-on-exit",
      "take the units off the hosts when stopped, as fleetd does on SIGTERM",
    )
    .option("--json", "print deeds as lines of JSON")
    .option("--cacert <file>", "authority that signed etcd's certificate (PEM)")
    .option("--cert <file>", "client certificate (PEM)")
    .option("--key <file>", "key of the client certificate (PEM)")
    .addHelpText("after", EXAMPLES)
    .action((flags: DriveFlags) => guarded(() => drive(flags)));
}

const EXAMPLES = `
One fleetd (engine and agent) per host runs here; nothing is installed on the hosts. Stopping leaves
units and keys as they are, and starting again picks up there. Run one drive per cluster.

Examples:
  orrery drive --etcd http://127.0.0.1:2379 --host h1=ssh://root@10.77.0.11
  orrery drive --etcd http://127.0.0.1:2379 --host h1=ssh://root@10.77.0.11 --host h2=ssh://root@10.77.0.12 --apply --out drive.orlog
  orrery fleet --etcd http://127.0.0.1:2379 start web.service

Exit codes: 0 stopped; 2 bad flag, etcd not there or without its v2 API (--enable-v2=true), a host that
never answered in a dry run, or a log that cannot be written.`;

async function drive(flags: DriveFlags): Promise<number> {
  if (flags.etcd === undefined) {
    refuse("E_FLAG", "--etcd", "nothing", "client URLs of etcd", "Add --etcd http://HOST:2379");
  }
  if (flags.apply === true && flags.dryRun === true) {
    refuse("E_FLAG", "--apply", "--dry-run too", "one of them", "Leave one of them out");
  }
  const endpoints = readEndpoints(flags.etcd);
  const hosts = readHosts(flags.host, readSsh(flags));
  if (hosts.length === 0) {
    refuse("E_FLAG", "--host", "no host", "at least one", "Add --host NAME=ssh://USER@ADDRESS");
  }
  const fleet = fleetConfig(flags);
  const apply = flags.apply === true;
  const length = flags.for === undefined ? null : readDurationFlag("--for", flags.for);
  const client = new EtcdV2Client({ endpoints, tls: readTls(flags) });
  try {
    const registry = await probeV2(client, endpoints.join(","), fleet.keyPrefix);
    const recording = record(flags, endpoints, hosts);
    const clock = realClock(recording.at);
    const etcd = apply ? client : new EtcdShadow(registry, () => clock.now());
    const limit = length ?? (apply ? null : DRY_RUN_LENGTH);
    return await runHosts({ recording, clock, etcd, hosts, fleet, apply, limit, flags });
  } finally {
    client.close();
  }
}

const DRY_RUN_LENGTH: Micros = 15 * SECOND;

function fleetConfig(flags: DriveFlags): Omit<FleetConfig, "machineId" | "publicIp"> {
  const agentTtl = readDurationFlag("--ttl", flags.ttl);
  if (agentTtl % SECOND !== 0 || agentTtl < 3 * SECOND) {
    const expected = "whole seconds, at least 3s";
    refuse("E_FLAG", "--ttl", JSON.stringify(flags.ttl), expected, "fleet's own default is 30s");
  }
  const { publicIp: _, ...defaults } = FLEET_DEFAULTS;
  return { ...defaults, agentTtl, metadata: readMetadata(flags.metadata) };
}

function record(
  { out }: DriveFlags,
  etcd: readonly string[],
  hosts: readonly DrivenHost[],
): Recording {
  if (out === undefined) return { sink: NOWHERE, seq: 0, at: 0 };
  const machines = hosts.map(({ name, target }) => ({ host: name, machine: "link", target }));
  const origin = { program: "orrery drive", started: new Date().toISOString() };
  return openRecording(out, { ...origin, etcd, machines }, () => {});
}

const NOWHERE: RecordSink = { write: () => {}, flush: () => {}, close: () => {} };

interface Run {
  readonly recording: Recording;
  readonly clock: ReturnType<typeof realClock>;
  readonly etcd: EtcdPort;
  readonly hosts: readonly DrivenHost[];
  readonly fleet: Omit<FleetConfig, "machineId" | "publicIp">;
  readonly apply: boolean;
  readonly limit: Micros | null;
  readonly flags: DriveFlags;
}

function runHosts(run: Run): Promise<number> {
  const { recording, clock, etcd, hosts, fleet, apply, limit, flags } = run;
  return new Promise((resolve) => {
    const recorder = new Recorder(recording.sink, recording.seq, recording.at);
    const printer = new DrivePrinter({ apply, json: flags.json === true });
    let code = 0;
    let open = hosts.length;
    const done = (): void => {
      world.stop();
      for (const undo of undone.splice(0)) undo();
      printer.summary(hosts.map(({ name }) => name));
      resolve(code);
    };
    const fail = (error: unknown): void => {
      console.error(error instanceof Error ? error.message : String(error));
      code = 2;
      for (const session of sessions) session.drop();
      done();
    };
    const sessions: HostSession[] = [];
    const undone: (() => void)[] = [];
    const world = new LiveWorld(recorder, clock, fail);
    world.started("orrery drive", new Date());
    const setting: DriveSetting = {
      world,
      etcd,
      fleet,
      gate: new StartGate(hosts.map(({ name }) => name)),
      view: (_host, systemd) => (apply ? systemd : new SystemdShadow(systemd)),
      asked: (host, effect) => printer.asked(host, effect),
      heard: (host, fact) => printer.heard(host, fact),
    };
    const closed = (): void => {
      if (--open > 0) return;
      try {
        recorder.end();
      } catch (error) {
        fail(error);
        return;
      }
      if (!apply && printer.reached < hosts.length) code = 2;
      done();
    };
    let stopping = false;
    const stop = (): void => {
      if (stopping) process.exit(130);
      stopping = true;
      for (const session of sessions) session.stop(flags.unloadOnExit === true && apply);
    };
    if (limit !== null) undone.push(clock.after(limit, stop));
    for (const signal of SIGNALS) {
      process.on(signal, stop);
      undone.push(() => process.off(signal, stop));
    }
    for (const host of hosts) sessions.push(new HostSession(host, setting, closed));
  });
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
