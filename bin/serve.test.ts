import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { EtcdGrpcClient } from "../adapters/etcd/index.js";
import { reservePorts } from "../adapters/serve/index.js";
import { INVARIANTS } from "../core/cluster/index.js";
import type { ResponseHeader, WatchResponse } from "../core/etcd/index.js";
import type { LogRecord } from "../core/kernel/index.js";
import { loadScenario, NO_FAULTS } from "../sim/index.js";
import { ServedCluster, withoutEnd } from "./commands/serve-cluster.js";
import { Control } from "./commands/serve-control.js";
import { servedAgain } from "./testing/again.js";

const file = fileURLToPath(new URL("../scenarios/serve-three.yaml", import.meta.url));
const loaded = loadScenario(file, { invariants: Object.keys(INVARIANTS) });
if (!loaded.ok) throw new Error(JSON.stringify(loaded.diagnostics));
const scenario = withoutEnd(loaded.value);

/** Of a client that waits for its answer, however busy the machine is. */
const PATIENT = { deadlineMs: 40_000 };

/** A cluster that is served in this process, and everything its log would hold. */
class Served {
  readonly cluster: ServedCluster;
  readonly control: Control;
  readonly records: LogRecord[] = [];
  readonly #waiting: { readonly holds: () => boolean; readonly go: () => void }[] = [];
  #failure: unknown = null;

  private constructor(ports: readonly number[]) {
    this.cluster = new ServedCluster({
      scenario,
      seed: 1,
      plan: NO_FAULTS,
      // Fast enough that nobody waits, slow enough that a client's deadline means something.
      speed: 20,
      ports,
      observer: {
        record: (record) => {
          // A log holds what JSON keeps.
          this.records.push(JSON.parse(JSON.stringify(record)));
          for (const waiting of this.#waiting) if (waiting.holds()) waiting.go();
        },
      },
      failed: (error) => {
        this.#failure = error;
      },
    });
    this.control = new Control(
      {
        world: this.cluster.world,
        addressOf: (node) => this.cluster.addressOf(node),
        saveLog: () => "",
        stop: () => {},
      },
      1,
    );
  }

  static async start(): Promise<Served> {
    const served = new Served(await reservePorts(scenario.hosts.map(() => 0)));
    served.cluster.start();
    await served.until(() => served.#count("etcd.ready") === 3);
    return served;
  }

  /** Waits until something holds after a record. */
  async until(holds: () => boolean): Promise<void> {
    if (!holds()) await new Promise<void>((go) => this.#waiting.push({ holds, go }));
    // Ports follow what the world says a turn later.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #count(kind: string): number {
    return this.records.filter((record) => record.kind === kind).length;
  }

  /** Packets of clients, by kind, since a place in the log. */
  packets(kind: string, since = 0): readonly LogRecord[] {
    return this.records
      .slice(since)
      .filter(({ data }) => JSON.stringify(data).includes(`"kind":"${kind}"`));
  }

  name(node: number): string {
    return scenario.hosts[node]?.name ?? "";
  }

  /** Waits until nobody listens at a member's port. */
  async closed(node: number): Promise<void> {
    const [host = "", port] = this.cluster.addressOf(node).split(":");
    for (;;) {
      const socket = connect(Number(port), host);
      const open = await new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(true));
        socket.once("error", () => resolve(false));
      });
      socket.destroy();
      if (!open) return;
    }
  }

  leader(): number {
    return this.cluster.world.simulation.hosts.findIndex(
      (host) => host.member?.run?.node.role === "leader",
    );
  }

  tell(text: string): string {
    const { ok, text: answer } = this.control.run(text.split(" "));
    if (!ok) throw new Error(answer);
    return answer;
  }

  client(node = 0): EtcdGrpcClient {
    return new EtcdGrpcClient(this.cluster.addressOf(node));
  }

  async put(key: string, value: string, node = 0): Promise<boolean> {
    const client = this.client(node);
    const reply = await client.call({ op: "kv-put", key, value }, PATIENT);
    client.close();
    return reply.ok;
  }

  async end(): Promise<void> {
    await this.cluster.stop();
    expect(this.#failure).toBeNull();
  }
}

let served: Served;

beforeAll(async () => {
  served = await Served.start();
});

// What a test that failed left behind is not the next one's.
afterEach(() => {
  served.control.run(["heal"]);
  for (const host of scenario.hosts) served.control.run(["resume", host.name]);
});

afterAll(async () => {
  await served.end();
});

describe("a served cluster", () => {
  test("says the same over gRPC, the JSON gateway and health, and leads clients to its own ports", async () => {
    expect(await served.put("greeting", "hello")).toBe(true);
    const at = `http://${served.cluster.addressOf(1)}`;
    const key = Buffer.from("greeting").toString("base64");
    const read = await fetch(`${at}/v3/kv/range`, {
      method: "POST",
      body: JSON.stringify({ key }),
    });
    expect(await read.text()).toContain(`"value":"${Buffer.from("hello").toString("base64")}"`);
    expect(await (await fetch(`${at}/health`)).text()).toBe('{"health":"true"}');
    expect(await (await fetch(`${at}/metrics`)).text()).toContain("etcd_server_has_leader 1");
    const client = served.client(2);
    const listed = await client.call({ op: "member-list" }, PATIENT);
    client.close();
    const urls = listed.ok && "members" in listed.result ? listed.result.members : [];
    expect(urls.flatMap(({ clientUrls }) => clientUrls).sort()).toEqual(
      [0, 1, 2].map((node) => `http://${served.cluster.addressOf(node)}`).sort(),
    );
  });

  test("answers malformed protobuf with an error on that call, and nobody else notices", async () => {
    const session = connectHttp2(`http://${served.cluster.addressOf(0)}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/etcdserverpb.KV/Put",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const trailers = new Promise<string>((resolve) => {
      const tell = (headers: Readonly<Record<string, unknown>>): void => {
        if (headers["grpc-status"] !== undefined) resolve(String(headers["grpc-status"]));
      };
      stream.on("response", tell);
      stream.on("trailers", tell);
    });
    stream.resume();
    // A length that goes beyond the message.
    stream.end(Buffer.from([0, 0, 0, 0, 3, 0x0a, 0x7f, 0x61]));
    expect(await trailers).toBe("13");
    session.close();
    expect(await served.put("after", "malformed")).toBe(true);
  });

  test("survives whatever bytes come to its port", async () => {
    const port = Number(served.cluster.addressOf(0).split(":")[1]);
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1");
    const request = Buffer.from("PUT /v2/keys/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
    const junk = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes));
    const begun = fc.constantFrom(Buffer.alloc(0), preface, request);
    await fc.assert(
      fc.asyncProperty(begun, junk, async (start, rest) => {
        const socket: Socket = connect(port, "127.0.0.1");
        socket.on("error", () => {});
        await once(socket, "connect");
        await new Promise((resolve) =>
          socket.end(Buffer.concat([start, rest]), () => resolve(null)),
        );
        socket.resume();
        socket.destroy();
      }),
      { numRuns: 60 },
    );
    expect(await served.put("after", "junk")).toBe(true);
  });

  test("refuses what is too large in etcd's words, and goes on", async () => {
    const client = served.client();
    const put = (size: number) =>
      client.call({ op: "kv-put", key: "large", value: "x".repeat(size) }, PATIENT);
    expect(await put(1_600_000)).toMatchObject({ message: "etcdserver: request is too large" });
    expect(await put(2_100_000)).toMatchObject({
      code: "ResourceExhausted",
      message: expect.stringMatching(
        /^grpc: received message larger than max \(\d+ vs\. 2097152\)$/,
      ),
    });
    client.close();
    expect(await served.put("after", "large")).toBe(true);
  });

  test("passes a client's deadline on to the member, which then knows that nobody waits", async () => {
    const client = served.client(0);
    expect(await client.call({ op: "status" }, PATIENT)).toMatchObject({ ok: true });
    const since = served.records.length;
    served.tell(`pause ${served.name(0)}`);
    // On a busy machine a deadline may pass before the request is on its way at all.
    for (
      let deadlineMs = 100;
      served.packets("etcd-request", since).length === 0;
      deadlineMs *= 2
    ) {
      const reply = await client.call({ op: "kv-put", key: "a", value: "b" }, { deadlineMs });
      expect(reply).toEqual({ ok: false, unreachable: "timeout" });
    }
    client.close();
    await served.until(() => served.packets("etcd-cancel", since).length > 0);
    served.tell(`resume ${served.name(0)}`);
    expect(await served.put("after", "pause")).toBe(true);
  });

  test("lets a leader that is cut off fail its clients as etcd does, while the others go on", async () => {
    const leader = served.leader();
    served.tell(`partition ${served.name(leader)}`);
    const client = served.client(leader);
    const reply = await client.call({ op: "kv-put", key: "a", value: "lost" }, PATIENT);
    // Once it has noticed that nobody follows it, it drops what it is asked.
    const told = reply.ok || !("message" in reply) ? "" : `${reply.code}: ${reply.message}`;
    expect(told).toMatch(
      /^(Unavailable: etcdserver: request timed out.*|Unknown: raft proposal dropped)$/,
    );
    const watching = await ended(client, { hasLeader: true });
    expect(watching).toMatchObject({ code: "Unavailable", message: "etcdserver: no leader" });
    client.close();
    expect(await served.put("a", "kept", (leader + 1) % 3)).toBe(true);
    served.tell("heal");
    expect(await served.put("after", "partition", leader)).toBe(true);
  });

  test("refuses connections while a process is down, and is back at the same port", async () => {
    const since = served.records.length;
    const killed = served.tell(`kill-process ${served.name(1)} --for 1h`);
    await served.until(() =>
      served.records.slice(since).some(({ kind }) => kind === "etcd.stopped"),
    );
    await served.closed(1);
    const client = served.client(1);
    const reply = await client.call({ op: "status" }, PATIENT);
    expect(reply).toMatchObject({ ok: false, unreachable: "refused" });
    client.close();
    served.tell(`end ${/\((\d+)\)/.exec(killed)?.[1] ?? ""}`);
    await served.until(() => served.records.slice(since).some(({ kind }) => kind === "etcd.ready"));
    expect(await served.put("after", "kill", 1)).toBe(true);
  });

  test("holds back for a client that does not read, loses none of its events, and serves others meanwhile", async () => {
    const since = served.records.length;
    const slow = new Watcher(served.client(0));
    const quick = new Watcher(served.client(0));
    for (const watcher of [slow, quick]) watcher.watch("flow/", "flow0");
    await Promise.all([slow.created, quick.created]);
    slow.stream.pause();
    const values = Array.from({ length: 80 }, (_, i) => `${i}:${"x".repeat(20_000)}`);
    const client = served.client(1);
    for (const value of values) {
      expect(await client.call({ op: "kv-put", key: "flow/x", value }, PATIENT)).toMatchObject({
        ok: true,
      });
    }
    client.close();
    expect(await quick.values(values.length)).toEqual(values);
    await served.until(() => served.packets("etcd-flow", since).length > 0);
    slow.stream.resume();
    expect(await slow.values(values.length)).toEqual(values);
    slow.end();
    quick.end();
  });

  test("keeps locks on the server: who waits gets it next, and who hangs up leaves the queue", async () => {
    const name = Buffer.from("mutex").toString("base64");
    const post = async (path: string, body: object, signal?: AbortSignal) => {
      const url = `http://${served.cluster.addressOf(0)}/v3/${path}`;
      const init = { method: "POST", body: JSON.stringify(body) };
      const answer = await fetch(url, signal === undefined ? init : { ...init, signal });
      return (await answer.json()) as { readonly key?: string; readonly kvs?: readonly object[] };
    };
    const range = {
      key: Buffer.from("mutex/").toString("base64"),
      range_end: Buffer.from("mutex0").toString("base64"),
    };
    const waiting = async (count: number): Promise<void> => {
      for (;;) if (((await post("kv/range", range)).kvs ?? []).length === count) return;
    };
    const first = await post("lock/lock", { name });
    const impatient = new AbortController();
    const given = post("lock/lock", { name }, impatient.signal).catch(() => null);
    await waiting(2);
    impatient.abort();
    expect(await given).toBeNull();
    await waiting(1);
    const next = post("lock/lock", { name });
    await waiting(2);
    await post("lock/unlock", { key: first.key });
    expect((await next).key).not.toBe(first.key);
    await waiting(1);
  });

  test("streams watches as lines of JSON, and long polls of version 2", async () => {
    const at = `http://${served.cluster.addressOf(0)}`;
    const create = { create_request: { key: Buffer.from("lines").toString("base64") } };
    const stream = await fetch(`${at}/v3/watch`, { method: "POST", body: JSON.stringify(create) });
    const reader = stream.body?.getReader();
    let text = "";
    const line = async (): Promise<string> => {
      while (!text.includes("\n")) {
        const part = await reader?.read();
        text += Buffer.from(part?.value ?? []).toString();
      }
      const [first = "", ...rest] = text.split("\n");
      text = rest.join("\n");
      return first;
    };
    expect(await line()).toContain('"created":true');
    expect(await served.put("lines", "1")).toBe(true);
    expect(await line()).toContain(`"value":"${Buffer.from("1").toString("base64")}"`);
    await reader?.cancel();
    const poll = await fetch(`${at}/v2/keys/poll?wait=true`);
    const form = { method: "PUT", body: new URLSearchParams({ value: "now" }) };
    await fetch(`${at}/v2/keys/poll`, form);
    expect(await poll.json()).toMatchObject({ action: "set", node: { value: "now" } });
  });

  test("is executed again from its log, to the last record", async () => {
    const { records } = served;
    await served.end();
    const again = servedAgain(scenario, records, records.at(-1)?.at ?? 0);
    expect(records.length).toBeGreaterThan(300);
    expect(again.records.slice(0, records.length)).toEqual(records);
    expect(again.stateHash).toBe(served.cluster.world.simulation.stateHash());
  });
});

/** One watch and what has come by it. */
class Watcher {
  readonly stream: ReturnType<EtcdGrpcClient["watch"]>;
  readonly created: Promise<void>;
  readonly #client: EtcdGrpcClient;
  readonly #values: string[] = [];
  #heard = (): void => {};

  constructor(client: EtcdGrpcClient) {
    this.#client = client;
    let opened = (): void => {};
    this.created = new Promise((resolve) => {
      opened = resolve;
    });
    this.stream = client.watch({
      response: (_: ResponseHeader, response: WatchResponse) => {
        if (response.created) opened();
        for (const { kv } of response.events) this.#values.push(kv.value);
        this.#heard();
      },
      ended: () => {},
    });
  }

  watch(key: string, rangeEnd: string): void {
    this.stream.send({ type: "create", key, rangeEnd });
  }

  async values(count: number): Promise<readonly string[]> {
    while (this.#values.length < count) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
    return this.#values;
  }

  end(): void {
    this.stream.cancel();
    this.#client.close();
  }
}

/** How a watch ends that its member ends. */
function ended(client: EtcdGrpcClient, options: { readonly hasLeader: boolean }) {
  return new Promise((resolve) => {
    const stream = client.watch({ response: () => {}, ended: resolve }, options);
    stream.send({ type: "create", key: "x" });
  });
}
