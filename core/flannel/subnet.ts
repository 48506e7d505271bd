/** A network such as 10.1.0.0/16; `ip` as a number of 32 bits. */
export interface Network {
  readonly ip: number;
  readonly length: number;
}

/** flannel's network configuration, with what it fills in. */
export interface NetworkConfig {
  readonly network: Network;
  readonly subnetLength: number;
  readonly subnetMin: number;
  readonly subnetMax: number;
}

/** Free subnets that flannel chooses among, at most (subnet/local_manager.go). */
const BAG_MAX = 100;

/** Reads `a.b.c.d/n`, or `a.b.c.d` as a host. Null when it is neither. */
export function parseNetwork(text: string): Network | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text.trim());
  if (match === null) return null;
  const bytes = match.slice(1, 5).map(Number);
  const length = Number(match[5] ?? 32);
  if (bytes.some((byte) => byte > 255) || length > 32) return null;
  return { ip: bytes.reduce((sum, byte) => sum * 256 + byte, 0), length };
}

/**
 * Reads the value of `/coreos.com/network/config` (subnet/config.go): subnets are /24 unless it says
 * otherwise or the network is small, and the first one is left out.
 */
export function parseConfig(text: string): NetworkConfig | null {
  const read = jsonObject(text);
  const network = typeof read?.Network === "string" ? parseNetwork(read.Network) : null;
  if (read === null || network === null) return null;
  const asked = read.SubnetLen;
  const usual = network.length < 22 ? 24 : network.length + 2;
  const subnetLength = typeof asked === "number" && asked > 0 ? asked : usual;
  if (!Number.isInteger(subnetLength) || subnetLength > 30 || subnetLength < network.length + 2) {
    return null;
  }
  const size = 2 ** (32 - subnetLength);
  const bound = (given: unknown, otherwise: number): number | null => {
    if (given === undefined) return otherwise;
    return typeof given === "string" ? (parseNetwork(given)?.ip ?? null) : null;
  };
  const subnetMin = bound(read.SubnetMin, network.ip + size);
  const subnetMax = bound(read.SubnetMax, network.ip + 2 ** (32 - network.length) - size);
  if (subnetMin === null || subnetMax === null) return null;
  return { network, subnetLength, subnetMin, subnetMax };
}

/** The public address in a lease's value; null when there is none to read. */
export function publicIpOf(value: string): string | null {
  const ip = jsonObject(value)?.PublicIP;
  return typeof ip === "string" ? ip : null;
}

/** Whether a subnet is one that this configuration would give out. */
export function isCompatible({ ip, length }: Network, config: NetworkConfig): boolean {
  return length === config.subnetLength && ip >= config.subnetMin && ip <= config.subnetMax;
}

/** The first free subnets, of which one is drawn. */
export function freeSubnets(config: NetworkConfig, taken: readonly Network[]): Network[] {
  const size = 2 ** (32 - config.subnetLength);
  const held = new Set(taken.map(({ ip }) => ip));
  const bag: Network[] = [];
  for (let ip = config.subnetMin; ip <= config.subnetMax && bag.length < BAG_MAX; ip += size) {
    if (!held.has(ip)) bag.push({ ip, length: config.subnetLength });
  }
  return bag;
}

/** `10.1.15.0/24`; with `-` it is a lease's key. */
export function showNetwork({ ip, length }: Network, separator = "/"): string {
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(ip / 2 ** shift) % 256);
  return `${bytes.join(".")}${separator}${length}`;
}

function jsonObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
