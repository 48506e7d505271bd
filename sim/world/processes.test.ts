import { expect, test } from "vitest";
import type { HostStimulus } from "../../core/host/index.js";
import { createGenerator } from "../../core/kernel/index.js";
import type { ExecProcess } from "../../core/systemd/process.js";
import type { ProcessSpec } from "../scenario/index.js";
import { ProcessTable } from "./processes.js";

const exactly = (value: number) => ({ low: value, high: value });

const ANY: ProcessSpec = {
  match: "*",
  readyAfter: exactly(10),
  exits: null,
  stopTakes: exactly(500),
};

/** A table of these behaviours, and what it answers, with delays. */
function table(...specs: ProcessSpec[]) {
  const processes = new ProcessTable([...specs, ANY], createGenerator(1, "process"));
  const answers: [number, HostStimulus][] = [];
  const answer = (delay: number, stimulus: HostStimulus) => answers.push([delay, stimulus]);
  return {
    answers,
    processes,
    exec: (unit: string, changes: Partial<ExecProcess> = {}) =>
      processes.exec(
        0,
        {
          kind: "exec",
          pid: 7,
          unit,
          role: "main",
          argv: ["/opt/bin/web", "1"],
          environment: {},
          ...changes,
        },
        answer,
      ),
    kill: (signal: "SIGTERM" | "SIGKILL" | "SIGHUP") =>
      processes.kill(0, { kind: "kill", pid: 7, signal }, answer),
  };
}

test("the first entry that matches a unit, its bare name or its program says how it behaves", () => {
  for (const match of ["web@1.service", "web@*", "web", "w*b"]) {
    const { exec, answers } = table({ ...ANY, match, exits: { after: exactly(30), code: 3 } });
    exec("web@1.service");
    expect(answers).toEqual([
      [10, { kind: "process-ready", pid: 7 }],
      [30, { kind: "process-exited", pid: 7, code: 3, signal: null }],
    ]);
  }
  const { exec, answers } = table({ ...ANY, match: "we", readyAfter: exactly(99) });
  exec("web@1.service");
  expect(answers.map(([delay]) => delay)).toEqual([10]);
});

test("an entry for some hosts is passed over on the others", () => {
  for (const [host, code] of [
    [0, 1],
    [1, 2],
  ] as const) {
    const exits = (status: number) => ({ ...ANY, exits: { after: exactly(30), code: status } });
    const { exec, answers } = table({ ...exits(1), hosts: [host] }, exits(2));
    exec("web.service");
    expect(answers[1]?.[1]).toMatchObject({ code });
  }
});

test("commands around the main one end well, in a moment", () => {
  const { exec, answers } = table();
  exec("web.service", { role: "pre" });
  expect(answers).toEqual([[1000, { kind: "process-exited", pid: 7, code: 0, signal: null }]]);
});

test("SIGTERM takes its time, SIGKILL none, SIGHUP nothing", () => {
  const { exec, kill, answers } = table();
  exec("web.service");
  answers.length = 0;
  kill("SIGHUP");
  kill("SIGTERM");
  kill("SIGKILL");
  expect(answers).toEqual([
    [500, { kind: "process-exited", pid: 7, code: null, signal: "SIGTERM" }],
    [0, { kind: "process-exited", pid: 7, code: null, signal: "SIGKILL" }],
  ]);
});

test("a program that ignores SIGTERM is not moved by it", () => {
  const { exec, kill, answers } = table({ ...ANY, match: "web", stopTakes: null });
  exec("web.service");
  answers.length = 0;
  kill("SIGTERM");
  expect(answers).toEqual([]);
});

test("nothing runs on a host that lost power", () => {
  const { exec, kill, answers, processes } = table();
  exec("web.service");
  answers.length = 0;
  processes.clear(0);
  kill("SIGKILL");
  expect(answers).toEqual([]);
});
