import fc from "fast-check";
import { expect, test } from "vitest";
import { hashState, stepImmutable, stepInPlace } from "../kernel/index.js";
import { parseCalendar } from "./calendar.js";
import { parseCommands } from "./command.js";
import { readConfig } from "./config.js";
import { type SystemdStimulus, systemd, type UnitFile } from "./index.js";
import { expandSpecifiers, parseUnitName } from "./names.js";
import { service } from "./testing/host.js";
import { parseUnitFile } from "./unitfile.js";
import { parseEnvironmentFile, parseSpan, splitWords } from "./value.js";

const GOOD = `[Unit]
Description=A %n \\
  continued
After=b.service c.target
[Service]
Type=notify
Environment="A=1 2" 'B=x' C=\\x41
ExecStart=-/bin/a \${A} "$B" ; /bin/b %i%%
Restart=on-failure
RestartSec=1min 30s
SuccessExitStatus=1 SIGKILL
[Install]
WantedBy=multi-user.target
`;

const bytes = fc
  .uint8Array({ maxLength: 400 })
  .map((array) => Array.from(array, (byte) => String.fromCharCode(byte)).join(""));

/** Good text with pieces cut out, doubled or replaced. */
const mutated = fc
  .array(
    fc.record({
      at: fc.nat({ max: GOOD.length }),
      cut: fc.nat({ max: 40 }),
      insert: fc.oneof(
        fc.constantFrom("\\", "\n", "\0", "[", "]", "=", '"', "'", "%", "$", ";", "\\x", "\uFEFF"),
        fc.string({ maxLength: 8 }),
      ),
    }),
    { maxLength: 6 },
  )
  .map((edits) =>
    edits.reduce(
      (text, { at, cut, insert }) => text.slice(0, at) + insert + text.slice(at + cut),
      GOOD,
    ),
  );

const text = fc.oneof(bytes, mutated);
const CONTEXT = { hostname: "h", machineId: "m", bootId: "b" };

const read = (file: UnitFile) => {
  const name = parseUnitName("a@i.service");
  if (name === null) throw new Error("a@i.service is a name");
  const assignments = file.options.map((option) => ({ ...option, file: "a" }));
  return readConfig(assignments, name, CONTEXT, { start: 90_000_000, stop: 90_000_000 });
};

test("no text makes the readers of unit files throw, and every option lies on a line of the text", () => {
  fc.assert(
    fc.property(text, (input) => {
      const file = parseUnitFile(input, "a.service");
      const lines = input.split(/\r\n|\n\r|\n|\r|\0/).length;
      for (const option of file.options) {
        expect(option.line).toBeGreaterThan(0);
        expect(option.line).toBeLessThanOrEqual(lines);
        expect(input).toContain(option.key);
      }
      read(file);
    }),
    { numRuns: 500 },
  );
});

test("no text makes the readers of values throw", () => {
  const name = parseUnitName("a@i.service");
  if (name === null) throw new Error("a@i.service is a name");
  fc.assert(
    fc.property(text, (input) => {
      splitWords(input);
      parseSpan(input);
      parseCalendar(input);
      parseEnvironmentFile(input);
      parseCommands(input, name, CONTEXT);
      expandSpecifiers(input, name, CONTEXT);
      parseUnitName(input);
    }),
    { numRuns: 500 },
  );
});

test("words that are quoted come back as they were", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme", minLength: 1 })), (words) => {
      const line = words.map((word) => `"${word.replace(/["\\]/g, "\\$&")}"`).join(" ");
      expect(splitWords(line)).toEqual(words);
    }),
  );
});

test("long texts of every hostile shape are read in one pass", () => {
  const size = 300_000;
  for (const piece of [
    "\\\n",
    "[a]\n",
    "a=b\n",
    "=",
    '"',
    "%n",
    "1s ",
    "9",
    "$A",
    ";",
    "\\x41",
    " ",
    "1/2..",
    "5,",
    "Mon,",
    "0",
  ]) {
    const long = piece.repeat(size / piece.length);
    parseUnitFile(`[Service]\nExecStart=${long}`, "a.service");
    splitWords(long);
    parseEnvironmentFile(`A=${long}`);
    expect(parseSpan(`${long}!`)).toBeNull();
    for (const start of ["", "@", "*:*:", "Mon *-*-1/"]) {
      expect(parseCalendar(`${start}${long}!`)).toBeNull();
    }
  }
});

const UNITS: Readonly<Record<string, string>> = {
  "t.target": "[Unit]\nWants=a.service b.service\nRequires=c.service\nAllowIsolate=yes\n",
  "a.service": service(
    "a",
    "Type=notify",
    "WatchdogSec=1",
    "Restart=always",
    "BindsTo=c.service",
    "After=c.service",
  ),
  "b.service": service(
    "b",
    "Type=oneshot",
    "Conflicts=d.service",
    "ExecStartPre=/bin/p",
    "OnFailure=d.service",
  ),
  "c.service": service(
    "c",
    "Restart=on-failure",
    "ExecReload=/bin/r",
    "ExecStop=/bin/s",
    "ExecStopPost=/bin/z",
  ),
  "d.service": service(
    "d",
    "Type=forking",
    "PIDFile=d.pid",
    "PartOf=a.service",
    "Requisite=c.service",
    "After=b.service",
  ),
  "e.service": service(
    "e",
    "Type=idle",
    "Requires=d.service",
    "After=d.service",
    "RemainAfterExit=yes",
  ),
  "x.timer":
    "[Timer]\nOnActiveSec=1\nOnUnitInactiveSec=1\nOnCalendar=*:*:0/2\nPersistent=yes\nUnit=b.service\n",
};

const unit = fc.constantFrom(...Object.keys(UNITS));
const pid = fc.integer({ min: 200, max: 215 });

const request = fc.oneof(
  fc.record({
    call: fc.constantFrom(
      "start",
      "stop",
      "restart",
      "try-restart",
      "reload",
      "reload-or-restart" as const,
    ),
    unit,
    mode: fc.constantFrom("replace", "fail", "isolate", "ignore-dependencies" as const),
  }),
  fc.record({ call: fc.constantFrom("mask", "unmask", "enable", "disable" as const), unit }),
  fc.record({ call: fc.constant("remove-unit" as const), unit }),
  fc.record({ call: fc.constant("reset-failed" as const), unit }),
  fc.record({
    call: fc.constant("kill" as const),
    unit,
    who: fc.constantFrom("all", "main", "control" as const),
    signal: fc.constantFrom("SIGTERM", "SIGKILL" as const),
  }),
  fc.record({
    call: fc.constant("write-unit" as const),
    unit,
    text: fc.constantFrom("", "[Service]\nExecStart=/bin/new\n"),
  }),
  fc.constant({ call: "daemon-reload" as const }),
  fc.constant({ call: "list-units" as const }),
);

const stimulus: fc.Arbitrary<SystemdStimulus> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("systemd-call" as const), id: fc.nat(), request }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("process-exited" as const),
      pid,
      code: fc.constantFrom(0, 0, 1, null),
      signal: fc.constantFrom(null, "SIGTERM", "SIGSEGV"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("process-ready" as const), pid }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("process-notified" as const),
      pid,
      tags: fc.subarray([
        "READY=1",
        "RELOADING=1",
        "STOPPING=1",
        "WATCHDOG=1",
        "WATCHDOG=trigger",
        "WATCHDOG_USEC=500000",
        "EXTEND_TIMEOUT_USEC=7000000",
        "MAINPID=201",
      ]),
    }),
  },
  {
    weight: 1,
    arbitrary: unit.map((name) => ({ kind: "timer", timer: `watchdog/${name}` }) as const),
  },
  {
    weight: 3,
    arbitrary: unit.map((name) => ({ kind: "timer", timer: `unit/${name}` }) as const),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "timer", timer: "idle" } as const) },
);

const BOOT: SystemdStimulus = {
  kind: "boot",
  defaultTarget: "multi-user.target",
  bootId: "b",
  vendorUnits: Object.entries(UNITS).map(([name, body]) => ({ name, text: body })),
};

test("in place and under immer systemd does the same on any sequence of stimuli", () => {
  fc.assert(
    fc.property(fc.array(stimulus, { maxLength: 25 }), (stimuli) => {
      const config = { hostname: "h", machineId: "m", serviceWatchdogs: true };
      const owned = systemd.create(config);
      let state = systemd.create(config);
      let now = 0;
      for (const item of [BOOT, ...stimuli, { kind: "shutdown" } as const]) {
        const inPlace = stepInPlace(systemd, owned, item, now);
        const immutable = stepImmutable(systemd, state, item, now);
        state = immutable.state;
        expect(immutable.facts).toEqual(inPlace.facts);
        expect(immutable.effects).toEqual(inPlace.effects);
        now += 300_000;
      }
      expect(hashState(state)).toBe(hashState(owned));
    }),
    { numRuns: 150 },
  );
});

test("whatever happens, every call is answered once and jobs and units agree", () => {
  fc.assert(
    fc.property(fc.array(stimulus, { maxLength: 60 }), (stimuli) => {
      const state = systemd.create({ hostname: "h", machineId: "m" });
      for (const item of [BOOT, ...stimuli]) {
        const { effects } = stepInPlace(systemd, state, item, 0);
        const replies = effects.filter((effect) => effect.kind === "systemd-reply");
        expect(replies).toHaveLength(item.kind === "systemd-call" ? 1 : 0);
        for (const job of state.jobs.values()) {
          expect(state.units.get(job.unit)?.job).toBe(job.id);
        }
        for (const known of state.units.values()) {
          if (known.job !== 0) expect(state.jobs.has(known.job)).toBe(true);
          const runtime = known.service;
          if (runtime === null) continue;
          const down = runtime.state === "dead" || runtime.state === "failed";
          if (down) expect([runtime.mainPid, runtime.controlPid]).toEqual([0, 0]);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test("what is ignored of a line is told in words that grow as the line does", () => {
  const words = "wrong ".repeat(20_000);
  const lines = ["SuccessExitStatus", "Environment", "RestartPreventExitStatus"].map(
    (key) => `${key}=${words}`,
  );
  const { options } = parseUnitFile(`[Service]\n${lines.join("\n")}\n`, "a.service");
  const name = parseUnitName("a.service");
  if (name === null) throw new Error("a.service is a name");
  const assignments = options.map((option) => ({ ...option, file: "a.service" }));
  const context = { hostname: "h", machineId: "0", bootId: "0" };
  const { ignored } = readConfig(assignments, name, context, { start: 0, stop: 0 });
  expect(ignored.length).toBe(60_000);
  expect(JSON.stringify(ignored).length).toBeLessThan(200 * ignored.length);
});
