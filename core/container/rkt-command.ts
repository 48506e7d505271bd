import { imageReference } from "./image.js";

/** A command line of rkt, as far as it is modelled. */
export type RktCommand =
  | {
      readonly command: "run";
      readonly image: string;
      /** Ports of the host that lead to the pod (`--port=NAME:PORT`). */
      readonly ports: readonly number[];
      readonly hostNetwork: boolean;
    }
  | { readonly command: "fetch"; readonly image: string }
  | { readonly command: "gc" }
  /** `list`, `status`, `image …`, `rm`, `stop`: nothing that is modelled depends on them. */
  | { readonly command: "look" };

/** Flags that are followed by their value; the others have it after `=` or none. */
const VALUED = new Set(
  "dns dns-search exec hostname insecure-options memory cpu mount name net port set-env set-env-file stage1-name stage1-path trust-keys-from-https uuid-file-save uuid-file volume user group dir grace-period".split(
    " ",
  ),
);

const LOOKS = new Set(
  "list status image rm stop version config cat-manifest metadata-service trust".split(" "),
);

/** Reads the arguments of rkt (rkt 1.x), without `rkt` itself; null when it would not take them. */
export function parseRkt(args: readonly string[]): RktCommand | null {
  const { flags, rest } = readFlags(args);
  const [command, image] = rest;
  if (command === "gc") return { command: "gc" };
  if (command !== undefined && LOOKS.has(command)) return { command: "look" };
  if (image === undefined) return null;
  if (command === "fetch") return { command: "fetch", image: imageReference(image) };
  if (command !== "run") return null;
  const ports = (flags.get("port") ?? []).flatMap((text) => {
    const port = Number(text.split(":").at(-1));
    return Number.isInteger(port) && port > 0 ? [port] : [];
  });
  const hostNetwork = flags.get("net")?.at(-1) === "host";
  return { command: "run", image: imageReference(image), ports, hostNetwork };
}

/** Flags may stand anywhere before `--`, after which the app's own arguments come. */
function readFlags(args: readonly string[]): {
  readonly flags: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
} {
  const flags = new Map<string, string[]>();
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--" || arg === "---") break;
    if (!arg.startsWith("--")) {
      rest.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
    const value =
      equals >= 0 ? arg.slice(equals + 1) : VALUED.has(name) ? (args[++at] ?? "") : "true";
    flags.set(name, [...(flags.get(name) ?? []), value]);
  }
  return { flags, rest };
}
