import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** Where the bytes of a log go. Every method may throw what the operating system reports. */
export interface LogSink {
  /** Appends bytes; answers how many it took, which may be fewer. */
  write(bytes: Uint8Array): number;
  /** Makes what was written survive a power loss. */
  sync(): void;
  /** Cuts the file back to so many bytes. */
  truncate(bytes: number): void;
  close(): void;
}

/** What to do about a file that is there already. */
export type IfExists = "refuse" | "overwrite" | "append";

/**
 * Opens a file for a log. The file is written where it is, not beside it and renamed, so that a
 * log can be read while it grows; replacing a log therefore loses the old one at once.
 */
export function openSink(path: string, ifExists: IfExists): LogSink {
  const flags = { refuse: "wx", overwrite: "w", append: "r+" } as const;
  const descriptor = openSync(path, flags[ifExists], 0o644);
  let position = ifExists === "append" ? fstatSync(descriptor).size : 0;
  const regular = fstatSync(descriptor).isFile();
  // A new file is safe only when its name in the folder is.
  if (ifExists !== "append" && regular) syncFolder(dirname(path));
  return {
    write(bytes) {
      const written = writeSync(descriptor, bytes, 0, bytes.length, regular ? position : null);
      position += written;
      return written;
    },
    sync() {
      // Pipes and devices have nothing to sync and say so with an error.
      if (regular) fdatasyncSync(descriptor);
    },
    truncate(bytes) {
      if (!regular) return;
      ftruncateSync(descriptor, bytes);
      position = bytes;
    },
    close() {
      closeSync(descriptor);
    },
  };
}

function syncFolder(path: string): void {
  try {
    const descriptor = openSync(path, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // Some systems cannot sync a folder; they keep the name some other way or not at all.
  }
}
