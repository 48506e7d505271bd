import fc from "fast-check";
import { expect, test } from "vitest";
import { hashState, type Micros, SECOND, stepImmutable, stepInPlace } from "../kernel/index.js";
import {
  type DiscoveryClientConfig,
  type DiscoveryEffect,
  type DiscoveryFact,
  type DiscoveryReply,
  type DiscoveryRequest,
  type DiscoveryState,
  discoveryClient,
  discoveryRegistry,
  type RegistryState,
} from "./index.js";

/** A registry and members that talk to it without delay. Members are numbered in the order they start. */
class Bootstrap {
  readonly registry: RegistryState = discoveryRegistry.create({ host: "https://d", seed: 7 });
  readonly members: DiscoveryState[] = [];
  readonly ends: (string | null)[] = [];
  readonly facts: DiscoveryFact[] = [];
  up = true;
  now: Micros = 0;
  #nextId = 1;
  readonly #asked = new Map<number, { member: number; id: number }>();
  readonly #timers: { at: Micros; member: number; timer: string }[] = [];

  token(size: string | null): string {
    const reply = this.request({ op: "new", size });
    if (!reply.ok || !("token" in reply)) throw new Error("no token");
    return reply.token;
  }

  request(request: DiscoveryRequest | { readonly op: "health" }): DiscoveryReply {
    const id = this.#nextId++;
    const { effects } = stepInPlace(
      discoveryRegistry,
      this.registry,
      { kind: "registry-request", id, request },
      this.now,
    );
    this.#deliver(effects.filter((effect) => effect.id !== id));
    const own = effects.find((effect) => effect.id === id);
    if (own === undefined) throw new Error("the registry did not answer");
    return own.reply;
  }

  join(url: string, config: Partial<DiscoveryClientConfig> = {}): number {
    const member = this.members.length;
    const name = `n${member}`;
    this.members.push(
      discoveryClient.create({
        url,
        memberId: `${member}a`,
        name,
        peerUrls: [`http://${name}:2380`],
        ...config,
      }),
    );
    this.ends.push(null);
    this.#step(member, { kind: "start" });
    return member;
  }

  wait(seconds: number): void {
    const end = this.now + seconds * SECOND;
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at);
      const due = this.#timers[0];
      if (due === undefined || due.at > end) break;
      this.#timers.shift();
      this.now = due.at;
      this.#step(due.member, { kind: "timer", timer: due.timer });
    }
    this.now = end;
  }

  /** Every watch under way is cut off. */
  cutWatches(): void {
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { member, id } of asked) {
      const reply = { ok: false, unreachable: "closed" } as const;
      this.#step(member, { kind: "discovery-reply", id, reply });
    }
  }

  #step(member: number, stimulus: Parameters<typeof discoveryClient.step>[1]): void {
    const state = this.members[member];
    if (state === undefined) return;
    const { facts, effects } = stepInPlace(discoveryClient, state, stimulus, this.now);
    this.facts.push(...facts);
    for (const effect of effects) this.#perform(member, effect);
  }

  #perform(member: number, effect: DiscoveryEffect): void {
    switch (effect.kind) {
      case "arm-timer":
        this.#timers.push({ at: this.now + effect.delay, member, timer: effect.timer });
        return;
      case "joined":
        this.ends[member] = effect.initialCluster.map((p) => `${p.name}=${p.peerUrl}`).join(",");
        return;
      case "failed":
        this.ends[member] = effect.error;
        return;
      case "discovery-call": {
        if (!this.up) {
          const reply = { ok: false, unreachable: "refused" } as const;
          this.#step(member, { kind: "discovery-reply", id: effect.id, reply });
          return;
        }
        const id = this.#nextId++;
        this.#asked.set(id, { member, id: effect.id });
        const { request } = effect;
        const stimulus = { kind: "registry-request", id, request } as const;
        this.#deliver(stepInPlace(discoveryRegistry, this.registry, stimulus, this.now).effects);
        return;
      }
      default:
    }
  }

  #deliver(responses: readonly { id: number; reply: DiscoveryReply }[]): void {
    for (const { id, reply } of responses) {
      const asked = this.#asked.get(id);
      if (asked === undefined) continue;
      this.#asked.delete(id);
      this.#step(asked.member, { kind: "discovery-reply", id: asked.id, reply });
    }
  }
}

const key = (url: string, rest = "") => url.slice("https://d".length) + rest;

test.each([1, 3, 5, 7, 10])("members of a token for %i agree on the initial cluster", (size) => {
  const world = new Bootstrap();
  const url = world.token(String(size));
  for (let i = 0; i < size; i++) world.join(url);
  const expected = Array.from({ length: size }, (_, i) => `n${i}=http://n${i}:2380`).join(",");
  expect(world.ends).toEqual(Array.from({ length: size }, () => expected));
});

test("a token made without a size is for three", () => {
  const world = new Bootstrap();
  const url = world.token(null);
  const reply = world.request({ op: "get", key: key(url, "/_config/size") });
  expect(reply.ok && "node" in reply ? reply.node.value : "").toBe("3");
});

test("a member that comes too late finds the cluster full and leaves no registration", () => {
  const world = new Bootstrap();
  const url = world.token("1");
  world.join(url);
  const late = world.join(url);
  expect(world.ends[late]).toBe("full-cluster");
  const listed = world.request({ op: "get", key: key(url) });
  expect(listed.ok && "node" in listed ? listed.node.nodes : []).toHaveLength(1);
});

test("a second member with the same id is refused", () => {
  const world = new Bootstrap();
  const url = world.token("3");
  world.join(url, { memberId: "aa" });
  expect(world.ends[world.join(url, { memberId: "aa" })]).toBe("duplicate-id");
});

test("two members of one name fail both", () => {
  const world = new Bootstrap();
  const url = world.token("2");
  world.join(url, { name: "same" });
  world.join(url, { name: "same" });
  expect(world.ends).toEqual(["duplicate-name", "duplicate-name"]);
});

test("a size that is no number fails the member", () => {
  const world = new Bootstrap();
  const url = world.token("3");
  world.request({ op: "put", key: key(url, "/_config/size"), value: "three" });
  expect(world.ends[world.join(url)]).toBe("bad-size-key");
});

test.each([
  ["-1", "bad-size-key"],
  ["+1", "bad-size-key"],
  ["18446744073709551616", "bad-size-key"],
  ["0", ""],
])("a size of %s, as etcd reads an unsigned number", (size, end) => {
  const world = new Bootstrap();
  const url = world.token("3");
  world.request({ op: "put", key: key(url, "/_config/size"), value: size });
  expect(world.ends[world.join(url)]).toBe(end);
  expect(world.ends[world.join(url)]).toBe(end);
});

test("a registration that expires is gone when the next request comes", () => {
  const world = new Bootstrap();
  const url = world.token("3");
  world.request({ op: "put", key: key(url, "/aa"), value: "v", ttl: 5 });
  const find = () => world.request({ op: "get", key: key(url, "/aa") }).ok;
  world.wait(4);
  expect(find()).toBe(true);
  world.wait(2);
  expect(find()).toBe(false);
});

test("health leaves nothing behind", () => {
  const world = new Bootstrap();
  expect(world.request({ op: "health" })).toEqual({ ok: true, token: "" });
  const top = world.registry.store.root.children?.get("_etcd")?.children?.get("registry");
  expect(top?.children?.size).toBe(0);
});

test("a token nobody made is fatal at once, a placeholder is no token", () => {
  const world = new Bootstrap();
  expect(world.ends[world.join(`https://d/${"0".repeat(32)}`)]).toBe("token-not-found");
  expect(world.ends[world.join("https://d/<token>")]).toBe("bad-discovery-endpoint");
  expect(world.ends[world.join("https://d")]).toBe("invalid-url");
});

test("a registration deleted while others wait counts as a member and is no URL", () => {
  const world = new Bootstrap();
  const url = world.token("2");
  const waiting = world.join(url);
  world.request({ op: "put", key: key(url, "/bb"), value: "x=http://x:1" });
  expect(world.ends[waiting]).toBe("n0=http://n0:2380,x=http://x:1");
  const other = world.token("3");
  const unlucky = world.join(other);
  world.request({ op: "put", key: key(other, "/bb"), value: "x=http://x:1" });
  world.request({ op: "delete", key: key(other, "/bb") });
  expect(world.ends[unlucky]).toBe("invalid-url");
});

test("a service that is down is tried again after 2, 4, 8 … 256 s", () => {
  const world = new Bootstrap();
  const url = world.token("1");
  world.up = false;
  world.join(url);
  world.wait(2_000);
  const delays = world.facts.flatMap((f) =>
    f.kind === "discovery.retrying" ? [f.delay / SECOND] : [],
  );
  expect(delays.slice(0, 9)).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 256]);
  world.up = true;
  world.wait(300);
  expect(world.ends[0]).toBe("n0=http://n0:2380");
});

test("a registration that gets no answer is fatal, although it may have been made", () => {
  const state = discoveryClient.create({
    url: `https://d/${"0".repeat(32)}`,
    memberId: "a",
    name: "n",
    peerUrls: ["http://n:2380"],
  });
  const send = (reply: DiscoveryReply) =>
    stepInPlace(discoveryClient, state, { kind: "discovery-reply", id: state.call, reply }, 0);
  stepInPlace(discoveryClient, state, { kind: "start" }, 0);
  const node = { key: "/k", value: "3", modifiedIndex: 1, createdIndex: 1 };
  const ok = { ok: true, status: 200, action: "get", etcdIndex: 1 } as const;
  send({ ...ok, node });
  send({ ...ok, node: { key: "/k", dir: true, nodes: [], modifiedIndex: 1, createdIndex: 1 } });
  const { effects } = send({ ok: false, unreachable: "timeout" });
  expect(effects).toEqual([{ kind: "failed", error: "registration-failed", detail: "timeout" }]);
});

test("a watch that is cut off is taken up again without missing a member", () => {
  const world = new Bootstrap();
  const url = world.token("3");
  world.join(url);
  world.cutWatches();
  world.join(url);
  world.join(url);
  world.wait(10);
  expect(new Set(world.ends).size).toBe(1);
  expect(world.ends[0]).not.toBeNull();
});

test("a watch in the past is answered from history, which hides nothing; listings do", () => {
  const world = new Bootstrap();
  const url = world.token("3");
  world.request({ op: "put", key: key(url, "/aa"), value: "v" });
  const seen = [1, 2].map((waitIndex) => {
    const reply = world.request({ op: "watch", key: key(url), recursive: true, waitIndex });
    return reply.ok && "node" in reply ? reply.node.value : "";
  });
  expect(seen).toEqual(["3", "v"]);
  const listed = world.request({ op: "get", key: key(url) });
  const names = listed.ok && "node" in listed ? listed.node.nodes?.map((n) => n.key) : [];
  expect(names).toEqual([`/_etcd/registry${key(url)}/aa`]);
});

test("whatever the service answers, in place and under immer a member does the same and ends at most once", () => {
  const node = fc.record({
    key: fc.constantFrom("/t/_config", "/t/aa", "/t/bb", "/t/cc"),
    value: fc.constantFrom("3", "1", "0", "-1", "x", "n=http://n:1", "n=bad", ""),
    modifiedIndex: fc.integer({ min: 1, max: 9 }),
    createdIndex: fc.integer({ min: 1, max: 9 }),
  });
  const reply: fc.Arbitrary<DiscoveryReply> = fc.oneof(
    fc.constant({ ok: false, unreachable: "timeout" } as const),
    fc.constantFrom(404, 500).map((status) => ({ ok: false, status, body: "" }) as const),
    fc
      .constantFrom(100, 105)
      .map(
        (errorCode) =>
          ({ ok: false, status: 404, errorCode, message: "", cause: "", index: 1 }) as const,
      ),
    fc.tuple(node, fc.array(node, { maxLength: 4 })).map(
      ([own, nodes]) =>
        ({
          ok: true,
          status: 200,
          action: "get",
          node: { ...own, nodes },
          etcdIndex: 9,
        }) as const,
    ),
  );
  fc.assert(
    fc.property(fc.array(reply, { maxLength: 20 }), (replies) => {
      const config = { url: "https://d/t", memberId: "aa", name: "n", peerUrls: ["http://n:1"] };
      const owned = discoveryClient.create(config);
      let state = discoveryClient.create(config);
      let ends = 0;
      const both = (stimulus: Parameters<typeof discoveryClient.step>[1]) => {
        const inPlace = stepInPlace(discoveryClient, owned, stimulus, 0);
        const immutable = stepImmutable(discoveryClient, state, stimulus, 0);
        state = immutable.state;
        expect(immutable.effects).toEqual(inPlace.effects);
        expect(immutable.facts).toEqual(inPlace.facts);
        ends += inPlace.effects.filter((e) => e.kind === "joined" || e.kind === "failed").length;
      };
      both({ kind: "start" });
      for (const item of replies) {
        both({ kind: "discovery-reply", id: owned.call, reply: item });
        both({ kind: "timer", timer: "retry" });
      }
      expect(hashState(state)).toBe(hashState(owned));
      expect(ends).toBeLessThanOrEqual(1);
    }),
  );
});
