import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { orrery, scratch, smallRun } from "../testing/program.js";

const scratched = scratch();
const { file } = scratched;
const { log } = smallRun(scratched);

describe.concurrent("a log that is not what was written", () => {
  const readers = ["verify", "log", "replay"];

  test.each([
    ["of a newer version", '{"orrery":2,"kind":"run","origin":{}}\n', "E_LOG_VERSION"],
    ["that is empty", "", "E_LOG_TRUNCATED"],
    ["that is something else", "hello\nworld\n", "E_LOG_HEADER"],
  ])("a log %s is refused by every reader", async (name, content, code) => {
    const path = file(`${name.replaceAll(" ", "-")}.orlog`, content);
    for (const ended of await Promise.all(readers.map((reader) => orrery(reader, path)))) {
      expect(ended.err).toContain(code);
      expect(ended.err).not.toMatch(/\n\s+at /);
      expect(ended.code).toBe(2);
    }
  });

  test("a log with a flipped byte names the record, wherever the byte is", async () => {
    const bytes = readFileSync(log);
    const places = [0.001, 0.4, 0.999].map((share) => Math.floor(bytes.length * share));
    await Promise.all(
      places.map(async (place) => {
        const copy = Buffer.from(bytes);
        copy[place] = (copy[place] ?? 0) ^ 4;
        const ended = await orrery("verify", file(`flipped-${place}.orlog`, copy));
        const record = bytes.subarray(0, place).filter((byte) => byte === 10).length;
        expect(ended.err).toContain(record === 0 ? "E_LOG_HEADER" : `record ${record},`);
        expect(ended.code).toBe(2);
      }),
    );
  });

  test("a log whose header holds no run that could be done again is bad input", async () => {
    const { LogEncoder } = await import("../../core/kernel/index.js");
    const origin = { scenario: { orrery: 1, hosts: "many" }, seed: 1, plan: { faults: [] } };
    const text = new LogEncoder().header({ orrery: 1, kind: "run", origin });
    const ended = await orrery("verify", file("strange.orlog", text));
    expect(ended.err).toContain("E_LOG_HEADER");
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.code).toBe(2);
  });

  test("a log that does not follow from its header diverges: verify exits with 1", async () => {
    const { LogDecoder, LogEncoder } = await import("../../core/kernel/index.js");
    const decoder = new LogDecoder();
    const encoder = new LogEncoder();
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    const forged = lines.map((line, i) => {
      const decoded = decoder.line(line);
      if (!decoded.ok) throw new Error(decoded.detail);
      if ("header" in decoded) return encoder.header(decoded.header);
      const { record } = decoded;
      return encoder.record(i === 20 ? { ...record, host: "n-4" } : record);
    });
    const ended = await orrery("verify", file("forged.orlog", forged.join("")));
    expect(ended.err).toBe("");
    expect(ended.out).toContain("diverges at record 20,");
    expect(ended.code).toBe(1);
  });
});
