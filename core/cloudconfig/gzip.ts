/**
 * Reads gzip (RFC 1952) with DEFLATE (RFC 1951), bytes in and bytes out.
 *
 * @param limit - the most bytes to produce
 * @returns null when the bytes are not a whole, intact gzip stream or hold more than `limit`
 */
export function gunzip(bytes: readonly number[], limit: number): number[] | null {
  const output: number[] = [];
  // Streams may follow one another.
  for (let at = 0; at < bytes.length || at === 0; ) {
    const start = headerEnd(bytes, at);
    if (start === null) return null;
    const input = new BitReader(bytes, start);
    const stream: number[] = [];
    if (!inflate(input, stream, limit - output.length)) return null;
    const trailer = input.rest();
    const crc = word(bytes, trailer);
    const size = word(bytes, trailer + 4);
    if (crc === null || size === null) return null;
    if (crc !== crc32(stream) || size !== stream.length >>> 0) return null;
    for (const byte of stream) output.push(byte);
    at = trailer + 8;
  }
  return output;
}

/** Where the header that begins at `from` ends. */
function headerEnd(bytes: readonly number[], from: number): number | null {
  if (bytes[from] !== 0x1f || bytes[from + 1] !== 0x8b || bytes[from + 2] !== 8) return null;
  if (bytes.length - from < 18) return null;
  const flags = bytes[from + 3] ?? 0;
  let at = from + 10;
  if (flags & 4) at += 2 + (bytes[from + 10] ?? 0) + (bytes[from + 11] ?? 0) * 256;
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return null;
    at = end + 1;
  }
  if (flags & 2) at += 2;
  return at < bytes.length ? at : null;
}

function word(bytes: readonly number[], at: number): number | null {
  if (at + 4 > bytes.length) return null;
  let value = 0;
  for (let i = 3; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

function crc32(bytes: readonly number[]): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}

/** The remainder of each byte. */
const CRC_TABLE: readonly number[] = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  return crc;
});

/** Bits of a byte string, the lowest first; -1 at its end. */
class BitReader {
  readonly #bytes: readonly number[];
  #at: number;
  #bit = 0;

  constructor(bytes: readonly number[], at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  bit(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return -1;
    const bit = (byte >> this.#bit) & 1;
    this.#bit = (this.#bit + 1) & 7;
    if (this.#bit === 0) this.#at++;
    return bit;
  }

  bits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const bit = this.bit();
      if (bit < 0) return -1;
      value |= bit << i;
    }
    return value;
  }

  /** Skips to a whole byte; the index of the next one. */
  rest(): number {
    if (this.#bit !== 0) {
      this.#bit = 0;
      this.#at++;
    }
    return this.#at;
  }
}

interface Huffman {
  /** How many codes have each length, and the symbols in the order of their codes. */
  readonly counts: readonly number[];
  readonly symbols: readonly number[];
}

function huffman(lengths: readonly number[]): Huffman {
  const counts = new Array<number>(16).fill(0);
  for (const length of lengths) counts[length] = (counts[length] ?? 0) + 1;
  const symbols: number[] = [];
  for (let length = 1; length < 16; length++) {
    lengths.forEach((candidate, symbol) => {
      if (candidate === length) symbols.push(symbol);
    });
  }
  return { counts, symbols };
}

function symbol(input: BitReader, code: Huffman): number {
  let value = 0;
  let first = 0;
  let index = 0;
  for (let length = 1; length < 16; length++) {
    const bit = input.bit();
    if (bit < 0) return -1;
    value |= bit;
    const count = code.counts[length] ?? 0;
    if (value - first < count) return code.symbols[index + value - first] ?? -1;
    index += count;
    first = (first + count) << 1;
    value <<= 1;
  }
  return -1;
}

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const LENGTH_EXTRA = [
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049,
  3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
const CODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const FIXED_LENGTHS = Array.from({ length: 288 }, (_, i) =>
  i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8,
);

function inflate(input: BitReader, output: number[], limit: number): boolean {
  for (;;) {
    const last = input.bit();
    const type = input.bits(2);
    const whole =
      type === 0
        ? stored(input, output)
        : type === 1
          ? block(input, output, huffman(FIXED_LENGTHS), huffman(new Array(30).fill(5)), limit)
          : type === 2
            ? dynamic(input, output, limit)
            : false;
    if (!whole || output.length > limit) return false;
    if (last === 1) return true;
  }
}

function stored(input: BitReader, output: number[]): boolean {
  input.rest();
  const length = input.bits(16);
  const inverse = input.bits(16);
  if (length < 0 || inverse !== (~length & 0xffff)) return false;
  for (let i = 0; i < length; i++) {
    const byte = input.bits(8);
    if (byte < 0) return false;
    output.push(byte);
  }
  return true;
}

function dynamic(input: BitReader, output: number[], limit: number): boolean {
  const literals = input.bits(5) + 257;
  const distances = input.bits(5) + 1;
  const codes = input.bits(4) + 4;
  const codeLengths = new Array<number>(19).fill(0);
  for (let i = 0; i < codes; i++) {
    const length = input.bits(3);
    if (length < 0) return false;
    codeLengths[CODE_ORDER[i] ?? 0] = length;
  }
  const code = huffman(codeLengths);
  const lengths: number[] = [];
  while (lengths.length < literals + distances) {
    const next = symbol(input, code);
    if (next < 0) return false;
    if (next < 16) lengths.push(next);
    else if (!repeat(input, lengths, next)) return false;
  }
  if (lengths.length !== literals + distances) return false;
  return block(
    input,
    output,
    huffman(lengths.slice(0, literals)),
    huffman(lengths.slice(literals)),
    limit,
  );
}

function repeat(input: BitReader, lengths: number[], code: number): boolean {
  const value = code === 16 ? lengths.at(-1) : 0;
  const more = input.bits(code === 16 ? 2 : code === 17 ? 3 : 7);
  if (value === undefined || more < 0) return false;
  const times = more + (code === 18 ? 11 : 3);
  for (let i = 0; i < times; i++) lengths.push(value);
  return true;
}

function block(
  input: BitReader,
  output: number[],
  literals: Huffman,
  distances: Huffman,
  limit: number,
): boolean {
  while (output.length <= limit) {
    const next = symbol(input, literals);
    if (next < 0) return false;
    if (next === 256) return true;
    if (next < 256) {
      output.push(next);
      continue;
    }
    const base = LENGTH_BASE[next - 257];
    const lengthExtra = input.bits(LENGTH_EXTRA[next - 257] ?? 0);
    const code = symbol(input, distances);
    const distanceBase = DISTANCE_BASE[code];
    if (base === undefined || distanceBase === undefined || lengthExtra < 0) return false;
    const distanceExtra = input.bits(code < 2 ? 0 : (code >> 1) - 1);
    const distance = distanceBase + distanceExtra;
    if (distanceExtra < 0 || distance > output.length) return false;
    for (let i = 0; i < base + lengthExtra; i++) {
      output.push(output[output.length - distance] ?? 0);
    }
  }
  return false;
}
