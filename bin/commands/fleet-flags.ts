import type { Command } from "commander";
import { EtcdV2Client } from "../../adapters/etcd/index.js";
import {
  etcdTransport,
  type FleetClient,
  type FleetTransport,
  httpTransport,
  readFleetEndpoint,
} from "../../adapters/fleet/index.js";
import { FLEET_DEFAULTS } from "../../core/fleet/index.js";
import { MILLISECOND } from "../../core/kernel/index.js";
import { simulatedTransport } from "./fleet-simulated.js";
import type { Voice } from "./fleet-wait.js";
import { readCountFlag, readDurationFlag, readEndpoints, refuse } from "./live-flags.js";
import { choosePlan, openScenario } from "./shared.js";

/** Where the fleet is: flags of `orrery fleet` and of each of its commands. */
export interface FleetFlags {
  readonly endpoint?: string;
  readonly driver?: string;
  readonly etcd?: string;
  readonly etcdKeyPrefix?: string;
  readonly requestTimeout?: string;
  readonly scenario?: string;
  readonly at?: string;
  readonly seed?: string;
  readonly host?: string;
  readonly json?: true;
  readonly compat?: true;
}

/** What a command is told, and where it says something. */
export interface FleetContext {
  readonly client: FleetClient;
  readonly voice: Voice;
  readonly flags: FleetFlags;
}

/** Adds the flags. They have no defaults: what is not given may be given one level up. */
export function withFleetFlags(command: Command): Command {
  return command
    .option("--endpoint <url>", "fleet's API: unix:///var/run/fleet.sock or http://HOST:PORT")
    .option("--driver <name>", "API, or etcd for --endpoint with client URLs of etcd")
    .option("--etcd <urls>", "client URLs of etcd; alone: the same as --driver etcd --endpoint")
    .option("--etcd-key-prefix <key>", "root of fleet's keys in etcd (/_coreos.com/fleet/)")
    .option("--request-timeout <seconds>", "time for one request (3)")
    .option("--scenario <file>", "a simulated fleet: the scenario is run in memory …")
    .option("--at <time>", "… until this time, such as 5m (default: its end)")
    .option("--seed <n>", "seed of that run (1)")
    .option("--host <name>", "host of that run whose fleetd is asked (the first that runs one)")
    .option("--json", "print JSON")
    .option("--compat", "with fleetctl's own faults; see docs/fleet.md");
}

/** fleetctl's default. */
const ENDPOINT = "unix:///var/run/fleet.sock";

/** Values that are not given as flags come from fleetctl's environment variables. */
function given(flags: FleetFlags, name: keyof FleetFlags): string | undefined {
  const flag = flags[name];
  if (typeof flag === "string") return flag;
  const variable = `FLEETCTL_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
  return process.env[variable] || undefined;
}

/** Opens the way that the flags describe. @throws FlagError, Unreachable */
export function openFleet(flags: FleetFlags): Promise<FleetTransport> | FleetTransport {
  if (flags.scenario !== undefined) return openSimulated(flags.scenario, flags);
  const seconds = Number(given(flags, "requestTimeout") ?? "3");
  if (!(seconds > 0 && seconds <= 3_600)) {
    const found = JSON.stringify(given(flags, "requestTimeout"));
    refuse("E_FLAG", "--request-timeout", found, "seconds, above 0", "Write --request-timeout 3");
  }
  const ms = Math.ceil(seconds * 1_000);
  const driver = (given(flags, "driver") ?? "API").toLowerCase();
  if (driver !== "api" && driver !== "etcd") {
    refuse("E_FLAG", "--driver", JSON.stringify(driver), "API or etcd", "Use one of these");
  }
  const endpoint = given(flags, "endpoint");
  const registry =
    flags.etcd ?? (driver === "etcd" ? (endpoint ?? "http://127.0.0.1:2379") : undefined);
  const etcd = registry === undefined ? null : openEtcd(registry, ms, flags);
  if (etcd !== null && (driver === "etcd" || endpoint === undefined)) return etcd;
  const [first = ENDPOINT] = (endpoint ?? ENDPOINT).split(",");
  const place = readFleetEndpoint(first);
  if (place === null) {
    refuse(
      "E_FLAG",
      "--endpoint",
      JSON.stringify(first),
      "unix:///PATH or http://HOST:PORT",
      "Give what orrery serve printed behind `fleet`, or the socket of a fleetd",
    );
  }
  const api = httpTransport(first, place, ms);
  if (etcd === null) return api;
  const close = (): void => {
    api.close();
    etcd.close();
  };
  return { ...api, etcd: etcd.etcd, close };
}

function openEtcd(urls: string, ms: number, flags: FleetFlags): FleetTransport {
  const client = new EtcdV2Client({ endpoints: readEndpoints(urls) });
  return etcdTransport(urls, client, keyPrefix(flags), ms * MILLISECOND);
}

/** Root of fleet's keys, without the slash at its end. */
export function keyPrefix(flags: FleetFlags): string {
  return (given(flags, "etcdKeyPrefix") ?? FLEET_DEFAULTS.keyPrefix).replace(/\/+$/, "");
}

function openSimulated(path: string, flags: FleetFlags): Promise<FleetTransport> {
  const scenario = openScenario(path, {});
  const seed = flags.seed === undefined ? 1 : readCountFlag("--seed", flags.seed, 0, 2 ** 40);
  const at = flags.at === undefined ? scenario.duration : readDurationFlag("--at", flags.at);
  const plan = choosePlan(scenario, seed, {});
  return simulatedTransport({ scenario, seed, plan, at, host: flags.host ?? null });
}
