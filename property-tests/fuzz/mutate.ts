import { createGenerator, type Generator, nextBelow, pick } from "../../core/kernel/index.js";
import type { Corpus } from "./corpus.js";

/** Longest input, in characters. */
export const INPUT_MAX = 16 * 1024;

/** Input `number` of a target under a seed: the same whenever and wherever it is asked for. */
export function inputOf(corpus: Corpus, target: string, seed: number, number: number): string {
  const g = createGenerator(seed, `${target}:${number}`);
  let text = pick(g, corpus.seeds);
  // A few changes keep most of the grammar; many make rubbish, which is wanted now and then.
  const changes = nextBelow(g, 10) === 0 ? 20 : 1 + nextBelow(g, 4);
  for (let i = 0; i < changes; i++) text = change(g, text, corpus);
  return text.slice(0, INPUT_MAX);
}

function change(g: Generator, text: string, corpus: Corpus): string {
  const at = nextBelow(g, text.length + 1);
  switch (nextBelow(g, 12)) {
    case 0:
      return splice(text, at, 0, pick(g, corpus.words));
    case 1:
      return splice(text, at, 1 + nextBelow(g, 8), pick(g, corpus.words));
    case 2:
      return splice(text, at, 1 + nextBelow(g, 30), "");
    case 3:
      return splice(
        text,
        at,
        1,
        String.fromCharCode(nextBelow(g, nextBelow(g, 4) === 0 ? 65_536 : 256)),
      );
    case 4: {
      const other = pick(g, corpus.seeds);
      const from = nextBelow(g, other.length + 1);
      return splice(text, at, nextBelow(g, 40), other.slice(from, from + 1 + nextBelow(g, 200)));
    }
    case 5:
      return onLines(text, (lines, one) => lines.splice(one, 1), g);
    case 6:
      return onLines(
        text,
        (lines, one) => lines.splice(one, 0, lines[nextBelow(g, lines.length)] ?? ""),
        g,
      );
    case 7:
      return onLines(
        text,
        (lines, one) => {
          const other = nextBelow(g, lines.length);
          [lines[one], lines[other]] = [lines[other] ?? "", lines[one] ?? ""];
        },
        g,
      );
    case 8:
      // Deeper or shallower by two.
      return onLines(
        text,
        (lines, one) => {
          const line = lines[one] ?? "";
          lines[one] = nextBelow(g, 2) === 0 ? `  ${line}` : line.replace(/^ {1,2}/, "");
        },
        g,
      );
    case 9:
      // Another value for a key.
      return onLines(
        text,
        (lines, one) => {
          const key = /^[^=:]*[=:] ?/.exec(lines[one] ?? "")?.[0] ?? "";
          lines[one] = key + pick(g, corpus.words);
        },
        g,
      );
    case 10: {
      const piece = text.slice(at, at + 1 + nextBelow(g, 40));
      return splice(text, at, 0, piece.repeat(1 + nextBelow(g, 60)));
    }
    default:
      return nextBelow(g, 2) === 0 ? text.slice(0, at) : text.slice(at);
  }
}

function splice(text: string, at: number, drop: number, put: string): string {
  return text.slice(0, at) + put + text.slice(at + drop);
}

function onLines(text: string, edit: (lines: string[], one: number) => void, g: Generator): string {
  const lines = text.split("\n");
  edit(lines, nextBelow(g, lines.length));
  return lines.join("\n");
}

/**
 * A text of about `size` characters that holds a piece of `text` again and again: what takes more
 * than linear time shows when it is doubled.
 */
export function grown(text: string, g: Generator, size: number): string {
  const from = nextBelow(g, text.length + 1);
  const piece = text.slice(from, from + 1 + nextBelow(g, 120)) || "x";
  const until = nextBelow(g, 2) === 0 ? from : text.length;
  const middle = piece.repeat(Math.ceil(Math.max(1, size - text.length) / piece.length));
  return text.slice(0, from) + middle + text.slice(until);
}

/** The smallest part found of a text, by leaving out lines and then characters, that still fails. */
export function shrink(text: string, fails: (text: string) => boolean): string {
  let best = text;
  for (const separator of ["\n", ""]) {
    let parts = best.split(separator);
    for (let size = parts.length >> 1; size >= 1; size >>= 1) {
      for (let at = 0; at < parts.length; ) {
        const without = [...parts.slice(0, at), ...parts.slice(at + size)];
        if (without.length < parts.length && fails(without.join(separator))) parts = without;
        else at += size;
      }
    }
    best = parts.join(separator);
  }
  return best;
}
