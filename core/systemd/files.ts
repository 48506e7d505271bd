import { globMatches } from "../kernel/index.js";
import { parseUnitName, templateOf, type UnitName, type UnitType } from "./names.js";
import type { SystemdState } from "./state.js";

/** Where unit files lie, the first having the last word. */
export const UNIT_DIRECTORIES = [
  "/etc/systemd/system",
  "/run/systemd/system",
  "/usr/lib/systemd/system",
] as const;

/** What the search for a unit's files found. */
export interface UnitFiles {
  readonly load: "loaded" | "not-found" | "masked";
  /** Path of the main file; "" when there is none. */
  readonly fragment: string;
  /** The fragment and the drop-ins, in the order in which they are read. */
  readonly paths: readonly string[];
  /** Units pulled in by links in `.wants/` and `.requires/`. */
  readonly wants: readonly string[];
  readonly requires: readonly string[];
}

/** Follows links; null when nothing lies there, `/dev/null` for a mask. */
export function resolvePath(state: SystemdState, path: string): string | null {
  let at = path;
  for (let hops = 0; hops < 16; hops++) {
    if (at === "/dev/null") return at;
    const target = state.links.get(at);
    if (target === undefined) return state.files.has(at) ? at : null;
    at = target;
  }
  return null;
}

/** Where a chain of links ends, whether or not anything lies there. */
export function lastLink(state: SystemdState, path: string): string {
  let at = path;
  for (let hops = 0; hops < 16; hops++) {
    const target = state.links.get(at);
    if (target === undefined) break;
    at = target;
  }
  return at;
}

const MAY_ALIAS: ReadonlySet<UnitType> = new Set([
  "service",
  "socket",
  "target",
  "device",
  "timer",
  "path",
]);

/**
 * Why a name cannot be an alias of a unit: it is the unit's own (`self`), or one of another type or of
 * another instance (`other`). Null when it can be (unit_validate_alias_symlink_or_warn).
 */
export function aliasFault(alias: string, unit: UnitName): "self" | "other" | null {
  if (alias === unit.name) return "self";
  const name = parseUnitName(alias);
  if (name === null || name.type !== unit.type || !MAY_ALIAS.has(unit.type)) return "other";
  if (unit.instance === null || name.instance === null) {
    return unit.instance === name.instance ? null : "other";
  }
  return unit.instance === "" || unit.instance === name.instance ? null : "other";
}

/** The name under which a unit is known: links between unit files make one of several names. */
export function canonicalName(state: SystemdState, given: string): string {
  let name = given;
  for (let hops = 0; hops < 16; hops++) {
    const next = aliased(state, name);
    if (next === null) break;
    name = next;
  }
  return name;
}

/** What a name is an alias of; null when it is none. */
function aliased(state: SystemdState, alias: string): string | null {
  if (state.links.size === 0) return null;
  const parsed = parseUnitName(alias);
  if (parsed === null) return null;
  const template = templateOf(parsed);
  for (const name of template === null ? [alias] : [alias, template]) {
    for (const directory of UNIT_DIRECTORIES) {
      const path = `${directory}/${name}`;
      if (state.files.has(path)) return null;
      const target = state.links.get(path);
      if (target === undefined) continue;
      const slash = target.lastIndexOf("/");
      // A link to a file elsewhere is the unit itself, a link to nowhere masks it.
      if (!UNIT_DIRECTORIES.some((folder) => folder === target.slice(0, slash))) return null;
      const unit = parseUnitName(target.slice(slash + 1));
      if (unit === null || aliasFault(name, unit) !== null) return null;
      const instance = parsed.instance ?? "";
      return unit.instance === "" && instance !== ""
        ? `${unit.prefix}@${instance}.${unit.type}`
        : unit.name;
    }
  }
  return null;
}

/** Names in each folder that lies in a unit directory, such as `/etc/systemd/system/a.service.d`. */
export type Folders = ReadonlyMap<string, readonly string[]>;

/** Lists the folders once, for the search of many units. */
export function listFolders(state: SystemdState): Folders {
  const folders = new Map<string, string[]>();
  const add = (path: string) => {
    const slash = path.lastIndexOf("/");
    const folder = path.slice(0, slash);
    const names = folders.get(folder);
    if (names === undefined) folders.set(folder, [path.slice(slash + 1)]);
    else names.push(path.slice(slash + 1));
  };
  for (const path of state.files.keys()) add(path);
  for (const path of state.links.keys()) add(path);
  return folders;
}

/** Whether there is a file, or a mask, of the unit's own or its template's name. */
export function hasFragment(state: SystemdState, name: UnitName): boolean {
  const template = templateOf(name);
  return findFragment(state, template === null ? [name.name] : [name.name, template]) !== null;
}

/** Finds the files of a unit (shared/unit-file.c, shared/dropin.c). */
export function findUnitFiles(
  state: SystemdState,
  name: UnitName,
  folders: Folders = listFolders(state),
): UnitFiles {
  const names = [name.name];
  const template = templateOf(name);
  if (template !== null) names.push(template);
  const found = findFragment(state, names);
  const wants = linksIn(state, folders, names, ".wants");
  const requires = linksIn(state, folders, names, ".requires");
  const dropIns = findDropIns(state, folders, name, names);
  // What lies beside a masked file counts all the same.
  if (found === "masked") return { load: "masked", fragment: "", paths: dropIns, wants, requires };
  if (found === null && dropIns.length === 0 && wants.length + requires.length === 0) {
    return { load: "not-found", fragment: "", paths: [], wants, requires };
  }
  const fragment = found ?? "";
  return {
    // Drop-ins alone do not make a service; systemd has nothing to start then.
    load: found === null ? "not-found" : "loaded",
    fragment,
    paths: fragment === "" ? dropIns : [fragment, ...dropIns],
    wants,
    requires,
  };
}

function findFragment(state: SystemdState, names: readonly string[]): string | "masked" | null {
  for (const name of names) {
    for (const directory of UNIT_DIRECTORIES) {
      const path = resolvePath(state, `${directory}/${name}`);
      if (path === null) continue;
      // An empty file masks as a link to /dev/null does.
      if (path === "/dev/null" || state.files.get(path) === "") return "masked";
      return path;
    }
  }
  return null;
}

/** `foo-bar.service` also takes the drop-ins of `foo-.service.d`, and every service those of `service.d`. */
function dropInFolders(name: UnitName, names: readonly string[]): string[] {
  const folders = names.map((candidate) => `${candidate}.d`);
  let stem = name.prefix;
  for (let dash = stem.lastIndexOf("-", stem.length - 2); dash > 0; ) {
    stem = stem.slice(0, dash);
    folders.push(`${stem}-.${name.type}.d`);
    dash = stem.lastIndexOf("-", stem.length - 1);
  }
  return [...folders, `${name.type}.d`];
}

function findDropIns(
  state: SystemdState,
  folders: Folders,
  name: UnitName,
  names: readonly string[],
): string[] {
  const byFile = new Map<string, string | null>();
  for (const folder of dropInFolders(name, names)) {
    for (const directory of UNIT_DIRECTORIES) {
      for (const file of folders.get(`${directory}/${folder}`) ?? []) {
        if (!file.endsWith(".conf") || byFile.has(file)) continue;
        const target = resolvePath(state, `${directory}/${folder}/${file}`);
        byFile.set(file, target === "/dev/null" ? null : target);
      }
    }
  }
  return [...byFile.keys()].sort().flatMap((file) => byFile.get(file) ?? []);
}

function linksIn(
  state: SystemdState,
  folders: Folders,
  names: readonly string[],
  suffix: string,
): string[] {
  const units = new Set<string>();
  for (const name of names) {
    for (const directory of UNIT_DIRECTORIES) {
      const folder = `${directory}/${name}${suffix}`;
      for (const unit of folders.get(folder) ?? []) {
        const masked = state.links.get(`${folder}/${unit}`) === "/dev/null";
        if (parseUnitName(unit) !== null && !masked) units.add(unit);
      }
    }
  }
  return [...units].sort();
}

/** Files and links whose path begins with `prefix`, in the order of their names. */
export function pathsUnder(state: SystemdState, prefix: string): string[] {
  const paths: string[] = [];
  for (const path of state.files.keys()) if (path.startsWith(prefix)) paths.push(path);
  for (const path of state.links.keys()) if (path.startsWith(prefix)) paths.push(path);
  return paths.sort();
}

/** Whether anything lies at a path; a folder is there when something lies in it. */
export function pathExists(state: SystemdState, path: string): boolean {
  return state.files.has(path) || state.links.has(path) || isDirectory(state, path);
}

export function isDirectory(state: SystemdState, path: string): boolean {
  const folder = path.endsWith("/") ? path : `${path}/`;
  for (const name of state.files.keys()) if (name.startsWith(folder)) return true;
  return false;
}

/** Hidden files do not count. */
export function directoryHasEntries(state: SystemdState, path: string): boolean {
  const folder = path.endsWith("/") ? path : `${path}/`;
  for (const name of state.files.keys()) {
    if (name.startsWith(folder) && !name.startsWith(".", folder.length)) return true;
  }
  return false;
}

/** Whether a file matches a glob, part by part. */
export function pathMatches(state: SystemdState, glob: string): boolean {
  const parts = glob.split("/");
  for (const name of state.files.keys()) {
    const names = name.split("/");
    const same = (part: string, at: number) => globMatches(part, names[at] ?? "");
    if (names.length === parts.length && parts.every(same)) return true;
  }
  return false;
}
