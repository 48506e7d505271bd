import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  LOG_VERSION,
  type LogHeader,
  type LogRecord,
  type Parsed,
} from "../../core/kernel/index.js";
import { LineReader } from "./lines.js";
import { type LogReader, logProblem, openLog } from "./reader.js";
import type { LogSink } from "./sink.js";
import { CHUNK_BYTES, LogWriter } from "./writer.js";

const HEADER: LogHeader = { orrery: LOG_VERSION, kind: "run", origin: { seed: 1 } };

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "orrery-log-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const at = (name = "run.orlog"): string => join(folder, name);

function record(seq: number, type: LogRecord["type"] = "fact"): LogRecord {
  const data = { index: seq, text: "x".repeat(seq % 40) };
  return {
    seq,
    at: seq * 1_000,
    host: `core-${seq % 5}`,
    type,
    kind: "raft.committed",
    data,
    cause: null,
  };
}

function must<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.diagnostics.map((d) => `${d.code} ${d.found}`).join("; "));
  return parsed.value;
}

function writeLog(path: string, count: number, end = true): LogRecord[] {
  const writer = must(LogWriter.create(path, HEADER));
  const records: LogRecord[] = [];
  for (let i = 0; i < count; i++) records.push(record(i * 2));
  if (end) records.push(record(count * 2, "end"));
  for (const each of records) expect(writer.write(each)).toBeNull();
  expect(writer.close()).toBeNull();
  return records;
}

function reading<T>(path: string, use: (reader: LogReader) => T): T {
  const reader = must(openLog(path));
  try {
    return use(reader);
  } finally {
    reader.close();
  }
}

test("what is written comes back, over many chunks", () => {
  const records = writeLog(at(), 3_000);
  expect(statSync(at()).size).toBeGreaterThan(4 * CHUNK_BYTES);
  reading(at(), (reader) => {
    expect(reader.header).toEqual(HEADER);
    expect([...reader.records()]).toEqual(records);
    expect(reader.status).toMatchObject({ kind: "ended", place: { lines: records.length + 1 } });
    expect(reader.verify()).toEqual(reader.status);
    expect(logProblem(at(), reader.verify())).toBeNull();
  });
});

test("a line longer than a chunk, and than a read, comes back", () => {
  const writer = must(LogWriter.create(at(), HEADER));
  const large = { ...record(1), data: "y".repeat(1_500_000) };
  expect(writer.write(record(0))).toBeNull();
  expect(writer.write(large)).toBeNull();
  expect(writer.write(record(2, "end"))).toBeNull();
  expect(writer.close()).toBeNull();
  expect(statSync(at()).size).toBe(writer.bytes);
  reading(at(), (reader) => {
    expect([...reader.records()]).toEqual([record(0), large, record(2, "end")]);
  });
});

test("a log that is there already is not overwritten unless that is asked for", () => {
  writeFileSync(at(), "precious");
  const refused = LogWriter.create(at(), HEADER);
  expect(refused).toMatchObject({ ok: false, diagnostics: [{ code: "E_LOG_WRITE" }] });
  expect(readFileSync(at(), "utf8")).toBe("precious");
  const writer = must(LogWriter.create(at(), HEADER, { overwrite: true }));
  expect(writer.close()).toBeNull();
  expect(readFileSync(at(), "utf8")).toContain('{"orrery":1');
});

test("a folder, a missing folder and a full device are reported with what to do", () => {
  for (const [path, found] of [
    [folder, "a folder"],
    [join(folder, "no", "run.orlog"), "no such folder"],
    ["/dev/full", "no space left on the device"],
  ] as const) {
    if (path.startsWith("/dev/") && !existsSync(path)) continue;
    const result = LogWriter.create(path, HEADER, { overwrite: true });
    if (result.ok) throw new Error(`${path} was written`);
    expect(result.diagnostics[0]).toMatchObject({ code: "E_LOG_WRITE", found });
  }
});

test("a log that may not be read says so", () => {
  writeLog(at(), 1);
  chmodSync(at(), 0);
  const opened = openLog(at());
  // Root reads everything.
  if (process.getuid?.() === 0) expect(opened.ok).toBe(true);
  else expect(opened).toMatchObject({ ok: false, diagnostics: [{ code: "E_FILE_UNREADABLE" }] });
  expect(openLog(join(folder, "none"))).toMatchObject({
    ok: false,
    diagnostics: [{ code: "E_FILE_UNREADABLE", found: "no such file" }],
  });
  expect(openLog(folder)).toMatchObject({ ok: false });
});

/** A device with room for so many bytes, which takes at most `most` of them at a time. */
function smallDevice(room: number, most: number): LogSink & { readonly content: () => Buffer } {
  let content = Buffer.alloc(0);
  return {
    content: () => content,
    write(bytes) {
      const taken = Math.min(bytes.length, most, room - content.length);
      if (taken === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      content = Buffer.concat([content, bytes.subarray(0, taken)]);
      return taken;
    },
    sync() {},
    truncate(bytes) {
      content = content.subarray(0, bytes);
    },
    close() {},
  };
}

test("when the device is full the log keeps its whole lines, and every later call says why", () => {
  const header = 1_000;
  for (const room of [header, CHUNK_BYTES - 1, CHUNK_BYTES + 777, 3 * CHUNK_BYTES + 5]) {
    const device = smallDevice(room, 10_000);
    const writer = must(LogWriter.to(device, "disk", HEADER));
    let failure = null;
    let written = 0;
    while (failure === null && written < 10_000) failure = writer.write(record(written++));
    expect(failure).toMatchObject({ code: "E_LOG_WRITE", found: "no space left on the device" });
    expect(writer.write(record(written))).toBe(failure);
    expect(writer.sync()).toBe(failure);
    expect(writer.close()).toBe(failure);
    expect(writer.bytes).toBe(device.content().length);
    writeFileSync(at(), device.content());
    reading(at(), (reader) => {
      const kept = [...reader.records()];
      expect(kept).toEqual(kept.map((_, i) => record(i)));
      expect(reader.status).toMatchObject({ kind: "truncated", torn: 0 });
      // Everything that fits is kept: the next line would not have fitted any more.
      expect(room - device.content().length).toBeLessThan(300);
    });
  }
});

test("short writes lose nothing", () => {
  const device = smallDevice(10_000_000, 7);
  const writer = must(LogWriter.to(device, "disk", HEADER));
  for (let i = 0; i < 50; i++) expect(writer.write(record(i))).toBeNull();
  expect(writer.close()).toBeNull();
  writeFileSync(at(), device.content());
  expect(reading(at(), (reader) => [...reader.records()])).toHaveLength(50);
});

test("a failed sync is a failed write", () => {
  let broken = false;
  const device: LogSink = {
    ...smallDevice(10_000_000, 10_000),
    sync() {
      if (broken) throw Object.assign(new Error("sync"), { code: "EIO" });
    },
  };
  const writer = must(LogWriter.to(device, "disk", HEADER));
  broken = true;
  expect(writer.write(record(0))).toBeNull();
  expect(writer.write(record(1, "checkpoint"))).toMatchObject({ found: "an error of the device" });
});

test("a running log can be read while it grows, and read on from where one stopped", () => {
  const writer = must(LogWriter.create(at(), HEADER));
  for (let i = 0; i < 10; i++) writer.write(record(i));
  writer.flush();
  reading(at(), (reader) => {
    expect([...reader.records()]).toHaveLength(10);
    const place = reader.status?.place;
    expect(reader.status).toMatchObject({ kind: "truncated", torn: 0 });
    for (let i = 10; i < 15; i++) writer.write(record(i));
    writer.write(record(15, "end"));
    writer.close();
    expect([...reader.records(place)].map((each) => each.seq)).toEqual([10, 11, 12, 13, 14, 15]);
    expect(reader.status).toMatchObject({ kind: "ended", place: { lines: 17 } });
  });
});

test("a log cut anywhere opens as truncated and resumes to the very log it would have been", () => {
  const records = writeLog(at("whole"), 6);
  const whole = readFileSync(at("whole"));
  const header = whole.indexOf("\n") + 1;
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(at(), whole.subarray(0, length));
    if (length < header) {
      expect(openLog(at())).toMatchObject({
        ok: false,
        diagnostics: [{ code: "E_LOG_TRUNCATED" }],
      });
      continue;
    }
    const status = reading(at(), (reader) => reader.verify());
    expect(status.kind, `cut at ${length}`).toBe("truncated");
    expect(logProblem(at(), status)).toMatchObject({
      code: "E_LOG_TRUNCATED",
      severity: "warning",
    });
    const writer = must(LogWriter.resume(at()));
    for (const each of records.slice(writer.records)) expect(writer.write(each)).toBeNull();
    expect(writer.close()).toBeNull();
    expect(readFileSync(at()).equals(whole), `cut at ${length}`).toBe(true);
  }
});

test("complete and damaged logs are not resumed", () => {
  writeLog(at(), 3);
  expect(LogWriter.resume(at())).toMatchObject({ ok: false });
  appendFileSync(at(), "?");
  expect(LogWriter.resume(at())).toMatchObject({ ok: false });
  expect(LogWriter.resume(at("none"))).toMatchObject({ ok: false });
});

test("damage is found where it is, with everything before it read", () => {
  const records = writeLog(at(), 200);
  const bytes = readFileSync(at());
  let offset = bytes.indexOf("\n") + 1;
  for (let index = 1; index <= 120; index++) offset = bytes.indexOf("\n", offset) + 1;
  bytes[offset + 30] = (bytes[offset + 30] ?? 0) ^ 1;
  writeFileSync(at(), bytes);
  reading(at(), (reader) => {
    expect([...reader.records()]).toEqual(records.slice(0, 120));
    const status = reader.verify();
    expect(status).toMatchObject({ kind: "damaged", place: { lines: 121, offset } });
    expect(logProblem(at(), status)).toMatchObject({
      code: "E_LOG_DAMAGED",
      position: { line: 122 },
      found: expect.stringContaining(`record 121, at byte ${offset}`),
    });
  });
});

test("random bytes and random changes are answered, never thrown", () => {
  writeLog(at("good"), 20);
  const good = readFileSync(at("good"));
  const change = fc.record({
    at: fc.nat(good.length - 1),
    bytes: fc.uint8Array({ maxLength: 40 }),
  });
  const files = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
      const bytes = Buffer.from(good);
      for (const { at: offset, bytes: part } of changes)
        bytes.set(part.subarray(0, good.length - offset), offset);
      return bytes;
    }),
  );
  fc.assert(
    fc.property(files, (bytes) => {
      writeFileSync(at(), bytes);
      const opened = openLog(at());
      if (!opened.ok) {
        expect(opened.diagnostics[0]?.code).toMatch(/^E_LOG_/);
        return;
      }
      const status = opened.value.verify();
      opened.value.seek({ seq: 20 });
      opened.value.close();
      const same = Buffer.from(bytes).equals(good);
      expect(status.kind === "ended").toBe(same);
    }),
    { numRuns: 200 },
  );
});

test("seeking finds the first record at or after a time or seq, with or without an index", () => {
  const records = writeLog(at(), 12_000);
  reading(at(), (reader) => {
    const targets = [0, 1, 2, 999, 1_000, 12_345, 23_998, 23_999, 24_000, 24_001, 99_999];
    for (const verified of [false, true]) {
      if (verified) reader.verify();
      for (const target of targets) {
        const expected = records.find((each) => each.seq >= target);
        const bySeq = reader.seek({ seq: target });
        const byTime = reader.seek({ at: target * 1_000 });
        if (bySeq === null || byTime === null) throw new Error("damaged?");
        expect(reader.records(bySeq).next().value).toMatchObject(
          expected ?? { kind: "ended", place: { ended: true } },
        );
        expect(byTime).toEqual(bySeq);
      }
    }
  });
});

test("what is read from a place found by bisection is checked like everything else", () => {
  const records = writeLog(at(), 12_000);
  const bytes = readFileSync(at());
  const last = bytes.lastIndexOf('"index":23980');
  bytes[last + 9] = 0x37;
  writeFileSync(at(), bytes);
  reading(at(), (reader) => {
    const place = reader.seek({ seq: 23_000 });
    if (place === null) throw new Error("not found");
    expect(place.lines).toBeNull();
    const read = [...reader.records(place)];
    expect(read).toEqual(records.slice(11_500, 11_990));
    expect(reader.status).toMatchObject({ kind: "damaged", place: { lines: null } });
  });
});

test("a file that ends within its first line is a log cut short only if it looks like one", () => {
  writeFileSync(at(), '{"orrery":1,"kind":"ru');
  expect(openLog(at())).toMatchObject({ ok: false, diagnostics: [{ code: "E_LOG_TRUNCATED" }] });
  writeFileSync(at(), "PK\u0003\u0004");
  expect(openLog(at())).toMatchObject({ ok: false, diagnostics: [{ code: "E_LOG_HEADER" }] });
  writeFileSync(at(), '{"orrery":2,"kind":"run"}\n');
  expect(openLog(at())).toMatchObject({ ok: false, diagnostics: [{ code: "E_LOG_VERSION" }] });
});

test("every line of a log is JSON by itself, checksum and all", () => {
  writeLog(at(), 3);
  const lines = readFileSync(at(), "utf8").trimEnd().split("\n");
  expect(lines.map((line) => typeof JSON.parse(line).sum)).toEqual(Array(5).fill("string"));
});

test("lines are found whatever the boundaries of the reads", () => {
  const lengths = [0, 1, 262_143, 262_144, 262_145, 5, 600_000, 0, 3];
  const text = `${lengths.map((length) => "z".repeat(length)).join("\n")}\ntail`;
  writeFileSync(at(), text);
  const descriptor = openSync(at(), "r");
  const lines = new LineReader(descriptor, 0);
  for (const length of lengths) expect(lines.next()?.length).toBe(length);
  expect(lines.next()).toBeNull();
  expect(lines.tail).toBe("tail");
  expect(lines.offset).toBe(text.length - 4);
  closeSync(descriptor);
});
