import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LAB_HOSTS_MAX, type LabSettings, labHost, labPaths } from "./settings.js";
import { run } from "./shell.js";

const SUITE = "bookworm";
const PACKAGES = "systemd,systemd-sysv,dbus,iproute2,openssh-server";

/**
 * Makes the root file system that all hosts share read-only, and the SSH keys, unless they are
 * there. Takes about a minute the first time. What a stopped build left is built again.
 */
export function ensureRoot(settings: LabSettings, say: (line: string) => void): void {
  const paths = labPaths(settings);
  mkdirSync(settings.directory, { recursive: true, mode: 0o755 });
  ensureKey(paths.identity, "orrery-lab");
  ensureKey(paths.hostKey, "orrery-lab-host");
  writeKnownHosts(settings);
  if (existsSync(paths.root)) return;
  const building = `${paths.root}.building`;
  rmSync(building, { recursive: true, force: true });
  say(`building a Debian ${SUITE} root in ${paths.root}, once; takes a minute`);
  run("debootstrap", "--variant=minbase", `--include=${PACKAGES}`, SUITE, building);
  furnish(building, settings);
  renameSync(building, paths.root);
}

function ensureKey(path: string, comment: string): void {
  if (!existsSync(path))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path);
}

/** All hosts show the one host key of the lab. */
function writeKnownHosts(settings: LabSettings): void {
  const paths = labPaths(settings);
  const [type, key] = readFileSync(`${paths.hostKey}.pub`, "utf8").split(" ");
  const hosts = Array.from({ length: LAB_HOSTS_MAX }, (_, i) => labHost(settings, i + 1));
  const lines = hosts.map((host) => `${host.address} ${type} ${key}\n`);
  writeFileSync(paths.knownHosts, lines.join(""));
}

function furnish(root: string, settings: LabSettings): void {
  const paths = labPaths(settings);
  const place = (path: string, text: string, mode = 0o644): void => {
    const target = join(root, path);
    mkdirSync(join(target, ".."), { recursive: true });
    writeFileSync(target, text, { mode });
  };
  // Without either file a host takes the id that its container is given.
  place("etc/machine-id", "");
  rmSync(join(root, "var/lib/dbus/machine-id"), { force: true });
  place("etc/resolv.conf", "");
  place("etc/ssh/sshd_config.d/lab.conf", "PermitRootLogin prohibit-password\nUseDNS no\n");
  mkdirSync(join(root, "root/.ssh"), { recursive: true, mode: 0o700 });
  place("root/.ssh/authorized_keys", readFileSync(`${paths.identity}.pub`, "utf8"), 0o600);
  for (const type of ["rsa", "ecdsa", "ed25519"]) {
    rmSync(join(root, `etc/ssh/ssh_host_${type}_key`), { force: true });
    rmSync(join(root, `etc/ssh/ssh_host_${type}_key.pub`), { force: true });
  }
  const hostKey = join(root, "etc/ssh/ssh_host_ed25519_key");
  copyFileSync(paths.hostKey, hostKey);
  copyFileSync(`${paths.hostKey}.pub`, `${hostKey}.pub`);
  chmodSync(hostKey, 0o600);
  enable(root, "systemd-networkd.service", "multi-user.target");
  enable(root, "ssh.service", "multi-user.target");
  for (const unit of [
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "systemd-networkd-wait-online.service",
  ]) {
    rmSync(join(root, "etc/systemd/system", unit), { force: true });
    symlinkSync("/dev/null", join(root, "etc/systemd/system", unit));
  }
  rmSync(join(root, "var/cache/apt"), { recursive: true, force: true });
  rmSync(join(root, "var/lib/apt/lists"), { recursive: true, force: true });
}

function enable(root: string, unit: string, target: string): void {
  const wants = join(root, `etc/systemd/system/${target}.wants`);
  mkdirSync(wants, { recursive: true });
  rmSync(join(wants, unit), { force: true });
  symlinkSync(`/lib/systemd/system/${unit}`, join(wants, unit));
}
