import { expect, test } from "vitest";
import { stepInPlace } from "../kernel/index.js";
import { systemd } from "./manager.js";
import { service, TestHost } from "./testing/host.js";

test("a booted host reaches its default target and what that wants", () => {
  const host = new TestHost({
    "multi-user.target": "[Unit]\nWants=a.service\n",
    "a.service": service("a"),
  });
  expect(host.is("multi-user.target")).toBe("active/active");
  expect(host.is("a.service")).toBe("active/running");
  expect(host.ran()).toEqual(["a"]);
  expect(host.state.jobs.size).toBe(0);
});

test("a unit that comes after a oneshot waits until its work is done", () => {
  const host = new TestHost({
    "a.service": service("a", "Type=oneshot"),
    "b.service": service("b", "Requires=a.service", "After=a.service"),
  });
  host.start("b.service");
  expect(host.ran()).toEqual(["a"]);
  host.exit("a.service", 0);
  expect(host.ran()).toEqual(["a", "b"]);
  expect(host.is("a.service")).toBe("inactive/dead");
  expect(host.is("b.service")).toBe("active/running");
});

// Would have caught `\x2d` read as a dash: the name of the unit for a path that has one.
test("an escape in the name of a required unit belongs to the name", () => {
  const host = new TestHost({
    "a@b\\x2dc.service": service("a"),
    "b.service": service("b", "Requires=a@b\\x2dc.service"),
  });
  host.start("b.service");
  expect(host.is("a@b\\x2dc.service")).toBe("active/running");
});

test("without an order both sides of a requirement start at once", () => {
  const host = new TestHost({
    "a.service": service("a", "Type=oneshot"),
    "b.service": service("b", "Requires=a.service"),
  });
  host.start("b.service");
  expect(host.ran().sort()).toEqual(["a", "b"]);
});

test("a start that fails fails the start of what requires it, not of what wants it", () => {
  const host = new TestHost({
    "a.service": service("a", "Type=oneshot"),
    "needs.service": service("needs", "Requires=a.service", "After=a.service"),
    "likes.service": service("likes", "Wants=a.service", "After=a.service"),
  });
  host.start("needs.service");
  host.start("likes.service");
  host.exit("a.service", 1);
  expect(host.jobs("a.service")).toEqual(["start failed"]);
  expect(host.jobs("needs.service")).toEqual(["start dependency"]);
  expect(host.jobs("likes.service")).toEqual(["start done"]);
  expect(host.is("a.service")).toBe("failed/failed/exit-code");
  expect(host.is("needs.service")).toBe("inactive/dead");
});

test("a requisite is not started and its absence fails the start", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "b.service": service("b", "Requisite=a.service", "After=a.service"),
  });
  host.start("b.service");
  expect(host.ran()).toEqual([]);
  expect(host.jobs("b.service")).toEqual(["start dependency"]);
  host.start("a.service");
  host.start("b.service");
  expect(host.is("b.service")).toBe("active/running");
});

test("stopping a unit first stops what requires it, in the reverse of their order", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "b.service": service("b", "Requires=a.service", "After=a.service"),
  });
  host.start("b.service");
  host.stop("a.service");
  expect(host.is("a.service")).toBe("active/running");
  expect(host.is("b.service")).toBe("deactivating/stop-sigterm");
  host.kill("b.service", "SIGTERM");
  expect(host.is("a.service")).toBe("deactivating/stop-sigterm");
  host.kill("a.service", "SIGTERM");
  expect([host.is("a.service"), host.is("b.service")]).toEqual(["inactive/dead", "inactive/dead"]);
  expect(host.jobs("b.service")).toEqual(["start done", "stop done"]);
});

test("a unit that fails stops what is bound to it and leaves what only requires it", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "bound.service": service("bound", "BindsTo=a.service", "After=a.service"),
    "needs.service": service("needs", "Requires=a.service", "After=a.service"),
  });
  host.start("bound.service");
  host.start("needs.service");
  host.exit("a.service", 1);
  expect(host.is("bound.service")).toBe("deactivating/stop-sigterm");
  expect(host.is("needs.service")).toBe("active/running");
});

test("a unit is stopped and restarted with the one it is part of", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "b.service": service("b", "PartOf=a.service", "After=a.service"),
  });
  host.start("a.service");
  host.start("b.service");
  host.restart("a.service");
  host.kill("b.service", "SIGTERM");
  host.kill("a.service", "SIGTERM");
  expect(host.ran()).toEqual(["a", "b", "a", "b"]);
  expect(host.is("b.service")).toBe("active/running");
});

test("starting a unit stops the one it conflicts with, and waits for it when ordered", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "b.service": service("b", "Conflicts=a.service", "After=a.service"),
  });
  host.start("a.service");
  host.start("b.service");
  expect(host.is("a.service")).toBe("deactivating/stop-sigterm");
  expect(host.ran()).toEqual(["a"]);
  host.kill("a.service", "SIGTERM");
  expect(host.is("b.service")).toBe("active/running");
});

test("a target that requires two conflicting units cannot be started", () => {
  const host = new TestHost({
    "t.target": "[Unit]\nRequires=a.service b.service\n",
    "a.service": service("a", "Conflicts=b.service"),
    "b.service": service("b"),
  });
  const reply = host.start("t.target");
  expect(reply.ok ? "" : reply.error).toBe("org.freedesktop.systemd1.TransactionJobsConflicting");
  expect(host.state.jobs.size).toBe(0);
});

test("of two conflicting units that are only wanted one gives way", () => {
  const host = new TestHost({
    "t.target": "[Unit]\nWants=a.service b.service\n",
    "a.service": service("a", "Conflicts=b.service"),
    "b.service": service("b"),
  });
  expect(host.start("t.target").ok).toBe(true);
  expect(host.ran()).toHaveLength(1);
});

test("an ordering cycle is broken by dropping a unit that is only wanted", () => {
  const host = new TestHost({
    "t.target": "[Unit]\nWants=a.service b.service\n",
    "a.service": service("a", "After=b.service"),
    "b.service": service("b", "After=a.service"),
  });
  host.start("t.target");
  const broken = host.facts.filter((fact) => fact.kind === "systemd.cycle-broken");
  expect(broken).toHaveLength(1);
  expect(host.ran()).toHaveLength(1);
  expect(host.is("t.target")).toBe("active/active");
});

test("an ordering cycle of units that are required cannot be broken", () => {
  const host = new TestHost({
    "a.service": service("a", "Requires=b.service", "After=b.service"),
    "b.service": service("b", "After=a.service"),
  });
  const reply = host.start("a.service");
  expect(reply.ok ? "" : reply.error).toBe("org.freedesktop.systemd1.TransactionOrderIsCyclic");
  expect(host.ran()).toEqual([]);
});

test("mode fail does not replace a job that is queued, mode replace does", () => {
  const host = new TestHost({ "a.service": service("a", "Type=notify") });
  host.start("a.service");
  const refused = host.call({ call: "stop", unit: "a.service", mode: "fail" });
  expect(refused.ok ? "" : refused.error).toBe("org.freedesktop.systemd1.TransactionIsDestructive");
  host.stop("a.service");
  expect(host.jobs("a.service")).toEqual(["start canceled"]);
  host.kill("a.service", "SIGTERM");
  expect(host.jobs("a.service")).toEqual(["start canceled", "stop done"]);
});

test("isolating a target stops everything it does not pull in", () => {
  const host = new TestHost({
    "one.target": "[Unit]\nRequires=a.service\nAllowIsolate=yes\n",
    "a.service": service("a"),
    "b.service": service("b"),
  });
  host.start("a.service");
  host.start("b.service");
  const refused = host.start("a.service", "isolate");
  expect(refused.ok ? "" : refused.error).toBe("org.freedesktop.systemd1.NoIsolation");
  host.start("one.target", "isolate");
  expect(host.is("a.service")).toBe("active/running");
  expect(host.is("b.service")).toBe("deactivating/stop-sigterm");
  expect(host.is("multi-user.target")).toBe("inactive/dead");
});

test("ignore-dependencies starts a unit alone and at once", () => {
  const host = new TestHost({
    "a.service": service("a", "Type=oneshot"),
    "b.service": service("b", "Requires=a.service", "After=a.service"),
  });
  host.start("b.service", "ignore-dependencies");
  expect(host.ran()).toEqual(["b"]);
});

test("two starts of one unit are one job", () => {
  const host = new TestHost({ "a.service": service("a", "Type=notify") });
  const first = host.start("a.service");
  expect(host.start("a.service")).toEqual(first);
  host.ready("a.service");
  expect(host.jobs("a.service")).toEqual(["start done"]);
});

test("a failed unit starts what it names in OnFailure", () => {
  const host = new TestHost({
    "a.service": service("a", "OnFailure=alarm.service"),
    "alarm.service": service("alarm", "Type=oneshot"),
  });
  host.start("a.service");
  host.exit("a.service", 3);
  expect(host.ran()).toEqual(["a", "alarm"]);
});

test("a job that takes longer than JobTimeoutSec ends, the unit goes on", () => {
  const host = new TestHost({
    "a.service": service("a", "Type=notify", "JobTimeoutSec=5", "TimeoutStartSec=60"),
  });
  host.start("a.service");
  host.wait(5);
  expect(host.jobs("a.service")).toEqual(["start timeout"]);
  expect(host.is("a.service")).toBe("activating/start");
});

test("a unit stays up though what it is bound to never came up, until something of that changes", () => {
  // systemd looks again at who is bound when a unit goes down, not when a start of it fails.
  const host = new TestHost({
    "a.service": service("a", "Requires=b.service", "After=b.service"),
    "b.service": service("b", "Type=oneshot", "Upholds=c.service", "After=c.service"),
    "c.service": service("c", "BindsTo=a.service", "Before=a.service", "StopWhenUnneeded=yes"),
    "d.service": service("d", "Requires=c.service"),
  });
  host.start("d.service");
  host.exit("b.service", 1);
  expect(host.jobs("a.service")).toEqual(["start dependency"]);
  expect(host.is("c.service")).toBe("active/running");
  host.call({ call: "daemon-reload" });
  expect(host.is("c.service")).toBe("deactivating/stop-sigterm");
});

test("which of two jobs gives way hangs on the key of the hash tables, and on nothing else", () => {
  // b wants c and d, which want each other stopped: the one that is looked at first loses its start.
  const vendorUnits = ["c", "d"].map((name) => ({
    name: `${name}.service`,
    text: service(name, `Conflicts=${name === "c" ? "d" : "c"}.service`),
  }));
  vendorUnits.push({ name: "b.target", text: "[Unit]\nWants=c.service d.service\n" });
  const startedWith = (hashKey: number): string => {
    const state = systemd.create({ hostname: "h", machineId: "m", hashKey });
    stepInPlace(
      systemd,
      state,
      { kind: "boot", defaultTarget: "b.target", bootId: "b", vendorUnits },
      0,
    );
    return [...state.processes.values()].map(({ unit }) => unit).join(" ");
  };
  const keys = Array.from({ length: 20 }, (_, key) => key);
  expect(new Set(keys.map(startedWith))).toEqual(new Set(["c.service", "d.service"]));
  expect(keys.map(startedWith)).toEqual(keys.map(startedWith));
});

test("a stop that nothing needs any more is forgotten only if it is the newest job of its unit", () => {
  // d wants a up and verifies it; a's conflict with b would stop e, and that would stop a.
  const host = new TestHost({
    "a.service": service("a", "PartOf=e.service", "Conflicts=b.service"),
    "b.service": service("b"),
    "c.service": service("c", "BindsTo=a.service"),
    "d.service": service("d", "BindsTo=a.service", "Requisite=a.service"),
    "e.service": service("e", "BindsTo=b.service"),
  });
  const refused = host.start("d.service");
  expect(refused.ok ? "" : refused.error).toMatch(/TransactionJobsConflicting$/);
  expect(host.start("c.service").ok).toBe(true);
});

test("a masked unit cannot be started and what only wants it does without", () => {
  const host = new TestHost({
    "a.service": service("a"),
    "b.service": service("b", "Wants=a.service"),
    "c.service": service("c", "Requires=a.service"),
  });
  host.call({ call: "mask", unit: "a.service", runtime: true });
  host.call({ call: "daemon-reload" });
  const reply = host.start("a.service");
  expect(reply.ok ? "" : reply.message).toBe("Unit a.service is masked.");
  expect(host.start("b.service").ok).toBe(true);
  const needs = host.start("c.service");
  expect(needs.ok ? "" : needs.error).toBe("org.freedesktop.systemd1.UnitMasked");
  host.call({ call: "unmask", unit: "a.service", runtime: true });
  host.call({ call: "daemon-reload" });
  expect(host.start("a.service").ok).toBe(true);
});

test("a mask in /etc needs force where a file lies already", () => {
  const host = new TestHost();
  const directory = "/etc/systemd/system";
  host.call({ call: "write-unit", unit: "a.service", text: service("a"), directory });
  const refused = host.call({ call: "mask", unit: "a.service" });
  expect(refused.ok ? "" : refused.error).toBe("org.freedesktop.systemd1.UnitExists");
  expect(host.call({ call: "mask", unit: "a.service", force: true }).ok).toBe(true);
  expect(host.start("a.service").ok).toBe(false);
});

test("a changed unit file counts after daemon-reload, what runs goes on", () => {
  const host = new TestHost();
  const write = (line: string) =>
    host.call({ call: "write-unit", unit: "a.service", text: service("a", line) });
  write("ExecStart=/bin/old");
  host.start("a.service");
  write("ExecStart=/bin/new");
  host.restart("a.service");
  host.kill("a.service", "SIGTERM");
  expect(host.ran()).toEqual(["old", "old"]);
  host.call({ call: "daemon-reload" });
  expect(host.is("a.service")).toBe("active/running");
  expect(host.facts.some((fact) => fact.kind === "systemd.reloaded")).toBe(true);
  host.restart("a.service");
  host.kill("a.service", "SIGTERM");
  expect(host.ran()).toEqual(["old", "old", "new"]);
});

test("drop-ins are read in the order of their names, those in /etc hiding others of the name", () => {
  const host = new TestHost({ "a.service": service("a", "Environment=X=0 Y=0 Z=0") });
  const drop = (name: string, text: string, directory: string) =>
    host.call({
      call: "write-drop-in",
      unit: "a.service",
      name,
      text: `[Service]\n${text}\n`,
      directory,
    });
  drop("20-b.conf", "Environment=X=2", "/run/systemd/system");
  drop("10-a.conf", "Environment=X=1 Y=1", "/run/systemd/system");
  drop("10-a.conf", "Environment=Y=9", "/etc/systemd/system");
  host.start("a.service");
  const { X, Y, Z } = host.process("a.service").environment;
  expect([X, Y, Z]).toEqual(["2", "9", "0"]);
});

test("an enabled unit is pulled in by its target from the next reload on", () => {
  const host = new TestHost({
    "a.service": `${service("a")}[Install]\nWantedBy=multi-user.target\n`,
  });
  host.call({ call: "enable", unit: "a.service" });
  host.call({ call: "daemon-reload" });
  expect(host.is("a.service")).toBe("inactive/dead");
  host.start("multi-user.target");
  host.send({
    kind: "boot",
    defaultTarget: "multi-user.target",
    bootId: "b2",
    vendorUnits: [{ name: "a.service", text: service("a") }],
  });
  expect(host.is("a.service")).toBe("active/running");
  host.call({ call: "disable", unit: "a.service" });
  expect([...host.state.links]).toEqual([]);
});

test("an instance is made from its template, with the specifiers replaced", () => {
  const host = new TestHost({ "w@.service": service("w", "ExecStart=/bin/w --n %i %p %n %%") });
  host.start("w@b-1.service");
  expect(host.process("w@b-1.service").argv).toEqual([
    "/bin/w",
    "--n",
    "b-1",
    "w",
    "w@b-1.service",
    "%",
  ]);
  expect(host.start("w@.service").ok).toBe(false);
});

test("shutting down stops units in the reverse of their order and then completes", () => {
  const host = new TestHost({
    "multi-user.target": "[Unit]\nWants=b.service\n",
    "a.service": service("a"),
    "b.service": service("b", "Requires=a.service", "After=a.service"),
  });
  host.send({ kind: "shutdown" });
  expect(host.is("a.service")).toBe("active/running");
  expect(host.is("b.service")).toBe("deactivating/stop-sigterm");
  const late = host.start("b.service");
  expect(late.ok ? "" : late.error).toBe("org.freedesktop.systemd1.TransactionIsDestructive");
  host.kill("b.service", "SIGTERM");
  expect(host.effects.some((effect) => effect.kind === "shutdown-complete")).toBe(false);
  host.kill("a.service", "SIGTERM");
  expect(host.effects.at(-1)).toEqual({ kind: "shutdown-complete" });
});

test("a unit of an unmodelled type is loaded as a stub and said to be unsupported", () => {
  const host = new TestHost({ "data.swap": "[Swap]\nWhat=/data\n" });
  expect(host.start("data.swap").ok).toBe(true);
  const what = host.facts.flatMap((f) => (f.kind === "systemd.unsupported" ? [f.what] : []));
  expect(what).toContain("unit type swap");
});

test("units whose files are removed while they stop are stopped to the end", () => {
  // Caught fleet's agents leaving copies running: stop, remove, stop, remove, daemon-reload.
  const directory = "/run/fleet/units";
  const host = new TestHost();
  const write = (unit: string, text: string) =>
    host.call({ call: "write-unit", unit, text, directory, link: true });
  write("web.service", service("web"));
  write("announce.service", service("announce", "BindsTo=web.service", "After=web.service"));
  host.call({ call: "daemon-reload" });
  host.start("web.service");
  host.start("announce.service");
  for (const unit of ["announce.service", "web.service"]) {
    host.stop(unit);
    host.call({ call: "remove-unit", unit, directory });
  }
  host.call({ call: "daemon-reload" });
  host.kill("announce.service", "SIGTERM");
  const signalled = host.effects.flatMap((effect) => (effect.kind === "kill" ? [effect.pid] : []));
  expect(signalled).toContain(host.process("web.service").pid);
  host.kill("web.service", "SIGTERM");
  expect(host.is("web.service")).toBe("inactive/dead");
});
