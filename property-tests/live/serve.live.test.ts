import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EtcdGrpcClient } from "../../adapters/etcd/index.js";
import { EtcdServer } from "./etcd-server.js";
import { etcdctlVersion, runScript, type Step, type Target } from "./etcdctl.js";
import { whyNot } from "./needs.js";
import { Orrery, until } from "./program.js";
import { Canon } from "./serve-canon.js";
import { SCRIPTS } from "./serve-scripts.js";

const NAMES = ["n-1", "n-2", "n-3"];
const version = etcdctlVersion();
const reason = whyNot("etcd") ?? (version === null ? "etcdctl is not installed" : null);
if (reason === "etcdctl is not installed") console.log(`skipped: ${reason}`);

interface Cluster {
  readonly target: Target;
  readonly canon: Canon;
  readonly snapshot: string;
}

let servers: readonly EtcdServer[] = [];
let orrery: Orrery | null = null;
let folder: string;
let real: Cluster;
let model: Cluster;

beforeAll(async () => {
  if (reason !== null) return;
  folder = mkdtempSync(join(tmpdir(), "orrery-serve-test-"));
  servers = await EtcdServer.cluster(NAMES);
  orrery = new Orrery(
    ...["serve", "scenarios/serve-three.yaml", "--port", "0", "--speed", "1"],
    ...["--control", join(folder, "control.sock"), "--out", join(folder, "served.orlog")],
  );
  const served = orrery;
  await until(
    60,
    "three members that serve",
    () => served.output.split("serves clients").length > 3,
  );
  const realAt = servers.map(({ name, url, peerUrl }) => ({
    name,
    address: new URL(url).host,
    peer: new URL(peerUrl).host,
  }));
  const modelAt = NAMES.map((name, index) => ({
    name,
    address: new RegExp(`${name}  http://(\\S+)`).exec(served.output)?.[1] ?? "",
    peer: `10.0.0.${11 + index}:2380`,
  }));
  real = await clusterAt("real", realAt);
  model = await clusterAt("model", modelAt);
});

afterAll(async () => {
  if (reason !== null) return;
  for (const server of servers) await server.remove();
  const log = join(folder, "served.orlog");
  expect(await orrery?.end("SIGINT")).toBe(0);
  expect(await new Orrery("verify", log).exit()).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

/** Makes the first member lead, and learns what ids the cluster has. */
async function clusterAt(kind: string, endpoints: Target["endpoints"]): Promise<Cluster> {
  const target: Target = { endpoints };
  const client = new EtcdGrpcClient(endpoints[0]?.address ?? "");
  const listed = await client.call({ op: "member-list" });
  const status = await client.call({ op: "status" });
  client.close();
  if (!listed.ok || !("members" in listed.result)) throw new Error(JSON.stringify(listed));
  if (!status.ok || status.result.op !== "status") throw new Error(JSON.stringify(status));
  const { members } = listed.result;
  const first = members.find(({ name }) => name === NAMES[0])?.id ?? "";
  const { leader } = status.result;
  if (leader !== first) {
    const at = members.find(({ id }) => id === leader)?.name ?? "";
    await runScript(target, [{ run: `move-leader ${first}`, at: [at] }]);
  }
  const canon = new Canon(
    listed.header.clusterId,
    members.map(({ id, name, peerUrls }) => ({
      id,
      name,
      peerUrl: peerUrls[0] ?? "",
      address: endpoints.find((endpoint) => endpoint.name === name)?.address ?? "",
    })),
  );
  return { target, canon, snapshot: join(folder, `${kind}.db`) };
}

async function outcomes({ target, canon, snapshot }: Cluster, steps: readonly Step[]) {
  const here = steps.map((step) => ({ ...step, run: step.run.replace("$SNAPSHOT", snapshot) }));
  const done = await runScript(target, here);
  return done.map(({ code, output }, index) => {
    const run = steps[index]?.run ?? "";
    return { run, code, output: canon.text(run, output.replaceAll(snapshot, "<file>")) };
  });
}

describe.skipIf(reason !== null)(
  `etcdctl ${version ?? ""} cannot tell a served cluster from etcd`,
  () => {
    for (const { about, steps } of SCRIPTS) {
      test(about, async () => {
        const [expected, found] = await Promise.all([
          outcomes(real, steps),
          outcomes(model, steps),
        ]);
        expect(found).toEqual(expected);
      });
    }
  },
);

/** What a client of npm's gRPC is told: answers and refusals as values, and what a stream of watches says. */
async function conversation({ target }: Cluster): Promise<unknown> {
  const client = new EtcdGrpcClient(target.endpoints[1]?.address ?? "");
  const said: unknown[] = [];
  const note = async (request: Parameters<EtcdGrpcClient["call"]>[0]): Promise<void> => {
    const reply = await client.call(request);
    // Of a header, what does not tell who and when.
    said.push(reply.ok ? { ...reply, header: reply.header.revision } : reply);
  };
  const lease = "7fffffffffffff00";
  await note({ op: "kv-delete-range", key: "npm/", rangeEnd: "npm0" });
  await note({ op: "lease-grant", ttl: 500, id: lease });
  await note({ op: "lease-grant", ttl: 500, id: lease });
  const watched = watchAll(client, 4);
  await watched.created;
  await note({ op: "kv-put", key: "npm/a", value: "\u00ff\0binary", lease });
  await note({ op: "kv-put", key: "npm/a", value: "2", prevKv: true, ignoreLease: true });
  await note({
    op: "kv-txn",
    compare: [{ key: "npm/a", result: "equal", target: { field: "lease", operand: lease } }],
    success: [
      { op: "kv-put", key: "npm/b", value: "" },
      {
        op: "kv-txn",
        compare: [{ key: "npm/b", result: "equal", target: { field: "version", operand: 0 } }],
        success: [{ op: "kv-range", key: "npm/", rangeEnd: "npm0", keysOnly: true }],
        failure: [],
      },
    ],
    failure: [],
  });
  await note({
    op: "kv-txn",
    compare: [],
    success: [{ op: "kv-put", key: "", value: "" }],
    failure: [],
  });
  await note({ op: "kv-range", key: "npm/", rangeEnd: "npm0", countOnly: true });
  await note({ op: "kv-range", key: "npm/a", revision: -1 });
  await note({ op: "kv-range", key: "z", rangeEnd: "a" });
  await note({ op: "lease-time-to-live", id: "7fffffffffffff01", keys: true });
  await note({ op: "lease-keep-alive", id: lease });
  await note({ op: "lease-revoke", id: lease });
  await note({ op: "auth-status" });
  await note({ op: "downgrade", action: "validate", version: "3.3.0" });
  said.push(await watched.events);
  client.close();
  return said;
}

/** A watch of everything below `npm/`, another that is refused, and the first `count` events. */
function watchAll(client: EtcdGrpcClient, count: number) {
  const heard: unknown[] = [];
  let opened = (): void => {};
  let full = (_: unknown): void => {};
  const created = new Promise<void>((resolve) => {
    opened = resolve;
  });
  let events = 0;
  const all = new Promise<unknown>((resolve) => {
    full = resolve;
  });
  const stream = client.watch({
    response: (_, response) => {
      // Events of several revisions may come together or apart.
      if (response.events.length === 0) heard.push(response);
      for (const event of response.events) heard.push(event);
      events += response.events.length;
      if (heard.length === 2) opened();
      if (events >= count) {
        stream.cancel();
        full(heard);
      }
    },
    ended: full,
  });
  stream.send({ type: "create", key: "npm/", rangeEnd: "npm0", prevKv: true, watchId: 5 });
  stream.send({ type: "create", key: "npm/", rangeEnd: "a" });
  return { created, events: all };
}

test.skipIf(reason !== null)(
  "a client of npm's gRPC hears from a served cluster what it hears from etcd",
  async () => {
    const [expected, found] = await Promise.all([conversation(real), conversation(model)]);
    const revision = (said: unknown): number =>
      Number(JSON.stringify(said).match(/"header":(\d+)/)?.[1]);
    // The scripts before may have left another revision behind: a lease that expired or not, a session more.
    const shift = revision(found) - revision(expected);
    const moved = JSON.stringify(found).replace(
      /"(header|createRevision|modRevision)":(\d+)/g,
      (_, name: string, n: string) => `"${name}":${Number(n) === 0 ? 0 : Number(n) - shift}`,
    );
    expect(JSON.parse(moved)).toEqual(JSON.parse(JSON.stringify(expected)));
  },
);
