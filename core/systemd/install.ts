import { findUnitFiles, pathsUnder, resolvePath, UNIT_DIRECTORIES } from "./files.js";
import { expandSpecifiers, parseUnitName, type UnitName } from "./names.js";
import type { SystemdState } from "./state.js";
import { parseUnitFile } from "./unitfile.js";
import { splitWords } from "./value.js";

/** How an operation on unit files ended. */
export type InstallResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly error: string; readonly message: string };

const DONE: InstallResult = { ok: true };

const ERROR = "org.freedesktop.systemd1";

export const ETC = "/etc/systemd/system";
export const RUN = "/run/systemd/system";
export const USR = "/usr/lib/systemd/system";

/** EnableUnitFiles: makes the links that the unit's [Install] section asks for, and those of Also=. */
export function enableUnit(state: SystemdState, unit: string, into: string): InstallResult {
  const pending = [unit];
  const seen = new Set<string>();
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const parsed = parseUnitName(name);
    if (parsed === null) return invalidName(name);
    const files = findUnitFiles(state, parsed);
    if (files.load === "masked") {
      return { ok: false, error: `${ERROR}.UnitMasked`, message: `Unit file ${name} is masked.` };
    }
    if (files.load === "not-found") {
      const message = `Unit file ${name} does not exist.`;
      return { ok: false, error: `${ERROR}.NoSuchUnit`, message };
    }
    for (const link of installLinks(state, parsed, files.fragment)) {
      if (link.also !== undefined) pending.push(link.also);
      else state.links.set(`${into}/${link.path}`, files.fragment);
    }
  }
  return DONE;
}

type InstallLink = { readonly path: string; readonly also?: undefined } | { readonly also: string };

function installLinks(state: SystemdState, name: UnitName, fragment: string): InstallLink[] {
  const links: InstallLink[] = [];
  const file = parseUnitFile(state.files.get(fragment) ?? "", fragment);
  const install = file.options.filter((option) => option.section === "Install");
  const instance = install.findLast((option) => option.key === "DefaultInstance")?.value ?? "";
  const unit =
    name.instance === "" && instance !== "" ? `${name.prefix}@${instance}.${name.type}` : name.name;
  const owner = parseUnitName(unit) ?? name;
  for (const option of install) {
    for (const word of splitWords(option.value, "keep") ?? []) {
      const target = expandSpecifiers(word, owner, state);
      if (parseUnitName(target) === null) continue;
      if (option.key === "WantedBy") links.push({ path: `${target}.wants/${unit}` });
      else if (option.key === "RequiredBy") links.push({ path: `${target}.requires/${unit}` });
      else if (option.key === "Alias") links.push({ path: target });
      else if (option.key === "Also") links.push({ also: target });
    }
  }
  return links;
}

/** DisableUnitFiles: removes every link to the unit from /etc or from /run. */
export function disableUnit(state: SystemdState, unit: string, from: string): InstallResult {
  const parsed = parseUnitName(unit);
  if (parsed === null) return invalidName(unit);
  const fragment = findUnitFiles(state, parsed).fragment;
  for (const path of pathsUnder(state, `${from}/`)) {
    const target = state.links.get(path);
    if (target === undefined || target === "/dev/null") continue;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (name === unit || (fragment !== "" && target === fragment)) state.links.delete(path);
  }
  return DONE;
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

function invalidName(name: string): InstallResult {
  return {
    ok: false,
    error: "org.freedesktop.DBus.Error.InvalidArgs",
    message: `Unit name ${name} is not valid.`,
  };
}
