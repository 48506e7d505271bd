import { expect, test } from "vitest";
import { parseCommands } from "./command.js";
import { readConfig } from "./config.js";
import { parseUnitName } from "./names.js";
import { parseUnitFile } from "./unitfile.js";
import { FOREVER, parseSpan } from "./value.js";

const values = (text: string) =>
  parseUnitFile(text, "a.service").options.map((option) => `${option.key}=${option.value}`);

const complaints = (text: string) =>
  parseUnitFile(text, "a.service").diagnostics.map((d) => `${d.position.line}: ${d.found}`);

test("a continued line goes on past comments and ends at a blank line", () => {
  const text = "[Unit]\nDescription=a \\\n# c\n; c\n  b\nAfter=x \\\n\ny\n";
  expect(values(text)).toEqual(["Description=a    b", "After=x"]);
  expect(complaints(text)).toEqual(["8: y"]);
});

test("an even number of backslashes does not continue a line", () => {
  expect(values("[Unit]\nA=x\\\\\nB=y\n")).toEqual(["A=x\\\\", "B=y"]);
});

test("what stands before the first section is ignored with its line", () => {
  expect(complaints("Before=x\n[Unit]\n")).toEqual(["1: Before=x"]);
});

test("a broken section header refuses the file", () => {
  expect(parseUnitFile("[Service\nExecStart=/bin/true\n", "a").refused).toBe(true);
  expect(parseUnitFile('[Uni"t]\n', "a").refused).toBe(true);
  expect(parseUnitFile("[Unit]\n", "a").refused).toBe(false);
});

test("a NUL ends a line and is told", () => {
  const text = "[Service]\nA=1\0B=2\n";
  expect(values(text)).toEqual(["A=1", "B=2"]);
  expect(complaints(text)).toEqual(["2: a NUL character"]);
});

test.each([
  ["90", 90_000_000],
  ["1min 5", 65_000_000],
  ["1.5h", 5_400_000_000],
  ["100ms", 100_000],
  ["infinity", FOREVER],
  ["1.5.5", null],
  ["5 foo", null],
  ["3.", null],
  ["", null],
])("the span %s is %d µs", (text, micros) => {
  expect(parseSpan(text)).toBe(micros);
});

test("a lone semicolon parts commands, an escaped one is an argument", () => {
  const name = parseUnitName("a.service");
  if (name === null) throw new Error("a.service is a name");
  const context = { hostname: "h", machineId: "m", bootId: "b" };
  const { commands } = parseCommands("/bin/a \\; %z 100%% ; -/bin/b", name, context);
  expect(commands.map((command) => command.argv)).toEqual([
    ["/bin/a", ";", "%z", "100%"],
    ["/bin/b"],
  ]);
  expect(commands[1]?.ignoreFailure).toBe(true);
});

test("what every object of JavaScript has is no unit of time and no directive", () => {
  expect(parseSpan("1constructor")).toBeNull();
  expect(parseSpan("1valueOf")).toBeNull();
  const name = parseUnitName("a.service");
  if (name === null) throw new Error("a name");
  const options = ["constructor", "__proto__", "toString"].flatMap((key) => [
    { section: "Unit", key, value: "b.service", line: 1, endLine: 1, file: "a.service" },
    { section: "Service", key, value: "SIGTERM", line: 2, endLine: 2, file: "a.service" },
  ]);
  const context = { hostname: "h", machineId: "0", bootId: "0" };
  const read = readConfig(options, name, context, { start: 1, stop: 1 });
  const bare = readConfig([], name, context, { start: 1, stop: 1 });
  expect({ ...read, unsupported: [] }).toEqual(bare);
  expect(read.unsupported).toContain("constructor=");
});
