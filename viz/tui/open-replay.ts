import type { LogHeader, LogRecord } from "../../core/kernel/index.js";
import { formatReport, reportOf } from "../report/index.js";
import { Timeline } from "../timeline/index.js";
import { initialUi } from "./state.js";

/** A log to look at: its header and its records, or a timeline already made of them. */
export type ReplayLog =
  | { readonly header: LogHeader; readonly records: Iterable<LogRecord> }
  | { readonly timeline: Timeline };

export interface ReplayOptions {
  /** Path of the log, for the address shown at the end and for the report. */
  readonly path?: string;
  /** Where to begin: `#seq`, `@12.5s` or `50%`. */
  readonly start?: string;
  /** Sequence numbers bookmarked before. */
  readonly bookmarks?: readonly number[];
  readonly stdin?: NodeJS.ReadStream;
  readonly stdout?: NodeJS.WriteStream;
  /** false for no colour; by default as NO_COLOR, FORCE_COLOR and the terminal say. */
  readonly colour?: boolean;
}

/** How a replay ended. */
export interface ReplayResult {
  readonly mode: "screen" | "report";
  /** `seq` of the record looked at last; null for none. */
  readonly seq: number | null;
  /** Sequence numbers bookmarked, rising. */
  readonly bookmarks: readonly number[];
}

/**
 * Opens the replay screen and resolves when the person leaves it. Without a terminal on both
 * sides it prints the report instead.
 *
 * Sets `NODE_ENV=production` and `CI=false` for this process before loading ink and react (React
 * measures every drawing otherwise, and ink draws nothing where it believes to be in CI).
 *
 * @throws whatever drawing throws, with the terminal already restored
 */
export async function openReplay(
  log: ReplayLog,
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const timeline = "timeline" in log ? log.timeline : Timeline.of(log.header, log.records);
  const stdin = options.stdin ?? process.stdin;
  const stdout = options.stdout ?? process.stdout;
  const colour = options.colour ?? wantsColour(stdout);
  const bookmarks = (options.bookmarks ?? [])
    .map((seq) => timeline.store.indexOfSeq(seq))
    .filter((index) => index >= 0)
    .sort((a, b) => a - b);
  if (!stdin.isTTY || !stdout.isTTY) {
    const report = reportOf(timeline, options.path === undefined ? {} : { path: options.path });
    stdout.write(formatReport(report, { colour }));
    return { mode: "report", seq: null, bookmarks: options.bookmarks ?? [] };
  }
  process.env.NODE_ENV = "production";
  process.env.CI = "false";
  const { showScreen } = await import("./show-screen.js");
  const ui = await showScreen(timeline, initialUi(bookmarks), {
    stdin,
    stdout,
    colour,
    start: options.start ?? null,
  });
  return {
    mode: "screen",
    seq: ui.cursor < 0 ? null : timeline.store.seq(ui.cursor),
    bookmarks: ui.bookmarks.map((index) => timeline.store.seq(index)),
  };
}

/** `run.orlog#1426` or `run.orlog#@12.5s`: a log, and where in it to begin. */
export function parseAddress(address: string): { readonly path: string; readonly start?: string } {
  const [, path, place] = /^(.+)#(\d+|@[\w.:]+|\d+%)$/.exec(address) ?? [];
  if (path === undefined || place === undefined) return { path: address };
  return { path, start: /^\d+$/.test(place) ? `#${place}` : place };
}

/** Whether to use colour: NO_COLOR and TERM=dumb say no, FORCE_COLOR yes, else a terminal does. */
export function wantsColour(
  stdout: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>> = process.env,
): boolean {
  if ((env.NO_COLOR ?? "") !== "") return false;
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return stdout.isTTY === true && env.TERM !== "dumb";
}
