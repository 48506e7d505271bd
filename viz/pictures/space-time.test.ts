import { expect, test } from "vitest";
import type { LogRecord } from "../../core/kernel/index.js";
import { fakeLog } from "../testing/fake-log.js";
import { Timeline } from "../timeline/index.js";
import { spaceTime } from "./index.js";

function picture(options: Parameters<typeof fakeLog>[0]): string {
  const log = fakeLog(options);
  return spaceTime(Timeline.of(log.header, log.records));
}

/** Reads markup strictly enough to notice a tag left open, a bare `&` or an unquoted attribute. */
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  const token = /<(\/?)([a-zA-Z]+)((?:\s[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  let at = 0;
  for (const match of svg.matchAll(token)) {
    expect(match.index).toBe(at);
    at += match[0].length;
    const [, closing, name, , alone, text] = match;
    if (text !== undefined) expect(text.replace(/&(amp|lt|gt|quot);/g, "")).not.toContain("&");
    else if (closing === "/") expect(open.pop()).toBe(name);
    else if (alone !== "/") open.push(name ?? "");
  }
  expect(at).toBe(svg.length);
  expect(open).toEqual([]);
}

test("a picture is well-formed and holds no number that is none", () => {
  for (const options of [
    {},
    { hosts: 1, units: 0 },
    { hosts: 130, units: 90, duration: 60_000_000 },
  ]) {
    const svg = picture(options);
    expectWellFormed(svg);
    expect(svg).not.toMatch(/NaN|undefined|Infinity|="-\d/);
  }
});

test("an empty log has a picture too", () => {
  expectWellFormed(spaceTime(new Timeline({ orrery: 1, kind: "run", origin: {} })));
});

test("names cannot break out of the picture", () => {
  const name = `<script>"&'\u0000`;
  const up: LogRecord = {
    seq: 1,
    at: 5,
    host: name,
    type: "fact",
    kind: "host.up",
    data: { version: name, slot: name },
    cause: null,
  };
  const header = { orrery: 1, kind: "run", origin: { scenario: { name } } } as const;
  const svg = spaceTime(Timeline.of(header, [up, { ...up, seq: 2, at: 9 }]));
  expectWellFormed(svg);
  expect(svg).not.toContain("<script>");
});

test("a log a hundred times as long does not make a picture a hundred times as large", () => {
  const short = picture({ duration: 600_000_000 });
  const long = picture({ duration: 60_000_000_000 });
  expect(long.length).toBeLessThan(40 * short.length);
  expect(long.length).toBeLessThan(3_000_000);
});

test("the same log gives the same picture to the byte", () => {
  expect(picture({ seed: 9 })).toBe(picture({ seed: 9 }));
});

test("a violation is marked and named", () => {
  expect(picture({})).toContain(">one-engine-leader</text>");
  expect(picture({ violation: false })).not.toContain("one-engine-leader");
});
