import { DIAGNOSTIC_CODES, type Diagnostic } from "../../core/kernel/index.js";

/** The answer is not one of those that are promised. */
export class BrokenPromise extends Error {}

/** @throws BrokenPromise unless it holds */
export function promise(holds: boolean, what: string): asserts holds {
  if (!holds) throw new BrokenPromise(what);
}

/** What diagnostics promise: codes of the catalogue, places in the text, words. */
export function checkDiagnostics(
  diagnostics: readonly Diagnostic[],
  text: string,
  failed: boolean,
): void {
  const lines = text.split(/\r\n|\r|\n|\u0085|\u2028|\u2029/).length;
  promise(
    !failed || diagnostics.some(({ severity }) => severity === "error"),
    "a refusal has an error",
  );
  for (const { code, position, found, expected } of diagnostics) {
    promise(Object.hasOwn(DIAGNOSTIC_CODES, code), `${code} is in the catalogue`);
    promise(position.line >= 1 && position.line <= lines + 1, `line ${position.line} of ${lines}`);
    promise(position.column >= 1, `column ${position.column}`);
    promise(found !== "" && expected !== "", `${code} says what was found and expected`);
  }
}

/**
 * A message without what it quotes of the input: its first words, as a trait of the answer. What
 * stays is bounded in number by what the parser can say.
 */
export function gist(message: string): string {
  const words = message
    .slice(0, 120)
    .replace(/["'`:].*$/s, "")
    .match(/[A-Za-z_]{2,}/g);
  return words?.slice(0, 7).join(" ") ?? "";
}

/** A number as a trait: which power of two it reaches. */
export const size = (of: string, count: number): string => `${of} ${32 - Math.clz32(count)}`;
