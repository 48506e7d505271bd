import { EventEmitter } from "node:events";
import { cleanup, render } from "ink-testing-library";
import { afterEach, expect, test } from "vitest";
import { PLACED_ROW, withoutColour } from "../testing/ansi.js";
import { fakeLog } from "../testing/fake-log.js";
import { Timeline } from "../timeline/index.js";
import { frameWriter } from "./frame-writer.js";
import { openReplay, parseAddress, wantsColour } from "./open-replay.js";
import { Player } from "./player.js";
import { Screen } from "./screen.js";
import { initialUi } from "./state.js";

afterEach(cleanup);

const log = fakeLog({});
const timeline = Timeline.of(log.header, log.records);

function shown(columns: number, rows: number) {
  const player = new Player(timeline, initialUi());
  const screen = (
    <Screen player={player} size={() => ({ columns, rows: rows - 1 })} colour={false} />
  );
  const app = render(screen);
  // The library's terminal is 100 columns wide unless told otherwise.
  Object.defineProperty(app.stdout, "columns", { value: columns });
  app.rerender(screen);
  return { player, app };
}

/** What is on the screen once React has drawn what was dispatched. */
async function textOf(app: ReturnType<typeof render>): Promise<string> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  return withoutColour(app.lastFrame() ?? "");
}

test("the violation on a screen of 80 × 24", async () => {
  const { app, player } = shown(80, 24);
  player.dispatch({ kind: "landmark", of: "violation", direction: 1 });
  const frame = await textOf(app);
  expect(frame).toContain("invariant.violated");
  expect(frame.split("\n").length).toBe(23);
  expect(frame).toMatchSnapshot();
});

test("the violation on a screen of 200 × 50", async () => {
  const { app, player } = shown(200, 50);
  player.dispatch({ kind: "landmark", of: "violation", direction: 1 });
  const frame = await textOf(app);
  expect(frame).toContain("invariant.violated");
  expect(frame.split("\n").length).toBe(49);
  expect(frame).toMatchSnapshot();
});

test("keys reach the player: n, then help, then q leaves", async () => {
  const { app, player } = shown(80, 24);
  await textOf(app);
  app.stdin.write("n");
  expect(timeline.store.kind(player.ui.cursor)).toBe("invariant.violated");
  app.stdin.write("?");
  expect(await textOf(app)).toContain("next, previous violation");
  app.stdin.write("q");
  expect(player.ui.done).toBe(true);
});

/** A terminal of the least kind: it can place a line, erase a line and erase everything. */
class Terminal extends EventEmitter {
  readonly rows: string[] = [];
  readonly isTTY: boolean = false;
  writableLength = 0;
  written = "";

  write(data: string): boolean {
    this.written += data;
    if (data.includes("\u001b[2J")) this.rows.length = 0;
    for (const [, row, line] of data.matchAll(PLACED_ROW)) {
      this.rows[Number(row) - 1] = line ?? "";
    }
    return true;
  }
}

function stream(terminal: Terminal): NodeJS.WriteStream {
  return terminal as unknown as NodeJS.WriteStream;
}

test("writing only changed rows shows the same as writing whole frames", () => {
  // Would have caught ink's own incremental writer, which ends up one row off.
  const terminal = new Terminal();
  const writer = frameWriter(stream(terminal));
  for (const frame of ["a\nb\nc", "a\nB\nc", "a\nB", "x\nB\nc\nd"]) {
    writer.stdout.write(frame);
    const whole = frame.split("\n");
    expect(terminal.rows.slice(0, whole.length)).toEqual(whole);
    expect(terminal.rows.slice(whole.length).join("")).toBe("");
  }
  terminal.written = "";
  writer.stdout.write("x\nB\nc\nd");
  expect(terminal.written).toBe("");
  writer.reset();
  writer.stdout.write("x\nB\nc\nd");
  expect(terminal.rows).toEqual(["x", "B", "c", "d"]);
});

test("a terminal that does not keep up is left whole frames behind, never half of one", () => {
  const terminal = new Terminal();
  const writer = frameWriter(stream(terminal));
  writer.stdout.write("a\nb");
  terminal.writableLength = 1 << 20;
  writer.stdout.write("A\nb");
  terminal.writableLength = 0;
  writer.stdout.write("A\nB");
  expect(terminal.rows).toEqual(["A", "B"]);
});

test("without a terminal the report is printed", async () => {
  const terminal = new Terminal();
  const result = await openReplay({ timeline }, { stdout: stream(terminal), path: "x.orrery" });
  expect(result.mode).toBe("report");
  expect(terminal.written).toContain("one-engine-leader");
  expect(terminal.written).not.toContain("\u001b");
});

test("the address of a record is a path and a place", () => {
  expect(parseAddress("runs/a.orlog#1426")).toEqual({ path: "runs/a.orlog", start: "#1426" });
  expect(parseAddress("a#b.orlog#@1m30s")).toEqual({ path: "a#b.orlog", start: "@1m30s" });
  expect(parseAddress("a.orlog#50%")).toEqual({ path: "a.orlog", start: "50%" });
  expect(parseAddress("issue#x")).toEqual({ path: "issue#x" });
});

test("colour is for terminals that want it", () => {
  const tty = { isTTY: true };
  expect(wantsColour(tty, {})).toBe(true);
  expect(wantsColour(tty, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColour(tty, { TERM: "dumb" })).toBe(false);
  expect(wantsColour({}, {})).toBe(false);
  expect(wantsColour({}, { FORCE_COLOR: "1" })).toBe(true);
  expect(wantsColour({}, { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
});
