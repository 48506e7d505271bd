import { expect, test } from "vitest";
import { service, TestHost } from "./testing/host.js";

/** What units have wanted of the host so far, `SETTING=ACTION of UNIT`. */
const wanted = (host: TestHost): string[] =>
  host.effects.flatMap((effect) =>
    effect.kind === "host-action" ? [`${effect.by}=${effect.action} of ${effect.unit}`] : [],
  );

const unit = (section: string, ...lines: string[]): TestHost =>
  new TestHost({
    "a.service": `[Unit]\n${section}\n[Service]\nExecStart=/bin/a\n${lines.join("\n")}\n`,
  });

test("a unit that fails or ends well has done to the host what it says for that", () => {
  const host = unit("FailureAction=reboot\nSuccessAction=poweroff-force");
  host.start("a.service");
  host.exit("a.service", 0);
  expect(wanted(host)).toEqual(["SuccessAction=poweroff-force of a.service"]);
  host.start("a.service");
  host.exit("a.service", 1);
  expect(wanted(host).slice(1)).toEqual(["FailureAction=reboot of a.service"]);
});

test("a failure counts even where a restart follows it", () => {
  const host = unit("FailureAction=reboot-immediate", "Restart=always");
  host.start("a.service");
  host.exit("a.service", 1);
  expect(host.is("a.service")).toBe("activating/auto-restart");
  expect(wanted(host)).toEqual(["FailureAction=reboot-immediate of a.service"]);
});

test("the start limit and a job that takes too long have settings of their own", () => {
  const limited = unit("StartLimitBurst=1\nStartLimitAction=reboot");
  limited.start("a.service");
  limited.exit("a.service", 0);
  expect(wanted(limited)).toEqual([]);
  limited.start("a.service");
  expect(wanted(limited)).toEqual(["StartLimitAction=reboot of a.service"]);
  const slow = unit("JobTimeoutSec=5\nJobTimeoutAction=exit", "Type=notify");
  slow.start("a.service");
  slow.wait(5);
  expect(wanted(slow)).toEqual(["JobTimeoutAction=exit of a.service"]);
});

test("the last of several settings holds, none is none, and what is no action is passed over", () => {
  const host = unit(
    "FailureAction=reboot\nFailureAction=poweroff\nFailureAction=restart\nSuccessAction=reboot\nSuccessAction=none",
  );
  host.start("a.service");
  host.exit("a.service", 0);
  host.start("a.service");
  host.exit("a.service", 1);
  expect(wanted(host)).toEqual(["FailureAction=poweroff of a.service"]);
  const found = host.facts.flatMap((fact) =>
    fact.kind === "systemd.unit-file-ignored-line" ? [fact.found] : [],
  );
  expect(found).toEqual(["FailureAction=restart"]);
});

test("[Service] knows two of them from of old", () => {
  const host = new TestHost({
    "a.service": service("a", "FailureAction=reboot", "SuccessAction=reboot"),
  });
  host.start("a.service");
  host.exit("a.service", 0);
  host.start("a.service");
  host.exit("a.service", 1);
  expect(wanted(host)).toEqual(["FailureAction=reboot of a.service"]);
});

test("a service that only ends the host needs no program", () => {
  const host = new TestHost({ "off.service": "[Unit]\nSuccessAction=poweroff\n[Service]\n" });
  host.start("off.service");
  expect(host.jobs("off.service")).toEqual(["start done"]);
  expect(wanted(host)).toEqual(["SuccessAction=poweroff of off.service"]);
});
