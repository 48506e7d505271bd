import { createGenerator, type Generator, nextBelow, pick } from "../../core/kernel/index.js";
import type { Corpus } from "./corpus.js";

/** Longest input, in characters. */
export const INPUT_MAX = 16 * 1024;

/**
 * Input `number` of a target under a seed: the same whenever and wherever it is asked for.
 *
 * @param parent - what it is bred from; without one, the seed of the corpus that the number draws
 */
export function inputOf(
  corpus: Corpus,
  target: string,
  seed: number,
  number: number,
  parent?: string,
): string {
  const g = createGenerator(seed, `${target}:${number}`);
  const own = pick(g, corpus.seeds);
  let text = parent ?? own;
  // A few changes keep most of the grammar; many make rubbish, which is wanted now and then.
  const changes = nextBelow(g, 10) === 0 ? 20 : 1 + nextBelow(g, 4);
  for (let i = 0; i < changes; i++) text = pick(g, CHANGES)(text, g, corpus).slice(0, INPUT_MAX);
  return text;
}

type Change = (text: string, g: Generator, corpus: Corpus) => string;

/** Those that keep most of the grammar stand here more than once. */
const CHANGES: readonly Change[] = [
  insertWord,
  insertWord,
  replaceByWord,
  replaceByWord,
  (text, g) => splice(text, place(g, text), 1 + nextBelow(g, 30), ""),
  replaceCharacter,
  insertFromSeed,
  crossWithSeed,
  mergeSeeds,
  mergeSeeds,
  (text, g) => onLines(text, g, (lines, one) => lines.splice(one, 1 + nextBelow(g, 3))),
  copyLines,
  copyLines,
  swapLines,
  indent,
  otherValue,
  otherValue,
  otherValue,
  otherNumber,
  repeatPiece,
  repeatCharacter,
  nest,
  otherLineEnds,
  (text, g) => {
    const at = place(g, text);
    return nextBelow(g, 2) === 0 ? text.slice(0, at) : text.slice(at);
  },
];

const place = (g: Generator, text: string): number => nextBelow(g, text.length + 1);

/** How often something is repeated: mostly a few times, now and then very often. */
const times = (g: Generator, few: number, many: number): number =>
  1 + nextBelow(g, nextBelow(g, 30) === 0 ? many : few);

function splice(text: string, at: number, drop: number, put: string): string {
  return text.slice(0, at) + put + text.slice(at + drop);
}

function insertWord(text: string, g: Generator, { words }: Corpus): string {
  let put = pick(g, words);
  while (nextBelow(g, 4) === 0) put += pick(g, words);
  return splice(text, place(g, text), 0, put);
}

function replaceByWord(text: string, g: Generator, { words }: Corpus): string {
  return splice(text, place(g, text), 1 + nextBelow(g, 8), pick(g, words));
}

function replaceCharacter(text: string, g: Generator): string {
  const code = nextBelow(g, nextBelow(g, 4) === 0 ? 65_536 : 256);
  return splice(text, place(g, text), nextBelow(g, 2), String.fromCharCode(code));
}

function insertFromSeed(text: string, g: Generator, { seeds }: Corpus): string {
  const other = pick(g, seeds);
  const from = place(g, other);
  const put = other.slice(from, from + 1 + nextBelow(g, 200));
  return splice(text, place(g, text), nextBelow(g, 40), put);
}

/** The first lines of one and the last of the other. */
function crossWithSeed(text: string, g: Generator, { seeds }: Corpus): string {
  const head = text.split("\n");
  const tail = pick(g, seeds).split("\n");
  const lines = [
    ...head.slice(0, 1 + nextBelow(g, head.length)),
    ...tail.slice(nextBelow(g, tail.length)),
  ];
  return lines.join("\n");
}

/** What seeds that begin with a line of the text, such as a section's header, have below it. */
function mergeSeeds(text: string, g: Generator, { seeds }: Corpus): string {
  const kin = families(seeds);
  const heads = text.split("\n").filter((line) => kin.has(line));
  if (heads.length === 0) return text;
  const head = pick(g, heads);
  const bodies: string[] = [];
  for (let i = times(g, 4, 12); i > 0; i--) bodies.push(pick(g, kin.get(head) ?? [""]));
  return splice(text, text.indexOf(`${head}\n`) + head.length + 1, 0, bodies.join(""));
}

/** What follows the first line of each seed, by that line. */
function families(seeds: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const known = FAMILIES.get(seeds);
  if (known !== undefined) return known;
  const kin = new Map<string, string[]>();
  for (const seed of seeds) {
    const end = seed.indexOf("\n");
    if (end <= 0 || end === seed.length - 1) continue;
    const of = kin.get(seed.slice(0, end)) ?? [];
    of.push(seed.slice(end + 1));
    kin.set(seed.slice(0, end), of);
  }
  FAMILIES.set(seeds, kin);
  return kin;
}

const FAMILIES = new WeakMap<readonly string[], ReadonlyMap<string, readonly string[]>>();

function copyLines(text: string, g: Generator): string {
  return onLines(text, g, (lines, one) => {
    const from = nextBelow(g, lines.length);
    const copied = lines.slice(from, from + 1 + nextBelow(g, 4));
    for (let i = times(g, 2, 50); i > 0; i--) lines.splice(one, 0, ...copied);
  });
}

function swapLines(text: string, g: Generator): string {
  return onLines(text, g, (lines, one) => {
    const other = nextBelow(g, lines.length);
    [lines[one], lines[other]] = [lines[other] ?? "", lines[one] ?? ""];
  });
}

/** Deeper or shallower by two. */
function indent(text: string, g: Generator): string {
  return onLines(text, g, (lines, one) => {
    const line = lines[one] ?? "";
    lines[one] = nextBelow(g, 2) === 0 ? `  ${line}` : line.replace(/^ {1,2}/, "");
  });
}

/** Another value for a key. */
function otherValue(text: string, g: Generator, { words }: Corpus): string {
  return onLines(text, g, (lines, one) => {
    const key = /^[^=:]*[=:] ?/.exec(lines[one] ?? "")?.[0] ?? "";
    lines[one] = key + pick(g, words);
  });
}

const NUMBERS = [
  "0",
  "-0",
  "-1",
  "00",
  "07777777777777777777777",
  "2147483648",
  "4294967296",
  "9007199254740993",
  "9223372036854775808",
  "18446744073709551616",
  "1e308",
  "1e309",
  "5e-324",
  "0.1e-99999",
  "9".repeat(400),
  `0.${"3".repeat(400)}`,
];

function otherNumber(text: string, g: Generator): string {
  const from = place(g, text);
  const found = /[0-9]+/.exec(text.slice(from));
  if (found === null) return splice(text, from, 0, pick(g, NUMBERS));
  return splice(text, from + found.index, found[0].length, pick(g, NUMBERS));
}

function repeatPiece(text: string, g: Generator): string {
  const at = place(g, text);
  const piece = text.slice(at, at + 1 + nextBelow(g, 40));
  return splice(text, at, 0, piece.repeat(times(g, 6, 100)));
}

function repeatCharacter(text: string, g: Generator): string {
  const at = place(g, text);
  return splice(text, at, 0, (text.charAt(at) || " ").repeat(times(g, 40, 5_000)));
}

/** What opens and closes, in any of the formats. */
export const NESTS: readonly (readonly [string, string])[] = [
  ["[", "]"],
  ["{", "}"],
  ["[{", "}]"],
  ["{a: ", "}"],
  ['{"a":', "}"],
  ['[{"options":', "}]"],
  ["- ", ""],
  ["? ", ""],
  ["- - &a [", "]"],
  ["(", ")"],
  ['"', '"'],
  ["'", "'"],
  ["!!str ", ""],
  ["%i", "%%"],
  ["\\", "\n"],
];

function nest(text: string, g: Generator): string {
  const [open, close] = pick(g, NESTS);
  const depth = times(g, 12, 3_000);
  const shut = nextBelow(g, 3) === 0 ? "" : close.repeat(depth);
  const at = place(g, text);
  const inside = text.slice(at, at + nextBelow(g, 10));
  return splice(text, at, inside.length, open.repeat(depth) + inside + shut);
}

function otherLineEnds(text: string, g: Generator): string {
  const end = pick(g, ["\r\n", "\r", "\n\r", "\n\n", "\\\n", " \n", "\0\n", "\u2028", "\u0085"]);
  if (nextBelow(g, 4) === 0) return `\ufeff${text}`;
  if (nextBelow(g, 2) === 0) return text.replaceAll("\n", end);
  const at = text.indexOf("\n", place(g, text));
  return at < 0 ? text + end : splice(text, at, 1, end);
}

function onLines(text: string, g: Generator, edit: (lines: string[], one: number) => void): string {
  const lines = text.split("\n");
  edit(lines, nextBelow(g, lines.length));
  return lines.join("\n");
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
