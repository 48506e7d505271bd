import { type ByteText, decodeRune } from "../go/index.js";

/**
 * Go's `path.Match`: `*` and `?` do not cross `/`, `[lo-hi]` and `[^…]` are classes, `\` escapes.
 * A malformed pattern matches nothing, which is how fleet uses it; like Go, it is noticed only
 * where the match reaches it.
 */
export function globMatches(pattern: ByteText, name: ByteText): boolean {
  let rest = pattern;
  let target = name;
  while (rest.length > 0) {
    const { star, chunk, after } = nextChunk(rest);
    if (star && chunk === "") return !target.includes("/");
    const tail = matchChunk(chunk, target);
    if (tail === "malformed") return false;
    if (tail !== null && (tail.text === "" || after !== "")) {
      target = tail.text;
      rest = after;
      continue;
    }
    if (!star) return false;
    const skipped = matchAfterStar(chunk, target, after);
    if (skipped === null) return false;
    target = skipped;
    rest = after;
  }
  return target === "";
}

/** What is left of the target when the chunk matches somewhere after the star, or null. */
function matchAfterStar(chunk: ByteText, target: ByteText, after: ByteText): ByteText | null {
  for (let i = 0; i < target.length && target[i] !== "/"; i++) {
    const tail = matchChunk(chunk, target.slice(i + 1));
    if (tail === "malformed") return null;
    // The last chunk has to reach the end of the name.
    if (tail !== null && (after !== "" || tail.text === "")) return tail.text;
  }
  return null;
}

interface Chunk {
  readonly star: boolean;
  readonly chunk: ByteText;
  readonly after: ByteText;
}

/** Stars at the front, then everything up to the next star outside a class. */
function nextChunk(pattern: ByteText): Chunk {
  let start = 0;
  while (pattern[start] === "*") start++;
  let inClass = false;
  let end = start;
  for (; end < pattern.length; end++) {
    const character = pattern[end];
    if (character === "\\") end++;
    else if (character === "[") inClass = true;
    else if (character === "]") inClass = false;
    else if (character === "*" && !inClass) break;
  }
  return { star: start > 0, chunk: pattern.slice(start, end), after: pattern.slice(end) };
}

type Tail = { readonly text: ByteText } | null | "malformed";

/** The rest of the target after the chunk, null if it does not match. A star-free pattern. */
function matchChunk(chunk: ByteText, target: ByteText): Tail {
  let failed = false;
  let at = 0;
  let t = 0;
  while (at < chunk.length) {
    // Go goes on after a mismatch, only to find malformed patterns.
    if (!failed && t >= target.length) failed = true;
    switch (chunk[at]) {
      case "[": {
        const { rune, size } = failed ? { rune: 0, size: 0 } : decodeRune(target, t);
        const matched = matchClass(chunk, at + 1, rune);
        if (matched === null) return "malformed";
        t += size;
        if (!matched.matches) failed = true;
        at = matched.end;
        break;
      }
      case "?":
        if (!failed) {
          if (target[t] === "/") failed = true;
          t += decodeRune(target, t).size;
        }
        at++;
        break;
      case "\\":
        at++;
        if (at >= chunk.length) return "malformed";
        if (!failed && chunk[at] !== target[t]) failed = true;
        t++;
        at++;
        break;
      default:
        if (!failed && chunk[at] !== target[t]) failed = true;
        t++;
        at++;
    }
  }
  return failed ? null : { text: target.slice(t) };
}

/** Matches one rune against a class whose `[` is behind `start`; null when malformed. */
function matchClass(
  chunk: ByteText,
  start: number,
  rune: number,
): { readonly matches: boolean; readonly end: number } | null {
  let at = start;
  const negated = chunk[at] === "^";
  if (negated) at++;
  let matches = false;
  for (let ranges = 0; ; ranges++) {
    if (chunk[at] === "]" && ranges > 0) return { matches: matches !== negated, end: at + 1 };
    const low = classRune(chunk, at);
    if (low === null) return null;
    at = low.end;
    let high = low;
    if (chunk[at] === "-") {
      const bound = classRune(chunk, at + 1);
      if (bound === null) return null;
      high = bound;
      at = bound.end;
    }
    if (low.rune <= rune && rune <= high.rune) matches = true;
  }
}

function classRune(
  chunk: ByteText,
  start: number,
): { readonly rune: number; readonly end: number } | null {
  let at = start;
  if (at >= chunk.length || chunk[at] === "-" || chunk[at] === "]") return null;
  if (chunk[at] === "\\") {
    at++;
    if (at >= chunk.length) return null;
  }
  const { rune, size } = decodeRune(chunk, at);
  if (rune === 0xfffd && size === 1) return null;
  if (at + size >= chunk.length) return null;
  return { rune, end: at + size };
}
