import { expect, test } from "vitest";
import type { Image } from "../container/index.js";
import type { HostConfig, HostEffect } from "./index.js";
import { etcdConfig, hostConfigOf, initialCluster, TestCluster } from "./testing/cluster.js";

const APP: Image = {
  layers: [{ id: "app", bytes: 1 }],
  process: { readyAfter: [0, 0], exits: null, stopTakes: [1000, 1000], stopCode: 0 },
  listens: [],
};

/** A host with an etcd member and container engines, and units of these texts that are started at boot. */
function hostWith(units: Readonly<Record<string, string>>, engines = true): TestCluster {
  const entries = Object.entries(units).map(([name, text]) => {
    const content = text.split("\n").map((line) => `        ${line}`);
    return `    - name: ${name}\n      command: start\n      content: |\n${content.join("\n")}\n`;
  });
  const all = `  units:\n    - { name: etcd2.service, command: start }\n${entries.join("")}`;
  const containers: HostConfig["containers"] = {
    engine: {
      version: [1, 12],
      liveRestore: false,
      startTakes: [1000, 1000],
      images: { "app:latest": APP },
      seed: 1,
    },
    flannel: { watchesLease: true, keepsPrevious: true },
    names: { h0: 0 },
  };
  const config = hostConfigOf(0, {
    cloudConfig: etcdConfig({ name: "h0", "initial-cluster": initialCluster([0]) }, all),
    ...(engines ? { containers } : {}),
  });
  return new TestCluster([config]).powerOn();
}

/** What a key of etcd's v2 store holds; undefined when there is none. */
function keyOf(cluster: TestCluster, ...path: string[]): string | undefined {
  let node = cluster.host(0).member?.run?.stores.v2.root;
  for (const name of path) node = node?.children?.get(name);
  return node?.shown.value;
}

const LOOP =
  "[Service]\nExecStart=/bin/sh -c \"while true; do etcdctl set /a '%H:80' --ttl 60; sleep 45; done\"\nExecStop=/usr/bin/etcdctl rm /a";

test("a sidekick's loop announces as soon as etcd takes it, and its ExecStop takes the key away", () => {
  const cluster = hostWith({ "announce.service": LOOP }).run(60);
  expect(keyOf(cluster, "a")).toBe("h0:80");
  cluster.tell(0, { kind: "systemctl", verb: "stop", unit: "announce.service" }).run(1);
  expect(keyOf(cluster, "a")).toBeUndefined();
  expect(cluster.host(0).containers?.programs.size).toBe(0);
  expect(cluster.isActive(0, "announce.service")).toBe(false);
});

test("a docker client starts its daemon by the socket, and the container answers on its port", () => {
  const text =
    "[Service]\nExecStartPre=-/usr/bin/docker rm app\nExecStart=/usr/bin/docker run --name app -p 80:80 app";
  const cluster = hostWith({ "app.service": text }).run(10);
  expect(cluster.isActive(0, "docker.service")).toBe(true);
  expect(cluster.isActive(0, "app.service")).toBe(true);
  const answers = (port: number) => {
    const packet = { kind: "web-request", call: 1, port } as const;
    cluster.effects.length = 0;
    cluster.tell(0, { kind: "packet", from: 77, packet });
    return cluster.effects.flatMap(({ effect }) =>
      effect.kind === "send" && effect.packet.kind === "web-response" ? [effect.packet.status] : [],
    );
  };
  expect([answers(80), answers(81)]).toEqual([[200], [502]]);
});

/** Processes that the host asks its world to run, by their command lines. */
function execs(cluster: TestCluster): string[] {
  const isExec = (effect: HostEffect) => effect.kind === "exec";
  return cluster.effects.flatMap(({ effect }) =>
    isExec(effect) && "argv" in effect ? [effect.argv.join(" ")] : [],
  );
}

test("a program or a script that is not known is the world's to run, and so is everything without engines", () => {
  const unknown = '[Service]\nExecStart=/bin/sh -c "while true; do /opt/check; sleep 1; done"';
  const other = "[Service]\nExecStart=/usr/bin/docker build .";
  const cluster = hostWith({ "check.service": unknown, "build.service": other }).run(5);
  expect(execs(cluster)).toEqual([
    "/bin/sh -c while true; do /opt/check; sleep 1; done",
    "/usr/bin/docker build .",
  ]);
  const plain = hostWith({ "announce.service": LOOP }, false).run(5);
  expect(execs(plain)).toHaveLength(1);
  expect(plain.host(0)).not.toHaveProperty("containers");
});

test("power loss ends every program and leaves the container's name in use", () => {
  const text = "[Service]\nExecStart=/usr/bin/docker run --name app -p 80:80 app";
  const cluster = hostWith({ "app.service": text }).run(10).powerOff(0);
  expect(cluster.host(0).containers?.programs.size).toBe(0);
  cluster.powerOn().run(10);
  expect(cluster.factsOf("container.refused").map(({ reason }) => reason)).toContain("name-in-use");
});

test("flanneld takes its options and gives docker its bridge", () => {
  const config = '{"Network":"10.1.0.0/16"}';
  const text = `[Service]\nType=oneshot\nExecStart=/usr/bin/etcdctl set /coreos.com/network/config '${config}'`;
  const cluster = hostWith({ "config.service": text }).run(20);
  cluster.tell(0, { kind: "systemctl", verb: "start", unit: "flanneld.service" }).run(5);
  cluster.tell(0, { kind: "systemctl", verb: "start", unit: "docker.service" }).run(5);
  const [lease] = cluster.factsOf("flannel.leased");
  const bridge = (lease?.subnet ?? "").replace(/0\/24$/, "1/24");
  expect(cluster.factsOf("docker.up")).toEqual([{ kind: "docker.up", bip: bridge }]);
});
