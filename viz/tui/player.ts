import type { Timeline } from "../timeline/index.js";
import { Matches, parseFilter } from "./filter.js";
import { type Action, reduceUi, type UiState } from "./state.js";

/** Records a slice of filtering reads: about 10 ms. */
const FILTER_SLICE = 10_000;

/** Holds the state of a screen and its matches, and tells whoever draws that there is news. */
export class Player {
  readonly timeline: Timeline;
  #ui: UiState;
  #matches: Matches;
  #version = 0;
  readonly #listeners = new Set<() => void>();

  constructor(timeline: Timeline, ui: UiState) {
    this.timeline = timeline;
    this.#ui = ui;
    this.#matches = matchesOf(ui.filter, timeline);
  }

  get ui(): UiState {
    return this.#ui;
  }

  get matches(): Matches {
    return this.#matches;
  }

  /** Rises with every change: what was drawn for a version stays right until the next. */
  get version(): number {
    return this.#version;
  }

  dispatch(action: Action): void {
    const next = reduceUi(this.#ui, action, this.timeline, this.#matches);
    if (next === this.#ui) return;
    if (next.filter !== this.#ui.filter) this.#matches = matchesOf(next.filter, this.timeline);
    this.#ui = next;
    this.changed();
  }

  /** True while time must pass on the screen: it plays, or a filter still reads the log. */
  get busy(): boolean {
    return this.#ui.playing || !this.#matches.complete;
  }

  /** Lets real time pass. */
  pass(elapsedMicros: number): void {
    if (!this.#matches.complete) {
      this.#matches.advance(FILTER_SLICE);
      this.changed();
    }
    if (this.#ui.playing) this.dispatch({ kind: "tick", elapsed: elapsedMicros });
  }

  /** Calls back after every change; returns how to stop that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  /** The screen must be drawn again, for instance because its size changed. */
  changed(): void {
    this.#version++;
    for (const listener of this.#listeners) listener();
  }
}

function matchesOf(text: string, timeline: Timeline): Matches {
  const parsed = parseFilter(text);
  const filter = parsed.ok ? parsed.filter : { text: "", terms: [] };
  const matches = new Matches(filter, timeline.store);
  matches.advance(FILTER_SLICE);
  return matches;
}
