import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { afterAll, expect, test } from "vitest";
import { EtcdServer } from "./etcd-server.js";
import { whyNot } from "./needs.js";
import { Orrery, until } from "./program.js";

const NAMES = ["n-1", "n-2", "n-3"];
const reason = whyNot("etcd");
const folder = mkdtempSync(join(tmpdir(), "orrery-etcd3-"));
let servers: readonly EtcdServer[] = [];
let orrery: Orrery | null = null;

afterAll(async () => {
  for (const server of servers) await server.remove();
  await orrery?.end("SIGINT");
  rmSync(folder, { recursive: true, force: true });
});

/** What a program that uses etcd through the etcd3 package gets to see. Revisions, but no ids. */
async function conversation(hosts: readonly string[]): Promise<unknown[]> {
  const client = new Etcd3({ hosts: [...hosts], dialTimeout: 5_000 });
  const seen: unknown[] = [];
  try {
    const watched: unknown[] = [];
    const watcher = await client.watch().prefix("app/").create();
    watcher.on("put", (kv) => watched.push(["put", String(kv.key), String(kv.value), kv.version]));
    watcher.on("delete", (kv) => watched.push(["delete", String(kv.key), kv.mod_revision]));

    await client.put("app/name").value("orrery");
    await client.put("app/port").value(2379);
    seen.push(await client.get("app/name").string(), await client.get("app/nothing").string());
    seen.push(await client.getAll().prefix("app/").sort("Value", "Descend").strings());
    const range = await client.getAll().prefix("app/").limit(1).exec();
    seen.push(
      range.count,
      range.more,
      range.kvs.map(({ key, version }) => [String(key), version]),
    );

    const swap = (expected: string) =>
      client
        .if("app/name", "Value", "==", expected)
        .then(client.put("app/name").value("planets"))
        .else(client.get("app/name"))
        .commit();
    seen.push((await swap("orrery")).succeeded, (await swap("orrery")).succeeded);
    const previous = await client.put("app/name").value("last").getPrevious();
    seen.push(String(previous?.value), previous?.version);

    const lease = client.lease(30);
    await lease.put("app/leased").value("1");
    seen.push(
      (await client.leaseClient.leaseTimeToLive({ ID: await lease.grant(), keys: true })).keys.map(
        String,
      ),
    );
    await lease.revoke();
    seen.push(await client.get("app/leased").string());

    const lock = client.lock("job");
    await lock.acquire();
    const refused = await client
      .lock("job")
      .acquire()
      .then(
        () => "acquired",
        (error: Error) => error.name,
      );
    await lock.release();
    seen.push(refused);

    const election = client.election("chief", 10);
    const campaign = election.campaign("me");
    await campaign.wait();
    seen.push(await election.leader());
    await campaign.resign();

    seen.push((await client.delete().prefix("app/")).deleted);
    const badRange = client.getAll().prefix("app/").revision(1_000_000).exec();
    seen.push(await badRange.then(String, ({ name, message }: Error) => [name, message]));
    await until(10, "the last event", () => watched.length >= 8);
    await watcher.cancel();
    seen.push(watched);
    return seen;
  } finally {
    client.close();
  }
}

test.skipIf(reason !== null)(
  "the etcd3 package sees of a served cluster what it sees of a real one",
  async () => {
    servers = await EtcdServer.cluster(NAMES);
    orrery = new Orrery(
      ...["serve", "scenarios/serve-three.yaml", "--port", "0"],
      ...["--control", join(folder, "control.sock")],
    );
    const served = orrery;
    const serving = () => served.output.split("serves clients").length > 3;
    await until(60, "three members that serve", serving);
    const addresses = NAMES.map(
      (name) => new RegExp(`${name} {2}(http://\\S+)`).exec(served.output)?.[1] ?? "",
    );
    const real = await conversation(servers.map(({ url }) => url));
    expect(real.length).toBeGreaterThan(15);
    expect(await conversation(addresses)).toEqual(real);
  },
);
