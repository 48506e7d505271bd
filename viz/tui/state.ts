import type { Micros } from "../../core/kernel/index.js";
import { unreachable } from "../../core/kernel/index.js";
import { formatTime, type Indexes, parseTime, type Timeline } from "../timeline/index.js";
import { type Matches, parseFilter, quoted } from "./filter.js";

export type Panel = "hosts" | "units" | "events" | "details";

const PANELS: readonly Panel[] = ["hosts", "units", "events", "details"];
/** Simulated time per real time, in thousandths, so that ¼ is an integer. */
export const SPEED_MIN = 250;
export const SPEED_MAX = 1_024_000;
/** With idle skip on, quiet longer than this in real time is jumped over. */
const IDLE_SKIP_AFTER: Micros = 500_000;

/** What the person looking at a timeline chose. */
export interface UiState {
  /** Index of the record looked at; the cluster is shown as it was after it. -1 before the first. */
  readonly cursor: number;
  /** Where playback stands, at or after the cursor's time. */
  readonly clock: Micros;
  readonly playing: boolean;
  /** In thousandths: 1000 is real time. */
  readonly speed: number;
  readonly idleSkip: boolean;
  readonly host: number;
  readonly panel: Panel;
  readonly unitScroll: number;
  readonly detailScroll: number;
  readonly filter: string;
  /** The line being typed; null for none. */
  readonly prompt: { readonly kind: "filter" | "goto"; readonly text: string } | null;
  readonly help: boolean;
  /** Record indexes, rising. */
  readonly bookmarks: readonly number[];
  /** What the last key came to, when the screen does not show it otherwise. */
  readonly message: string;
  readonly done: boolean;
}

export type Landmark = "violation" | "fault" | "leader" | "bookmark";

/** What a key, or the passing of time, asks for. */
export type Action =
  | { readonly kind: "toggle-play" }
  | { readonly kind: "tick"; readonly elapsed: Micros }
  | { readonly kind: "step"; readonly by: number }
  | { readonly kind: "step-host" | "step-kind"; readonly direction: 1 | -1 }
  | { readonly kind: "landmark"; readonly of: Landmark; readonly direction: 1 | -1 }
  | { readonly kind: "follow-cause" | "follow-effect" }
  | { readonly kind: "edge"; readonly end: boolean }
  | { readonly kind: "move"; readonly by: number }
  | { readonly kind: "speed"; readonly faster: boolean }
  | { readonly kind: "toggle-idle-skip" | "toggle-help" | "bookmark" | "cancel" | "quit" }
  | { readonly kind: "panel"; readonly by: number }
  | { readonly kind: "filter-host" | "filter-kind" | "clear-filter" }
  | { readonly kind: "prompt"; readonly of: "filter" | "goto" }
  | { readonly kind: "type"; readonly text: string }
  | { readonly kind: "erase" | "submit" }
  | { readonly kind: "go"; readonly to: string };

export function initialUi(bookmarks: readonly number[] = []): UiState {
  return {
    cursor: -1,
    clock: 0,
    playing: false,
    speed: 1000,
    idleSkip: false,
    host: 0,
    panel: "events",
    unitScroll: 0,
    detailScroll: 0,
    filter: "",
    prompt: null,
    help: false,
    bookmarks,
    message: "",
    done: false,
  };
}

/**
 * The next state. Pure: it reads the timeline and the matches of `ui.filter` and changes neither.
 * The cursor stays within the log whatever is asked for.
 */
export function reduceUi(
  ui: UiState,
  action: Action,
  timeline: Timeline,
  matches: Matches,
): UiState {
  switch (action.kind) {
    case "tick":
      return tick(ui, action.elapsed, timeline);
    case "toggle-play":
      return togglePlay(ui, timeline);
    case "step":
      return moveTo(ui, timeline, ui.cursor + action.by);
    case "step-host": {
      const host = timeline.latest.hosts[ui.host]?.name ?? "";
      const to = timeline.onHost(ui.cursor, host, action.direction);
      return jump(ui, timeline, to, `no ${word(action.direction)} event on ${host}`);
    }
    case "step-kind": {
      const kind = timeline.store.kind(ui.cursor);
      const to = ui.cursor < 0 ? -1 : timeline.ofKind(ui.cursor, kind, action.direction);
      return jump(ui, timeline, to, `no ${word(action.direction)} ${kind}`);
    }
    case "landmark":
      return toLandmark(ui, timeline, action.of, action.direction);
    case "follow-cause":
    case "follow-effect":
      return followCause(ui, timeline, action.kind === "follow-cause");
    case "edge":
      return moveTo(ui, timeline, action.end ? timeline.length - 1 : -1);
    case "move":
      return move(ui, timeline, matches, action.by);
    case "speed": {
      const speed = action.faster ? ui.speed * 2 : ui.speed / 2;
      return { ...ui, speed: Math.min(SPEED_MAX, Math.max(SPEED_MIN, speed)), message: "" };
    }
    case "toggle-idle-skip":
      return { ...ui, idleSkip: !ui.idleSkip, message: `idle skip ${ui.idleSkip ? "off" : "on"}` };
    case "toggle-help":
      return { ...ui, help: !ui.help, message: "" };
    case "bookmark":
      return toggleBookmark(ui);
    case "panel": {
      const place = PANELS.indexOf(ui.panel) + action.by + PANELS.length;
      return { ...ui, panel: PANELS[place % PANELS.length] ?? "events", message: "" };
    }
    case "filter-host": {
      const host = timeline.latest.hosts[ui.host]?.name ?? "";
      return toggleTerm(ui, `host:^${quoted(host)}$`);
    }
    case "filter-kind":
      if (ui.cursor < 0) return ui;
      return toggleTerm(ui, `kind:^${quoted(timeline.store.kind(ui.cursor))}$`);
    case "clear-filter":
      return { ...ui, filter: "", message: "" };
    case "prompt": {
      const text = action.of === "filter" ? ui.filter : "";
      return { ...ui, prompt: { kind: action.of, text }, playing: false, message: "" };
    }
    case "type":
      if (ui.prompt === null) return ui;
      return { ...ui, prompt: { ...ui.prompt, text: ui.prompt.text + action.text }, message: "" };
    case "erase":
      if (ui.prompt === null) return ui;
      return { ...ui, prompt: { ...ui.prompt, text: ui.prompt.text.slice(0, -1) }, message: "" };
    case "submit":
      return submit(ui, timeline);
    case "go":
      return goTo(ui, timeline, action.to);
    case "cancel":
      return { ...ui, prompt: null, help: false, message: "" };
    case "quit":
      return { ...ui, done: true, playing: false };
    default:
      return unreachable(action);
  }
}

function word(direction: 1 | -1): string {
  return direction === 1 ? "later" : "earlier";
}

/** Puts the cursor on a record within the log; playback goes on from there. */
function moveTo(ui: UiState, timeline: Timeline, index: number): UiState {
  const cursor = Math.max(-1, Math.min(timeline.length - 1, index));
  const clock = cursor < 0 ? 0 : timeline.store.at(cursor);
  return { ...ui, cursor, clock, detailScroll: 0, message: "" };
}

/** `moveTo`, and a stop; or a message if there is nowhere to go. */
function jump(ui: UiState, timeline: Timeline, index: number, otherwise: string): UiState {
  if (index < 0) return { ...ui, message: otherwise };
  return { ...moveTo(ui, timeline, index), playing: false };
}

function togglePlay(ui: UiState, timeline: Timeline): UiState {
  if (ui.playing) return { ...ui, playing: false, message: "" };
  const atEnd = ui.cursor >= timeline.length - 1;
  return { ...(atEnd ? moveTo(ui, timeline, -1) : ui), playing: timeline.length > 0, message: "" };
}

function tick(ui: UiState, elapsed: Micros, timeline: Timeline): UiState {
  if (!ui.playing) return ui;
  const next = timeline.store.at(Math.min(ui.cursor + 1, timeline.length - 1));
  const step = Math.floor((elapsed * ui.speed) / 1000);
  let clock = ui.clock + step;
  if (ui.idleSkip && next - ui.clock > (IDLE_SKIP_AFTER * ui.speed) / 1000) {
    clock = Math.max(clock, next);
  }
  if (clock >= timeline.duration) {
    return { ...moveTo(ui, timeline, timeline.length - 1), playing: false, message: "the end" };
  }
  const cursor = Math.max(ui.cursor, timeline.seekTime(clock));
  if (cursor === ui.cursor) return { ...ui, clock };
  return { ...ui, cursor, clock, detailScroll: 0 };
}

function toLandmark(ui: UiState, timeline: Timeline, of: Landmark, direction: 1 | -1): UiState {
  const none = `no ${word(direction)} ${of === "leader" ? "change of leader" : of}`;
  if (of === "bookmark") {
    const beyond = ui.bookmarks.filter((mark) => (mark - ui.cursor) * direction > 0);
    const to = direction === 1 ? beyond[0] : beyond.at(-1);
    return jump(ui, timeline, to ?? -1, none);
  }
  const { marks } = timeline;
  const list: Indexes =
    of === "violation" ? marks.violations : of === "fault" ? marks.faults : marks.leaders;
  const to = direction === 1 ? list.after(ui.cursor) : list.before(ui.cursor);
  return jump(ui, timeline, to, none);
}

/** How far ahead effects of a record are looked for. */
export const EFFECTS_AHEAD_MAX = 20_000;

function followCause(ui: UiState, timeline: Timeline, back: boolean): UiState {
  const { store } = timeline;
  if (ui.cursor < 0) return ui;
  if (!back) {
    const to = firstEffect(timeline, ui.cursor);
    return jump(ui, timeline, to, "nothing in the log names this event as its cause");
  }
  const cause = store.cause(ui.cursor);
  if (cause === null) return { ...ui, message: "this event came from outside" };
  return jump(ui, timeline, store.indexOfSeq(cause), `#${cause} is not stored in this log`);
}

function firstEffect(timeline: Timeline, index: number): number {
  const { store } = timeline;
  const seq = store.seq(index);
  const end = Math.min(store.length, index + EFFECTS_AHEAD_MAX);
  for (let i = index + 1; i < end; i++) if (store.cause(i) === seq) return i;
  return -1;
}

/** Up and down: within the panel that has the focus. */
function move(ui: UiState, timeline: Timeline, matches: Matches, by: number): UiState {
  switch (ui.panel) {
    case "hosts": {
      const last = timeline.latest.hosts.length - 1;
      return { ...ui, host: Math.max(0, Math.min(last, ui.host + by)), message: "" };
    }
    case "units": {
      const last = Math.max(0, timeline.latest.units.size - 1);
      return { ...ui, unitScroll: Math.max(0, Math.min(last, ui.unitScroll + by)) };
    }
    case "details":
      return { ...ui, detailScroll: Math.max(0, ui.detailScroll + by) };
    case "events": {
      const direction = by > 0 ? 1 : -1;
      let to = ui.cursor;
      for (let left = Math.abs(by); left > 0; left--) {
        const next = matches.beyond(to, direction);
        if (next < 0) break;
        to = next;
      }
      return jump(ui, timeline, to === ui.cursor ? -1 : to, `no ${word(direction)} event shown`);
    }
    default:
      return unreachable(ui.panel);
  }
}

function toggleBookmark(ui: UiState): UiState {
  if (ui.cursor < 0) return ui;
  const marked = ui.bookmarks.includes(ui.cursor);
  const others = ui.bookmarks.filter((mark) => mark !== ui.cursor);
  const bookmarks = marked ? others : [...others, ui.cursor].sort((a, b) => a - b);
  return { ...ui, bookmarks, message: marked ? "bookmark removed" : "bookmarked" };
}

function toggleTerm(ui: UiState, term: string): UiState {
  const terms = ui.filter.split(/\s+/).filter((part) => part !== "");
  const rest = terms.filter((part) => part !== term);
  const next = rest.length < terms.length ? rest : [...rest, term];
  return { ...ui, filter: next.join(" "), message: "" };
}

function submit(ui: UiState, timeline: Timeline): UiState {
  if (ui.prompt === null) return ui;
  const text = ui.prompt.text.trim();
  if (ui.prompt.kind === "goto") return goTo({ ...ui, prompt: null }, timeline, text);
  const parsed = parseFilter(text);
  if (!parsed.ok) return { ...ui, message: parsed.error };
  return { ...ui, prompt: null, filter: text, message: "" };
}

/** `#seq`, `@time` or a bare time, `50%`. A sequence number that is not stored goes to the record before. */
function goTo(ui: UiState, timeline: Timeline, text: string): UiState {
  const seq = /^#(\d+)$/.exec(text)?.[1];
  if (seq !== undefined) {
    const moved = moveTo(ui, timeline, timeline.store.indexUpToSeq(Number(seq)));
    const exact = timeline.store.seq(moved.cursor) === Number(seq);
    return {
      ...moved,
      playing: false,
      message: exact ? "" : `#${seq} is not stored; went before it`,
    };
  }
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  const at =
    percent === undefined
      ? parseTime(text.replace(/^@/, ""))
      : Math.floor((timeline.duration * Number(percent)) / 100);
  if (at === null) {
    return { ...ui, message: `not a place: ${text} (try @12.5s, @1:02:03, #1234 or 50%)` };
  }
  const moved = moveTo(ui, timeline, timeline.seekTime(at));
  const clock = Math.max(moved.clock, Math.min(at, timeline.duration));
  return { ...moved, clock, playing: false, message: `at ${formatTime(clock)}` };
}
