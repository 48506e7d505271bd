import { expect, test } from "vitest";
import { afterPowerLoss, answersOn, imageReference, runningContainers } from "./index.js";
import { APP, TestEngine } from "./testing/engine.js";

const RUN = "docker run --name app1 -p 80:80 app:1";

test("docker run is a client: its container answers when it is ready, and its signal goes on to it", () => {
  const engine = new TestEngine().up().command(1, RUN);
  expect(answersOn(engine.state, 80)).toBe(false);
  engine.run(1);
  expect(answersOn(engine.state, 80)).toBe(true);
  engine.tell({ kind: "signal", pid: 1, signal: "SIGTERM" });
  expect(engine.exitOf(1)).toBeUndefined();
  engine.run(1);
  expect(engine.exitOf(1)).toBe(0);
  expect(answersOn(engine.state, 80)).toBe(false);
});

test("a client that is killed leaves its container running, and the name in use", () => {
  const engine = new TestEngine().up().command(1, RUN).run(1);
  engine.tell({ kind: "signal", pid: 1, signal: "SIGKILL" });
  expect(engine.exitOf(1)).toBe("SIGKILL");
  expect(runningContainers(engine.state)).toEqual(["app1"]);
  expect(engine.facts).toContainEqual({
    ...{ kind: "container.orphaned", unit: "app.service", name: "app1" },
  });
  engine.command(2, RUN);
  expect([engine.exitOf(2), engine.refusals()]).toEqual([125, ["name-in-use"]]);
});

test("a container that has ended keeps its name until docker rm, which refuses one that runs", () => {
  const engine = new TestEngine().up().command(1, RUN).run(1);
  engine.command(2, "docker rm app1");
  expect(engine.exitOf(2)).toBe(1);
  engine.command(3, "docker stop app1").run(1).command(4, RUN);
  expect([engine.exitOf(3), engine.exitOf(4)]).toEqual([0, 125]);
  expect(engine.refusals()).toEqual(["running", "name-in-use"]);
  engine.command(5, "docker rm app1").command(6, RUN).run(1);
  expect([engine.exitOf(5), engine.exitOf(6)]).toEqual([0, undefined]);
});

test("docker kill and docker rm of nothing fail, which is why units put a - before them", () => {
  const engine = new TestEngine().up();
  engine.command(1, "docker kill app1").command(2, "docker rm app1").command(3, "docker stop app1");
  expect([1, 2, 3].map((pid) => engine.exitOf(pid))).toEqual([1, 1, 1]);
});

test("a process that ignores SIGTERM is killed after ten seconds, or after those of -t", () => {
  const deaf = { ...APP, process: { ...APP.process, stopTakes: null } };
  for (const [line, seconds] of [
    ["docker stop app1", 10],
    ["docker stop -t 3 app1", 3],
    ["docker stop --time=0 app1", 0],
  ] as const) {
    const engine = new TestEngine({ images: { "app:1": deaf } }).up().command(1, RUN).run(1);
    engine.command(2, line);
    if (seconds > 0) expect(engine.run(seconds - 1).exitOf(2)).toBeUndefined();
    engine.run(1);
    expect([engine.exitOf(2), engine.exitOf(1)]).toEqual([0, 137]);
  }
});

test("--rm is the client's work before 1.13: killed, it removes nothing", () => {
  const line = RUN.replace("run", "run --rm");
  const engine = new TestEngine().up().command(1, line).run(1);
  engine.command(2, "docker stop app1").run(1).command(3, line).run(1);
  expect([engine.exitOf(2), engine.exitOf(3)]).toEqual([0, undefined]);
  engine.tell({ kind: "signal", pid: 3, signal: "SIGKILL" });
  engine.command(4, "docker stop app1").run(1).command(5, line);
  expect(engine.exitOf(5)).toBe(125);
});

test("docker run -d ends at once, and its container goes on without it", () => {
  const engine = new TestEngine().up().command(1, RUN.replace("run", "run -d")).run(1);
  expect(engine.exitOf(1)).toBe(0);
  expect(answersOn(engine.state, 80)).toBe(true);
});

test("a port is one container's; the one that could not start keeps its name all the same", () => {
  const engine = new TestEngine().up().command(1, RUN);
  engine.command(2, "docker run --name app2 -p 80:8080 app:1");
  expect([engine.exitOf(2), engine.refusals()]).toEqual([125, ["port-in-use"]]);
  engine.command(3, "docker run --name app2 -p 81:80 app:1");
  expect(engine.refusals().at(-1)).toBe("name-in-use");
});

test("an image that is not there is pulled first: manifest, then at most three layers at once", () => {
  const layers = ["a", "b", "c", "d"].map((id) => ({ id, bytes: 10 }));
  const engine = new TestEngine({ images: {} }).up().command(1, RUN);
  const [manifest = 0] = engine.under("fetch-manifest");
  engine.tell({ kind: "manifest", id: manifest, image: { ...APP, layers } });
  const fetches = engine.under("fetch-layer");
  expect(fetches).toHaveLength(3);
  for (const id of fetches) engine.tell({ kind: "fetched", id });
  for (const id of engine.under("fetch-layer")) engine.tell({ kind: "fetched", id });
  expect(runningContainers(engine.state)).toEqual(["app1"]);
  expect(engine.facts).toContainEqual({
    ...{ kind: "image.pulled", image: "app:1", bytes: 40, engine: "docker" },
  });
});

test("docker pull asks the registry even for an image that is there, and fails without it", () => {
  const engine = new TestEngine().up().command(1, "docker pull app:1");
  for (const id of engine.under("fetch-manifest")) engine.tell({ kind: "fetch-broken", id });
  expect(engine.exitOf(1)).toBe(1);
  engine.command(2, RUN).run(1);
  expect(engine.exitOf(2)).toBeUndefined();
});

/** An engine with a pull that waits for both layers. */
function pulling(version: readonly [number, number]): TestEngine {
  const engine = new TestEngine({ images: {}, version }).up().command(1, "docker pull app:1");
  const [id = 0] = engine.under("fetch-manifest");
  return engine.tell({ kind: "manifest", id, image: APP });
}

test("since 1.10 a pull dies with its client and what it fetched; before, the daemon goes on with it", () => {
  for (const version of [
    [1, 9],
    [1, 10],
  ] as const) {
    const engine = pulling(version);
    const [first = 0] = engine.under("fetch-layer");
    engine.tell({ kind: "fetched", id: first });
    engine.tell({ kind: "signal", pid: 1, signal: "SIGTERM" });
    expect(engine.exitOf(1)).toBe("SIGTERM");
    const goesOn = version[1] < 10;
    expect(engine.under("fetch-layer")).toHaveLength(goesOn ? 1 : 0);
    expect(engine.state.docker.layers.size).toBe(goesOn ? 1 : 0);
    for (const id of engine.under("fetch-layer")) engine.tell({ kind: "fetched", id });
    expect(engine.state.docker.images.has("app:1")).toBe(goesOn);
  }
});

test("since 1.10 a layer is tried five times, with longer rests; before, once", () => {
  const old = pulling([1, 9]);
  for (const id of old.under("fetch-layer").slice(0, 1)) old.tell({ kind: "fetch-broken", id });
  expect(old.exitOf(1)).toBe(1);
  const engine = pulling([1, 10]);
  const fail = () => {
    for (const id of engine.under("fetch-layer")) engine.tell({ kind: "fetch-broken", id });
  };
  for (const rest of [5, 10, 15, 20]) {
    fail();
    expect(engine.run(rest - 1).under("fetch-layer")).toHaveLength(0);
    expect(engine.run(1).under("fetch-layer")).toHaveLength(2);
  }
  expect(engine.exitOf(1)).toBeUndefined();
  fail();
  expect(engine.exitOf(1)).toBe(1);
});

test("a daemon that stops takes its containers along; --restart=always brings them back with it", () => {
  const engine = new TestEngine().up().command(1, RUN);
  engine.command(2, "docker run -d --restart=always --name app2 app:1").run(1);
  engine.tell({ kind: "daemon-signal", signal: "SIGTERM" });
  expect(engine.state.daemon).toBe("stopping");
  engine.run(1);
  expect([engine.state.daemon, engine.exitOf(1)]).toEqual(["down", 0]);
  engine.up();
  expect(runningContainers(engine.state)).toEqual(["app2"]);
});

test("a daemon that is killed leaves its containers; the next one ends them, unless live restore is on", () => {
  for (const liveRestore of [false, true]) {
    const engine = new TestEngine({ liveRestore }).up().command(1, RUN).run(1);
    engine.tell({ kind: "daemon-signal", signal: "SIGKILL" });
    expect([engine.exitOf(1), runningContainers(engine.state)]).toEqual([125, ["app1"]]);
    expect(answersOn(engine.state, 80)).toBe(true);
    engine.up();
    expect(runningContainers(engine.state)).toEqual(liveRestore ? ["app1"] : []);
  }
});

test("with live restore even a daemon that stops in order leaves its containers", () => {
  const engine = new TestEngine({ liveRestore: true }).up().command(1, RUN).run(1);
  engine.tell({ kind: "daemon-signal", signal: "SIGTERM" });
  expect([engine.state.daemon, answersOn(engine.state, 80)]).toEqual(["down", true]);
});

test("after a power loss the names are still in use", () => {
  const engine = new TestEngine().up().command(1, RUN).run(1);
  afterPowerLoss(engine.state);
  expect(runningContainers(engine.state)).toEqual([]);
  engine.up().command(2, RUN);
  expect(engine.refusals()).toEqual(["name-in-use"]);
});

test("a client without a daemon asks for one; if nobody listens it fails", () => {
  const engine = new TestEngine().command(1, RUN).command(2, "docker ps");
  expect(engine.effects.map(({ kind }) => kind)).toEqual(["connect", "connect"]);
  engine.tell({ kind: "no-socket", pid: 2 });
  expect(engine.exitOf(2)).toBe(1);
  engine.up();
  expect(runningContainers(engine.state)).toEqual(["app1"]);
});

test("a restart policy starts a container again, later each time, until someone stops it", () => {
  const fails = { ...APP, process: { ...APP.process, exits: { after: [0, 0] as const, code: 2 } } };
  const engine = new TestEngine({ images: { "app:1": fails } }).up();
  engine.command(1, "docker run -d --restart=on-failure:2 --name app1 app:1").run(5);
  const started = engine.facts.filter(({ kind }) => kind === "container.started").length;
  expect([started, runningContainers(engine.state)]).toEqual([3, []]);
});

test("rkt's process is the pod: a kill ends it, a name is nobody's, and dead pods wait for gc", () => {
  const line = "rkt run --net=host docker://app:1";
  const engine = new TestEngine().command(1, line).run(1);
  expect(answersOn(engine.state, 80)).toBe(true);
  engine.tell({ kind: "signal", pid: 1, signal: "SIGKILL" });
  expect(answersOn(engine.state, 80)).toBe(false);
  engine.command(2, line).run(1);
  expect([engine.exitOf(1), engine.exitOf(2)]).toEqual(["SIGKILL", undefined]);
  engine.tell({ kind: "signal", pid: 2, signal: "SIGTERM" }).run(1);
  expect([engine.exitOf(2), engine.state.deadPods]).toEqual([0, 2]);
  engine.command(3, "rkt gc --grace-period=0s");
  expect([engine.exitOf(3), engine.state.deadPods]).toEqual([0, 0]);
});

test("rkt fetches what is not in its store, and fails with 254", () => {
  const engine = new TestEngine({ images: {} }).command(1, "rkt fetch app:1");
  engine.command(2, "rkt run app:1");
  const [id = 0] = engine.under("fetch-manifest");
  engine.tell({ kind: "manifest", id, image: null });
  expect([engine.exitOf(1), engine.exitOf(2)]).toEqual([254, 254]);
});

test("an image's name is read as docker reads it", () => {
  expect(imageReference("nginx")).toBe("nginx:latest");
  expect(imageReference("localhost:5000/app")).toBe("localhost:5000/app:latest");
  expect(imageReference("docker://quay.io/a/b:1")).toBe("quay.io/a/b:1");
});

test("an app that ends by itself ends its unit's process with its status, under docker and under rkt", () => {
  const engine = new TestEngine().up().command(1, RUN).command(2, "rkt run app:1").run(1);
  engine.tell({ kind: "app-exit", pid: 1, code: 3 }).tell({ kind: "app-exit", pid: 2, code: 4 });
  expect([engine.exitOf(1), engine.exitOf(2)]).toEqual([3, 4]);
  expect(runningContainers(engine.state)).toEqual([]);
  engine.command(3, "docker pull app:1").tell({ kind: "app-exit", pid: 3, code: 5 });
  expect(engine.exitOf(3)).toBe("SIGKILL");
});
