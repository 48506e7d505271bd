import { EtcdV2Client } from "../../adapters/etcd/index.js";
import {
  etcdTransport,
  type FleetEndpoint,
  type FleetTransport,
  httpTransport,
  readFleetEndpoint,
  Unreachable,
} from "../../adapters/fleet/index.js";
import { type SshConnection, SshError } from "../../adapters/ssh/index.js";
import { MILLISECOND } from "../../core/kernel/index.js";
import { type FleetFlags, given, keyPrefix, readFleetTls, readSeconds } from "./fleet-flags.js";
import { simulatedTransport } from "./fleet-simulated.js";
import { openTunnel } from "./fleet-ssh.js";
import { readCountFlag, readDurationFlag, readEndpoints, refuse } from "./live-flags.js";
import { choosePlan, openScenario } from "./shared.js";

/** fleetctl's default. */
const ENDPOINT = "unix:///var/run/fleet.sock";

/** Opens the way that the flags describe. @throws FlagError, Unreachable */
export async function openFleet(
  flags: FleetFlags,
  warn: (line: string) => void,
): Promise<FleetTransport> {
  const transport =
    flags.scenario === undefined
      ? await openReal(flags, warn)
      : await openSimulated(flags.scenario, flags);
  return flags.debug === true ? debugged(transport, warn) : transport;
}

async function openReal(flags: FleetFlags, warn: (line: string) => void): Promise<FleetTransport> {
  for (const name of ["at", "seed", "host"] as const) {
    if (flags[name] === undefined) continue;
    refuse("E_FLAG", `--${name}`, "no --scenario", "--scenario FILE beside it", "Add --scenario");
  }
  const driver = (given(flags, "driver") ?? "API").toLowerCase();
  if (driver !== "api" && driver !== "etcd") {
    refuse("E_FLAG", "--driver", JSON.stringify(driver), "API or etcd", "Use one of these");
  }
  const endpoint = given(flags, "endpoint");
  const etcdUrls =
    flags.etcd ?? (driver === "etcd" ? (endpoint ?? "http://127.0.0.1:2379") : undefined);
  const etcdOnly = etcdUrls !== undefined && (driver === "etcd" || endpoint === undefined);
  const [first = ENDPOINT, ...others] = (endpoint ?? ENDPOINT).split(",");
  const place = etcdOnly ? null : readPlace(first);
  if (place !== null && others.length > 0) {
    warn(`several endpoints are given, of which only the first (${first}) is used`);
  }
  const tunnel = await openTunnel(flags);
  const etcd = etcdUrls === undefined ? null : openEtcd(etcdUrls, flags, tunnel);
  const api = place === null ? null : openApi(first, place, flags, tunnel);
  const close = (): void => {
    api?.close();
    etcd?.close();
    tunnel?.close();
  };
  const one = api ?? etcd;
  if (one === null) throw new RangeError("neither an API nor etcd");
  return { ...one, etcd: etcd?.etcd ?? null, close };
}

/** @throws FlagError */
function readPlace(text: string): FleetEndpoint {
  const place = readFleetEndpoint(text);
  if (place !== null) return place;
  return refuse(
    "E_FLAG",
    "--endpoint",
    JSON.stringify(text),
    "unix:///PATH, http://HOST:PORT or https://HOST:PORT",
    "Give what orrery serve printed behind `fleet`, or the socket of a fleetd",
  );
}

function openApi(
  name: string,
  place: FleetEndpoint,
  flags: FleetFlags,
  tunnel: SshConnection | null,
): FleetTransport {
  const stream = tunnel === null ? {} : { stream: () => streamTo(place, tunnel) };
  const timeoutMs = readSeconds(flags, "requestTimeout", 3);
  return httpTransport(name, place, { timeoutMs, tls: readFleetTls(flags), ...stream });
}

/** A socket of the tunnel's host is reached by OpenSSH itself, or by the fleetctl that is there, as fleetctl does it. */
async function streamTo(place: FleetEndpoint, tunnel: SshConnection) {
  if (place.kind === "tcp") return tunnel.openPort(place.host, place.port);
  try {
    return await tunnel.openSocket(place.path);
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    return tunnel.openCommand(`fleetctl fd-forward ${place.path}`);
  }
}

function openEtcd(urls: string, flags: FleetFlags, tunnel: SshConnection | null): FleetTransport {
  const client = new EtcdV2Client({
    endpoints: readEndpoints(urls),
    tls: readFleetTls(flags),
    ...(tunnel === null ? {} : { connect: tunnel.openPort.bind(tunnel) }),
  });
  const timeout = readSeconds(flags, "requestTimeout", 3) * MILLISECOND;
  return etcdTransport(urls, client, keyPrefix(flags), timeout);
}

function openSimulated(path: string, flags: FleetFlags): Promise<FleetTransport> {
  for (const name of ["endpoint", "driver", "etcd", "tunnel"] as const) {
    if (flags[name] === undefined) continue;
    const advice = `Leave --${name} out: a scenario's fleet is in memory`;
    refuse("E_FLAG", `--${name}`, "--scenario too", "one of them", advice);
  }
  const scenario = openScenario(path, {});
  const seed = flags.seed === undefined ? 1 : readCountFlag("--seed", flags.seed, 0, 2 ** 40);
  const at = flags.at === undefined ? scenario.duration : readDurationFlag("--at", flags.at);
  const plan = choosePlan(scenario, seed, {});
  return simulatedTransport({ scenario, seed, plan, at, host: flags.host ?? null });
}

/** Tells every request and what became of it. */
function debugged(transport: FleetTransport, tell: (line: string) => void): FleetTransport {
  return {
    ...transport,
    exchange: async (request) => {
      const what = `DEBUG: ${request.method} ${request.target}`;
      try {
        const response = await transport.exchange(request);
        tell(`${what}: ${response.kind === "answer" ? response.status : response.kind}`);
        return response;
      } catch (error) {
        if (error instanceof Unreachable) tell(`${what}: ${error.message}`);
        throw error;
      }
    },
  };
}
