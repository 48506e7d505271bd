import { type Command, Option } from "commander";
import type { TlsFiles } from "../../adapters/etcd/index.js";
import type { FleetClient } from "../../adapters/fleet/index.js";
import { FLEET_DEFAULTS } from "../../core/fleet/index.js";
import type { Voice } from "./fleet-wait.js";
import { readTls, refuse } from "./live-flags.js";

/** Where the fleet is and how it is reached: flags of `orrery fleet` and of each of its commands. */
export interface FleetFlags {
  readonly endpoint?: string;
  readonly driver?: string;
  readonly etcd?: string;
  readonly etcdKeyPrefix?: string;
  readonly requestTimeout?: string;
  readonly keyFile?: string;
  readonly certFile?: string;
  readonly caFile?: string;
  readonly etcdKeyfile?: string;
  readonly etcdCertfile?: string;
  readonly etcdCafile?: string;
  readonly tunnel?: string;
  readonly sshUsername?: string;
  readonly sshTimeout?: string;
  readonly strictHostKeyChecking?: string | true;
  readonly knownHostsFile?: string;
  readonly scenario?: string;
  readonly at?: string;
  readonly seed?: string;
  readonly host?: string;
  readonly json?: true;
  readonly compat?: true;
  readonly debug?: true;
}

/** What a command is told, and where it says something. */
export interface FleetContext {
  readonly client: FleetClient;
  readonly voice: Voice;
  readonly flags: FleetFlags;
}

/** The flags by group, without defaults: what is not given may be given one level up. */
const FLAGS: readonly (readonly [group: string, flags: readonly (readonly [string, string])[]])[] =
  [
    [
      "Which fleet:",
      [
        [
          "--endpoint <url>",
          "its API: unix:///var/run/fleet.sock (default), http://HOST:PORT, https://…",
        ],
        ["--driver <name>", "API (default), or etcd for --endpoint with client URLs of etcd"],
        ["--etcd <urls>", "client URLs of etcd; alone: as --driver etcd --endpoint"],
        ["--etcd-key-prefix <key>", "root of fleet's keys in etcd (/_coreos.com/fleet/)"],
        ["--scenario <file>", "a simulated fleet: the scenario is run in memory …"],
        ["--at <time>", "… until this time, such as 5m (default: its end)"],
        ["--seed <n>", "seed of that run (1)"],
        ["--host <name>", "host of that run whose fleetd is asked (the first that runs one)"],
      ],
    ],
    [
      "How it is reached:",
      [
        ["--request-timeout <seconds>", "time for one request (3)"],
        ["--ca-file <file>", "authority that signed the certificate of an https endpoint (PEM)"],
        ["--cert-file <file>", "client certificate (PEM)"],
        ["--key-file <file>", "key of the client certificate (PEM)"],
        ["--tunnel <address>", "go to the endpoint, and to machines, through HOST[:PORT] by SSH"],
        ["--ssh-username <name>", "user on machines and on the tunnel's host (core)"],
        ["--ssh-timeout <seconds>", "time to log in (10)"],
        ["--strict-host-key-checking [bool]", "verify host keys (true)"],
        [
          "--known-hosts-file <file>",
          "host keys (~/.fleetctl/known_hosts, then ~/.ssh/known_hosts)",
        ],
      ],
    ],
    [
      "What is printed:",
      [
        ["--json", "print JSON"],
        ["--compat", "with fleetctl's own faults; see docs/fleet.md"],
        ["--debug", "tell every request on standard error"],
      ],
    ],
  ];

/** Taken as fleetctl takes them, and not shown: fleetctl itself says not to use them. */
const DEPRECATED: readonly (readonly [string, string])[] = [
  ["--etcd-keyfile <file>", "as --key-file"],
  ["--etcd-certfile <file>", "as --cert-file"],
  ["--etcd-cafile <file>", "as --ca-file"],
  ["--experimental-api [bool]", "without effect: the API has long ceased to be an experiment"],
];

/** Adds the flags. */
export function withFleetFlags(command: Command): Command {
  for (const [group, flags] of FLAGS) {
    for (const [flag, what] of flags) command.addOption(new Option(flag, what).helpGroup(group));
  }
  for (const [flag, what] of DEPRECATED) command.addOption(new Option(flag, what).hideHelp());
  return command;
}

/** The value of a flag; one that is not given comes from fleetctl's environment variable. */
export function given(flags: FleetFlags, name: keyof FleetFlags): string | undefined {
  const flag = flags[name];
  if (flag !== undefined) return String(flag);
  const variable = `FLEETCTL_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
  return process.env[variable] || undefined;
}

/** A time in seconds, as ms. @throws FlagError */
export function readSeconds(
  flags: FleetFlags,
  name: "requestTimeout" | "sshTimeout",
  otherwise: number,
): number {
  const text = given(flags, name);
  const seconds = text === undefined ? otherwise : Number(text);
  if (!(seconds > 0 && seconds <= 3_600)) {
    const flag = name === "requestTimeout" ? "--request-timeout" : "--ssh-timeout";
    refuse("E_FLAG", flag, JSON.stringify(text), "seconds, above 0", `Write ${flag} ${otherwise}`);
  }
  return Math.ceil(seconds * 1_000);
}

/** `true` or `false`, as Go reads them. @throws FlagError */
export function readStrict(flags: FleetFlags): boolean {
  const text = given(flags, "strictHostKeyChecking") ?? "true";
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  const advice = "Write --strict-host-key-checking=false to take any key";
  return refuse(
    "E_FLAG",
    "--strict-host-key-checking",
    JSON.stringify(text),
    "true or false",
    advice,
  );
}

/** Files for TLS, under their own names or the deprecated ones. @throws FlagError */
export function readFleetTls(flags: FleetFlags): TlsFiles {
  const cacert = given(flags, "caFile") ?? given(flags, "etcdCafile");
  const cert = given(flags, "certFile") ?? given(flags, "etcdCertfile");
  const key = given(flags, "keyFile") ?? given(flags, "etcdKeyfile");
  return readTls(
    {
      ...(cacert === undefined ? {} : { cacert }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
    { cacert: "--ca-file", cert: "--cert-file", key: "--key-file" },
  );
}

/** Root of fleet's keys, without the slash at its end. */
export function keyPrefix(flags: FleetFlags): string {
  return (given(flags, "etcdKeyPrefix") ?? FLEET_DEFAULTS.keyPrefix).replace(/\/+$/, "");
}
