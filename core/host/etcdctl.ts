import type { V2Request } from "../etcd/client.js";

/** Flags of etcdctl itself that are followed by a value. */
const GLOBAL_VALUED = new Set(
  "peers C endpoint endpoints timeout total-timeout output o cert-file key-file ca-file username u discovery-srv D".split(
    " ",
  ),
);

/** Flags of its commands that are. */
const VALUED = new Set("ttl swap-with-value swap-with-index with-value with-index".split(" "));

/** Commands whose requests are made here. */
const COMMANDS = new Set("set mk update mkdir setdir updatedir rm rmdir get ls".split(" "));

/** Whether etcdctl with these arguments is modelled: the commands of one request of API 2. */
export function isEtcdctlModelled(args: readonly string[]): boolean {
  const { rest } = read(args, GLOBAL_VALUED, true);
  return COMMANDS.has(rest[0] ?? "");
}

/** The request that an etcdctl command line makes (etcdctl 2 and 3, API 2); null: arguments it does not take. */
export function etcdctlRequest(args: readonly string[]): V2Request | null {
  const [command = "", ...others] = read(args, GLOBAL_VALUED, true).rest;
  const { flags, rest } = read(others, VALUED, false);
  const [first, value] = rest;
  if (first === undefined && command !== "ls") return null;
  const path = first ?? "/";
  const key = path.startsWith("/") ? path : `/${path}`;
  const seconds = Number(flags.get("ttl") ?? 0);
  if (!Number.isInteger(seconds)) return null;
  const ttl = seconds > 0 ? { ttl: seconds } : {};
  const prevValue = flags.get("swap-with-value") ?? flags.get("with-value");
  const prevIndex = Number(flags.get("swap-with-index") ?? flags.get("with-index") ?? 0);
  const compare = {
    ...(prevValue === undefined ? {} : { prevValue }),
    ...(prevIndex > 0 ? { prevIndex } : {}),
  };
  const put = { op: "put", key, ...ttl } as const;
  const dir = { ...put, dir: true } as const;
  switch (command) {
    case "set":
      return value === undefined ? null : { ...put, value, ...compare };
    case "mk":
      return value === undefined ? null : { ...put, value, prevExist: false };
    case "update":
      return value === undefined ? null : { ...put, value, prevExist: true };
    case "mkdir":
      return { ...dir, prevExist: false };
    case "setdir":
      return dir;
    case "updatedir":
      return { ...dir, prevExist: true };
    case "rm":
      return {
        ...{ op: "delete", key, ...compare },
        ...(flags.has("recursive") ? { recursive: true } : {}),
        ...(flags.has("dir") ? { dir: true } : {}),
      };
    case "rmdir":
      return { op: "delete", key, dir: true };
    case "get":
      return { op: "get", key, ...(flags.has("quorum") ? { quorum: true } : {}) };
    case "ls":
      return { op: "get", key, ...(flags.has("recursive") ? { recursive: true } : {}) };
    default:
      return null;
  }
}

/** Flags and the rest. A command's flags may follow its arguments, the client's own stand before the command. */
function read(
  args: readonly string[],
  valued: ReadonlySet<string>,
  stops: boolean,
): { readonly flags: ReadonlyMap<string, string>; readonly rest: readonly string[] } {
  const flags = new Map<string, string>();
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") return { flags, rest: [...rest, ...args.slice(at + 1)] };
    if (!arg.startsWith("-") || arg === "-") {
      if (stops) return { flags, rest: args.slice(at) };
      rest.push(arg);
      continue;
    }
    const name = arg.replace(/^--?/, "");
    const equals = name.indexOf("=");
    if (equals >= 0) flags.set(name.slice(0, equals), name.slice(equals + 1));
    else flags.set(name, valued.has(name) ? (args[++at] ?? "") : "true");
  }
  return { flags, rest };
}
