import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EtcdV3Client, isUnreachable } from "../../adapters/etcd/index.js";
import type { LogRecord } from "../../core/kernel/index.js";
import { EtcdServer } from "./etcd-server.js";
import { whyNot } from "./needs.js";
import { Orrery, readLog, rederiveFile, until } from "./program.js";

const reason = whyNot("etcd");
let etcd: EtcdServer;
let client: EtcdV3Client;
let folder: string;

beforeAll(async () => {
  if (reason !== null) return;
  etcd = await EtcdServer.create();
  client = new EtcdV3Client({ endpoints: [etcd.url] });
  folder = mkdtempSync(join(tmpdir(), "orrery-observe-"));
});

afterAll(async () => {
  if (reason !== null) return;
  client.close();
  await etcd.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** A put or delete as made, or as told: revision, key, and value or null. */
type Change = readonly [number, string, string | null];

/** Makes one put or delete; one that may or may not have been carried out is made again. */
async function change(key: string, value: string | null): Promise<Change> {
  const bytes = Buffer.from(key);
  for (;;) {
    try {
      const done =
        value === null
          ? await client.deleteRange({ key: bytes })
          : await client.put({ key: bytes, value: Buffer.from(value) });
      return [Number(done.header.revision), key, value];
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Makes 3 puts and then a delete on each of many keys, 16 at a time; the list of what was acknowledged. */
async function drive(
  prefix: string,
  count: number,
  middle: () => Promise<void>,
): Promise<Map<string, (string | null)[]>> {
  const made = new Map<string, (string | null)[]>();
  let next = 0;
  let halfway: Promise<void> | null = null;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      if (i === Math.floor(count / 2)) halfway = middle();
      const key = `${prefix}${i}`;
      const values = [`${i}a`, `${i}b`, `${i}c`, null];
      for (const value of values) await change(key, value);
      made.set(key, values);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  await halfway;
  return made;
}

function changesOf(records: readonly LogRecord[]): Change[] {
  return records.flatMap(({ kind, data }): Change[] => {
    const { key, revision, value } = data as { key: string; revision: number; value?: string };
    if (kind === "observed.put") return [[revision, key, value ?? ""]];
    return kind === "observed.delete" ? [[revision, key, null]] : [];
  });
}

/** Everything etcd itself remembers, asked revision by revision from its history. */
async function history(prefix: string, from: number, to: number): Promise<Change[]> {
  return new Promise((resolve, reject) => {
    const changes: Change[] = [];
    const watch = client.watch(
      {
        key: Buffer.from(prefix),
        range_end: Buffer.from(prefix.replace(/\/$/, "0")),
        start_revision: String(from),
      },
      {
        response: ({ events }) => {
          for (const { type, kv } of events) {
            const value = type === "PUT" ? kv.value.toString() : null;
            changes.push([Number(kv.mod_revision), kv.key.toString(), value]);
          }
          if ((changes.at(-1)?.[0] ?? 0) < to) return;
          watch.cancel();
          resolve(changes);
        },
        ended: reject,
      },
    );
  });
}

test.skipIf(reason !== null)(
  "10,000 puts and deletes are all told, in order and once, across a kill -9 of etcd",
  async () => {
    const out = join(folder, "ten-thousand.orlog");
    const first = (await change("/told/first", "0"))[0];
    const orrery = new Orrery("observe", "--etcd", etcd.url, "--prefix", "/told/", "--out", out);
    await orrery.says("watching");
    const made = await drive("/told/", 2_500, async () => {
      await etcd.kill();
      await etcd.start();
    });
    const last = (await change("/told/last", "1"))[0];
    await until(60, "the last change in the log", () =>
      changesOf(readLog(out).records).some(([revision]) => revision === last),
    );
    expect(await orrery.end("SIGINT")).toBe(0);

    const { records, end } = readLog(out);
    const told = changesOf(records);
    expect(told).toEqual(await history("/told/", first, last));
    expect(made.size).toBe(2_500);
    for (const [key, values] of made) {
      const mine = told.filter((one) => one[1] === key).map((one) => one[2]);
      // A write that was repeated because its answer was lost may be there twice.
      expect(mine.filter((value, index) => value !== mine[index - 1])).toEqual(values);
    }
    expect(told.length).toBeGreaterThanOrEqual(10_002);
    expect(records.filter(({ kind }) => kind === "observe.lost").length).toBeGreaterThan(0);
    expect(records.filter(({ kind }) => kind === "observe.gap")).toEqual([]);
    expect(end).toBe("ended");
    expect(rederiveFile(out)).toMatchObject({ ok: true });
  },
);

test.skipIf(reason !== null)(
  "an observer that is killed goes on in its log where it was, and misses nothing",
  async () => {
    const out = join(folder, "killed.orlog");
    const flags = ["observe", "--etcd", etcd.url, "--prefix", "/killed/", "--out", out];
    const first = (await change("/killed/a", "1"))[0];
    const before = new Orrery(...flags);
    await before.says("watching");
    await change("/killed/b", "2");
    await until(20, "b in the log", () => changesOf(readLog(out).records).length === 2);
    await before.end("SIGKILL");
    await change("/killed/a", null);
    const last = (await change("/killed/c", "3"))[0];
    const after = new Orrery(...flags);
    await until(20, "c in the log", () => changesOf(readLog(out).records).length === 4);
    expect(await after.end("SIGINT")).toBe(0);
    const { records, end } = readLog(out);
    expect(changesOf(records)).toEqual(await history("/killed/", first, last));
    expect(end).toBe("ended");
    expect(rederiveFile(out)).toMatchObject({ ok: true });
  },
);

test.skipIf(reason !== null)(
  "what etcd compacted while the observer was away is named as a gap, and the keys are compared",
  async () => {
    const out = join(folder, "gap.orlog");
    const flags = ["observe", "--etcd", etcd.url, "--prefix", "/gap/", "--out", out];
    await change("/gap/stays", "1");
    const known = (await change("/gap/goes", "1"))[0];
    const before = new Orrery(...flags);
    await before.says("watching");
    await before.end("SIGKILL");
    await change("/gap/goes", null);
    const last = (await change("/gap/new", "2"))[0];
    await client.compact(String(last));
    const after = new Orrery(...flags);
    await after.says("cannot be told");
    await after.says("watching");
    expect(await after.end("SIGINT")).toBe(0);
    const { records } = readLog(out);
    const gaps = records.filter(({ kind }) => kind === "observe.gap").map(({ data }) => data);
    expect(gaps).toEqual([{ reason: "compacted", from: known + 1, to: last - 1 }]);
    expect(changesOf(records).slice(2)).toEqual([
      [last, "/gap/new", "2"],
      [last, "/gap/goes", null],
    ]);
    expect(rederiveFile(out)).toMatchObject({ ok: true });
  },
);

test.skipIf(reason !== null)(
  "an etcd that is frozen, so that TCP still answers, counts as lost and is taken up again",
  async () => {
    const out = join(folder, "frozen.orlog");
    const first = (await change("/frozen/a", "1"))[0];
    const orrery = new Orrery("observe", "--etcd", etcd.url, "--prefix", "/frozen/", "--out", out);
    await orrery.says("watching");
    etcd.freeze(true);
    await orrery.says("lost", 60);
    etcd.freeze(false);
    const last = (await change("/frozen/b", "2"))[0];
    await until(60, "b in the log", () => changesOf(readLog(out).records).length === 2);
    expect(await orrery.end("SIGINT")).toBe(0);
    const { records } = readLog(out);
    expect(changesOf(records)).toEqual(await history("/frozen/", first, last));
    expect(records.filter(({ kind }) => kind === "observe.gap")).toEqual([]);
  },
);

test.skipIf(reason !== null)(
  "an etcd that never answers is a diagnostic and exit code 2 after the stated time",
  async () => {
    const out = join(folder, "nobody.orlog");
    const orrery = new Orrery(
      ...["observe", "--etcd", "http://127.0.0.1:9", "--start-timeout", "1s", "--out", out],
    );
    expect(await orrery.exit()).toBe(2);
    expect(orrery.news).toContain("E_CONNECT");
    expect(orrery.news).toContain("within 1 s");
  },
);
