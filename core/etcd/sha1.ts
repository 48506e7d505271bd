/**
 * SHA-1 of a byte string (one character, 0 to 255, for each byte), as 40 hex digits. etcd derives the
 * ids of members and clusters from it (FIPS 180-4; not for anything that needs to be secure).
 */
export function sha1Hex(bytes: string): string {
  const words = pad(bytes);
  const state = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0];
  for (let block = 0; block < words.length; block += 16) {
    compress(state, words.slice(block, block + 16));
  }
  return state.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function pad(bytes: string): number[] {
  const blocks = Math.floor((bytes.length + 8) / 64) + 1;
  const words = new Array<number>(blocks * 16).fill(0);
  const put = (at: number, byte: number): void => {
    words[at >> 2] = (words[at >> 2] ?? 0) | (byte << (24 - (at % 4) * 8));
  };
  for (let i = 0; i < bytes.length; i++) put(i, bytes.charCodeAt(i) & 0xff);
  put(bytes.length, 0x80);
  words[blocks * 16 - 2] = Math.floor(bytes.length / 0x2000_0000);
  words[blocks * 16 - 1] = bytes.length << 3;
  return words;
}

function compress(state: number[], block: readonly number[]): void {
  const w = [...block];
  for (let i = 16; i < 80; i++) {
    const mixed = at(w, i - 3) ^ at(w, i - 8) ^ at(w, i - 14) ^ at(w, i - 16);
    w.push(rotate(mixed, 1));
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0] = state;
  for (let i = 0; i < 80; i++) {
    const next = (rotate(a, 5) + choose(i, b, c, d) + e + at(w, i)) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  state[0] = (at(state, 0) + a) | 0;
  state[1] = (at(state, 1) + b) | 0;
  state[2] = (at(state, 2) + c) | 0;
  state[3] = (at(state, 3) + d) | 0;
  state[4] = (at(state, 4) + e) | 0;
}

function choose(round: number, b: number, c: number, d: number): number {
  if (round < 20) return (((b & c) | (~b & d)) + 0x5a827999) | 0;
  if (round < 40) return ((b ^ c ^ d) + 0x6ed9eba1) | 0;
  if (round < 60) return (((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc) | 0;
  return ((b ^ c ^ d) + 0xca62c1d6) | 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function at(words: readonly number[], index: number): number {
  return words[index] ?? 0;
}
