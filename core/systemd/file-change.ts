import type { Dispatch } from "./context.js";
import { isDirectory, pathExists } from "./files.js";
import type { SystemdState } from "./state.js";

/** A file that has come, gone or been written, as inotify tells who watches it or a folder on the way to it. */
export interface FileChange {
  readonly path: string;
  /** What is new in a folder that was there before: the file or a folder above it. Null when the file was there. */
  readonly entry: string | null;
}

/** Writes a file, or with null removes it. */
export function changeFile(state: SystemdState, path: string, text: string | null): FileChange {
  const entry = text === null || pathExists(state, path) ? null : newEntry(state, path);
  if (text === null) state.files.delete(path);
  else state.files.set(path, text);
  return { path, entry };
}

/** Changes a file as the systemd of the dispatch, or a program of its host, does; path units see it when the event is over. */
export function changeFileNow(dispatch: Dispatch, path: string, text: string | null): void {
  if (text === null && !dispatch.state.files.has(path)) return;
  dispatch.deferred.push({ kind: "file", change: changeFile(dispatch.state, path, text) });
}

/**
 * Whether a change shows to who waits for a path to come: inotify cannot watch what is not there, so
 * the last folder that is there on the way is watched, and tells whatever comes in it.
 */
export function showsOnTheWay(
  state: SystemdState,
  { entry }: FileChange,
  awaited: string,
): boolean {
  if (entry === null) return false;
  const folder = entry.slice(0, entry.lastIndexOf("/") + 1);
  if (!awaited.startsWith(folder)) return false;
  const end = awaited.indexOf("/", folder.length);
  const next = end < 0 ? awaited : awaited.slice(0, end);
  return next === entry || !pathExists(state, next);
}

function newEntry(state: SystemdState, path: string): string {
  let entry = path;
  for (let end = entry.lastIndexOf("/"); end > 0; end = entry.lastIndexOf("/")) {
    const folder = entry.slice(0, end);
    if (isDirectory(state, folder)) break;
    entry = folder;
  }
  return entry;
}
