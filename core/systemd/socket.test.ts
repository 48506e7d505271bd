import { expect, test } from "vitest";
import { service, TestHost } from "./testing/host.js";

/** A socket unit of this name with its service; lines are those of its [Socket] section. */
function host(...lines: string[]): TestHost {
  return new TestHost({
    "a.socket": `[Socket]\nListenFIFO=/run/fifo\n${lines.join("\n")}\n`,
    "a.service": service("a"),
    "there.service": service("there", "ConditionPathExists=/run/fifo"),
  });
}

/** The states of a unit in the order in which they were told. */
const told = (on: TestHost, unit: string): string[] =>
  on.facts.flatMap((fact) =>
    fact.kind === "systemd.unit" && fact.unit === unit ? [`${fact.active}/${fact.sub}`] : [],
  );

test("a socket runs its commands one after the other, and listens between those of its start", () => {
  const on = host(
    "ExecStartPre=/bin/one",
    "ExecStartPre=/bin/two",
    "ExecStartPost=/bin/three",
    "ExecStopPre=/bin/four",
    "ExecStopPost=/bin/five",
  );
  on.start("a.socket");
  expect(on.is("a.socket")).toBe("activating/start-pre");
  on.exit("a.socket", 0, "pre");
  on.start("there.service");
  expect(on.ran()).toEqual(["one", "two"]);
  on.exit("a.socket", 0, "pre");
  expect(on.is("a.socket")).toBe("activating/start-post");
  on.start("there.service");
  on.exit("a.socket", 0, "post");
  expect(on.is("a.socket")).toBe("active/listening");
  on.stop("a.socket");
  expect(on.is("a.socket")).toBe("deactivating/stop-pre");
  on.exit("a.socket", 0, "stop");
  expect(on.is("a.socket")).toBe("deactivating/stop-post");
  on.exit("a.socket", 0, "stop-post");
  expect(on.is("a.socket")).toBe("inactive/dead");
  expect(on.ran()).toEqual(["one", "two", "three", "there", "four", "five"]);
  expect(on.jobs("a.socket")).toEqual(["start done", "stop done"]);
});

test("a socket whose first command fails never listens; one that fails later is stopped", () => {
  const early = host("ExecStartPre=/bin/pre", "ExecStopPost=/bin/post");
  early.start("a.socket");
  early.exit("a.socket", 1, "pre");
  expect(early.is("a.socket")).toBe("failed/failed");
  expect(early.ran()).toEqual(["pre"]);
  const late = host("ExecStartPost=/bin/post", "ExecStopPre=/bin/stop", "RemoveOnStop=yes");
  late.start("a.socket");
  late.exit("a.socket", 1, "post");
  expect(late.is("a.socket")).toBe("deactivating/stop-pre");
  late.exit("a.socket", 0, "stop");
  expect(late.is("a.socket")).toBe("failed/failed");
  late.start("there.service");
  expect(late.ran()).toEqual(["post", "stop"]);
  expect(late.jobs("a.socket")).toEqual(["start failed"]);
  const forgiven = host("ExecStartPre=-/bin/pre");
  forgiven.start("a.socket");
  forgiven.exit("a.socket", 1, "pre");
  expect(forgiven.is("a.socket")).toBe("active/listening");
});

test("sockets are given to their user before anything else is done with them", () => {
  const on = host("SocketUser=core", "ExecStartPost=/bin/post");
  on.start("a.socket");
  expect(on.is("a.socket")).toBe("activating/start-chown");
  expect(on.process("a.socket", "chown").argv).toEqual(["(sd-chown)", "core", ""]);
  on.exit("a.socket", 0, "chown");
  expect(on.is("a.socket")).toBe("activating/start-post");
  const nobody = host("SocketUser=nobody-of-that-name", "ExecStopPost=/bin/post");
  nobody.start("a.socket");
  nobody.exit("a.socket", 217, "chown");
  nobody.exit("a.socket", 0, "stop-post");
  expect(nobody.is("a.socket")).toBe("failed/failed");
  expect(nobody.jobs("a.socket")).toEqual(["start failed"]);
});

test("a command that takes too long is ended, by force if need be", () => {
  const on = host("ExecStartPre=/bin/pre", "TimeoutSec=5");
  on.start("a.socket");
  on.wait(4);
  expect(on.is("a.socket")).toBe("activating/start-pre");
  on.wait(1);
  expect(on.is("a.socket")).toBe("deactivating/final-sigterm");
  on.wait(5);
  expect(on.is("a.socket")).toBe("deactivating/final-sigkill");
  expect(on.signals()).toEqual(["SIGTERM", "SIGKILL"]);
  on.exit("a.socket", null, "pre");
  expect(on.is("a.socket")).toBe("failed/failed");
  expect(on.state.units.get("a.socket")?.socket?.result).toBe("timeout");
  on.wait(60);
  expect(on.is("a.socket")).toBe("failed/failed");
});

test("a stop ends a socket that is still starting", () => {
  const on = host("ExecStartPre=/bin/pre", "ExecStopPost=/bin/post");
  on.start("a.socket");
  on.stop("a.socket");
  expect(on.is("a.socket")).toBe("deactivating/stop-pre-sigterm");
  on.exit("a.socket", null, "pre");
  expect(on.is("a.socket")).toBe("deactivating/stop-post");
  on.exit("a.socket", 0, "stop-post");
  expect(on.is("a.socket")).toBe("failed/failed");
  expect(on.jobs("a.socket")).toEqual(["start canceled", "stop done"]);
});

test("what comes in while a socket is not open yet is lost, while it starts it is kept", () => {
  const on = host("ExecStartPre=/bin/pre", "ExecStartPost=/bin/post");
  on.start("a.socket");
  on.send({ kind: "socket-traffic", unit: "a.socket" });
  on.exit("a.socket", 0, "pre");
  on.exit("a.socket", 0, "post");
  expect(on.is("a.socket")).toBe("active/listening");
  on.stop("a.socket");
  on.start("a.socket");
  on.exit("a.socket", 0, "pre");
  on.send({ kind: "socket-traffic", unit: "a.socket" });
  expect(on.ran()).not.toContain("a");
  on.exit("a.socket", 0, "post");
  expect(on.is("a.service")).toBe("active/running");
});

test("a daemon-reload leaves a command its time, by the settings of now, and begins the phase anew after it", () => {
  const on = host("ExecStartPre=/bin/one", "ExecStartPre=/bin/two", "TimeoutSec=10");
  on.start("a.socket");
  on.exit("a.socket", 0, "pre");
  on.wait(4);
  const text = "[Socket]\nTimeoutSec=6\n";
  on.call({ call: "write-drop-in", unit: "a.socket", name: "x.conf", text });
  on.call({ call: "daemon-reload" });
  on.exit("a.socket", 0, "pre");
  expect(on.ran()).toEqual(["one", "two", "two"]);
  on.wait(6);
  expect(on.is("a.socket")).toBe("deactivating/final-sigterm");
  expect(told(on, "a.socket")).not.toContain("active/listening");
});
