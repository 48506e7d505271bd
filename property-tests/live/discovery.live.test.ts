import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DiscoveryMember } from "./discovery-member.js";
import { EtcdServer, freePorts } from "./etcd-server.js";
import { whyNot } from "./needs.js";
import { Orrery, until } from "./program.js";

const reason = whyNot("etcd");
const log = join(tmpdir(), `orrery-discovery-${process.pid}.orlog`);
const servedLog = join(tmpdir(), `orrery-discovery-served-${process.pid}.orlog`);
const TOKEN = "0123456789abcdef0123456789abcdef";

/** A service that keeps tokens, and how a token of its own gets a size. */
interface Service {
  /** The URL of a new token, whose size key holds the text; null: none. */
  token(size: string | null): Promise<string>;
}

/** A real etcd, as the public service has it behind itself. */
class RealStore implements Service {
  #tokens = 0;
  constructor(readonly server: EtcdServer) {}

  async token(size: string | null): Promise<string> {
    const name = (++this.#tokens).toString(16).padStart(32, "0");
    const url = `${this.server.url}/v2/keys/_etcd/registry/${name}`;
    if (size !== null) {
      await fetch(`${url}/_config/size`, {
        method: "PUT",
        body: new URLSearchParams({ value: size }),
      });
    }
    return url;
  }
}

class OurService implements Service {
  readonly program: Orrery;
  url = "";

  constructor(...words: readonly string[]) {
    this.program = new Orrery(...words);
  }

  async begun(): Promise<void> {
    const found = () => /discovery .*?(http:\/\/127\.0\.0\.1:\d+)/.exec(this.program.output)?.[1];
    await until(60, "the address of our service", () => found() !== undefined);
    this.url = found() ?? "";
  }

  async token(size: string | null): Promise<string> {
    if (size === null) return `${this.url}/${TOKEN}`;
    const answer = await fetch(`${this.url}/new?size=${encodeURIComponent(size)}`);
    return answer.text();
  }
}

describe.skipIf(reason !== null)("real etcds find their cluster through our discovery", () => {
  let ours: OurService;
  let served: OurService;
  let theirs: RealStore;
  const running = new Set<DiscoveryMember>();

  beforeAll(async () => {
    ours = new OurService("discovery", "--port", "0", "--out", log);
    const ports = ["--port", "0", "--discovery-port", "0", "--out", servedLog];
    served = new OurService("serve", "scenarios/serve-discovery.yaml", ...ports);
    const [server] = await Promise.all([EtcdServer.create(), ours.begun(), served.begun()]);
    theirs = new RealStore(server);
  }, 120_000);

  afterAll(async () => {
    await Promise.all([...running].map((member) => member.remove()));
    await theirs?.server.remove();
    await Promise.all([ours?.program.end("SIGINT"), served?.program.end("SIGINT")]);
    for (const path of [log, servedLog]) rmSync(path, { force: true });
  });

  async function start(name: string, token: string, fallback: "exit" | "proxy" = "exit") {
    const [client = 0, peer = 0] = await freePorts(2);
    const member = new DiscoveryMember(name, token, [client, peer], fallback);
    running.add(member);
    return member;
  }

  /** What becomes of members that are started one after the other, each once the last has registered. */
  async function ends(
    service: Service,
    size: string | null,
    members: readonly (readonly [name: string, fallback?: "exit" | "proxy"])[],
  ): Promise<string[]> {
    const token = await service.token(size);
    const started: DiscoveryMember[] = [];
    for (const [name, fallback] of members) {
      const member = await start(name, token, fallback);
      started.push(member);
      const settled = /found self|cluster is full|proxy|found 0|panic/;
      await until(
        60,
        `${name} to come to the token`,
        () => member.ended || settled.test(member.said),
      );
    }
    const found = await Promise.all(started.map((member) => member.end()));
    await Promise.all(started.map((member) => member.remove()));
    for (const member of started) running.delete(member);
    return found;
  }

  test("three become a cluster that takes writes, the fourth is refused, a fifth becomes its proxy", async () => {
    const token = await ours.token("3");
    const members = await Promise.all(["a", "b", "c"].map((name) => start(name, token)));
    expect(await Promise.all(members.map((member) => member.end()))).toEqual(
      members.map(() => "member"),
    );
    const [first, second] = members;
    const put = await fetch(`${first?.url}/v2/keys/x`, {
      method: "PUT",
      body: new URLSearchParams({ value: "1" }),
    });
    expect(put.status).toBe(201);
    const list = await fetch(`${second?.url}/v2/members`);
    const { members: listed } = (await list.json()) as { members: readonly { name: string }[] };
    expect(listed.map(({ name }) => name).sort()).toEqual(["a", "b", "c"]);
    const fourth = await start("d", token);
    expect(await fourth.end()).toMatch(/cluster is full/);
    const fifth = await start("e", token, "proxy");
    expect(await fifth.end()).toBe("proxy");
    const read = await fetch(`${fifth.url}/v2/keys/x?quorum=true`);
    expect(await read.text()).toContain('"value":"1"');
    const registered = await fetch(token);
    const { node } = (await registered.json()) as { node: { nodes: readonly unknown[] } };
    expect(node.nodes).toHaveLength(3);
  }, 180_000);

  const cases: readonly (readonly [
    string,
    string | null,
    readonly (readonly [string, ("exit" | "proxy")?])[],
  ])[] = [
    ["a token for one, and one too many", "1", [["a"], ["b"]]],
    ["a token for one, and a proxy", "1", [["a"], ["b", "proxy"]]],
    ["a size of zero", "0", [["a"]]],
    ["a negative size", "-1", [["a"]]],
    ["two of one name", "2", [["same"], ["same"]]],
    ["a token nobody made", null, [["a"]]],
  ];
  test.each(cases)(
    "%s ends as with a real etcd as the service",
    async (_, size, members) => {
      const [real, own] = await Promise.all([
        ends(theirs, size, members),
        ends(ours, size, members),
      ]);
      expect(own).toEqual(real);
      expect(real).not.toContain("");
    },
    180_000,
  );

  test("the service of a served cluster brings real members together, and refuses them at its own token", async () => {
    const token = await served.token("3");
    const members = await Promise.all(["a", "b", "c"].map((name) => start(name, token)));
    expect(await Promise.all(members.map((member) => member.end()))).toEqual(
      members.map(() => "member"),
    );
    const fourth = await start("d", token);
    expect(await fourth.end()).toMatch(/cluster is full/);
    const simulated = "3e86b59982e49066c5d813af1c2e2579";
    const registered = async (): Promise<number> => {
      const answer = await fetch(`${served.url}/${simulated}`);
      const { node } = (await answer.json()) as { node: { nodes?: readonly unknown[] } };
      return node.nodes?.length ?? 0;
    };
    await until(60, "three simulated members", async () => (await registered()) === 3);
    const stranger = await start("e", `${served.url}/${simulated}`);
    expect(await stranger.end()).toMatch(/cluster is full/);
  }, 180_000);

  test.each([
    ["the service's", () => [ours, log] as const],
    ["the served cluster's", () => [served, servedLog] as const],
  ])(
    "%s log is executed again to the same facts",
    async (_, which) => {
      const [{ program }, path] = which();
      expect(await program.end("SIGINT")).toBe(0);
      const verified = new Orrery("verify", path);
      expect(await verified.exit()).toBe(0);
      expect(verified.output).toContain("intact");
    },
    120_000,
  );
});
