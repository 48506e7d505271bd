import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the lab keeps its things and how its network is laid out. Hosts are reached by these addresses only. */
export interface LabSettings {
  /** Cache of the root file system, keys, and one folder per host. */
  readonly directory: string;
  readonly bridge: string;
  /** First three octets of the lab's /24. */
  readonly network: string;
}

/** One host of the lab: a container that boots its own systemd. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  /** Same for a name every time, as a machine keeps its id over a reboot. */
  readonly machineId: string;
}

/** `ORRERY_LAB_DIR`, or `orrery-lab` in the user's cache folder. */
export function labSettings(environment: NodeJS.ProcessEnv): LabSettings {
  const cache = environment["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return {
    directory: environment["ORRERY_LAB_DIR"] ?? join(cache, "orrery-lab"),
    bridge: "orrery0",
    network: "10.77.0",
  };
}

/** The most hosts a lab holds: they take the addresses .11 to .42. */
export const LAB_HOSTS_MAX = 32;

/** Host number `index`, from 1. */
export function labHost(settings: LabSettings, index: number): LabHost {
  const name = `h${index}`;
  return {
    name,
    address: `${settings.network}.${10 + index}`,
    machineId: createHash("md5").update(`orrery-lab/${name}`).digest("hex"),
  };
}

/** The paths of a lab. */
export const labPaths = (settings: LabSettings) => ({
  root: join(settings.directory, "root"),
  identity: join(settings.directory, "id_ed25519"),
  hostKey: join(settings.directory, "ssh_host_ed25519_key"),
  knownHosts: join(settings.directory, "known_hosts"),
  hosts: join(settings.directory, "hosts"),
  host: (name: string) => join(settings.directory, "hosts", name),
});
