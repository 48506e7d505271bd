import { answerHashKv } from "../core/etcd/hash-kv.js";
import {
  beginTxn,
  createMvcc,
  deleteKeys,
  endTxn,
  imageOfMvcc,
  type Mvcc,
  putKey,
  rangeAt,
  restoreMvcc,
} from "../core/etcd/mvcc.js";
import { compactMvcc } from "../core/etcd/mvcc-compact.js";
import { profileOf } from "../core/etcd/profile.js";
import { createGenerator, type Generator, nextBelow } from "../core/kernel/index.js";
import { figure, secondsOf } from "./report.js";

const PROFILE = profileOf("3.4.23");

const SIZES = [1_000, 10_000, 100_000, 1_000_000];

/** Operations timed at a size, apart from those that touch every key. */
const TIMED = 20_000;

/** What etcd's key space costs by the number of keys in it: a row for each operation, a column for each size. */
export function benchMvcc(): void {
  console.log("mvcc: operations/s by number of keys, but for the last four: keys/s");
  const columns = SIZES.map((size) => measure(size));
  console.log(line("", SIZES.map(figure)));
  for (const name of Object.keys(columns[0] ?? {})) {
    console.log(
      line(
        name,
        columns.map((column) => figure(column[name] ?? 0)),
      ),
    );
  }
}

function line(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(34)}${cells.map((cell) => cell.padStart(11)).join("")}`;
}

function measure(size: number): Record<string, number> {
  const draws = createGenerator(1, "mvcc");
  const store = filled(size);
  const figures: Record<string, number> = {};
  const time = (name: string, count: number, work: () => void): void => {
    figures[name] = count / secondsOf(3, work);
  };
  const repeat = (count: number, work: () => void) => () => {
    for (let i = 0; i < count; i++) work();
  };
  time(
    "put, key known",
    TIMED,
    repeat(TIMED, () => put(store, keyOf(nextBelow(draws, size)))),
  );
  time(
    "put, key new, anywhere",
    TIMED,
    repeat(TIMED, () => put(store, freshKey(draws, size))),
  );
  time(
    "range of one key",
    TIMED,
    repeat(TIMED, () => rangeAt(store, keyOf(nextBelow(draws, size)), "", store.revision)),
  );
  time(
    "range of one key, 1,000 ago",
    TIMED,
    repeat(TIMED, () => rangeAt(store, keyOf(nextBelow(draws, size)), "", store.revision - 1_000)),
  );
  time(
    "range from a key on, limit 100",
    TIMED / 10,
    repeat(TIMED / 10, () =>
      rangeAt(store, keyOf(nextBelow(draws, size)), "\0", store.revision, 100),
    ),
  );
  time(
    "count of all",
    200,
    repeat(200, () => rangeAt(store, "", "\0", store.revision, 0)),
  );
  time(
    "delete and put again",
    TIMED,
    repeat(TIMED, () => {
      const key = keyOf(nextBelow(draws, size));
      const txn = beginTxn(store);
      deleteKeys(store, txn, key, "");
      endTxn(store, txn);
      put(store, key);
    }),
  );
  time(
    "1,000 puts and their compaction",
    20_000,
    repeat(20, () => {
      for (let i = 0; i < 1_000; i++) put(store, keyOf(nextBelow(draws, size)));
      compactMvcc(store, store.revision, PROFILE);
    }),
  );
  time("count of all, 1 ago", size, () => rangeAt(store, "", "\0", store.revision - 1, 0));
  time("hash of all", size, () => answerHashKv(store, 0, PROFILE));
  time("image of all", size, () => imageOfMvcc(store));
  const image = imageOfMvcc(store);
  time("restore of all", size, () => restoreMvcc(createMvcc(), image));
  return figures;
}

function filled(size: number): Mvcc {
  const store = createMvcc();
  for (let i = 0; i < size; i++) put(store, keyOf((i * 7_919) % size));
  return store;
}

function put(store: Mvcc, key: string): void {
  const txn = beginTxn(store);
  putKey(store, txn, key, "value", "");
  endTxn(store, txn);
}

function keyOf(number: number): string {
  return `/registry/pods/${String(number).padStart(8, "0")}`;
}

function freshKey(draws: Generator, size: number): string {
  return `${keyOf(nextBelow(draws, size))}/${nextBelow(draws, 2 ** 31)}`;
}
