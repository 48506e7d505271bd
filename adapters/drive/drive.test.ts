import { NEVER } from "rxjs";
import { expect, test } from "vitest";
import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import { SECOND, stepInPlace } from "../../core/kernel/index.js";
import type { SystemdReply, SystemdRequest } from "../../core/systemd/client.js";
import {
  type EtcdPort,
  EtcdShadow,
  LINK_DEFAULTS,
  type LinkStimulus,
  link,
  StartGate,
  SystemdShadow,
  withTakeover,
} from "./index.js";

const ask = (etcd: EtcdPort, request: V2Request): Promise<EtcdReply> =>
  new Promise((resolve) => {
    etcd.call(request, SECOND, resolve);
  });

const PRESENCE = "/_coreos.com/fleet/machines/m1/object";
const register: V2Request = { op: "put", key: PRESENCE, value: "me", ttl: 30, prevExist: false };

test("a machine takes over the presence that says the same, so that a restart leaves no gap", async () => {
  const etcd = withTakeover(new EtcdShadow(null, () => 0), PRESENCE);
  expect(await ask(etcd, register)).toMatchObject({ ok: true, action: "create" });
  expect(await ask(etcd, register)).toMatchObject({ ok: true, action: "compareAndSwap" });
});

test("the presence of another machine with the same id is refused as ever", async () => {
  const etcd = withTakeover(new EtcdShadow(null, () => 0), PRESENCE);
  await ask(etcd, { ...register, value: "someone else" });
  expect(await ask(etcd, register)).toMatchObject({ ok: false, errorCode: 105 });
});

test("only the registration is taken over, not any create-only write", async () => {
  const etcd = withTakeover(new EtcdShadow(null, () => 0), PRESENCE);
  const target: V2Request = { op: "put", key: "/job/a/target", value: "m1", prevExist: false };
  await ask(etcd, target);
  expect(await ask(etcd, target)).toMatchObject({ ok: false, errorCode: 105 });
});

test("the shadow holds what was there, lifetimes included, and answers watches by its own writes", async () => {
  let now = 0;
  const file = { value: "1", modifiedIndex: 1, createdIndex: 1 };
  const nodes = [
    { key: "/f/a", ...file },
    { key: "/f/b", ttl: 5, ...file },
    { key: "/f/empty", dir: true, modifiedIndex: 1, createdIndex: 1 },
  ];
  const root = { key: "/f", dir: true, nodes, modifiedIndex: 1, createdIndex: 1 };
  const etcd = new EtcdShadow(root, () => now);
  const keys = async (): Promise<unknown> => {
    const reply = await ask(etcd, { op: "get", key: "/f", recursive: true, sorted: true });
    return reply.ok ? reply.node.nodes?.map(({ key }) => key) : reply;
  };
  expect(await keys()).toEqual(["/f/a", "/f/b", "/f/empty"]);
  const event = ask(etcd, { op: "watch", key: "/f", recursive: true });
  await ask(etcd, { op: "put", key: "/f/c", value: "2" });
  expect(await event).toMatchObject({ ok: true, node: { key: "/f/c" } });
  now = 6 * SECOND;
  expect(await keys()).toEqual(["/f/a", "/f/empty", "/f/c"].sort());
});

test("a dry run's systemd shows its changes on top of what is read and passes none on", async () => {
  const passed: SystemdRequest[] = [];
  const real = {
    changes: NEVER,
    request: async (request: SystemdRequest): Promise<SystemdReply> => {
      passed.push(request);
      return request.call === "read-units"
        ? { ok: true, call: "files", files: [{ name: "old.service", text: "" }] }
        : { ok: true, call: "units", units: [] };
    },
  };
  const shadow = new SystemdShadow(real);
  const directory = "/run/fleet/units";
  await shadow.request({ call: "write-unit", unit: "a.service", text: "A", directory, link: true });
  await shadow.request({ call: "remove-unit", unit: "old.service", directory });
  await shadow.request({ call: "start", unit: "a.service", mode: "replace" });
  expect(await shadow.request({ call: "read-units", directory })).toMatchObject({
    files: [{ name: "a.service", text: "A" }],
  });
  expect(await shadow.request({ call: "list-units", units: ["a.service"] })).toMatchObject({
    units: [{ name: "a.service", activeState: "active" }],
  });
  expect(passed.map(({ call }) => call)).toEqual(["read-units", "list-units"]);
});

/** A link that has heard these; what the last of them led to. */
function linked(...stimuli: LinkStimulus[]) {
  const state = link.create({ address: "a", ...LINK_DEFAULTS });
  let last: unknown;
  for (const stimulus of stimuli) last = stepInPlace(link, state, stimulus, 0);
  return last;
}

const start: LinkStimulus = { kind: "start" };
const reached: LinkStimulus = { kind: "reached", machine: "m1", boot: "b1" };
const lost: LinkStimulus = { kind: "lost", reason: "gone" };
const retry: LinkStimulus = { kind: "timer", timer: "reconnect" };

test("a host that is lost has its fleetd killed, so that nobody refreshes its presence", () => {
  expect(linked(start, reached, lost)).toEqual({
    facts: [{ kind: "link.down", reason: "gone" }],
    effects: [
      { kind: "stop-fleetd", signal: "SIGKILL" },
      { kind: "arm-timer", timer: "reconnect", delay: SECOND },
    ],
  });
});

test("a host that stays away is told once and asked for ever more seldom", () => {
  expect(linked(start, lost, retry, lost)).toEqual({
    facts: [],
    effects: [{ kind: "arm-timer", timer: "reconnect", delay: 2 * SECOND }],
  });
});

test("a host that comes back is told as rebooted, or as replaced, when it is", () => {
  const back = (machine: string, boot: string): unknown =>
    linked(start, reached, lost, retry, { kind: "reached", machine, boot });
  expect(back("m1", "b1")).toMatchObject({ facts: [{ kind: "link.up", rebooted: false }] });
  expect(back("m1", "b2")).toMatchObject({ facts: [{ kind: "link.up", rebooted: true }] });
  expect(back("m2", "b2")).toMatchObject({
    facts: [{ kind: "link.replaced" }, { rebooted: false }],
  });
});

test("stopping leaves the units on the host unless asked to take them off", () => {
  const stopped = (unload: boolean): unknown => linked(start, reached, { kind: "stop", unload });
  expect(stopped(false)).toMatchObject({ effects: [{ signal: "SIGKILL" }] });
  expect(stopped(true)).toMatchObject({ effects: [{ signal: "SIGTERM" }] });
  const gone = linked(start, reached, { kind: "stop", unload: true }, lost);
  expect(gone).toMatchObject({ effects: [{ kind: "disconnect" }, { kind: "closed" }] });
});

test("the first fleetds begin together, and a host that fails holds nobody up", async () => {
  const gate = new StartGate(["h1", "h2", "h3"]);
  const begun: string[] = [];
  const first = gate.arrive("h1").then(() => begun.push("h1"));
  void gate.arrive("h2");
  await Promise.resolve();
  expect(begun).toEqual([]);
  void gate.arrive("h3");
  await first;
  expect(begun).toEqual(["h1"]);
  await gate.arrive("h2");
});
