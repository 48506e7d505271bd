import fc from "fast-check";
import { expect, test } from "vitest";
import { SGR } from "../testing/ansi.js";
import { fakeLog } from "../testing/fake-log.js";
import { Timeline } from "../timeline/index.js";
import { lineOf, paint, span, textOfLine, toWidth, widthOf } from "./cells.js";
import { Matches, parseFilter } from "./filter.js";
import { allot, COLUMNS_MIN, frame, ROWS_MIN } from "./frame.js";
import { actionOf, pressesOf } from "./keys.js";
import { Player } from "./player.js";
import { type Action, initialUi, SPEED_MAX, SPEED_MIN } from "./state.js";

const log = fakeLog({});
const timeline = Timeline.of(log.header, log.records);

function player(...actions: readonly Action[]): Player {
  const one = new Player(timeline, initialUi());
  for (const action of actions) one.dispatch(action);
  return one;
}

const direction = fc.constantFrom<1 | -1>(1, -1);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.constantFrom<Action>(
    { kind: "toggle-play" },
    { kind: "follow-cause" },
    { kind: "follow-effect" },
    { kind: "toggle-idle-skip" },
    { kind: "toggle-help" },
    { kind: "bookmark" },
    { kind: "cancel" },
    { kind: "filter-host" },
    { kind: "filter-kind" },
    { kind: "clear-filter" },
    { kind: "prompt", of: "filter" },
    { kind: "prompt", of: "goto" },
    { kind: "erase" },
    { kind: "submit" },
  ),
  fc.record({
    kind: fc.constant("tick" as const),
    elapsed: fc.integer({ min: 0, max: 5_000_000 }),
  }),
  fc.record({
    kind: fc.constantFrom("step" as const, "move" as const),
    by: fc.integer({ min: -900, max: 900 }),
  }),
  fc.record({ kind: fc.constantFrom("step-host" as const, "step-kind" as const), direction }),
  fc.record({
    kind: fc.constant("landmark" as const),
    of: fc.constantFrom(
      "violation" as const,
      "fault" as const,
      "leader" as const,
      "bookmark" as const,
    ),
    direction,
  }),
  fc.record({ kind: fc.constant("edge" as const), end: fc.boolean() }),
  fc.record({ kind: fc.constant("speed" as const), faster: fc.boolean() }),
  fc.record({ kind: fc.constant("panel" as const), by: direction }),
  fc.record({
    kind: fc.constant("type" as const),
    text: fc.constantFrom("fleet", "!", "(", "host:a1", "@9m", "#1426", "50%", "kind:etcd", "日本"),
  }),
);

test("whatever is pressed, the state stays within the log and the screen stays whole", () => {
  // Would have caught a cursor past the end, a fractional clock, a line one cell too long (which
  // wraps and breaks every line below), and a panel that overflows at some size.
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 40 }),
      fc.integer({ min: 20, max: 230 }),
      fc.integer({ min: 5, max: 60 }),
      (actions, columns, rows) => {
        const one = player(...actions);
        const { ui } = one;
        expect(ui.cursor).toBeGreaterThanOrEqual(-1);
        expect(ui.cursor).toBeLessThan(timeline.length);
        expect(Number.isSafeInteger(ui.clock)).toBe(true);
        expect(ui.clock).toBeGreaterThanOrEqual(ui.cursor < 0 ? 0 : timeline.store.at(ui.cursor));
        expect(ui.clock).toBeLessThanOrEqual(timeline.duration);
        expect(ui.speed).toBeGreaterThanOrEqual(SPEED_MIN);
        expect(ui.speed).toBeLessThanOrEqual(SPEED_MAX);
        expect(ui.bookmarks).toEqual([...new Set(ui.bookmarks)].sort((a, b) => a - b));
        const lines = frame(timeline, ui, one.matches, columns, rows);
        expect(lines.length).toBe(rows);
        for (const line of lines) expect(widthOf(textOfLine(line))).toBe(columns);
      },
    ),
    { numRuns: 150 },
  );
});

test("playing for a time shows what happened up to that time, at any speed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1_000, max: 300_000 }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: 0, max: 8 }),
      (elapsed, faster) => {
        const one = player({ kind: "toggle-play" });
        for (let i = 0; i < faster; i++) one.dispatch({ kind: "speed", faster: true });
        for (const micros of elapsed) one.dispatch({ kind: "tick", elapsed: micros });
        const { ui } = one;
        const simulated = elapsed.reduce((sum, micros) => sum + micros, 0) * 2 ** faster;
        expect(ui.clock).toBe(Math.min(simulated, timeline.duration));
        expect(ui.cursor).toBe(timeline.seekTime(ui.clock));
        expect(ui.playing).toBe(simulated < timeline.duration);
      },
    ),
  );
});

test("a step forward and one back is where one was", () => {
  const one = player({ kind: "go", to: "50%" }, { kind: "step", by: 1 }, { kind: "step", by: -1 });
  expect(one.ui.cursor).toBe(timeline.seekTime(Math.floor(timeline.duration / 2)));
});

test("n stands on the violation, and says so when there is no later one", () => {
  const one = player({ kind: "landmark", of: "violation", direction: 1 });
  expect(timeline.store.kind(one.ui.cursor)).toBe("invariant.violated");
  one.dispatch({ kind: "landmark", of: "violation", direction: 1 });
  expect(one.ui.message).toBe("no later violation");
});

test("go to a time, a sequence number, a percentage; refuse what is no place", () => {
  const seq = timeline.store.seq(100);
  expect(player({ kind: "go", to: `#${seq}` }).ui.cursor).toBe(100);
  expect(player({ kind: "go", to: "@1m" }).ui.clock).toBe(60_000_000);
  expect(player({ kind: "go", to: "100%" }).ui.cursor).toBe(timeline.length - 1);
  const lost = player({ kind: "go", to: "#100" }, { kind: "go", to: "nowhere" });
  expect(lost.ui.message).toContain("not a place: nowhere");
});

test("the cause of an event is stood on, and its first effect leads back", () => {
  const task = timeline.ofKind(-1, "fleet.task", 1);
  const one = player({ kind: "step", by: task + 1 }, { kind: "follow-cause" });
  expect(timeline.store.kind(one.ui.cursor)).toBe("fleet.scheduled");
  one.dispatch({ kind: "follow-effect" });
  expect(one.ui.cursor).toBe(task);
});

test("quiet is jumped over when idle skip is on", () => {
  const waiting = player({ kind: "toggle-play" });
  waiting.dispatch({ kind: "tick", elapsed: 1000 });
  const skipping = player(
    { kind: "toggle-idle-skip" },
    { kind: "go", to: "50%" },
    { kind: "toggle-play" },
  );
  const before = skipping.ui.cursor;
  const gap = timeline.store.at(before + 1) - skipping.ui.clock;
  skipping.dispatch({ kind: "tick", elapsed: 1000 });
  expect(skipping.ui.cursor > before).toBe(gap > 500_000);
  expect(waiting.ui.clock).toBe(1000);
});

test("keys typed at once are pressed one by one, and the rest of a slash is a filter", () => {
  const one = player();
  for (const [input, key] of pressesOf("++/fleet\r", {})) {
    const what = actionOf(input, key, one.ui);
    if (what !== null) one.dispatch(what);
  }
  expect(one.ui).toMatchObject({ speed: 4000, filter: "fleet", prompt: null });
  expect(pressesOf("[<0;10;5M", {})).toEqual([]);
});

test("every letter is text while something is typed, and a wrong regex is refused with its reason", () => {
  const one = player({ kind: "prompt", of: "filter" });
  expect(actionOf("q", {}, one.ui)).toEqual({ kind: "type", text: "q" });
  one.dispatch({ kind: "type", text: "(" });
  one.dispatch({ kind: "submit" });
  expect(one.ui.prompt).not.toBeNull();
  expect(one.ui.message).toMatch(/Unterminated group/);
});

test("a filter finds the same whether the log was read so far or not", () => {
  // Would have caught an off-by-one where the part already read meets the part read on demand.
  const filters = ["fleet", "!systemd", "host:^a1$", "kind:^etcd !leader", "nothing-has-this", ""];
  fc.assert(
    fc.property(
      fc.constantFrom(...filters),
      fc.nat(900),
      fc.integer({ min: -1, max: timeline.length }),
      direction,
      (text, read, from, way) => {
        const parsed = parseFilter(text);
        if (!parsed.ok) throw new Error(parsed.error);
        const matches = new Matches(parsed.filter, timeline.store);
        matches.advance(read);
        let expected = -1;
        for (let i = from + way; i >= 0 && i < timeline.length; i += way) {
          if (matches.test(i)) {
            expected = i;
            break;
          }
        }
        expect(matches.beyond(from, way)).toBe(expected);
      },
    ),
    { numRuns: 400 },
  );
});

test("cells are counted as terminals count them, and a cut never splits a wide character", () => {
  expect(widthOf("日本 ab")).toBe(7);
  expect(toWidth("日本語", 4)).toBe("日… ");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 40 }), (text, width) => {
      expect(widthOf(toWidth(text, width))).toBe(width);
      expect(widthOf(textOfLine(lineOf([span(text), span(text, "bad")], width)))).toBe(width);
    }),
  );
});

test("without colour nothing but bold and inverse is written", () => {
  const one = player({ kind: "landmark", of: "violation", direction: 1 });
  const text = frame(timeline, one.ui, one.matches, 120, 40).map((line) => paint(line, false));
  const codes = new Set(text.join("\n").match(SGR));
  for (const code of codes) expect(["\u001b[0m", "\u001b[1m", "\u001b[7m"]).toContain(code);
});

test("rows are shared out completely, and a minimum is only cut for want of rows", () => {
  const claim = fc.record({ min: fc.nat(8), want: fc.nat(60), weight: fc.nat(4) });
  fc.assert(
    fc.property(fc.nat(80), fc.array(claim, { maxLength: 5 }), (rows, claims) => {
      const shares = allot(rows, claims);
      const wanted = claims.reduce((sum, one) => sum + one.want, 0);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(Math.min(rows, wanted));
      const least = claims.map((one) => Math.min(one.min, one.want));
      if (least.reduce((sum, one) => sum + one, 0) <= rows) {
        shares.forEach((share, i) => {
          expect(share).toBeGreaterThanOrEqual(least[i] ?? 0);
        });
      }
    }),
  );
});

test("a screen too small says so instead of breaking", () => {
  const one = player();
  const text = frame(timeline, one.ui, one.matches, COLUMNS_MIN - 1, ROWS_MIN).map(textOfLine);
  expect(text[0]).toContain("The screen needs");
});
