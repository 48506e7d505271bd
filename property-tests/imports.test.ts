import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((name) => /\.tsx?$/.test(name) && !name.includes("node_modules"));
}

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']/gm;
const DYNAMIC = /\bimport\(\s*["']([^"']+)["']\s*\)/g;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean) => {
    const target = specifier.startsWith(".")
      ? relative(root, resolve(root, dirname(file), specifier))
      : specifier;
    found.push({ from: file, specifier, target, typeOnly });
  };
  for (const match of text.matchAll(IMPORT)) add(match[2] ?? "", match[1] !== undefined);
  for (const match of text.matchAll(DYNAMIC)) add(match[1] ?? "", false);
  return found;
}

const isTest = (file: string) => /\.test\.tsx?$/.test(file) || file.includes("/testing/");
const top = (path: string) => path.split("/")[0] ?? "";
const room = (path: string) => path.split("/")[1] ?? "";
const show = (i: Import) => `${i.from} -> ${i.specifier}`;

const core = sources("core")
  .filter((file) => !isTest(file))
  .flatMap(importsOf);

test("core imports nothing but itself, immer in the runner and yaml in cloudconfig", () => {
  const outside = core.filter((i) => {
    if (i.specifier.startsWith(".")) return top(i.target) !== "core";
    if (i.specifier === "immer") return i.from !== "core/kernel/run.ts";
    if (i.specifier === "yaml") return !i.from.startsWith("core/cloudconfig/");
    return true;
  });
  expect(outside.map(show)).toEqual([]);
});

test("core names no clock, no randomness and no environment", () => {
  const banned =
    /\b(Date\.now|new Date\(|Math\.random|performance\.now|process\.(?:env|hrtime|nextTick|exit|cwd|argv|uptime|std|on\b)|setTimeout|setInterval|setImmediate|queueMicrotask|globalThis|localeCompare|toLocale)\b/;
  const offenders = sources("core")
    .filter((file) => !isTest(file))
    .flatMap((file) =>
      readFileSync(join(root, file), "utf8")
        .split("\n")
        .map((line, index) => ({
          at: `${file}:${index + 1}`,
          line: line.replace(/\/\/.*|^\s*\*.*/, ""),
        }))
        .filter(({ line }) => banned.test(line))
        .map(({ at, line }) => `${at}: ${line.trim()}`),
    );
  expect(offenders).toEqual([]);
});

/** Floors of core: a room imports only from floors below its own. */
const FLOORS: Record<string, number> = {
  go: 1,
  kernel: 1,
  cloudconfig: 2,
  linearizability: 2,
  raft: 2,
  systemd: 2,
  container: 2,
  shell: 2,
  observe: 4,
  etcd: 3,
  update: 4,
  discovery: 4,
  fleet: 4,
  flannel: 4,
  balancer: 4,
  workload: 4,
  host: 5,
  cluster: 6,
};

test("within core, arrows point down", () => {
  const upward = core.filter((i) => {
    if (!i.specifier.startsWith(".") || room(i.from) === room(i.target)) return false;
    if (i.from === "core/index.ts") return false;
    const from = FLOORS[room(i.from)];
    const to = FLOORS[room(i.target)];
    return from === undefined || to === undefined || to >= from;
  });
  expect(upward.map(show)).toEqual([]);
});

const ALLOWED: Record<string, readonly string[]> = {
  core: ["core"],
  sim: ["core", "sim"],
  adapters: ["core", "adapters"],
  viz: ["core", "viz"],
  "property-tests": ["core", "sim", "adapters", "viz", "property-tests"],
  bench: ["core", "sim", "adapters", "viz", "property-tests", "bench"],
  bin: ["core", "sim", "adapters", "viz", "bin", "package.json"],
};

test("between folders, arrows point to core, and viz never reads a world", () => {
  const wrong = Object.keys(ALLOWED)
    .flatMap((folder) =>
      sources(folder)
        .filter((file) => !isTest(file))
        .flatMap(importsOf),
    )
    .filter((i) => i.specifier.startsWith("."))
    .filter((i) => !(ALLOWED[top(i.from)] ?? []).includes(top(i.target)));
  expect(wrong.map(show)).toEqual([]);
});

/** Circles of modules that must be loaded before each other. Types alone make none: they are gone by then. */
function circles(imports: readonly Import[]): string[] {
  const needs = new Map<string, string[]>();
  for (const { from, specifier, target, typeOnly } of imports) {
    if (typeOnly || !specifier.startsWith(".")) continue;
    const module = target.replace(/\.js$/, "");
    const of = from.replace(/\.tsx?$/, "");
    needs.set(of, [...(needs.get(of) ?? []), module]);
  }
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (module: string, path: readonly string[]): void => {
    const at = path.indexOf(module);
    if (at >= 0) found.push([...path.slice(at), module].join(" -> "));
    if (at >= 0 || done.has(module)) return;
    for (const next of needs.get(module) ?? []) visit(next, [...path, module]);
    done.add(module);
  };
  for (const module of needs.keys()) visit(module, []);
  return found;
}

test("no module has to be loaded before itself", () => {
  const all = Object.keys(ALLOWED).flatMap(sources).flatMap(importsOf);
  expect(circles(all)).toEqual([]);
  const pair = (from: string, target: string): Import => ({
    ...{ from: `${from}.ts`, target: `${target}.js` },
    ...{ specifier: `./${target}.js`, typeOnly: false },
  });
  expect(circles([pair("a", "b"), pair("b", "c"), pair("c", "b")])).toEqual(["b -> c -> b"]);
});
