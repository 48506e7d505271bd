import { readSync } from "node:fs";

/** Longest line a reader takes, in bytes: a header with a large scenario in it. */
export const LINE_BYTES_MAX = 64 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const NEWLINE = 0x0a;

/** Lines of a file from an offset on, a byte to a character, without their newlines. */
export class LineReader {
  readonly #descriptor: number;
  #buffer = Buffer.allocUnsafe(READ_BYTES);
  /** The stretch of the buffer not yet given out. */
  #from = 0;
  #until = 0;
  /** File offset of `#buffer[#until]`. */
  #filled: number;

  constructor(descriptor: number, offset: number) {
    this.#descriptor = descriptor;
    this.#filled = offset;
  }

  /** File offset of the next line. */
  get offset(): number {
    return this.#filled - (this.#until - this.#from);
  }

  /** What follows the last newline, once `next` has answered null. */
  get tail(): string {
    return this.#buffer.toString("latin1", this.#from, this.#until);
  }

  /** The next line; null when there is no newline any more, or none within `LINE_BYTES_MAX`. */
  next(): string | null {
    let searched = this.#from;
    for (;;) {
      const end = this.#buffer.subarray(0, this.#until).indexOf(NEWLINE, searched);
      if (end >= 0) {
        const line = this.#buffer.toString("latin1", this.#from, end);
        this.#from = end + 1;
        return line;
      }
      const behind = this.#until - this.#from;
      if (behind > LINE_BYTES_MAX || !this.#fill()) return null;
      searched = this.#from + behind;
    }
  }

  #fill(): boolean {
    if (this.#from > 0) {
      this.#buffer.copyWithin(0, this.#from, this.#until);
      this.#until -= this.#from;
      this.#from = 0;
    }
    if (this.#buffer.length - this.#until < READ_BYTES / 2) {
      const larger = Buffer.allocUnsafe(this.#buffer.length * 2);
      this.#buffer.copy(larger, 0, 0, this.#until);
      this.#buffer = larger;
    }
    const space = this.#buffer.length - this.#until;
    const count = readSync(this.#descriptor, this.#buffer, this.#until, space, this.#filled);
    this.#until += count;
    this.#filled += count;
    return count > 0;
  }
}
