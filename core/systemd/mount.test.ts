import { expect, test } from "vitest";
import { TestHost } from "./testing/host.js";

const UNIT = "var-lib-x.mount";

function host(...lines: string[]): TestHost {
  const text = ["[Mount]", "What=/dev/vdb", "Where=/var/lib/x", ...lines].join("\n");
  return new TestHost({ [UNIT]: `${text}\n` });
}

const resultOf = (on: TestHost) => on.state.units.get(UNIT)?.mount?.result;

test("a mount that takes too long is ended, by force if need be", () => {
  const on = host("TimeoutSec=5");
  on.start(UNIT);
  on.wait(5);
  expect(on.is(UNIT)).toBe("deactivating/unmounting-sigterm");
  on.wait(5);
  expect(on.is(UNIT)).toBe("deactivating/unmounting-sigkill");
  expect(on.signals()).toEqual(["SIGTERM", "SIGKILL"]);
  on.exit(UNIT, null, "mount");
  expect(on.is(UNIT)).toBe("failed/failed");
  expect(resultOf(on)).toBe("timeout");
  expect(on.jobs(UNIT)).toEqual(["start failed"]);
});

test("a mount has 90 s where its unit says nothing, and for ever where it says 0", () => {
  const on = host();
  on.start(UNIT);
  on.wait(89);
  expect(on.is(UNIT)).toBe("activating/mounting");
  on.wait(1);
  expect(on.is(UNIT)).toBe("deactivating/unmounting-sigterm");
  const patient = host("TimeoutSec=0");
  patient.start(UNIT);
  patient.wait(3600);
  expect(patient.is(UNIT)).toBe("activating/mounting");
});

test("a stop ends a mount that is under way; it has failed, by the signal", () => {
  const on = host("SendSIGHUP=yes");
  on.start(UNIT);
  on.stop(UNIT);
  expect(on.is(UNIT)).toBe("deactivating/unmounting-sigterm");
  expect(on.signals()).toEqual(["SIGTERM", "SIGHUP"]);
  on.exit(UNIT, null, "mount");
  expect(on.is(UNIT)).toBe("failed/failed");
  expect(resultOf(on)).toBe("signal");
  expect(on.jobs(UNIT)).toEqual(["start canceled", "stop done"]);
});

test("a reload that fails or takes too long leaves what is mounted as it is", () => {
  const on = host("TimeoutSec=5");
  on.start(UNIT);
  on.exit(UNIT, 0, "mount");
  on.call({ call: "reload", unit: UNIT, mode: "replace" });
  expect(on.is(UNIT)).toBe("reloading/remounting");
  on.wait(5);
  expect(on.is(UNIT)).toBe("reloading/remounting-sigterm");
  on.exit(UNIT, null, "mount");
  expect(on.is(UNIT)).toBe("active/mounted");
  expect(on.jobs(UNIT)).toEqual(["start done", "reload failed"]);
  expect(resultOf(on)).toBe("success");
});

test("what cannot be unmounted stays mounted, and a later try can work", () => {
  const on = host();
  on.start(UNIT);
  on.exit(UNIT, 0, "mount");
  on.stop(UNIT);
  on.exit(UNIT, 32, "unmount");
  expect(on.is(UNIT)).toBe("active/mounted");
  on.stop(UNIT);
  on.exit(UNIT, 0, "unmount");
  expect(on.is(UNIT)).toBe("failed/failed");
  expect(on.jobs(UNIT)).toEqual(["start done", "stop failed", "stop done"]);
});

test("a mount that is started too often fails until its limit has passed", () => {
  const on = new TestHost({
    [UNIT]: "[Unit]\nStartLimitBurst=1\n[Mount]\nWhat=/dev/vdb\nWhere=/var/lib/x\n",
  });
  on.start(UNIT);
  on.exit(UNIT, 0, "mount");
  on.stop(UNIT);
  on.exit(UNIT, 0, "unmount");
  on.start(UNIT);
  expect(on.is(UNIT)).toBe("failed/failed");
  expect(resultOf(on)).toBe("start-limit-hit");
  on.wait(11);
  on.start(UNIT);
  expect(on.is(UNIT)).toBe("activating/mounting");
});

test("of several Options= the last one holds", () => {
  const on = host("Options=noatime", "Options=ro,nodev");
  on.start(UNIT);
  expect(on.process(UNIT, "mount").argv.slice(3)).toEqual(["-o", "ro,nodev"]);
});
