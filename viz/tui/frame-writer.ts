const SYNC_BEGIN = "\u001b[?2026h";
const SYNC_END = "\u001b[?2026l";
/** Bytes waiting for a slow terminal beyond which frames are left out. */
const WAITING_MAX = 1 << 17;

export interface FrameWriter {
  /** The stream to give to ink, run in its debug mode: every write is a whole frame. */
  readonly stdout: NodeJS.WriteStream;
  /** Empties the screen; the next frame is written whole. */
  reset(): void;
}

/**
 * A terminal that is written only the lines that changed, each at its own place.
 *
 * Ink's own incremental writer (6.8.0) moves up one line too few when a frame ends in a newline,
 * which any frame below full height does, and its plain writer erases and rewrites the whole
 * screen. Here a row is addressed by its number, so that nothing depends on where the cursor is,
 * the terminal never scrolls, and a frame too many for a slow terminal is left out whole.
 */
export function frameWriter(stdout: NodeJS.WriteStream): FrameWriter {
  let shown: readonly string[] = [];
  const draw = (frame: string): void => {
    if (stdout.writableLength > WAITING_MAX) return;
    const lines = frame.split("\n");
    let changes = "";
    for (let row = 0; row < Math.max(lines.length, shown.length); row++) {
      const line = lines[row] ?? "";
      // Erased first: after a line of full width, erasing to the end takes its last cell.
      if (line !== (shown[row] ?? "")) changes += `\u001b[${row + 1};1H\u001b[2K${line}`;
    }
    shown = lines;
    if (changes !== "") stdout.write(`${SYNC_BEGIN}${changes}${SYNC_END}`);
  };
  const write = (text: string, callback?: () => void): boolean => {
    // Modes (cursor, bracketed paste) go through; an empty write is ink waiting for the stream.
    if (text === "" || text.startsWith("\u001b[?")) return stdout.write(text, callback);
    draw(text);
    if (callback !== undefined) setImmediate(callback);
    return true;
  };
  return {
    stdout: new Proxy(stdout, {
      get(target, name) {
        if (name === "write") return write;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    }),
    reset: () => {
      shown = [];
      stdout.write("\u001b[0m\u001b[2J");
    },
  };
}
