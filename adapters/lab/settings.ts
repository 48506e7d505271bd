import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where the lab keeps its things and how its network is laid out. Hosts are reached by these addresses only. */
export interface LabSettings {
  /** Cache of the root file system, keys, and one folder per host. */
  readonly directory: string;
  /** "" for the user's own lab; labs of other names live beside it on the same machine. */
  readonly instance: string;
  readonly bridge: string;
  /** First three octets of the lab's /24. */
  readonly network: string;
}

/** One host of the lab: a container that boots its own systemd. */
export interface LabHost {
  readonly name: string;
  /** Name of its container. */
  readonly container: string;
  readonly address: string;
  /** Same for a name every time, as a machine keeps its id over a reboot. */
  readonly machineId: string;
}

/** The user's lab, kept in `ORRERY_LAB_DIR` or `orrery-lab` in the user's cache folder. */
export function labSettings(environment: NodeJS.ProcessEnv): LabSettings {
  const cache = environment.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return {
    directory: environment.ORRERY_LAB_DIR ?? join(cache, "orrery-lab"),
    instance: "",
    bridge: "orrery0",
    network: "10.77.0",
  };
}

/** A lab for tests, beside the user's: same root file system, hosts and network of its own. */
export function testLabSettings(environment: NodeJS.ProcessEnv): LabSettings {
  const own = { instance: "test", bridge: "orrery1", network: "10.78.0" };
  return { ...labSettings(environment), ...own };
}

/** The most hosts a lab holds: they take the addresses .11 to .42. */
export const LAB_HOSTS_MAX = 32;

/** Host number `index`, from 1. */
export function labHost(settings: LabSettings, index: number): LabHost {
  const name = `h${index}`;
  return {
    name,
    container: `${settings.instance}${name}`,
    address: `${settings.network}.${10 + index}`,
    machineId: createHash("md5").update(`orrery-lab/${settings.instance}${name}`).digest("hex"),
  };
}

/** The paths of a lab. Root and keys are shared by all labs of a directory. */
export function labPaths({ directory, instance }: LabSettings) {
  const hosts = join(directory, `${instance}hosts`);
  return {
    root: join(directory, "root"),
    identity: join(directory, "id_ed25519"),
    hostKey: join(directory, "ssh_host_ed25519_key"),
    knownHosts: join(directory, `${instance}known_hosts`),
    hosts,
    host: (name: string) => join(hosts, name),
  };
}
