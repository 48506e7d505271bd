import { readFileSync } from "node:fs";
import type { TlsFiles } from "../../adapters/etcd/index.js";
import { type Diagnostic, formatDiagnostic, type Micros } from "../../core/kernel/index.js";
import { readDuration } from "../../sim/scenario/quantity.js";

/** Something a user gave us that cannot be used; the command prints it and exits with 2. */
export class FlagError extends Error {
  constructor(readonly diagnostic: Diagnostic) {
    super(textOf(diagnostic));
  }
}

/** As other diagnostics are printed, but that a flag has no lines. */
function textOf(diagnostic: Diagnostic): string {
  const { file } = diagnostic.position;
  return formatDiagnostic(diagnostic).replace(`${file}:1:1:`, `${file}:`);
}

/** @throws FlagError */
export function refuse(
  code: Diagnostic["code"],
  flag: string,
  found: string,
  expected: string,
  advice: string,
): never {
  const position = { file: flag, line: 1, column: 1 };
  throw new FlagError({ code, severity: "error", position, found, expected, advice });
}

/** `URL[,URL]`: origins with nothing behind the port. @throws FlagError */
export function readEndpoints(text: string): string[] {
  const endpoints = text.split(",").map((part) => part.trim());
  for (const endpoint of endpoints) {
    const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
    const plain = url !== null && url.pathname === "/" && url.search === "" && url.username === "";
    if (!plain || !/^https?:$/.test(url.protocol)) {
      refuse(
        "E_FLAG",
        "--etcd",
        JSON.stringify(endpoint),
        "http://HOST:PORT or https://HOST:PORT, several separated by commas",
        "Give the client URLs of the members, such as http://127.0.0.1:2379",
      );
    }
  }
  return endpoints.map((endpoint) => new URL(endpoint).origin);
}

/** A positive duration in µs. @throws FlagError */
export function readDurationFlag(flag: string, text: string): Micros {
  const micros = readDuration(text);
  if (micros === null || micros <= 0) {
    refuse("E_FLAG", flag, JSON.stringify(text), "a positive duration", "Write 30s, 5m or 1h30m");
  }
  return micros;
}

/** A whole number from `low` to `high`. @throws FlagError */
export function readCountFlag(flag: string, text: string, low: number, high: number): number {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= low && count <= high)) {
    const expected = `a whole number from ${low} to ${high}`;
    refuse("E_FLAG", flag, JSON.stringify(text), expected, "Give such a number");
  }
  return count;
}

/** @throws FlagError */
export function readFileFlag(flag: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return refuse(
      "E_FILE_UNREADABLE",
      flag,
      found,
      "a readable file",
      "Check path and permissions",
    );
  }
}

/** The TLS flags that `observe` and `drive` share. */
export interface TlsFlags {
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

const TLS_FLAGS = { cacert: "--cacert", cert: "--cert", key: "--key" };

/** @param names - what the flags are called @throws FlagError */
export function readTls(flags: TlsFlags, names = TLS_FLAGS): TlsFiles {
  const { cacert, cert, key } = flags;
  if ((cert === undefined) !== (key === undefined)) {
    const found = `one of ${names.cert} and ${names.key}`;
    refuse("E_FLAG", names.cert, found, "both or none", "Give both files");
  }
  return {
    ...(cacert === undefined ? {} : { ca: readFileFlag(names.cacert, cacert) }),
    ...(cert === undefined ? {} : { cert: readFileFlag(names.cert, cert) }),
    ...(key === undefined ? {} : { key: readFileFlag(names.key, key) }),
  };
}

/** Runs a command's work and turns what the user can mend into a line and exit code 2. */
export async function guarded(work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}

/** Collects a flag that may be given several times. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
