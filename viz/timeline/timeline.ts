import type { LogHeader, LogRecord, Micros } from "../../core/kernel/index.js";
import { Chronicle } from "./chronicle.js";
import { describe } from "./describe.js";
import { Draft, initialView } from "./draft.js";
import { fieldsOf, textOf } from "./fields.js";
import { applyRecord, type FoldRecord } from "./fold.js";
import { HostNames } from "./host-names.js";
import { Indexes } from "./indexes.js";
import { RecordStore } from "./store.js";
import type { ClusterView } from "./view.js";

const KEYFRAME_EVERY = 1024;
const KEYFRAMES_MAX = 512;

/** The landmarks one can jump between. */
export interface Marks {
  readonly violations: Indexes;
  /** Beginnings and ends. */
  readonly faults: Indexes;
  /** Records after which another host leads, or nobody. */
  readonly leaders: Indexes;
}

/**
 * A log that can be looked at from any point of it.
 *
 * Every so many records it keeps a view (a keyframe; they share what did not change), and any
 * other view is folded forward from the nearest one. Keyframes are 1,024 records apart to begin
 * with; whenever there are more than 512 of them every second one goes and the distance doubles.
 * A million records thus have 489 keyframes 2,048 apart, and no view is more than 2,047 folds
 * (some milliseconds) away. What grows with the log is `RecordStore` alone.
 */
export class Timeline {
  readonly header: LogHeader;
  readonly store = new RecordStore();
  readonly chronicle = new Chronicle();
  /** What hosts are called. */
  readonly names: HostNames;
  readonly marks: Marks = {
    violations: new Indexes(),
    faults: new Indexes(),
    leaders: new Indexes(),
  };
  readonly #initial: ClusterView;
  readonly #tail: Draft;
  #keyframes: ClusterView[];
  #every = KEYFRAME_EVERY;
  #leader: ClusterView["leader"] = null;
  #latest: ClusterView | null = null;
  #reader: Draft;
  /** The last view read and the one before: whoever compares two asks for both again and again. */
  #read: ClusterView;
  #readBefore: ClusterView;

  constructor(header: LogHeader) {
    this.header = header;
    this.names = HostNames.of(header);
    this.#initial = initialView(header);
    this.#tail = new Draft(this.#initial, this.names);
    this.#keyframes = [this.#initial];
    this.#reader = new Draft(this.#initial, this.names);
    this.#read = this.#initial;
    this.#readBefore = this.#initial;
  }

  /** The timeline of a whole log. */
  static of(header: LogHeader, records: Iterable<LogRecord>): Timeline {
    const timeline = new Timeline(header);
    for (const record of records) timeline.append(record);
    return timeline;
  }

  /** Adds the next record of the log; a log that is still being written can be followed. */
  append(record: LogRecord): void {
    const index = this.store.append(record);
    if (record.kind === "fleet.registered" && record.type === "fact") {
      this.names.learn(textOf(fieldsOf(record.data), "machine"), record.host);
    }
    applyRecord(this.#tail, index, record);
    this.chronicle.follow(this.#tail, index, record);
    this.#mark(index, record);
    this.#latest = null;
    if ((index + 1) % this.#every === 0) this.#keep();
  }

  get length(): number {
    return this.store.length;
  }

  /** Time of the last record. */
  get duration(): Micros {
    return this.length === 0 ? 0 : this.store.at(this.length - 1);
  }

  /** The view after the last record. */
  get latest(): ClusterView {
    this.#latest ??= this.#tail.freeze();
    return this.#latest;
  }

  /** The view after the record of that index; -1 is the view before the first. */
  at(index: number): ClusterView {
    const target = Math.max(-1, Math.min(this.length - 1, index));
    if (target === this.#read.index) return this.#read;
    if (target === this.#readBefore.index) return this.#readBefore;
    const key = Math.floor((target + 1) / this.#every);
    const from = this.#read.index;
    if (target < from || key * this.#every - 1 > from) {
      this.#reader = new Draft(this.#keyframes[key] ?? this.#initial, this.names);
    }
    for (let i = this.#reader.cluster.index + 1; i <= target; i++) {
      applyRecord(this.#reader, i, this.#record(i));
    }
    this.#readBefore = this.#read;
    this.#read = this.#reader.freeze();
    return this.#read;
  }

  /** Index of the last record at or before a time; -1 if the log begins later. */
  seekTime(at: Micros): number {
    return this.store.indexUpToTime(at);
  }

  /** What the record of that index says, in one line. */
  describe(index: number): string {
    return describe(this.store.kind(index), this.store.data(index), this.names);
  }

  /** The next (or previous) record on a host, or -1. */
  onHost(index: number, host: string, direction: 1 | -1): number {
    const id = this.store.hostId(host);
    if (id < 0) return -1;
    for (let i = index + direction; i >= 0 && i < this.length; i += direction) {
      if (this.store.hostIdAt(i) === id) return i;
    }
    return -1;
  }

  /** The next (or previous) record of a kind, or -1. */
  ofKind(index: number, kind: string, direction: 1 | -1): number {
    const id = this.store.kindId(kind);
    if (id < 0) return -1;
    for (let i = index + direction; i >= 0 && i < this.length; i += direction) {
      if (this.store.kindIdAt(i) === id) return i;
    }
    return -1;
  }

  /** Distance of the keyframes, which bounds the work of `at`. */
  get keyframeDistance(): number {
    return this.#every;
  }

  #record(index: number): FoldRecord {
    const { store } = this;
    return {
      seq: store.seq(index),
      at: store.at(index),
      host: store.host(index),
      type: store.type(index),
      kind: store.kind(index),
      data: store.data(index),
    };
  }

  #mark(index: number, record: LogRecord): void {
    const leader = this.#tail.cluster.leader;
    if (leader !== this.#leader) {
      this.#leader = leader;
      this.marks.leaders.push(index);
    }
    if (record.type !== "fact") return;
    if (record.kind === "invariant.violated") this.marks.violations.push(index);
    else if (record.kind === "fault.begin" || record.kind === "fault.end") {
      this.marks.faults.push(index);
    }
  }

  #keep(): void {
    this.#keyframes.push(this.latest);
    if (this.#keyframes.length <= KEYFRAMES_MAX) return;
    this.#keyframes = this.#keyframes.filter((_, place) => place % 2 === 0);
    this.#every *= 2;
  }
}
