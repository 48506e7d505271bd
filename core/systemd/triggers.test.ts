import { expect, test } from "vitest";
import { service, TestHost } from "./testing/host.js";

const file = (host: TestHost, path: string, text: string | null) =>
  host.send({ kind: "file-changed", path, text });

test("a path unit starts its service when the path comes to exist", () => {
  const host = new TestHost({
    "a.path": "[Path]\nPathExists=/run/flag\n",
    "a.service": service("a"),
  });
  host.start("a.path");
  expect(host.is("a.path")).toBe("active/waiting");
  file(host, "/run/flag", "");
  expect(host.is("a.path")).toBe("active/running");
  expect(host.is("a.service")).toBe("active/running");
});

test("a path that is still there when its service ends starts it again, up to the start limit", () => {
  // A path unit without something that takes the file away is a loop, which ends both units failed.
  const host = new TestHost({
    "a.path": "[Path]\nPathExists=/run/flag\n",
    "a.service": service("a", "StartLimitBurst=2"),
  });
  file(host, "/run/flag", "");
  host.start("a.path");
  host.exit("a.service", 0);
  expect(host.ran()).toEqual(["a", "a"]);
  host.exit("a.service", 0);
  expect(host.is("a.service")).toBe("failed/failed/start-limit-hit");
  expect(host.is("a.path")).toBe("failed/failed");
});

test("PathChanged waits for a change, not for what is there", () => {
  const host = new TestHost({
    "a.path": "[Path]\nPathChanged=/etc/conf\n",
    "a.service": service("a"),
  });
  file(host, "/etc/conf", "1");
  host.start("a.path");
  expect(host.is("a.path")).toBe("active/waiting");
  file(host, "/etc/conf", "2");
  expect(host.is("a.service")).toBe("active/running");
});

test("a path unit that waits for its path looks again at whatever comes on the way to it, and at nothing else", () => {
  const host = new TestHost({
    "a.path": "[Path]\nPathChanged=/run/x/y/flag\n",
    "a.service": service("a", "Type=notify"),
  });
  file(host, "/run/x/first", "");
  host.start("a.path");
  host.start("a.service");
  file(host, "/run/x/first", "2");
  file(host, "/run/z", "");
  file(host, "/run/x/first", null);
  expect(host.is("a.path")).toBe("active/waiting");
  // Its unit is on its way up, which it sees now.
  file(host, "/run/x/other", "");
  expect(host.is("a.path")).toBe("active/running");
});

test("a socket unit makes its FIFO, which others may wait for, and takes it away only if it says so", () => {
  const host = new TestHost({
    "a.socket": "[Socket]\nListenFIFO=/run/fifo\n",
    "a.service": service("a"),
    "b.socket": "[Socket]\nListenStream=/run/b/sock\nListenStream=80\nRemoveOnStop=yes\n",
    "b.service": service("b"),
    "c.path": "[Path]\nPathExists=/run/fifo\n",
    "c.service": service("c"),
    "d.service": service("d", "ConditionPathExists=/run/fifo"),
    "e.service": service("e", "ConditionPathExists=/run/b/sock"),
  });
  host.start("c.path");
  host.start("a.socket");
  host.start("b.socket");
  expect(host.ran()).toEqual(["c"]);
  host.start("e.service");
  host.stop("a.socket");
  host.stop("b.socket");
  host.stop("e.service");
  host.exit("e.service", 0);
  host.start("d.service");
  host.start("e.service");
  expect(host.ran()).toEqual(["c", "e", "d"]);
});

test("traffic on a socket starts its service, and what it leaves there starts it again", () => {
  const host = new TestHost({
    "a.socket": "[Socket]\nListenStream=/run/a\n",
    "a.service": service("a"),
  });
  host.start("a.socket");
  expect(host.is("a.socket")).toBe("active/listening");
  host.send({ kind: "socket-traffic", unit: "a.socket" });
  expect(host.is("a.socket")).toBe("active/running");
  host.exit("a.service", 0);
  expect(host.ran()).toEqual(["a", "a"]);
  host.send({ kind: "socket-drained", service: "a.service" });
  host.exit("a.service", 0);
  expect(host.is("a.socket")).toBe("active/listening");
});

test("a socket does not start while its service runs without it", () => {
  const host = new TestHost({
    "a.socket": "[Socket]\nListenStream=/run/a\n",
    "a.service": service("a"),
  });
  host.start("a.service");
  host.start("a.socket");
  expect(host.jobs("a.socket")).toEqual(["start failed"]);
});

test("a mount is up once mount(8) has ended, and fails with it", () => {
  const unit = "[Mount]\nWhat=/dev/vdb\nWhere=/var/lib/x\n";
  const host = new TestHost({ "var-lib-x.mount": unit });
  host.start("var-lib-x.mount");
  expect(host.is("var-lib-x.mount")).toBe("activating/mounting");
  host.exit("var-lib-x.mount", 0, "mount");
  expect(host.is("var-lib-x.mount")).toBe("active/mounted");
  host.stop("var-lib-x.mount");
  host.exit("var-lib-x.mount", 0, "unmount");
  host.start("var-lib-x.mount");
  host.exit("var-lib-x.mount", 32, "mount");
  expect(host.jobs("var-lib-x.mount")).toEqual(["start done", "stop done", "start failed"]);
});

test("a mount whose name does not say where it mounts is refused", () => {
  const host = new TestHost({ "data.mount": "[Mount]\nWhat=/dev/vdb\nWhere=/other\n" });
  const reply = host.start("data.mount");
  expect(reply.ok ? "" : reply.error).toBe("org.freedesktop.systemd1.BadUnitSetting");
});

test("a unit that is upheld is started again whenever it ends", () => {
  const host = new TestHost({
    "a.service": service("a", "Upholds=b.service"),
    "b.service": service("b"),
  });
  host.start("a.service");
  host.exit("b.service", 0);
  expect(host.ran()).toEqual(["a", "b", "b"]);
  host.stop("a.service");
  host.exit("a.service", 0);
  host.exit("b.service", 0);
  expect(host.is("b.service")).toBe("inactive/dead");
});

test("a unit that nobody needs any more is stopped if it says so", () => {
  const host = new TestHost({
    "a.service": service("a", "Requires=b.service"),
    "b.service": service("b", "StopWhenUnneeded=yes"),
  });
  host.start("a.service");
  host.exit("a.service", 0);
  expect(host.is("b.service")).toBe("deactivating/stop-sigterm");
});

test("units that start each other for ever do not hold up the one who asks", () => {
  // d fails for want of f and names f in OnFailure=, which pulls in d: systemd is busy with it for ever.
  const host = new TestHost({
    "d.service": service("d", "Requisite=x.service", "After=x.service", "OnFailure=f.service"),
    "f.service": service("f", "BindsTo=d.service", "After=d.service"),
    "x.service": service("x"),
  });
  expect(host.start("f.service").ok).toBe(true);
  expect(host.is("f.service")).toBe("inactive/dead");
});

test("a service that forks leaves its only child as the main process", () => {
  const host = new TestHost({ "a.service": service("a", "Type=forking") });
  host.start("a.service");
  const { pid } = host.process("a.service");
  host.send({ kind: "process-forked", pid, child: 1_000_000 });
  host.send({ kind: "process-exited", pid, code: 0, signal: null });
  expect(host.is("a.service")).toBe("active/running");
  host.send({ kind: "process-exited", pid: 1_000_000, code: 3, signal: null });
  expect(host.is("a.service")).toBe("failed/failed/exit-code");
});

const timer = (...lines: string[]) => `[Timer]\n${lines.join("\n")}\n`;

/** A host whose clock shows 2017-03-01 00:00:00 UTC, with a timer and the service it starts. */
function clockwork(...lines: string[]): TestHost {
  const host = new TestHost({ "a.timer": timer(...lines), "a.service": service("a") });
  host.now = 1_488_326_400_000_000;
  return host;
}

/** How many minutes go by until the timer's service runs, at most so many. */
function minutesUntilRun(host: TestHost, most: number): number | null {
  const before = host.ran().length;
  host.wait(0);
  for (let minutes = 0; minutes <= most; minutes++) {
    if (host.ran().length > before) return minutes;
    host.wait(60);
  }
  return null;
}

test("a calendar timer starts its service at each of its times, by the host's clock", () => {
  const host = clockwork("OnCalendar=*-*-* 00:10,45");
  host.start("a.timer");
  expect(host.is("a.timer")).toBe("active/waiting");
  expect(minutesUntilRun(host, 60)).toBe(10);
  expect(host.is("a.timer")).toBe("active/running");
  host.exit("a.service", 0);
  expect(host.is("a.timer")).toBe("active/waiting");
  expect(minutesUntilRun(host, 60)).toBe(35);
});

test("a calendar timer whose service still runs when it is due starts it once more when it has ended", () => {
  const host = clockwork("OnCalendar=*:0/10");
  host.start("a.timer");
  expect(minutesUntilRun(host, 10)).toBe(10);
  host.wait(25 * 60);
  expect(host.ran()).toEqual(["a"]);
  host.exit("a.service", 0);
  expect(host.ran()).toEqual(["a", "a"]);
  host.exit("a.service", 0);
  expect(minutesUntilRun(host, 10)).toBe(5);
});

test("of several settings the earliest counts, and an empty one takes all back", () => {
  const host = clockwork("OnCalendar=daily", "OnCalendar=", "OnCalendar=00:30", "OnActiveSec=5min");
  host.start("a.timer");
  expect(minutesUntilRun(host, 60)).toBe(5);
  host.wait(1);
  host.exit("a.service", 0);
  expect(minutesUntilRun(host, 60)).toBe(25);
});

test("a timer that is due elapses before any job is run", () => {
  // The start that it asks for and that of the restart are one.
  const host = clockwork("OnActiveSec=1", "OnUnitActiveSec=10min");
  host.start("a.timer");
  host.wait(15 * 60);
  host.restart("a.service");
  host.exit("a.service", 0);
  expect(host.jobs("a.service")).toEqual(["start done", "start done"]);
});

test("a calendar timer with nothing to come has elapsed", () => {
  const host = clockwork("OnCalendar=2016-12-31");
  host.start("a.timer");
  expect(host.is("a.timer")).toBe("active/elapsed");
  const gone = clockwork("OnCalendar=2016-12-31", "RemainAfterElapse=no");
  gone.start("a.timer");
  expect(gone.is("a.timer")).toBe("inactive/dead");
});

test("a timer that is persistent makes up at boot for what was due while the host was down", () => {
  const units = {
    "a.timer": timer("OnCalendar=00:30", "Persistent=yes"),
    "a.service": service("a"),
  };
  const host = new TestHost(units);
  host.now = 1_488_326_400_000_000;
  const boot = () => {
    const vendorUnits = Object.entries(units).map(([name, text]) => ({ name, text }));
    host.send({ kind: "boot", defaultTarget: "multi-user.target", bootId: "b", vendorUnits });
    host.start("a.timer");
  };
  boot();
  // It never ran, and is not late.
  expect(host.ran()).toEqual([]);
  host.wait(45 * 60);
  expect(host.ran()).toEqual(["a"]);
  host.send({ kind: "shutdown" });
  host.now += 24 * 3_600_000_000;
  boot();
  host.wait(0);
  expect(host.ran()).toEqual(["a", "a"]);
});

test("a timer that is not persistent lets pass what was due while the host was down", () => {
  const host = clockwork("OnCalendar=00:30");
  host.start("a.timer");
  host.stop("a.timer");
  host.wait(45 * 60);
  host.start("a.timer");
  expect(minutesUntilRun(host, 60)).toBeNull();
});

test("an event in another time zone than UTC is told of, and waited for in vain", () => {
  const host = clockwork("OnCalendar=*:* Europe/Berlin");
  host.start("a.timer");
  expect(host.is("a.timer")).toBe("active/waiting");
  expect(minutesUntilRun(host, 10)).toBeNull();
  expect(host.facts).toContainEqual({
    kind: "systemd.unsupported",
    unit: "a.timer",
    what: "OnCalendar= in the time zone Europe/Berlin",
  });
});

test("timers go by a clock that is set", () => {
  const back = clockwork("OnCalendar=00:10");
  back.start("a.timer");
  back.setClock(-60);
  expect(minutesUntilRun(back, 80)).toBe(70);
  const forward = clockwork("OnCalendar=00:30");
  forward.start("a.timer");
  forward.setClock(20);
  expect(minutesUntilRun(forward, 40)).toBe(10);
  const monotonic = clockwork("OnActiveSec=30min");
  monotonic.start("a.timer");
  monotonic.setClock(20);
  expect(minutesUntilRun(monotonic, 40)).toBe(30);
  const watching = clockwork("OnClockChange=yes");
  watching.start("a.timer");
  expect(watching.is("a.timer")).toBe("active/waiting");
  watching.setClock(1);
  expect(watching.ran()).toEqual(["a"]);
});

test("a calendar timer that was stopped makes up for what came since it was last started", () => {
  const host = clockwork("OnCalendar=*:0/10");
  host.start("a.timer");
  host.wait(5 * 60);
  host.stop("a.timer");
  host.start("a.timer");
  expect(host.ran()).toEqual([]);
  host.stop("a.timer");
  host.wait(20 * 60);
  host.start("a.timer");
  expect(host.ran()).toEqual(["a"]);
});

test("what elapsed on a clock that was wrong elapses again on the right one", () => {
  const host = clockwork("OnCalendar=00:10");
  host.start("a.timer");
  expect(minutesUntilRun(host, 10)).toBe(10);
  host.exit("a.service", 0);
  host.setClock(-60);
  expect(minutesUntilRun(host, 80)).toBe(60);
});

test("a calendar event that is none leaves a timer without a setting", () => {
  const host = clockwork("OnCalendar=every day");
  const reply = host.start("a.timer");
  expect(reply.ok ? "" : reply.error).toBe("org.freedesktop.systemd1.BadUnitSetting");
});
