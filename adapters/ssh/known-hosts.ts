import { createHmac, timingSafeEqual } from "node:crypto";

/** A public key a host may show: its type and the key as it goes over the wire. */
export interface HostKey {
  readonly type: string;
  readonly key: Buffer;
}

/** What a known_hosts file says of one host. */
export interface KnownHost {
  readonly keys: readonly HostKey[];
  /** Keys that must not be taken, even if another line lists them. */
  readonly revoked: readonly Buffer[];
}

/**
 * Looks a host up in the text of known_hosts files, by the rules of sshd(8): plain and hashed
 * names, `[host]:port`, the wildcards `*` and `?`, negation, and `@revoked`. Certificate
 * authorities (`@cert-authority`) are not used, since ssh2 has no host certificates.
 */
export function knownHost(text: string, host: string, port: number): KnownHost {
  const name = knownName(host, port);
  const keys: HostKey[] = [];
  const revoked: Buffer[] = [];
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (words[0] === undefined || words[0] === "" || words[0].startsWith("#")) continue;
    const marker = words[0].startsWith("@") ? words.shift() : undefined;
    const [patterns, type, base64] = words;
    if (patterns === undefined || type === undefined || base64 === undefined) continue;
    if (!matches(patterns, name)) continue;
    const key = Buffer.from(base64, "base64");
    if (marker === "@revoked") revoked.push(key);
    else if (marker === undefined) keys.push({ type, key });
  }
  return { keys, revoked };
}

/** What known_hosts files call a host at a port. */
export function knownName(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`;
}

function matches(patterns: string, name: string): boolean {
  if (patterns.startsWith("|1|")) return matchesHashed(patterns, name);
  let found = false;
  for (const pattern of patterns.toLowerCase().split(",")) {
    const negated = pattern.startsWith("!");
    if (!glob(negated ? pattern.slice(1) : pattern, name.toLowerCase())) continue;
    if (negated) return false;
    found = true;
  }
  return found;
}

/** `|1|salt|hash`: HMAC-SHA1 of the name under the salt. */
function matchesHashed(pattern: string, name: string): boolean {
  const [, , salt, hash] = pattern.split("|");
  if (salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64");
  const found = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return expected.length === found.length && timingSafeEqual(expected, found);
}

function glob(pattern: string, text: string): boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*");
  return new RegExp(`^${source.replace(/\?/g, ".")}$`).test(text);
}

/** Signature algorithms to offer so that the host shows a key of a known type. */
export function hostKeyAlgorithms(keys: readonly HostKey[]): string[] {
  const algorithms = keys.flatMap(({ type }) =>
    type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type],
  );
  return [...new Set(algorithms)];
}
