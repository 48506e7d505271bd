import { expect, test } from "vitest";
import { UnitJournal } from "./unit-journal.js";

/** What a journal has of a.service on h after these facts, a second apart. */
function lines(...facts: readonly (readonly [kind: string, ...words: string[]])[]): string[] {
  let at = 0;
  const journal = new UnitJournal(() => at);
  for (const [seq, [kind, first = "", second = "", result = "success"]] of facts.entries()) {
    at = seq * 1_000_000;
    const unit = "a.service";
    const data =
      kind === "systemd.unit"
        ? { unit, active: first, sub: second, result }
        : { unit, job: first, result: second };
    journal.note({ seq, at, host: "h", type: "fact", kind, data, cause: null });
  }
  return journal.of("h", "a.service").map(({ boot, message }) => `${boot} ${message}`);
}

test("a unit that is started and stopped is said to be", () => {
  expect(
    lines(
      ["host.up"],
      ["systemd.unit", "activating", "start"],
      ["systemd.unit", "active", "running"],
      ["systemd.job", "start", "done"],
      ["systemd.unit", "deactivating", "stop-sigterm"],
      ["systemd.unit", "inactive", "dead"],
      ["systemd.job", "stop", "done"],
    ),
  ).toEqual([
    "1 Starting a.service...",
    "1 Started a.service.",
    "1 a.service: Deactivated successfully.",
    "1 Stopped a.service.",
  ]);
});

test("a unit that fails and is restarted has not been deactivated well", () => {
  expect(
    lines(
      ["systemd.unit", "failed", "failed", "exit-code"],
      ["systemd.unit", "activating", "auto-restart", "exit-code"],
      ["systemd.unit", "inactive", "dead"],
      ["systemd.unit", "active", "running"],
      ["systemd.job", "restart", "done"],
      ["systemd.unit", "inactive", "dead"],
    ),
  ).toEqual([
    "1 a.service: Failed with result 'exit-code'.",
    "1 a.service: Scheduled restart job.",
    "1 Stopped a.service.",
    "1 Started a.service.",
    "1 a.service: Deactivated successfully.",
  ]);
});

test("jobs that come to nothing say why, boots are counted, and old lines go", () => {
  expect(
    lines(
      ["host.up"],
      ["systemd.job", "start", "dependency"],
      ["host.up"],
      ["systemd.job", "start", "failed"],
    ),
  ).toEqual(["1 Dependency failed for a.service.", "2 Failed to start a.service."]);
  const many = Array.from({ length: 1_500 }, () => ["systemd.job", "start", "done"] as const);
  expect(lines(...many)).toHaveLength(1_000);
});
