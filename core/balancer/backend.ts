/** Where a balancer sends requests. */
export interface Backend {
  /** The key that announced it. */
  readonly key: string;
  /** A host's name or address. */
  readonly host: string;
  readonly port: number;
}

/**
 * What an announcement says: `{"host": "core-1", "port": 80}` as in fleet's examples, or `10.0.0.11:80`.
 * Null when it is neither.
 */
export function parseBackend(key: string, value: string): Backend | null {
  const plain = /^([\w.-]+):(\d{1,5})$/.exec(value.trim());
  if (plain !== null) return { key, host: plain[1] ?? "", port: Number(plain[2]) };
  try {
    const read: unknown = JSON.parse(value);
    if (typeof read !== "object" || read === null || !("host" in read) || !("port" in read))
      return null;
    const { host, port } = read;
    const number = Number(port);
    return typeof host === "string" && Number.isInteger(number)
      ? { key, host, port: number }
      : null;
  } catch {
    return null;
  }
}
