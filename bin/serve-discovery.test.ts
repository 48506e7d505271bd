import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reservePorts } from "../adapters/serve/index.js";
import { INVARIANTS } from "../core/cluster/index.js";
import type { LogRecord } from "../core/kernel/index.js";
import { NO_FAULTS, parseScenario } from "../sim/index.js";
import { ServedCluster, withoutEnd } from "./commands/serve-cluster.js";
import { Control } from "./commands/serve-control.js";
import { servedAgain } from "./testing/again.js";

const TOKEN = "3e86b59982e49066c5d813af1c2e2579";

/** Three members that find each other by a token of the scenario's service. */
const SCENARIO = `orrery: 1
name: found
duration: 5m
discovery: { url: "https://discovery.etcd.io/${TOKEN}", size: 3 }
hosts:
  - group: n
    count: 3
    address: 10.0.0.11
    os: { version: 1000.0.0 }
    boot: 1s
    cloud_config: |
      #cloud-config
      coreos:
        etcd2:
          discovery: https://discovery.etcd.io/${TOKEN}
          initial-advertise-peer-urls: http://$private_ipv4:2380
        units:
          - { name: etcd2.service, command: start }
`;

const parsed = parseScenario(SCENARIO, { file: "found", invariants: Object.keys(INVARIANTS) });
if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
const scenario = withoutEnd(parsed.value);

describe("the discovery service of a served cluster", () => {
  const records: LogRecord[] = [];
  const waiting = new Set<() => void>();
  let cluster: ServedCluster;
  let control: Control;

  /** Waits until something holds, after records of the run and turns of the program. */
  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await holds())) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          waiting.delete(go);
          setImmediate(resolve);
        };
        waiting.add(go);
      });
    }
  }

  beforeAll(async () => {
    cluster = new ServedCluster({
      scenario,
      seed: 1,
      plan: NO_FAULTS,
      speed: 20,
      ports: await reservePorts(scenario.hosts.map(() => 0)),
      fleetPort: 0,
      discoveryPort: 0,
      observer: {
        record: (record) => {
          records.push(JSON.parse(JSON.stringify(record)));
          for (const go of [...waiting]) go();
        },
      },
      discoveryOpened: () => {
        for (const go of [...waiting]) go();
      },
      failed: (error) => {
        throw error;
      },
    });
    const { world } = cluster;
    const addressOf = (node: number) => cluster.addressOf(node);
    control = new Control({ world, addressOf, saveLog: () => "", stop: () => {} }, 1);
    cluster.start();
    await until(() => cluster.discoveryAddress !== null);
    await until(() => records.filter(({ kind }) => kind === "etcd.ready").length === 3);
  });

  afterAll(() => cluster.stop());

  const at = (path: string): string => `http://${cluster.discoveryAddress}${path}`;
  const register = (token: string, member: string): Promise<Response> =>
    fetch(`${token}/${member}?prevExist=false`, {
      method: "PUT",
      body: new URLSearchParams({ value: `${member}=http://127.0.0.1:1` }),
    });
  /** Answers of etcd's v2 API, as far as they are looked at here. */
  const nodesOf = async (response: Response): Promise<{ key: string; value: string }[]> => {
    const { node } = (await response.json()) as { node: { nodes?: unknown; key: string } };
    const nodes = Array.isArray(node.nodes) ? node.nodes : [node];
    return nodes as { key: string; value: string }[];
  };

  test("knows the scenario's token, and the members that have registered there", async () => {
    const found = await nodesOf(await fetch(at(`/${TOKEN}`)));
    expect(found.map(({ value }) => value).sort()).toEqual([
      "n-1=http://10.0.0.11:2380",
      "n-2=http://10.0.0.12:2380",
      "n-3=http://10.0.0.13:2380",
    ]);
  });

  test("makes tokens that lead to its own port, and tells who waits of each member", async () => {
    const token = await (await fetch(at("/new?size=2"))).text();
    expect(token).toMatch(new RegExp(`^http://${cluster.discoveryAddress}/[0-9a-f]{32}$`));
    expect((await nodesOf(await fetch(`${token}/_config/size`)))[0]?.value).toBe("2");
    const first = await register(token, "a");
    expect(first.status).toBe(201);
    const next = Number(first.headers.get("x-etcd-index")) + 1;
    const waits = fetch(`${token}?wait=true&recursive=true&waitIndex=${next}`);
    expect((await register(token, "b")).status).toBe(201);
    expect((await nodesOf(await waits))[0]?.key).toMatch(/\/b$/);
    expect((await register(token, "a")).status).toBe(412);
  });

  test("hears that a client has had enough", async () => {
    const gone = new AbortController();
    const hangups = (): number =>
      records.filter(({ data }) => JSON.stringify(data).includes('"discovery-hangup"')).length;
    const before = hangups();
    const url = at(`/${TOKEN}?wait=true&recursive=true`);
    const waits = fetch(url, { signal: gone.signal }).catch(() => null);
    const watchers = () =>
      cluster.world.simulation.services.registry?.store.watchers.keys.size ?? 0;
    await until(() => watchers() > 0);
    gone.abort();
    await waits;
    await until(() => hangups() > before);
    expect(watchers()).toBe(0);
  });

  test("closes its port in an outage, and has its tokens afterwards", async () => {
    const waits = fetch(at(`/${TOKEN}?wait=true&recursive=true`)).then(
      () => "answered",
      () => "broken",
    );
    expect(control.run(["discovery-down"]).ok).toBe(true);
    expect(await waits).toBe("broken");
    await expect(fetch(at(`/${TOKEN}`))).rejects.toThrow();
    expect(control.run(["end", "all"]).ok).toBe(true);
    await until(() =>
      fetch(at(`/${TOKEN}`)).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
  });

  test("an outage of a service that a scenario does not have is refused", () => {
    for (const [command, service] of [
      ["update-down", "update service"],
      ["registry-down", "registry of images"],
    ] as const) {
      const answer = control.run([command]);
      expect(answer.ok).toBe(false);
      expect(JSON.stringify(answer)).toContain(`this scenario has no ${service}`);
    }
  });

  // Would have caught a request to the service that the log does not hold.
  test("is the same again when its log is executed", async () => {
    await cluster.stop();
    const again = servedAgain(scenario, records, cluster.world.simulation.at);
    expect(again.records).toEqual(records);
    expect(again.stateHash).toBe(cluster.world.simulation.stateHash());
  });
});
