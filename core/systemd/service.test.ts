import { expect, test } from "vitest";
import { stepInPlace } from "../kernel/index.js";
import { systemd } from "./manager.js";
import { service, TestHost } from "./testing/host.js";
import type { SystemdStimulus } from "./types.js";

const host = (...lines: string[]) => new TestHost({ "a.service": service("a", ...lines) });

test("a simple service is active as soon as its process is started", () => {
  const h = host();
  h.start("a.service");
  expect(h.is("a.service")).toBe("active/running");
  h.exit("a.service", 0);
  expect(h.is("a.service")).toBe("inactive/dead");
});

test("a notify service is active once it says so, and fails if it ends before", () => {
  const h = host("Type=notify");
  h.start("a.service");
  expect(h.is("a.service")).toBe("activating/start");
  h.exit("a.service", 0);
  expect(h.is("a.service")).toBe("failed/failed/protocol");
  h.start("a.service");
  h.ready("a.service");
  expect(h.is("a.service")).toBe("active/running");
  expect(h.jobs("a.service")).toEqual(["start failed", "start done"]);
});

test("a forking service is active once its parent has gone and left the daemon", () => {
  const h = host("Type=forking");
  h.start("a.service");
  expect(h.is("a.service")).toBe("activating/start");
  h.ready("a.service");
  expect(h.is("a.service")).toBe("active/running");
  h.exit("a.service", 1);
  expect(h.is("a.service")).toBe("failed/failed/exit-code");
});

test("a oneshot runs its commands one after the other and remains if told to", () => {
  const h = host("Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/one", "ExecStart=/bin/two");
  h.start("a.service");
  expect(h.ran()).toEqual(["one"]);
  h.exit("a.service", 0);
  expect(h.ran()).toEqual(["one", "two"]);
  expect(h.is("a.service")).toBe("activating/start");
  h.exit("a.service", 0);
  expect(h.is("a.service")).toBe("active/exited");
});

test("commands before and after the start run in order, and a dash forgives", () => {
  const h = host(
    "ExecStartPre=-/bin/pre1",
    "ExecStartPre=/bin/pre2",
    "ExecStart=/bin/main",
    "ExecStartPost=/bin/post",
  );
  h.start("a.service");
  expect(h.is("a.service")).toBe("activating/start-pre");
  h.exit("a.service", 1, "pre");
  h.exit("a.service", 0, "pre");
  expect(h.is("a.service")).toBe("activating/start-post");
  h.exit("a.service", 0, "post");
  expect(h.ran()).toEqual(["pre1", "pre2", "main", "post"]);
  expect(h.is("a.service")).toBe("active/running");
});

test("a pre command that fails keeps the main process from starting but not ExecStopPost", () => {
  const h = host("ExecStartPre=/bin/pre", "ExecStart=/bin/main", "ExecStopPost=/bin/clean");
  h.start("a.service");
  h.exit("a.service", 1, "pre");
  expect(h.is("a.service")).toBe("deactivating/stop-post");
  h.exit("a.service", 0, "stop-post");
  expect(h.ran()).toEqual(["pre", "clean"]);
  expect(h.is("a.service")).toBe("failed/failed/exit-code");
  expect(h.jobs("a.service")).toEqual(["start failed"]);
});

test("a stop sends SIGTERM, then SIGKILL after TimeoutStopSec, and the result is timeout", () => {
  const h = host("TimeoutStopSec=10");
  h.start("a.service");
  h.stop("a.service");
  expect(h.signals()).toEqual(["SIGTERM"]);
  h.wait(10);
  expect(h.signals()).toEqual(["SIGTERM", "SIGKILL"]);
  expect(h.is("a.service")).toBe("deactivating/stop-sigkill");
  h.kill("a.service", "SIGKILL");
  expect(h.is("a.service")).toBe("failed/failed/timeout");
  expect(h.jobs("a.service").at(-1)).toBe("stop done");
});

test("a process that not even SIGKILL ends is given up", () => {
  const h = host("TimeoutStopSec=1");
  h.start("a.service");
  h.stop("a.service");
  h.wait(10);
  expect(h.is("a.service")).toBe("failed/failed/timeout");
});

test("ExecStop runs before any signal and an exit in it is waited for", () => {
  const h = host("ExecStop=/bin/bye");
  h.start("a.service");
  h.stop("a.service");
  expect(h.is("a.service")).toBe("deactivating/stop");
  h.exit("a.service", 0);
  expect(h.is("a.service")).toBe("deactivating/stop");
  h.exit("a.service", 0, "stop");
  expect(h.is("a.service")).toBe("inactive/dead");
  expect(h.signals()).toEqual([]);
});

test("a start that takes longer than TimeoutStartSec fails", () => {
  const h = host("Type=notify", "TimeoutStartSec=5");
  h.start("a.service");
  h.wait(5);
  expect(h.is("a.service")).toBe("deactivating/stop-sigterm");
  h.kill("a.service", "SIGTERM");
  expect(h.is("a.service")).toBe("failed/failed/timeout");
  expect(h.jobs("a.service")).toEqual(["start failed"]);
});

test("a oneshot has no start timeout unless one is given", () => {
  const h = host("Type=oneshot");
  h.start("a.service");
  h.wait(1_000);
  expect(h.is("a.service")).toBe("activating/start");
});

test.each([
  ["no", 1, null, false],
  ["on-success", 0, null, true],
  ["on-success", 1, null, false],
  ["on-failure", 1, null, true],
  ["on-failure", 0, null, false],
  ["on-abnormal", 1, null, false],
  ["on-abnormal", null, "SIGSEGV", true],
  ["on-abort", null, "SIGKILL", true],
  ["on-abort", 1, null, false],
  ["always", 0, null, true],
  ["always", null, "SIGTERM", true],
] as const)(
  "with Restart=%s an end with %s %s is followed by a restart: %s",
  (restart, code, signal, again) => {
    const h = host(`Restart=${restart}`, "RestartSec=1");
    h.start("a.service");
    if (signal === null) h.exit("a.service", code);
    else h.kill("a.service", signal);
    expect(h.is("a.service").startsWith("activating/auto-restart")).toBe(again);
    h.wait(1);
    expect(h.ran()).toHaveLength(again ? 2 : 1);
  },
);

test("a service that fails too often within the interval is not restarted any more", () => {
  const h = host("Restart=always", "RestartSec=100ms");
  h.start("a.service");
  for (let i = 0; i < 5; i++) {
    h.exit("a.service", 1);
    h.wait(1);
  }
  expect(h.ran()).toHaveLength(5);
  // The result stays that of the last run; only after a clean one it is start-limit-hit.
  expect(h.is("a.service")).toBe("failed/failed/exit-code");
  expect(h.jobs("a.service").at(-1)).toBe("start failed");
  h.start("a.service");
  expect(h.ran()).toHaveLength(5);
  h.call({ call: "reset-failed", unit: "a.service" });
  expect(h.is("a.service")).toBe("inactive/dead");
  h.start("a.service");
  expect(h.is("a.service")).toBe("active/running");
});

test("a service that ends well too often within the interval fails for that reason", () => {
  const h = host("StartLimitBurst=2", "StartLimitIntervalSec=1min");
  for (let i = 0; i < 3; i++) {
    h.start("a.service");
    if (i < 2) h.exit("a.service", 0);
  }
  expect(h.is("a.service")).toBe("failed/failed/start-limit-hit");
});

test("a restart every three seconds never meets the default limit of five in ten", () => {
  const h = host("Restart=always", "RestartSec=3");
  h.start("a.service");
  for (let i = 0; i < 20; i++) {
    h.exit("a.service", 1);
    h.wait(3);
  }
  expect(h.is("a.service")).toBe("active/running");
});

test("a stop while a restart is due leaves the service dead", () => {
  const h = host("Restart=always", "RestartSec=10");
  h.start("a.service");
  h.exit("a.service", 1);
  h.stop("a.service");
  expect(h.is("a.service")).toBe("inactive/dead");
  h.wait(20);
  expect(h.ran()).toEqual(["a"]);
});

test("a stopped service is not restarted whatever Restart says", () => {
  const h = host("Restart=always", "RestartSec=0");
  h.start("a.service");
  h.stop("a.service");
  h.kill("a.service", "SIGTERM");
  h.wait(5);
  expect(h.is("a.service")).toBe("inactive/dead");
});

test("a code in SuccessExitStatus counts as success", () => {
  const h = host("SuccessExitStatus=143 SIGKILL", "Restart=on-failure");
  h.start("a.service");
  h.exit("a.service", 143);
  expect(h.is("a.service")).toBe("inactive/dead");
  h.start("a.service");
  h.kill("a.service", "SIGKILL");
  expect(h.is("a.service")).toBe("inactive/dead");
});

test("a restart is one job that ends when the service is up again", () => {
  const h = host();
  h.start("a.service");
  h.restart("a.service");
  h.kill("a.service", "SIGTERM");
  expect(h.jobs("a.service")).toEqual(["start done", "start done"]);
  expect(h.ran()).toEqual(["a", "a"]);
});

test("try-restart leaves a service alone that does not run", () => {
  const h = host();
  h.call({ call: "try-restart", unit: "a.service", mode: "replace" });
  expect(h.ran()).toEqual([]);
});

test("a reload that fails leaves the service running and the job failed", () => {
  const h = host("ExecReload=/bin/reload $MAINPID");
  h.start("a.service");
  h.call({ call: "reload", unit: "a.service", mode: "replace" });
  expect(h.is("a.service")).toBe("reloading/reload");
  expect(h.process("a.service", "reload").argv[1]).toBe(String(h.process("a.service").pid));
  h.exit("a.service", 1, "reload");
  expect(h.is("a.service")).toBe("active/running");
  expect(h.jobs("a.service").at(-1)).toBe("reload failed");
});

test("a unit without ExecReload cannot be reloaded but reload-or-restart restarts it", () => {
  const h = host();
  h.start("a.service");
  const reply = h.call({ call: "reload", unit: "a.service", mode: "replace" });
  expect(reply.ok ? "" : reply.error).toBe("org.freedesktop.systemd1.JobTypeNotApplicable");
  h.call({ call: "reload-or-restart", unit: "a.service", mode: "replace" });
  expect(h.is("a.service")).toBe("deactivating/stop-sigterm");
});

test("KillMode=process leaves the other processes alone until the host goes down", () => {
  const h = host(
    "Type=simple",
    "KillMode=process",
    "ExecStartPost=/bin/helper",
    "TimeoutStartSec=1",
  );
  h.start("a.service");
  h.wait(1);
  expect(h.signals()).toEqual(["SIGTERM", "SIGTERM"]);
});

test("a condition that does not hold skips the unit and the job is done", () => {
  const h = host("ConditionPathExists=/etc/flag");
  h.start("a.service");
  expect(h.ran()).toEqual([]);
  expect(h.jobs("a.service")).toEqual(["start done"]);
  h.send({ kind: "file-changed", path: "/etc/flag", text: "" });
  h.start("a.service");
  expect(h.ran()).toEqual(["a"]);
});

test("a missing environment file fails the start unless it is optional", () => {
  const h = host("EnvironmentFile=/etc/a.env");
  h.start("a.service");
  expect(h.is("a.service")).toBe("failed/failed/resources");
  h.send({ kind: "file-changed", path: "/etc/a.env", text: "# c\nA=1\nB='x y'\n" });
  h.start("a.service");
  expect(h.process("a.service").environment.B).toBe("x y");
});

test("variables are replaced in the command line, whole words split", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd's own syntax
  const h = host("Environment=A=1 'B=x y'", 'ExecStart=/bin/a ${A}-${B} $B "$$B" $C');
  h.start("a.service");
  expect(h.process("a.service").argv).toEqual(["/bin/a", "1-x y", "x", "y", "$B"]);
});

test("a service without anything to start has a bad setting", () => {
  const h = new TestHost({ "a.service": "[Service]\nType=simple\n" });
  const reply = h.start("a.service");
  expect(reply.ok ? "" : reply.error).toBe("org.freedesktop.systemd1.BadUnitSetting");
});

test("each externally visible change of state is told once", () => {
  const h = host("Restart=on-failure", "RestartSec=1");
  h.start("a.service");
  h.exit("a.service", 1);
  h.wait(1);
  const told = h.facts.flatMap((fact) =>
    fact.kind === "systemd.unit" && fact.unit === "a.service" ? [`${fact.active} ${fact.sub}`] : [],
  );
  expect(told).toEqual([
    "active running",
    "failed failed",
    "activating auto-restart",
    "inactive dead",
    "active running",
  ]);
});

test("a timer starts its service after a span and again after the service ended", () => {
  const h = new TestHost({
    "a.timer": "[Timer]\nOnActiveSec=5\nOnUnitInactiveSec=10\n",
    "a.service": service("a", "Type=oneshot"),
  });
  h.start("a.timer");
  h.wait(4);
  expect(h.ran()).toEqual([]);
  h.wait(1);
  expect(h.ran()).toEqual(["a"]);
  h.exit("a.service", 0);
  h.wait(10);
  expect(h.ran()).toEqual(["a", "a"]);
  h.exit("a.service", 0);
  h.stop("a.timer");
  h.wait(100);
  expect(h.ran()).toEqual(["a", "a"]);
});

test("an idle service's program waits until the jobs are done", () => {
  const h = new TestHost({
    "t.target": "[Unit]\nWants=a.service b.service\n",
    "a.service": service("a", "Type=idle"),
    "b.service": service("b", "Type=notify"),
  });
  h.start("t.target");
  expect(h.ran()).toEqual(["b"]);
  h.ready("b.service");
  expect(h.ran()).toEqual(["b", "a"]);
});

test("a program that says it reloads is reloading until it says that it is ready", () => {
  const h = host("Type=notify");
  h.start("a.service");
  h.ready("a.service");
  h.say("a.service", "RELOADING=1");
  expect(h.is("a.service")).toBe("reloading/reload");
  h.say("a.service", "READY=1");
  expect(h.is("a.service")).toBe("active/running");
});

test("a program that says it stops has TimeoutStopSec to do so", () => {
  const h = host("Type=notify", "TimeoutStopSec=5");
  h.start("a.service");
  h.ready("a.service");
  h.say("a.service", "STOPPING=1");
  expect(h.is("a.service")).toBe("deactivating/stop-sigterm");
  expect(h.signals()).toEqual([]);
  h.wait(5);
  expect(h.signals()).toEqual(["SIGKILL"]);
});

test("a program may ask for more time, but what it has is never cut", () => {
  const h = host("Type=notify", "TimeoutStartSec=10");
  h.start("a.service");
  h.say("a.service", "EXTEND_TIMEOUT_USEC=1000000");
  h.wait(9);
  h.say("a.service", "EXTEND_TIMEOUT_USEC=4000000");
  h.wait(3);
  expect(h.is("a.service")).toBe("activating/start");
  h.wait(1);
  expect(h.is("a.service")).toBe("deactivating/stop-sigterm");
});

test("the watchdog bites whoever does not say in time that it is alive", () => {
  const h = host("WatchdogSec=2", "Restart=on-watchdog");
  h.start("a.service");
  expect(h.process("a.service").environment).toMatchObject({ WATCHDOG_USEC: "2000000" });
  h.wait(1.5);
  h.say("a.service", "WATCHDOG=1");
  h.wait(1.5);
  expect(h.is("a.service")).toBe("active/running");
  h.wait(0.5);
  expect(h.is("a.service")).toBe("deactivating/stop-watchdog");
  expect(h.signals()).toEqual(["SIGABRT"]);
  h.kill("a.service", "SIGABRT");
  expect(h.is("a.service")).toBe("activating/auto-restart");
});

test("nobody is heard whom NotifyAccess does not name", () => {
  const h = host("Type=notify", "NotifyAccess=main", "ExecReload=/bin/reload");
  h.start("a.service");
  h.ready("a.service");
  h.call({ call: "reload", unit: "a.service", mode: "replace" });
  expect(h.process("a.service", "reload").environment).not.toHaveProperty("NOTIFY_SOCKET");
  h.say("a.service", "STOPPING=1", "reload");
  h.exit("a.service", 0, "reload");
  expect(h.is("a.service")).toBe("active/running");
});

test("a forking service with PIDFile= waits for the file and follows whom it names", () => {
  const h = host("Type=forking", "PIDFile=a.pid");
  h.start("a.service");
  h.fork("a.service", 1_000_000);
  h.fork("a.service", 1_000_001);
  h.exit("a.service", 0);
  expect(h.is("a.service")).toBe("activating/start");
  h.send({ kind: "file-changed", path: "/run/a.pid", text: "1000001\n" });
  expect(h.is("a.service")).toBe("active/running");
  h.send({ kind: "process-exited", pid: 1_000_000, code: 1, signal: null });
  expect(h.is("a.service")).toBe("active/running");
  h.send({ kind: "process-exited", pid: 1_000_001, code: 1, signal: null });
  expect(h.is("a.service")).toBe("failed/failed/exit-code");
  expect(h.state.files.has("/run/a.pid")).toBe(false);
});

test("with ExitType=cgroup a service lives as long as any of its processes", () => {
  const h = host("ExitType=cgroup");
  h.start("a.service");
  h.fork("a.service", 1_000_000);
  h.exit("a.service", 0);
  expect(h.is("a.service")).toBe("active/running");
  h.send({ kind: "process-exited", pid: 1_000_000, code: 0, signal: null });
  expect(h.is("a.service")).toBe("inactive/dead");
});

test("RuntimeMaxSec counts from when the service became active, whatever it reloads", () => {
  const h = host("RuntimeMaxSec=10", "ExecReload=/bin/reload");
  h.start("a.service");
  h.wait(8);
  h.call({ call: "reload", unit: "a.service", mode: "replace" });
  h.exit("a.service", 0, "reload");
  h.wait(2);
  expect(h.is("a.service")).toBe("deactivating/stop-sigterm");
});

test("a service that must not be killed is not started while something of it is left", () => {
  const h = host(
    "KillMode=mixed",
    "SendSIGKILL=no",
    "ExecStartPre=/bin/pre",
    "ExecStart=/bin/main",
  );
  h.start("a.service");
  h.exit("a.service", 0, "pre");
  h.fork("a.service", 1_000_000);
  h.exit("a.service", 0);
  h.start("a.service");
  expect(h.is("a.service")).toBe("failed/failed/resources");
});

test("kill sends a signal to the processes it is for, past all jobs", () => {
  const h = host("ExecReload=/bin/reload");
  h.start("a.service");
  const kill = (who: "all" | "main" | "control") =>
    h.call({ call: "kill", unit: "a.service", who, signal: "SIGUSR1" });
  expect(kill("control")).toMatchObject({ error: "org.freedesktop.systemd1.NoSuchProcess" });
  expect(kill("main")).toEqual({ ok: true, call: "done" });
  h.fork("a.service", 1_000_000);
  kill("all");
  const { pid } = h.process("a.service");
  expect(h.effects.filter(({ kind }) => kind === "kill")).toEqual(
    [pid, pid, 1_000_000].map((killed) => ({ kind: "kill", pid: killed, signal: "SIGUSR1" })),
  );
});

test("a watchdog has no consequences on a host on which programs do not say that they are alive", () => {
  const state = systemd.create({ hostname: "h", machineId: "m" });
  const text = service("a", "WatchdogSec=2");
  const vendorUnits = [{ name: "a.service", text }];
  const step = (stimulus: SystemdStimulus) => stepInPlace(systemd, state, stimulus, 0);
  step({ kind: "boot", defaultTarget: "a.service", bootId: "b", vendorUnits });
  step({ kind: "timer", timer: "watchdog/a.service" });
  expect(state.units.get("a.service")?.service?.state).toBe("running");
});

test("a watchdog that is told to bite does so once", () => {
  const host = new TestHost({
    "a.service": service("a", "WatchdogSec=300ms", "ExecStopPost=/bin/p", "NotifyAccess=main"),
  });
  host.start("a.service");
  host.say("a.service", "WATCHDOG=trigger");
  host.kill("a.service", "SIGABRT");
  host.exit("a.service", 0, "stop-post");
  expect(host.is("a.service")).toBe("failed/failed/watchdog");
  host.wait(1);
  expect(host.is("a.service")).toBe("failed/failed/watchdog");
});
