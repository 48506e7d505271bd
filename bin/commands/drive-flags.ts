import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import type { DrivenHost } from "../../adapters/drive/index.js";
import type { SshOptions, SshTarget } from "../../adapters/ssh/index.js";
import { readFileFlag, refuse } from "./live-flags.js";

/** `NAME=ssh://[USER@]HOST[:PORT]`, for each host once. @throws FlagError */
export function readHosts(texts: readonly string[], ssh: SshOptions): DrivenHost[] {
  const hosts = texts.map((text) => ({ ...readHost(text), ssh }));
  for (const [index, host] of hosts.entries()) {
    const twin = hosts.slice(0, index).find((one) => one.name === host.name || same(one, host));
    if (twin !== undefined) {
      const expected = "every host once";
      refuse(
        "E_FLAG",
        "--host",
        `${host.name} and ${twin.name}`,
        expected,
        "Leave one of them out",
      );
    }
  }
  return hosts;
}

function same(one: { target: SshTarget }, other: { target: SshTarget }): boolean {
  return one.target.host === other.target.host && one.target.port === other.target.port;
}

function readHost(text: string): { name: string; target: SshTarget } {
  const [, name = "", address = ""] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62})=(.+)$/.exec(text) ?? [];
  const url = URL.canParse(address) ? new URL(address) : null;
  const bare = url !== null && (url.pathname === "" || url.pathname === "/") && url.search === "";
  if (url?.protocol !== "ssh:" || url.hostname === "" || !bare || url.password !== "") {
    refuse(
      "E_FLAG",
      "--host",
      JSON.stringify(text),
      "NAME=ssh://USER@ADDRESS or NAME=ssh://USER@ADDRESS:PORT",
      "Name the host and say how it is reached, such as h1=ssh://root@10.77.0.11",
    );
  }
  return {
    name,
    target: {
      user: decodeURIComponent(url.username) || userInfo().username,
      host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: url.port === "" ? 22 : Number(url.port),
    },
  };
}

export interface SshFlags {
  readonly identity?: string;
  readonly knownHosts?: string;
}

const IDENTITIES = ["id_ed25519", "id_ecdsa", "id_rsa"];

/**
 * Keys and known hosts as ssh(1) finds them, unless the flags name files. An agent is asked after
 * the keys. @throws FlagError
 */
export function readSsh(flags: SshFlags): SshOptions {
  const folder = join(homedir(), ".ssh");
  const standard = IDENTITIES.map((name) => join(folder, name)).filter((path) => existsSync(path));
  const identities =
    flags.identity === undefined
      ? standard.map((path) => readFileSync(path)).filter((key) => !isLocked(key))
      : [readFileFlag("--identity", flags.identity)];
  const agent = process.env.SSH_AUTH_SOCK;
  if (flags.identity !== undefined && identities.some(isLocked)) {
    const advice = "Add it to an agent (ssh-add) and leave --identity out";
    refuse("E_FLAG", "--identity", "a key with a passphrase", "a key without one", advice);
  }
  const files = [join(folder, "known_hosts"), "/etc/ssh/ssh_known_hosts"].filter(existsSync);
  const knownHosts =
    flags.knownHosts === undefined
      ? files.map((path) => readFileSync(path, "utf8"))
      : [readFileFlag("--known-hosts", flags.knownHosts).toString("utf8")];
  return {
    identities,
    knownHosts,
    connectMs: 10_000,
    keepaliveMs: 3_000,
    ...(agent === undefined || agent === "" ? {} : { agent }),
  };
}

/** True for a private key that needs a passphrase: PEM says so, OpenSSH's own format names a cipher. */
function isLocked(key: Buffer): boolean {
  const text = key.toString("latin1");
  if (text.includes("ENCRYPTED")) return true;
  const [, base64] = /BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(text) ?? [];
  if (base64 === undefined) return false;
  const bytes = Buffer.from(base64, "base64");
  const cipher = "openssh-key-v1\0".length + 4;
  return bytes.subarray(cipher, cipher + 4).toString("latin1") !== "none";
}

/** `k=v[,k=v]`, as fleet.conf has metadata. @throws FlagError */
export function readMetadata(texts: readonly string[]): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const pair of texts.flatMap((text) => text.split(","))) {
    const [key = "", value, more] = pair.split("=").map((part) => part.trim());
    if (key === "" || value === undefined || value === "" || more !== undefined) {
      refuse("E_FLAG", "--metadata", JSON.stringify(pair), "KEY=VALUE", "Write it as role=web");
    }
    metadata[key] = value;
  }
  return metadata;
}
