import { expect, test } from "vitest";
import { service, TestHost } from "./testing/host.js";

const ETC = "/etc/systemd/system";
const USR = "/usr/lib/systemd/system";

/** Links below /etc, `PATH -> TARGET` without the folders. */
const links = (host: TestHost): string[] =>
  [...host.state.links]
    .filter(([path]) => path.startsWith(ETC))
    .map(([path, target]) => `${path.slice(ETC.length + 1)} -> ${target.split("/").at(-1)}`)
    .sort();

const error = (reply: ReturnType<TestHost["call"]>): string =>
  reply.ok ? "ok" : (reply.error.split(".").at(-1) ?? "");

test("enabling makes the links of a unit and of those it names in Also=, each once", () => {
  const host = new TestHost({
    "a.service": `${service("a")}[Install]\nWantedBy=t.target\nAlso=b.service gone.service\n`,
    "b.service": `${service("b")}[Install]\nRequiredBy=t.target\nAlias=c.service\nAlso=a.service\n`,
  });
  expect(error(host.call({ call: "enable", unit: "a.service" }))).toBe("ok");
  expect(links(host)).toEqual([
    "c.service -> b.service",
    "t.target.requires/b.service -> b.service",
    "t.target.wants/a.service -> a.service",
  ]);
  host.call({ call: "disable", unit: "a.service" });
  expect(links(host)).toEqual([]);
});

test("enabling says whether there was anything to link besides the unit file itself", () => {
  const host = new TestHost({
    "a.service": `${service("a")}[Install]\nWantedBy=t.target\n`,
    "b.service": `${service("b")}[Install]\nAlso=a.service\n`,
    "c.service": `${service("c")}[Install]\nAlso=gone.service\n`,
    "d.service": service("d"),
  });
  const carries = (unit: string): unknown => {
    const reply = host.call({ call: "enable", unit });
    return reply.ok && reply.call === "enabled" ? reply.carriesInstallInfo : reply;
  };
  expect(["a", "b", "c", "d"].map((name) => carries(`${name}.service`))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  const folder = "/run/fleet/units";
  const text = service("e");
  host.call({ call: "write-unit", unit: "e.service", text, directory: folder, link: true });
  expect(carries("e.service")).toBe(false);
});

test("a template is enabled by its default instance, and without one only for other templates", () => {
  const host = new TestHost({
    "a@.service": `${service("a")}[Install]\nWantedBy=t.target\nDefaultInstance=one\n`,
    "b@.service": `${service("b")}[Install]\nWantedBy=t.target t@.target\n`,
  });
  host.call({ call: "enable", unit: "a@.service" });
  host.call({ call: "enable", unit: "a@two.service" });
  expect(error(host.call({ call: "enable", unit: "b@.service" }))).toBe("BadUnitSetting");
  expect(links(host)).toEqual([
    "t.target.wants/a@one.service -> a@.service",
    "t.target.wants/a@two.service -> a@.service",
    "t@.target.wants/b@.service -> b@.service",
  ]);
  host.call({ call: "disable", unit: "a@two.service" });
  expect(links(host)).not.toContain("t.target.wants/a@two.service -> a@.service");
  expect(links(host)).toHaveLength(2);
});

test("an alias that does not fit the unit is refused, and the rest is linked all the same", () => {
  const host = new TestHost({
    "a.service": `${service("a")}[Install]\nAlias=a.target a.service\nWantedBy=t.target\n`,
  });
  expect(error(host.call({ call: "enable", unit: "a.service" }))).toBe("BadUnitSetting");
  expect(links(host)).toEqual(["t.target.wants/a.service -> a.service"]);
});

test("disabling what is not there is an error unless there was a link to take away", () => {
  const host = new TestHost();
  expect(error(host.call({ call: "disable", unit: "a.service" }))).toBe("NoSuchUnit");
  host.state.links.set(`${ETC}/t.target.wants/a.service`, `${USR}/a.service`);
  expect(error(host.call({ call: "disable", unit: "a.service" }))).toBe("ok");
});

test("a unit goes by its alias in calls and in dependencies, and has one state", () => {
  const host = new TestHost({
    "a.service": `${service("a")}[Install]\nAlias=b.service\n`,
    "c.service": service("c", "Requires=b.service"),
  });
  host.call({ call: "enable", unit: "a.service" });
  host.call({ call: "daemon-reload" });
  host.start("c.service");
  expect(host.is("a.service")).toBe("active/running");
  host.stop("b.service");
  expect(host.is("a.service")).toBe("deactivating/stop-sigterm");
  expect(host.state.units.has("b.service")).toBe(false);
});

test("an alias of a template stands for each of its instances", () => {
  const host = new TestHost({ "a@.service": service("a", "ExecStart=/bin/a %i") });
  host.state.links.set(`${ETC}/b@.service`, `${USR}/a@.service`);
  host.start("b@1.service");
  expect(host.process("a@1.service").argv).toEqual(["/bin/a", "1"]);
});

test("a unit file that lies elsewhere is linked, and disabling it takes the link away", () => {
  const host = new TestHost({ "b.service": service("b") });
  const write = (directory: string) =>
    host.call({ call: "write-unit", unit: "a.service", text: service("a"), directory });
  write("/opt/one");
  write("/opt/two");
  const link = (path: string, force = false) => error(host.call({ call: "link", path, force }));
  expect(host.start("a.service").ok).toBe(false);
  expect(link("/opt/one/a.service")).toBe("ok");
  expect(link("/opt/one/a.service")).toBe("ok");
  expect(link("/opt/two/a.service")).toBe("UnitExists");
  expect(links(host)).toEqual(["a.service -> a.service"]);
  host.call({ call: "daemon-reload" });
  host.start("a.service");
  expect(host.is("a.service")).toBe("active/running");
  expect(link("/opt/two/a.service", true)).toBe("ok");
  expect(host.state.links.get(`${ETC}/a.service`)).toBe("/opt/two/a.service");
  host.call({ call: "disable", unit: "a.service" });
  expect(links(host)).toEqual([]);
});

test("what is no unit file, or none that has to be linked, is not linked", () => {
  const host = new TestHost({ "b.service": service("b") });
  const link = (path: string) => error(host.call({ call: "link", path }));
  expect(link(`${USR}/b.service`)).toBe("ok");
  expect(link("/opt/gone.service")).toBe("NoSuchUnit");
  expect(link("/opt/a.txt")).toBe("BadUnitSetting");
  expect(link("opt/a.service")).toBe("BadUnitSetting");
  expect(links(host)).toEqual([]);
});

test("a unit that is down is forgotten at a reload, unless someone holds it", () => {
  const alone = (name: string) => service(name, "DefaultDependencies=no");
  const host = new TestHost({ "a.service": alone("a"), "b.service": alone("b") });
  for (const unit of ["a.service", "b.service"]) {
    host.start(unit);
    host.exit(unit, 0);
  }
  host.call({ call: "ref", unit: "a.service" });
  expect(error(host.call({ call: "ref", unit: "gone.service" }))).toBe("NoSuchUnit");
  host.call({ call: "daemon-reload" });
  expect(["a.service", "b.service"].map((unit) => host.state.units.has(unit))).toEqual([
    true,
    false,
  ]);
});
