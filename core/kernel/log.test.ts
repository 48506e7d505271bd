import fc from "fast-check";
import { expect, test } from "vitest";
import {
  isTornLine,
  LOG_VERSION,
  LogDecoder,
  LogEncoder,
  type LogHeader,
  type LogPlace,
  type LogRecord,
} from "./log.js";

const HEADER: LogHeader = { orrery: LOG_VERSION, kind: "run", origin: { seed: 7, name: "høst" } };

function fact(seq: number, at: number, data: unknown = { term: seq }): LogRecord {
  return { seq, at, host: "a1", type: "fact", kind: "raft.became-leader", data, cause: null };
}

const RECORDS: readonly LogRecord[] = [
  fact(0, 0),
  { ...fact(3, 10, { text: "tab\t “quotes” \u007f \u{1f680}" }), cause: 0 },
  { ...fact(4, 10, [1, "{", "}", '"', "\\"]), host: "", type: "stimulus" },
  { ...fact(9, 2 ** 52, null), type: "end", kind: "log.end", cause: 4 },
];

function encode(records: readonly LogRecord[] = RECORDS, header = HEADER): string {
  const encoder = new LogEncoder();
  return encoder.header(header) + records.map((record) => encoder.record(record)).join("");
}

type Reading =
  | { kind: "ended" | "truncated"; records: LogRecord[] }
  | { kind: "damaged"; record: number; problem: string };

/** Reads a log as a reader of files does: whole lines first, then what follows the last newline. */
function read(text: string): Reading {
  const decoder = new LogDecoder();
  const lines = text.split("\n");
  const tail = lines.pop() ?? "";
  const records: LogRecord[] = [];
  for (const line of lines) {
    const decoded = decoder.line(line);
    if (!decoded.ok) return { kind: "damaged", record: decoded.record, problem: decoded.problem };
    if ("record" in decoded) records.push(decoded.record);
  }
  const place = decoder.lines === 0 ? null : decoder.place;
  if (!isTornLine(place, tail)) return { kind: "damaged", record: decoder.lines, problem: "tail" };
  return { kind: decoder.ended ? "ended" : "truncated", records };
}

test("what is encoded comes back, in lines of printable ASCII", () => {
  const text = encode();
  expect(text).toMatch(/^(?:[ -~]+\n)+$/);
  expect(read(text)).toEqual({ kind: "ended", records: RECORDS });
});

test("any JSON data and any host name come back (an unescaped character would move the checksum)", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: "binary" }), (data, host) => {
      const normal: unknown = JSON.parse(JSON.stringify(data));
      const records = [{ ...fact(1, 2, normal), host }];
      expect(read(encode(records))).toEqual({ kind: "truncated", records });
    }),
  );
});

test("a record's keys are written in one order, whatever order they came in", () => {
  const { seq, at, host, type, kind, data, cause } = fact(1, 2);
  const shuffled: LogRecord = { cause, data, kind, type, host, at, seq };
  expect(encode([shuffled])).toBe(encode([fact(1, 2)]));
});

test("every single-bit flip at every position is rejected, newlines included", () => {
  const bytes = Buffer.from(encode(), "latin1");
  for (let position = 0; position < bytes.length; position++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(bytes.readUInt8(position) ^ (1 << bit), position);
      const reading = read(flipped.toString("latin1"));
      expect(reading.kind, `bit ${bit} of byte ${position}`).toBe("damaged");
    }
  }
});

test("a damaged record is named by its index, and no record before it", () => {
  const lines = encode().split("\n");
  for (let index = 1; index < lines.length - 1; index++) {
    const damaged = lines.map((line, i) => (i === index ? line.replace('"at":', '"at":1') : line));
    expect(read(damaged.join("\n"))).toMatchObject({ kind: "damaged", record: index });
  }
});

test("dropping, repeating or moving any line is noticed", () => {
  const lines = encode().split("\n").slice(0, -1);
  const join = (list: readonly string[]): string => `${list.join("\n")}\n`;
  for (let i = 0; i < lines.length; i++) {
    if (i < lines.length - 1) {
      expect(read(join(lines.filter((_, j) => j !== i))).kind, `drop ${i}`).toBe("damaged");
    }
    const twice = lines.flatMap((line, j) => (j === i ? [line, line] : [line]));
    expect(read(join(twice)).kind, `repeat ${i}`).toBe("damaged");
    for (let j = i + 1; j < lines.length; j++) {
      const moved = [...lines];
      moved.splice(j, 0, ...moved.splice(i, 1));
      expect(read(join(moved)).kind, `move ${i} to ${j}`).toBe("damaged");
    }
  }
});

test("a log cut anywhere is truncated, never damaged, and keeps its whole records", () => {
  const text = encode();
  for (let length = 0; length < text.length; length++) {
    const cut = text.slice(0, length);
    const whole = cut.split("\n").length - 2;
    const reading = read(cut);
    expect(reading, `cut at ${length}`).toEqual({
      kind: "truncated",
      records: RECORDS.slice(0, Math.max(whole, 0)),
    });
    // File systems that grow a file before they write to it leave zeros.
    expect(read(`${cut}\0\0\0`).kind, `zeros from ${length}`).toBe("truncated");
  }
});

test("bytes behind the last newline that no writer writes are damage", () => {
  const cut = encode(RECORDS.slice(0, 2));
  for (const tail of ["x", "{}", '{"seq":1}', '{"at":', '{"seq":\u0001', '{"seq":1\u00e9', "\0x"]) {
    expect(read(cut + tail).kind, JSON.stringify(tail)).toBe("damaged");
  }
  expect(read(`${encode()}{"seq":`).kind).toBe("damaged");
  expect(read(`${encode()}\0`).kind).toBe("damaged");
});

test("a whole last line without its newline is torn; with a wrong checksum it is damage", () => {
  const text = encode(RECORDS.slice(0, 3));
  expect(read(text.slice(0, -1)).kind).toBe("truncated");
  const wrong = text.slice(0, -1).replace(/.("\})$/, (_, end: string) => `x${end}`);
  expect(read(wrong).kind).toBe("damaged");
});

test("a newer version is called that, not damage", () => {
  const text = encode().replace('{"orrery":1,', `{"orrery":${LOG_VERSION + 1},"more":true,`);
  const decoded = new LogDecoder().line(text.split("\n")[0] ?? "");
  expect(decoded).toMatchObject({ ok: false, record: 0, problem: "version" });
});

test("something else than a log has no header", () => {
  for (const line of ["", "#!/bin/sh", '{"seq":1}', '{"orreri":1}']) {
    expect(new LogDecoder().line(line)).toMatchObject({ ok: false, problem: "header" });
  }
});

test("a line with a fitting checksum that is no record is refused (a cast would have let it in)", () => {
  const forge = (json: string): LogRecord => JSON.parse(json);
  const encoder = new LogEncoder();
  const decoder = new LogDecoder();
  decoder.line(encoder.header(HEADER).slice(0, -1));
  const forged = forge(JSON.stringify({ ...fact(1, 1), type: "rumour" }));
  const decoded = decoder.line(encoder.record(forged).slice(0, -1));
  expect(decoded).toMatchObject({ ok: false, problem: "form" });
  expect(() => encoder.record({ ...fact(1, 1), at: 0.5 })).toThrow(RangeError);
});

test("records out of order and records behind the end are refused", () => {
  expect(read(encode([fact(2, 5), fact(2, 5)]))).toMatchObject({ problem: "order", record: 2 });
  expect(read(encode([fact(2, 5), fact(3, 4)]))).toMatchObject({ problem: "order", record: 2 });
  const end: LogRecord = { ...fact(1, 1), type: "end" };
  expect(read(encode([end, fact(2, 2)]))).toMatchObject({ problem: "order", record: 2 });
});

test("encoder and decoder go on from any place as if they had never stopped", () => {
  const lines = encode().split("\n").slice(0, -1);
  for (let stop = 1; stop < lines.length; stop++) {
    const first = new LogDecoder();
    for (const line of lines.slice(0, stop)) expect(first.line(line).ok).toBe(true);
    const place: LogPlace = JSON.parse(JSON.stringify(first.place));
    const second = LogDecoder.after(place);
    for (const line of lines.slice(stop)) expect(second.line(line).ok).toBe(true);
    expect(second.ended).toBe(true);
    const encoder = LogEncoder.after(place.sum);
    const again = RECORDS.slice(stop - 1).map((record) => encoder.record(record).slice(0, -1));
    expect(again).toEqual(lines.slice(stop));
  }
});
