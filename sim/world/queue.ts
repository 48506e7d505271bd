/**
 * The event queue: a binary min-heap over typed arrays, ordered by (time, seq), so that events of
 * one instant come out in the order they went in. Payloads are the caller's; the queue hands out
 * dense slot numbers that stay valid until the event is popped.
 */
export class EventQueue {
  #time: Float64Array;
  #seq: Float64Array;
  #heap: Int32Array;
  #free: Int32Array;
  #freeCount: number;
  #size = 0;
  #next = 0;

  /** @param capacity - events held before the arrays grow (they double) */
  constructor(capacity = 1024) {
    this.#time = new Float64Array(capacity);
    this.#seq = new Float64Array(capacity);
    this.#heap = new Int32Array(capacity);
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#freeCount = capacity;
  }

  /** Events waiting. */
  get size(): number {
    return this.#size;
  }

  /** Adds an event due at `time` and returns its slot. */
  push(time: number): number {
    if (this.#freeCount === 0) this.#grow();
    const slot = this.#free[--this.#freeCount] as number;
    this.#time[slot] = time;
    this.#seq[slot] = this.#next++;
    this.#siftUp(this.#size++, slot);
    return slot;
  }

  /** Time of the earliest event; Infinity when there is none. */
  peekTime(): number {
    return this.#size === 0
      ? Number.POSITIVE_INFINITY
      : (this.#time[this.#heap[0] as number] as number);
  }

  /** Removes the earliest event and returns its slot, free again from now on; -1 when there is none. */
  pop(): number {
    if (this.#size === 0) return -1;
    const slot = this.#heap[0] as number;
    const last = this.#heap[--this.#size] as number;
    if (this.#size > 0) this.#siftDown(last);
    this.#free[this.#freeCount++] = slot;
    return slot;
  }

  #siftUp(start: number, slot: number): void {
    const heap = this.#heap;
    const time = this.#time;
    const seq = this.#seq;
    const t = time[slot] as number;
    const s = seq[slot] as number;
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent] as number;
      const ot = time[other] as number;
      if (ot < t || (ot === t && (seq[other] as number) < s)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = slot;
  }

  #siftDown(slot: number): void {
    const heap = this.#heap;
    const time = this.#time;
    const seq = this.#seq;
    const size = this.#size;
    const t = time[slot] as number;
    const s = seq[slot] as number;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      let best = heap[child] as number;
      let bt = time[best] as number;
      if (child + 1 < size) {
        const right = heap[child + 1] as number;
        const rt = time[right] as number;
        if (rt < bt || (rt === bt && (seq[right] as number) < (seq[best] as number))) {
          child++;
          best = right;
          bt = rt;
        }
      }
      if (t < bt || (t === bt && s < (seq[best] as number))) break;
      heap[at] = best;
      at = child;
    }
    heap[at] = slot;
  }

  #grow(): void {
    const old = this.#time.length;
    const capacity = old * 2;
    this.#time = grown(this.#time, new Float64Array(capacity));
    this.#seq = grown(this.#seq, new Float64Array(capacity));
    this.#heap = grown(this.#heap, new Int32Array(capacity));
    this.#free = grown(this.#free, new Int32Array(capacity));
    for (let i = 0; i < old; i++) this.#free[i] = capacity - 1 - i;
    this.#freeCount = old;
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
