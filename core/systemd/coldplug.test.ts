import { expect, test } from "vitest";
import { service, TestHost } from "./testing/host.js";

const reload = (host: TestHost) => host.call({ call: "daemon-reload" });

const change = (host: TestHost, unit: string, text: string) => {
  host.call({ call: "write-drop-in", unit, name: "10-a.conf", text });
  reload(host);
};

test("what is waited for counts by the settings of now from when the state was entered", () => {
  const host = new TestHost({ "a.service": service("a", "TimeoutStopSec=60") });
  host.start("a.service");
  host.stop("a.service");
  host.wait(10);
  change(host, "a.service", "[Service]\nTimeoutStopSec=15\n");
  host.wait(4);
  expect(host.signals()).toEqual(["SIGTERM"]);
  host.wait(1);
  expect(host.signals()).toEqual(["SIGTERM", "SIGKILL"]);
});

test("a timer counts OnActiveSec from the reload", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "a.timer": "[Timer]\nOnActiveSec=10\n",
  });
  host.start("a.timer");
  host.wait(8);
  reload(host);
  host.wait(9);
  expect(host.is("a.service")).toBe("inactive/dead");
  host.wait(1);
  expect(host.is("a.service")).toBe("active/running");
});

test("start limits count from nothing before systemd 255", () => {
  const host = new TestHost({
    "a.service": service("a", "StartLimitBurst=2", "StartLimitIntervalSec=1min"),
  });
  for (let i = 0; i < 2; i++) {
    host.start("a.service");
    host.exit("a.service", 1);
  }
  reload(host);
  host.start("a.service");
  expect(host.is("a.service")).toBe("active/running");
});

test("what is up without what it is now bound to is stopped", () => {
  const host = new TestHost({ "a.service": service("a"), "b.service": service("b") });
  host.start("a.service");
  change(host, "a.service", "[Unit]\nBindsTo=b.service\n");
  expect(host.is("a.service")).toBe("deactivating/stop-sigterm");
});

test("a path unit whose file is there starts its unit again if it comes back before it", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "a.path": "[Path]\nPathExists=/x\n",
  });
  host.send({ kind: "file-changed", path: "/x", text: "" });
  host.start("a.path");
  expect(host.jobs("a.service")).toEqual(["start done"]);
  reload(host);
  expect(host.is("a.path")).toBe("active/running");
  // The path was loaded first: it sees the service down, and the start finds it up.
  expect(host.jobs("a.service")).toEqual(["start done", "start done"]);
});

test("a masked unit cannot be started, but what its drop-ins say of it counts", () => {
  const host = new TestHost({ "a.service": service("a") });
  host.start("a.service");
  host.call({ call: "mask", unit: "a.service", runtime: false });
  change(host, "a.service", "[Unit]\nRefuseManualStop=yes\n");
  const stopped = host.stop("a.service");
  expect(stopped.ok ? "" : stopped.error).toBe("org.freedesktop.systemd1.OnlyByDependency");
});
