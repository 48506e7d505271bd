/**
 * A deterministic generator of 32-bit integers (sfc32, Chris Doty-Humphrey's "small fast chaotic",
 * 128 bits of state, period at least 2^32 from any seed). Its state is plain data, so it can be
 * part of a machine's state.
 */
export interface Generator {
  a: number;
  b: number;
  c: number;
  counter: number;
}

/**
 * A generator for one named stream of a seed.
 *
 * Streams of one seed, and one stream under neighbouring seeds, are unrelated: seed and name go
 * through a mixing hash and the first draws are discarded. Adding a stream leaves the others alone.
 *
 * @param seed - a safe integer; all 53 bits count
 */
export function createGenerator(seed: number, stream: string): Generator {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be a safe integer: ${seed}`);
  let low = mix32(seed >>> 0);
  let high = mix32((Math.floor(seed / 0x1_0000_0000) ^ 0x9e37_79b9) >>> 0);
  for (let i = 0; i < stream.length; i++) {
    low = mix32(low ^ stream.charCodeAt(i));
    high = mix32((high + low + 0x7f4a_7c15) >>> 0);
  }
  const generator: Generator = { a: low | 0, b: high | 0, c: mix32(low ^ high) | 0, counter: 1 };
  for (let i = 0; i < 12; i++) nextUint32(generator);
  return generator;
}

/** murmur3's finaliser: a bijection of 32-bit integers in which every input bit reaches every output bit. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The next integer in [0, 2^32). */
export function nextUint32(g: Generator): number {
  const t = (((g.a + g.b) | 0) + g.counter) | 0;
  g.counter = (g.counter + 1) | 0;
  g.a = g.b ^ (g.b >>> 9);
  g.b = (g.c + (g.c << 3)) | 0;
  g.c = ((g.c << 21) | (g.c >>> 11)) + t;
  g.c |= 0;
  return t >>> 0;
}

/** An integer in [0, bound). `bound` is at most 2^32; the bias is below bound / 2^32. */
export function nextBelow(g: Generator, bound: number): number {
  if (bound <= 0 || bound > 0x1_0000_0000) throw new RangeError(`bound out of range: ${bound}`);
  return Math.floor((nextUint32(g) * bound) / 0x1_0000_0000);
}

/** An integer in [low, high], both included. */
export function nextBetween(g: Generator, low: number, high: number): number {
  return low + nextBelow(g, high - low + 1);
}

/** True `partsPerMillion` times in a million. Draws nothing for 0 and for 1,000,000. */
export function chance(g: Generator, partsPerMillion: number): boolean {
  if (partsPerMillion <= 0) return false;
  if (partsPerMillion >= 1_000_000) return true;
  return nextBelow(g, 1_000_000) < partsPerMillion;
}

/** One item of a non-empty list. */
export function pick<T>(g: Generator, items: readonly T[]): T {
  const item = items[nextBelow(g, items.length)];
  if (item === undefined) throw new RangeError("nothing to pick from");
  return item;
}

/** A permutation of 0 … count-1 (Fisher-Yates). */
export function permutation(g: Generator, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = nextBelow(g, i + 1);
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}
