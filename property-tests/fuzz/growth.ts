import { createGenerator, type Generator, nextBelow, pick } from "../../core/kernel/index.js";
import { NESTS } from "./mutate.js";

/** A text that grows: asked for a size, it is about so many characters long. */
export type Growing = (sizeChars: number) => string;

/**
 * How the texts of a growth probe are made from one text: it holds, somewhere, more and more of the
 * same. What takes more than linear time shows when that is doubled.
 */
export function growing(text: string, seed: number, stream: string): Growing {
  const shape = pick(createGenerator(seed, stream), SHAPES);
  return (sizeChars) => {
    // Every size draws the same, so that only the number of repetitions differs.
    const g = createGenerator(seed, `${stream}:shape`);
    const { head, piece, tail } = shape(text, g);
    const pieces: string[] = [];
    for (let length = head.length; length < sizeChars || pieces.length === 0; ) {
      const next = piece(pieces.length);
      pieces.push(next);
      length += Math.max(1, next.length);
    }
    return head + pieces.join("") + tail(pieces.length);
  };
}

interface Shape {
  readonly head: string;
  readonly piece: (index: number) => string;
  readonly tail: (pieces: number) => string;
}

const SHAPES: readonly ((text: string, g: Generator) => Shape)[] = [
  repeatedPiece,
  repeatedLines,
  numberedLines,
  numberedLines,
  nested,
];

/** Any piece again and again, from one character on. */
function repeatedPiece(text: string, g: Generator): Shape {
  const from = nextBelow(g, text.length + 1);
  const length = 1 + nextBelow(g, nextBelow(g, 2) === 0 ? 4 : 120);
  const piece = text.slice(from, from + length) || "x";
  const tail = nextBelow(g, 2) === 0 ? text.slice(from) : "";
  return { head: text.slice(0, from), piece: () => piece, tail: () => tail };
}

/** Whole lines again and again: a key given many times. */
function repeatedLines(text: string, g: Generator): Shape {
  const { head, lines, tail } = someLines(text, g);
  return { head, piece: () => lines, tail: () => tail };
}

/** Whole lines again and again, each time with another number in them: many keys, many names. */
function numberedLines(text: string, g: Generator): Shape {
  const { head, lines, tail } = someLines(text, g);
  const words = [...lines.matchAll(/[A-Za-z0-9]+/g)];
  const word = words[nextBelow(g, Math.max(1, words.length))];
  const at = word === undefined ? 0 : word.index + word[0].length;
  const piece = (index: number): string => lines.slice(0, at) + index + lines.slice(at);
  return { head, piece, tail: () => tail };
}

/** Deeper and deeper. */
function nested(text: string, g: Generator): Shape {
  const from = nextBelow(g, text.length + 1);
  const [open, close] = pick(g, NESTS);
  const shut = nextBelow(g, 2) === 0 ? close : "";
  const tail = (pieces: number): string => shut.repeat(pieces) + text.slice(from);
  return { head: text.slice(0, from), piece: () => open, tail };
}

function someLines(text: string, g: Generator): { head: string; lines: string; tail: string } {
  const all = text.split("\n");
  const from = nextBelow(g, all.length);
  const until = from + 1 + (nextBelow(g, 3) === 0 ? nextBelow(g, 4) : 0);
  const join = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
  return {
    head: join(all.slice(0, from)),
    lines: join(all.slice(from, until)),
    tail: nextBelow(g, 2) === 0 ? join(all.slice(until)) : "",
  };
}

/** What a text is grown to at first; what is too quick at one size to be judged by it is grown to the next. */
const SIZES = [8 * 1024, 32 * 1024, 128 * 1024];
/** Less is lost in the clock, ms. */
const LONG_ENOUGH_MS = 8;
/** A doubling takes so many times as long where it counts: 2 is linear, 4 quadratic. */
const STEEP = 2.6;
/**
 * Doublings in a row that must be steep. Where memory comes to be short of the caches, or young
 * objects live to be old, two or three of a linear time are.
 */
const DOUBLINGS = 4;
/** A text that takes so long needs no more doublings, ms. */
const ENOUGH_MS = 10_000;

/**
 * What the time that `timeMs` takes for texts says of it: null when it grows about as they do, else
 * what was measured. Only what looks bad at first sight is measured with care.
 */
export function superlinear(text: Growing, timeMs: (text: string) => number): string | null {
  for (const size of SIZES) {
    const first = timeMs(text(size));
    if (first < LONG_ENOUGH_MS) continue;
    // The first run also warms up; what is faster for it is not taken for steep.
    if (timeMs(text(size * 4)) < STEEP ** 2 * Math.min(first, timeMs(text(size)))) return null;
    return steepFrom(size, text, timeMs);
  }
  return null;
}

/** Each size is timed three times: nothing makes a text take less than it does. */
function steepFrom(from: number, text: Growing, timeMs: (text: string) => number): string | null {
  const shown: string[] = [];
  let before = 0;
  for (let size = from; size <= from * 2 ** DOUBLINGS && before < ENOUGH_MS; size *= 2) {
    const input = text(size);
    const ms = Math.min(timeMs(input), timeMs(input), timeMs(input));
    if (ms < before * STEEP) return null;
    before = Math.max(ms, 1);
    shown.push(`${size / 1024} KiB ${ms.toFixed(1)} ms`);
  }
  return `time grows faster than the text: ${shown.join(", ")}`;
}
