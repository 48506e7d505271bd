import {
  aliasFault,
  canonicalName,
  findUnitFiles,
  lastLink,
  pathsUnder,
  resolvePath,
  UNIT_DIRECTORIES,
} from "./files.js";
import { expandSpecifiers, parseUnitName, type UnitName } from "./names.js";
import type { SystemdState } from "./state.js";
import { parseUnitFile } from "./unitfile.js";
import { splitWords } from "./value.js";

/** How an operation on unit files ended. */
export type InstallResult =
  /** Of enabling: whether there was anything to link. */
  | { readonly ok: true; readonly carriesInstallInfo: boolean }
  | { readonly ok: false; readonly error: string; readonly message: string };

const DONE: InstallResult = { ok: true, carriesInstallInfo: false };

const ERROR = "org.freedesktop.systemd1";

export const ETC = "/etc/systemd/system";
export const RUN = "/run/systemd/system";
export const USR = "/usr/lib/systemd/system";

/** Something that `enable` would link, or why it cannot. */
type Wanted =
  | { readonly path: string }
  | { readonly refusal: Extract<InstallResult, { readonly ok: false }> };

const refuse = (error: string, message: string) => ({ ok: false, error, message }) as const;

/**
 * EnableUnitFiles with force: makes the links that the unit's [Install] section asks for, and those of the
 * units it names in Also=. What cannot be linked is told in the end; everything else is linked all the same.
 */
export function enableUnit(state: SystemdState, unit: string, into: string): InstallResult {
  const first = findInstallable(state, unit);
  if ("ok" in first) return first;
  let result: InstallResult = DONE;
  for (const { name, fragment } of withAlso(state, first)) {
    for (const wanted of linksOf(state, name, fragment)) {
      const done =
        "refusal" in wanted ? wanted.refusal : link(state, `${into}/${wanted.path}`, fragment);
      if (!result.ok) continue;
      // A link to the file itself does not count (install_info_apply).
      const carries = result.carriesInstallInfo || ("path" in wanted && wanted.path !== name.name);
      result = done.ok ? { ok: true, carriesInstallInfo: carries } : done;
    }
  }
  return result;
}

/** A unit file that can be installed. */
interface Installable {
  readonly name: UnitName;
  readonly fragment: string;
}

function findInstallable(
  state: SystemdState,
  unit: string,
): Installable | Extract<InstallResult, { readonly ok: false }> {
  const name = parseUnitName(canonicalName(state, unit));
  if (name === null) return invalidName(unit);
  const { load, fragment } = findUnitFiles(state, name);
  switch (load) {
    case "masked":
      return refuse(`${ERROR}.UnitMasked`, `Unit file ${unit} is masked.`);
    case "not-found":
      return refuse(`${ERROR}.NoSuchUnit`, `Unit file ${unit} does not exist.`);
    case "loaded":
      return { name, fragment };
  }
}

/** A unit file and those that it, and they, name in Also=; what of these is not there is left out. */
function withAlso(state: SystemdState, first: Installable): Installable[] {
  const found = new Map([[first.name.name, first]]);
  for (const { name, fragment } of found.values()) {
    for (const also of installSettings(state, name, fragment, "Also")) {
      if (found.has(also)) continue;
      const other = findInstallable(state, also);
      if (!("ok" in other) && !found.has(other.name.name)) found.set(other.name.name, other);
    }
  }
  return [...found.values()];
}

/** Values of a key of [Install], specifiers undone. */
function installSettings(
  state: SystemdState,
  name: UnitName,
  fragment: string,
  key: "Also" | "Alias" | "WantedBy" | "RequiredBy" | "DefaultInstance",
): string[] {
  const { options } = parseUnitFile(state.files.get(fragment) ?? "", fragment);
  return options
    .filter((option) => option.section === "Install" && option.key === key)
    .flatMap(({ value }) => splitWords(value, "keep") ?? [])
    .map((word) => expandSpecifiers(word, name, state));
}

function* linksOf(state: SystemdState, name: UnitName, fragment: string): Iterable<Wanted> {
  const settings = (key: Parameters<typeof installSettings>[3]) =>
    installSettings(state, name, fragment, key);
  const folder = fragment.slice(0, fragment.lastIndexOf("/"));
  if (!isSearched(folder)) yield { path: name.name };
  for (const alias of settings("Alias")) {
    const fault = aliasFault(alias, name);
    if (fault === "other") {
      const message = `Cannot alias ${name.name} as ${alias}.`;
      yield { refusal: refuse(`${ERROR}.BadUnitSetting`, message) };
    } else if (fault === null) yield { path: alias };
  }
  const instance = settings("DefaultInstance").at(-1) ?? "";
  const lacksInstance = name.instance === "" && instance === "";
  const unit =
    name.instance === "" && instance !== "" ? `${name.prefix}@${instance}.${name.type}` : name.name;
  for (const [key, suffix] of [
    ["WantedBy", "wants"],
    ["RequiredBy", "requires"],
  ] as const) {
    for (const target of settings(key)) {
      const parsed = parseUnitName(target);
      if (parsed === null) {
        const message = `"${target}" is not a valid unit name.`;
        yield { refusal: refuse(`${ERROR}.BadUnitSetting`, message) };
      } else if (lacksInstance && parsed.instance === null) {
        const message = `Destination unit ${target} is a non-template unit.`;
        yield { refusal: refuse(`${ERROR}.BadUnitSetting`, message) };
      } else yield { path: `${target}.${suffix}/${unit}` };
    }
  }
}

/** A link takes the place of another link, never that of a file (create_symlink). */
function link(state: SystemdState, path: string, fragment: string): InstallResult {
  if (state.files.has(path)) {
    return refuse(`${ERROR}.UnitExists`, `File ${path} already exists.`);
  }
  state.links.set(path, fragment);
  return DONE;
}

/** LinkUnitFiles. A file that lies where systemd looks by itself needs no link. */
export function linkUnit(
  state: SystemdState,
  path: string,
  into: string,
  force: boolean,
): InstallResult {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  if (!path.startsWith("/") || parseUnitName(name) === null) {
    return refuse(`${ERROR}.BadUnitSetting`, `"${path}" is not the path of a unit file.`);
  }
  if (!state.files.has(path)) {
    return refuse(`${ERROR}.NoSuchUnit`, `Unit file ${path} does not exist.`);
  }
  if (isSearched(path.slice(0, slash))) return DONE;
  const place = `${into}/${name}`;
  const present = state.links.get(place);
  if (present !== undefined && present !== path && !force) {
    return refuse(`${ERROR}.UnitExists`, `File ${place} already exists.`);
  }
  return link(state, place, path);
}

/** DisableUnitFiles: removes every link to the unit, and to those of Also=, from /etc or from /run. */
export function disableUnit(state: SystemdState, unit: string, from: string): InstallResult {
  const parsed = parseUnitName(unit);
  if (parsed === null) return invalidName(unit);
  const { load, fragment } = findUnitFiles(state, parsed);
  if (load === "masked") return DONE;
  const found = load === "loaded" ? withAlso(state, { name: parsed, fragment }) : [];
  const names = new Set([unit, ...found.map(({ name }) => name.name)]);
  const before = state.links.size;
  for (let again = true; again; ) {
    again = false;
    for (const path of pathsUnder(state, `${from}/`)) {
      if (!state.links.has(path) || !isLinkTo(state, path, names)) continue;
      state.links.delete(path);
      // Links to the link go with it.
      names.add(path);
      again = true;
    }
  }
  if (load === "loaded" || state.links.size < before) return DONE;
  return refuse(`${ERROR}.NoSuchUnit`, `Unit file ${unit} does not exist.`);
}

/** Whether a link has one of the names, is an instance of one, or leads to one. */
function isLinkTo(state: SystemdState, path: string, names: ReadonlySet<string>): boolean {
  const name = parseUnitName(path.slice(path.lastIndexOf("/") + 1));
  if (name === null) return false;
  const template = name.instance === null ? null : `${name.prefix}@.${name.type}`;
  if (names.has(name.name) || (template !== null && names.has(template))) return true;
  const target = lastLink(state, path);
  return names.has(target) || names.has(target.slice(target.lastIndexOf("/") + 1));
}

/** MaskUnitFiles. A file of that name in the directory is an error unless `force` puts it aside. */
export function maskUnit(
  state: SystemdState,
  unit: string,
  into: string,
  force: boolean,
): InstallResult {
  if (parseUnitName(unit) === null) return invalidName(unit);
  const path = `${into}/${unit}`;
  if (state.links.get(path) === "/dev/null") return DONE;
  if ((state.files.has(path) || state.links.has(path)) && !force) {
    return { ok: false, error: `${ERROR}.UnitExists`, message: `File ${path} already exists.` };
  }
  state.files.delete(path);
  state.links.set(path, "/dev/null");
  return DONE;
}

/** UnmaskUnitFiles: a mask is taken away, anything else stays. */
export function unmaskUnit(state: SystemdState, unit: string, from: string): InstallResult {
  if (parseUnitName(unit) === null) return invalidName(unit);
  const path = `${from}/${unit}`;
  if (state.links.get(path) === "/dev/null") state.links.delete(path);
  if (state.files.get(path) === "") state.files.delete(path);
  return DONE;
}

/** Removes a unit's file, its drop-ins in the same directory and the links to it. */
export function removeUnitFile(state: SystemdState, unit: string, directory: string): void {
  const path = `${directory}/${unit}`;
  for (const from of [ETC, RUN]) disableUnit(state, unit, from);
  state.files.delete(path);
  for (const dropIn of pathsUnder(state, `${path}.d/`)) state.files.delete(dropIn);
  for (const [link, target] of [...state.links]) if (target === path) state.links.delete(link);
}

/** Whether `directory` is one systemd looks into by itself; a unit elsewhere has to be linked. */
export function isSearched(directory: string): boolean {
  return UNIT_DIRECTORIES.some((candidate) => candidate === directory);
}

/** Names and texts of the unit files in a directory, by name. */
export function unitFilesIn(
  state: SystemdState,
  directory: string,
): { name: string; text: string }[] {
  const prefix = `${directory}/`;
  return pathsUnder(state, prefix).flatMap((path) => {
    const name = path.slice(prefix.length);
    const target = resolvePath(state, path);
    if (name.includes("/") || target === null || target === "/dev/null") return [];
    return [{ name, text: state.files.get(target) ?? "" }];
  });
}

function invalidName(name: string) {
  const error = "org.freedesktop.DBus.Error.InvalidArgs";
  return refuse(error, `Unit name ${name} is not valid.`);
}
