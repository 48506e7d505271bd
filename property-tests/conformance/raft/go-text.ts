/** A text in double quotes as Go's `%q` writes it. */
export function goQuote(text: string): string {
  let quoted = '"';
  for (const char of text) quoted += quoteChar(char);
  return `${quoted}"`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

function quoteChar(char: string): string {
  const short = ESCAPES[char];
  if (short !== undefined) return short;
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x80 || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char)) return char;
  if (code < 0x1_0000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/** What Go's strconv.ParseBool makes of a text, or its error. */
export function goParseBool(text: string): boolean | Error {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  return new Error(`strconv.ParseBool: parsing ${goQuote(text)}: invalid syntax`);
}

/** What Go's strconv.ParseUint makes of a decimal text, or its error. */
export function goParseUint(text: string): number | Error {
  const problem = (why: string) => new Error(`strconv.ParseUint: parsing ${goQuote(text)}: ${why}`);
  if (!/^[0-9]+$/.test(text)) return problem("invalid syntax");
  if (BigInt(text) > 0xffff_ffff_ffff_ffffn) return problem("value out of range");
  return Number(text);
}
