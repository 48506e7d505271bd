import { decodeBase64 } from "./decode.js";
import { gunzip } from "./gzip.js";

/** The most a file may hold once it is unpacked. */
const CONTENT_MAX_BYTES = 16 * 1024 * 1024;

const BASE64 = new Set(["base64", "b64"]);
const GZIP = new Set(["gz", "gzip"]);
const GZIP_BASE64 = new Set(["gz+base64", "gzip+base64", "gz+b64", "gzip+b64"]);

/**
 * The bytes of a `write_files` entry (config/decode.go).
 *
 * @returns null when the encoding is none of the known ones or the content does not decode
 */
export function decodeContent(content: string, encoding: string): readonly number[] | null {
  if (encoding === "") return utf8(content);
  if (BASE64.has(encoding)) return decodeBase64(content);
  if (GZIP.has(encoding)) return gunzip(utf8(content), CONTENT_MAX_BYTES);
  if (!GZIP_BASE64.has(encoding)) return null;
  const packed = decodeBase64(content);
  return packed === null ? null : gunzip(packed, CONTENT_MAX_BYTES);
}

/** UTF-8 by hand: the core has no TextEncoder. Lone surrogates become U+FFFD. */
export function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    const code = point >= 0xd800 && point < 0xe000 ? 0xfffd : point;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if (code < 0x1_0000) {
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      bytes.push(
        0xf0 | (code >> 18),
        0x80 | ((code >> 12) & 0x3f),
        0x80 | ((code >> 6) & 0x3f),
        0x80 | (code & 0x3f),
      );
    }
  }
  return bytes;
}
