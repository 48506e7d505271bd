import { Duplex } from "node:stream";

/**
 * Go's gRPC client of etcd 3.4, told an endpoint with a scheme, sends `:authority: http://host:port`
 * for some calls (`etcdctl endpoint status`). Node's HTTP/2 refuses a slash there with PROTOCOL_ERROR,
 * and has no option to let it pass. So the slashes become full stops on the way in: both have six bits in HPACK's
 * Huffman code and one byte without it, so that no length and no later reference changes.
 * Sources: RFC 9113 sections 4.1 and 6.2, RFC 7541 sections 5.1, 5.2 and 6 and appendix B.
 */
export class AuthorityRewriter {
  /** What has come and is not yet a whole frame. */
  #rest: Buffer = Buffer.alloc(0);
  #preface = 24;
  /** Payload of a DATA frame, or of another that is of no interest, still to be let through. */
  #through = 0;

  /** What may go on, of all that has come so far; the rest is kept until more has come. */
  pass(chunk: Buffer): Buffer {
    let input = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const out: Buffer[] = [];
    const take = (length: number): void => {
      out.push(input.subarray(0, length));
      input = input.subarray(length);
    };
    while (input.length > 0) {
      if (this.#preface > 0) {
        const length = Math.min(this.#preface, input.length);
        this.#preface -= length;
        take(length);
        continue;
      }
      if (this.#through > 0) {
        const length = Math.min(this.#through, input.length);
        this.#through -= length;
        take(length);
        continue;
      }
      if (input.length < FRAME_HEADER) break;
      const size = input.readUIntBE(0, 3);
      const type = input[3];
      // A block that goes on in CONTINUATION frames is longer than any that a client of etcd sends.
      if (type !== HEADERS || size > FRAME_MAX) {
        this.#through = size;
        take(FRAME_HEADER);
        continue;
      }
      if (input.length < FRAME_HEADER + size) break;
      const frame = Buffer.from(input.subarray(0, FRAME_HEADER + size));
      input = input.subarray(FRAME_HEADER + size);
      rewriteHeaders(frame);
      out.push(frame);
    }
    this.#rest = Buffer.from(input);
    return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
  }
}

const FRAME_HEADER = 9;
const HEADERS = 1;
/** Largest frame that HTTP/2 allows unless the server says otherwise. */
const FRAME_MAX = 16_384;

const PADDED = 0x8;
const PRIORITY = 0x20;

/** The static table's `:authority`. */
const AUTHORITY = 1;

function rewriteHeaders(frame: Buffer): void {
  const flags = frame[4] ?? 0;
  let at = FRAME_HEADER;
  let end = frame.length;
  if ((flags & PADDED) !== 0) {
    end -= frame[at] ?? 0;
    at += 1;
  }
  if ((flags & PRIORITY) !== 0) at += 5;
  const block = new Block(frame, at, end);
  while (!block.done) {
    const first = block.byte;
    if ((first & 0x80) !== 0) {
      block.integer(7);
    } else if ((first & 0xe0) === 0x20) {
      block.integer(5);
    } else {
      const name = block.integer((first & 0x40) !== 0 ? 6 : 4);
      if (name === 0) block.text();
      const value = block.text();
      if (name === AUTHORITY && value !== null) hideSlashes(frame, value);
    }
  }
}

interface Text {
  readonly start: number;
  readonly end: number;
  readonly huffman: boolean;
}

/** Walks a header block. What does not make sense ends the walk; HTTP/2 itself will say so. */
class Block {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  get byte(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.byte & mask;
    this.#at++;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21 && !this.done; shift += 7) {
      const { byte } = this;
      this.#at++;
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    this.#at = this.#end;
    return 0;
  }

  text(): Text | null {
    const huffman = (this.byte & 0x80) !== 0;
    const length = this.integer(7);
    const start = this.#at;
    this.#at += length;
    return this.#at > this.#end ? null : { start, end: this.#at, huffman };
  }
}

function hideSlashes(frame: Buffer, { start, end, huffman }: Text): void {
  if (!huffman) {
    for (let at = start; at < end; at++) if (frame[at] === SLASH) frame[at] = FULL_STOP;
    return;
  }
  let bit = start * 8;
  while (bit < end * 8) {
    const length = codeLength(frame, bit, end * 8);
    if (length === 6 && bitsAt(frame, bit, 6) === SLASH_CODE) {
      // 011000 becomes 010111.
      for (let i = 0; i < 6; i++) setBit(frame, bit + i, (FULL_STOP_CODE >> (5 - i)) & 1);
    }
    bit += length;
  }
}

const SLASH = 0x2f;
const FULL_STOP = 0x2e;
const SLASH_CODE = 0b011000;
const FULL_STOP_CODE = 0b010111;

/**
 * Length of the code that begins at a bit. Codes are canonical, so it follows from the next bits alone.
 * Those longer than eight stand for nothing that a host has: they, and the padding, end the walk.
 */
function codeLength(frame: Buffer, bit: number, end: number): number {
  const next = bitsAt(frame, bit, Math.min(8, end - bit)) << Math.max(0, 8 - (end - bit));
  if (next < 0b01010000) return 5;
  if (next < 0b10111000) return 6;
  if (next < 0b11111000) return 7;
  return next < 0b11111110 ? 8 : end;
}

function bitsAt(frame: Buffer, bit: number, count: number): number {
  let value = 0;
  for (let i = bit; i < bit + count; i++) {
    value = (value << 1) | (((frame[i >> 3] ?? 0) >> (7 - (i & 7))) & 1);
  }
  return value;
}

function setBit(frame: Buffer, bit: number, value: number): void {
  const mask = 1 << (7 - (bit & 7));
  const byte = frame[bit >> 3] ?? 0;
  frame[bit >> 3] = value === 1 ? byte | mask : byte & ~mask;
}

/** A client's connection, with what it says put right. What it hears passes as it is. */
export function withAuthority(socket: Duplex, begun: Buffer): Duplex {
  const rewriter = new AuthorityRewriter();
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, encoding, done) => {
      if (socket.write(chunk, encoding)) done();
      else socket.once("drain", done);
    },
    final: (done) => {
      socket.end(done);
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  const give = (chunk: Buffer): void => {
    const ready = rewriter.pass(chunk);
    if (ready.length > 0 && !duplex.push(ready)) socket.pause();
  };
  socket.on("data", give);
  socket.on("end", () => duplex.push(null));
  socket.on("close", () => duplex.destroy());
  socket.on("error", (error) => duplex.destroy(error));
  give(begun);
  return duplex;
}
