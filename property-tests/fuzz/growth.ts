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
/** A doubling may take so many times as long, twice in a row, before it counts: 2 is linear, 4 quadratic. */
const FACTOR_MAX = 2.8;

/**
 * What the time that `timeMs` takes for texts says of it: null when it grows about as they do, else
 * what was measured. Only what looks bad at first sight is measured with care.
 */
export function superlinear(text: Growing, timeMs: (text: string) => number): string | null {
  for (const size of SIZES) {
    const first = timeMs(text(size));
    if (first < LONG_ENOUGH_MS) continue;
    // The first run also warms up; what is faster for it is not taken for steep.
    if (timeMs(text(size * 4)) / Math.min(first, timeMs(text(size))) < FACTOR_MAX ** 2) return null;
    const times = [size, size * 2, size * 4].map((each) => {
      const input = text(each);
      return { each, ms: Math.min(...[1, 2, 3].map(() => timeMs(input))) };
    });
    const steep = times.slice(1).every(({ ms }, i) => ms > FACTOR_MAX * (times[i]?.ms ?? 0));
    if (!steep || (times[0]?.ms ?? 0) < LONG_ENOUGH_MS / 2) return null;
    const shown = times.map(({ each, ms }) => `${each / 1024} KiB ${ms.toFixed(1)} ms`);
    return `time grows faster than the text: ${shown.join(", ")}`;
  }
  return null;
}
