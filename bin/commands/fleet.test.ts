import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  FleetClient,
  httpTransport,
  readFleetEndpoint,
  Unreachable,
} from "../../adapters/fleet/index.js";
import { reservePorts } from "../../adapters/serve/index.js";
import { INVARIANTS } from "../../core/cluster/index.js";
import {
  type ApiMachine,
  type ApiUnit,
  explainUnit,
  parseUnit,
  type RegisteredState,
} from "../../core/fleet/index.js";
import type { LogRecord } from "../../core/kernel/index.js";
import { loadScenario, NO_FAULTS } from "../../sim/index.js";
import { servedAgain } from "../testing/again.js";
import { explanationText, pictureThroughApi } from "./fleet-explain.js";
import type { FleetContext } from "./fleet-flags.js";
import { journal } from "./fleet-journal.js";
import { listMachines, listUnitFiles, listUnits } from "./fleet-list.js";
import { cat } from "./fleet-look.js";
import { openFleet } from "./fleet-open.js";
import { ssh, status } from "./fleet-remote.js";
import { simulatedTransport } from "./fleet-simulated.js";
import { MACHINE_COLUMNS, tabbed, UNIT_COLUMNS, UNIT_FILE_COLUMNS } from "./fleet-table.js";
import { destroy, start, stop, submit, type UnitCommand, unload } from "./fleet-units.js";
import type { Patience } from "./fleet-wait.js";
import { ServedCluster, withoutEnd } from "./serve-cluster.js";

const path = fileURLToPath(new URL("../../scenarios/serve-fleet.yaml", import.meta.url));
const loaded = loadScenario(path, { invariants: Object.keys(INVARIANTS) });
if (!loaded.ok) throw new Error(JSON.stringify(loaded.diagnostics));
const scenario = withoutEnd(loaded.value);

const folder = mkdtempSync(join(tmpdir(), "orrery-fleet-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a command said. */
class Heard {
  readonly lines: string[] = [];
  readonly warnings: string[] = [];
  out = (line: string): void => void this.lines.push(line);
  err = (line: string): void => void this.warnings.push(line);
}

function told(client: FleetClient, voice: Heard, ...units: string[]): UnitCommand {
  const patient: Patience = 20;
  const restartGlobal = () => Promise.resolve(0);
  return { client, voice, units, patient, replace: false, compat: false, restartGlobal };
}

function unitFile(name: string, fleetSection = ""): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    `[Unit]\nDescription=Hello\n[Service]\nExecStart=/opt/bin/hello\n[X-Fleet]\n${fleetSection}\n`,
  );
  return file;
}

describe("a list", () => {
  const id = `25f04598${"0".repeat(24)}`;
  const machine: ApiMachine = { id, publicIp: "10.0.0.1", metadata: { ping: "pong", foo: "bar" } };
  const known = new Map([[id, machine]]);

  test("is filled up with tabs as Go's tabwriter does it", () => {
    // Seen with Go 1.26: text/tabwriter, minimal width 0, tab width 8, padding 1, tabs.
    const rows = [
      ["UNIT", "MACHINE", "ACTIVE", "SUB"],
      ["a.service", "1234567...", "active", "running"],
      ["1234567", "-", "inactive", "dead"],
      ["", "x", "é", "y"],
    ];
    expect(tabbed(rows)).toBe(
      "UNIT\t\tMACHINE\t\tACTIVE\t\tSUB\na.service\t1234567...\tactive\t\trunning\n1234567\t\t-\t\tinactive\tdead\n\t\tx\t\té\t\ty\n",
    );
  });

  test("of units shows what a machine has reported, short unless told otherwise", () => {
    const state: RegisteredState = {
      unit: "sleep.service",
      reporter: id,
      machine: id,
      load: "foo",
      active: "bar",
      sub: "baz",
      hash: "f035b2f14edc4d23572e5f3d3d4cb4f78d0e53c3",
    };
    const cells = (full: boolean, of = state) =>
      ["unit", "load", "active", "sub", "machine", "hash"].map((name) =>
        UNIT_COLUMNS[name]?.(of, full, known),
      );
    const short = ["sleep.service", "foo", "bar", "baz", "25f04598.../10.0.0.1", "f035b2f"];
    expect(cells(false)).toEqual(short);
    expect(cells(true).slice(4)).toEqual([`${id}/10.0.0.1`, state.hash]);
    expect(cells(false, { ...state, machine: "", hash: "" }).slice(4)).toEqual(["-", "-"]);
    expect(cells(false, { ...state, machine: "a".repeat(32) })[4]).toBe("aaaaaaaa...");
  });

  test("of unit files shows states, and global for a target where there is none", () => {
    const unit = (text: string, rest: Partial<ApiUnit> = {}): ApiUnit => {
      const parsed = parseUnit(text);
      if (!parsed.ok) throw new Error(parsed.error);
      const none = { desiredState: "", currentState: "", machine: "" } as const;
      return { name: "foo.service", file: parsed.unit, ...none, ...rest };
    };
    const cells = (of: ApiUnit) =>
      ["unit", "hash", "desc", "dstate", "state", "target", "global"].map((name) =>
        UNIT_FILE_COLUMNS[name]?.(of, false, known),
      );
    expect(cells(unit("[Unit]\nDescription=some description\n"))).toEqual([
      ...["foo.service", "a0f275d", "some description", "-", "-", "-", "false"],
    ]);
    expect(cells(unit(""))[1]).toBe("da39a3e");
    const placed = { desiredState: "launched", currentState: "loaded", machine: id } as const;
    expect(cells(unit("[Service]\n", placed)).slice(2)).toEqual([
      ...["-", "launched", "loaded", "25f04598.../10.0.0.1", "false"],
    ]);
    expect(cells(unit("[X-Fleet]\nGlobal=yes\n", placed)).slice(3)).toEqual([
      ...["launched", "-", "global", "true"],
    ]);
  });

  test("of machines shows metadata by key", () => {
    const cells = (of: ApiMachine, full: boolean) =>
      ["machine", "ip", "metadata"].map((name) => MACHINE_COLUMNS[name]?.(of, full, known));
    expect(cells(machine, false)).toEqual(["25f04598...", "10.0.0.1", "foo=bar,ping=pong"]);
    expect(cells({ id, publicIp: "", metadata: {} }, true)).toEqual([id, "-", "-"]);
  });
});

test("an etcd without its v2 API is told from one that is not there, and what to do", async () => {
  const server = createServer((_, response) => response.writeHead(404).end("404 page not found\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const transport = await openFleet({ etcd: `http://127.0.0.1:${port}` }, () => {});
  await expect(new FleetClient(transport).units()).rejects.toThrow(/--enable-v2=true/);
  transport.close();
  server.close();
  const gone = await openFleet({ etcd: `http://127.0.0.1:${port}` }, () => {});
  await expect(new FleetClient(gone).units()).rejects.toThrow(/nobody listens there/);
});

describe("a fleet that is served", () => {
  const records: LogRecord[] = [];
  let cluster: ServedCluster;
  const clients: FleetClient[] = [];

  beforeAll(async () => {
    const ports = await reservePorts(scenario.hosts.map(() => 0));
    let failure: unknown = null;
    let opened = (): void => {};
    const all = new Promise<void>((resolve, reject) => {
      opened = () => {
        // They open in any order.
        if (Object.keys(clients).length === scenario.hosts.length) resolve();
        if (failure !== null) reject(failure);
      };
    });
    cluster = new ServedCluster({
      scenario,
      seed: 1,
      plan: NO_FAULTS,
      speed: 20,
      ports,
      fleetPort: 0,
      fleetOpened: (node, address) => {
        const name = `http://${address}`;
        const endpoint = readFleetEndpoint(name);
        if (endpoint === null) throw new Error(name);
        clients[node] = new FleetClient(httpTransport(name, endpoint, { timeoutMs: 40_000 }));
        opened();
      },
      // A log holds what JSON keeps.
      observer: { record: (record) => records.push(JSON.parse(JSON.stringify(record))) },
      failed: (error) => {
        failure = error;
        opened();
      },
    });
    cluster.start();
    await all;
    await until(
      async () =>
        (
          await client()
            .machines()
            .catch(() => [])
        ).length === 3,
    );
  });

  afterAll(() => cluster.stop());

  const client = (host = 0): FleetClient => {
    const found = clients[host];
    if (found === undefined) throw new RangeError(`no host ${host}`);
    return found;
  };

  async function until(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds())) await client().transport.sleep(20);
  }

  test("starts, lists, shows, stops, unloads and destroys a unit", async () => {
    const file = unitFile("hello.service", "MachineMetadata=role=db");
    const heard = new Heard();
    expect(await start(told(client(), heard, file))).toBe(0);
    expect(heard.warnings).toEqual([]);
    expect(heard.lines[0]).toBe("Unit hello.service inactive");
    expect(heard.lines[1]).toMatch(/^Unit hello.service launched on [0-9a-f]{8}\.\.\.\/10.0.0.13$/);

    const seen = async (run: (context: FleetContext) => Promise<number>): Promise<string> => {
      const voice = new Heard();
      expect(await run({ client: client(1), voice, flags: {} })).toBe(0);
      return voice.lines.join("\n");
    };
    const flags = { legend: true };
    expect(await seen((context) => listUnits(context, flags))).toMatch(
      /^UNIT\t\tMACHINE\t\t\tACTIVE\tSUB\nhello.service\t[0-9a-f]{8}\.\.\.\/10.0.0.13\tactive\trunning$/,
    );
    expect(await seen((context) => listUnitFiles(context, flags))).toMatch(
      /^UNIT\t\tHASH\tDSTATE\t\tSTATE\t\tTARGET\nhello.service\t[0-9a-f]{7}\tlaunched\tlaunched\t[0-9a-f]{8}\.\.\.\/10.0.0.13$/,
    );
    expect(await seen((context) => listMachines(context, flags))).toContain("\t10.0.0.13\trole=db");
    expect(await seen((context) => status(context, ["hello"], { sshPort: 22 }))).toContain(
      "Active: active (running)",
    );
    const explained = explainUnit(
      await pictureThroughApi(client(), "hello.service"),
      "hello.service",
    );
    expect(explained.reasons[0]?.code).toBe("runs");
    expect(explanationText(explained)).toContain("local Machine metadata insufficient");

    const stopped = new Heard();
    expect(await stop(told(client(2), stopped, "hello"))).toBe(0);
    expect(stopped.lines[0]).toMatch(/^Unit hello.service loaded on /);
    expect(stopped.warnings).toEqual(["Successfully stopped units [hello.service]."]);
    expect(await unload(told(client(), new Heard(), "hello.service"))).toBe(0);
    const destroyed = new Heard();
    expect(await destroy(told(client(), destroyed, "hello.service"))).toBe(0);
    expect(destroyed.lines).toEqual(["Destroyed hello.service"]);
    expect(await client().units()).toEqual([]);
  });

  test("does not start what no machine can run, and says why", async () => {
    const file = unitFile("nowhere.service", "MachineMetadata=role=none");
    const heard = new Heard();
    expect(await start({ ...told(client(), heard, file), patient: 1 })).toBe(1);
    expect(heard.warnings[0]).toContain("timed out waiting for unit nowhere.service");
    const picture = await pictureThroughApi(client(), "nowhere.service");
    const { reasons } = explainUnit(picture, "nowhere.service");
    expect(reasons.map(({ code }) => code)).toEqual(["unknown-leader", "unable"]);
    expect(await destroy(told(client(), new Heard(), "nowhere.service"))).toBe(0);
  });

  test("warns of a file that differs, and replaces it when told to", async () => {
    const file = unitFile("twice.service");
    expect(await submit(told(client(), new Heard(), file))).toBe(0);
    unitFile("twice.service", "MachineMetadata=role=web");
    const warned = new Heard();
    expect(await submit(told(client(), warned, file))).toBe(0);
    expect(warned.warnings[0]).toMatch(
      /^WARNING: Unit twice.service in registry differs from local/,
    );
    expect(await submit({ ...told(client(), new Heard(), file), replace: true })).toBe(0);
    const unit = await client().unit("twice.service");
    expect(unit?.file.serialized).toContain("role=web");
    expect(await destroy(told(client(), new Heard(), "twice.service"))).toBe(0);
  });

  test("makes instances of a template that is in the registry", async () => {
    expect(await submit(told(client(), new Heard(), unitFile("t@.service")))).toBe(0);
    const heard = new Heard();
    expect(await start(told(client(), heard, "t@1", "t@2"))).toBe(0);
    expect(heard.lines.filter((line) => line.includes("launched on"))).toHaveLength(2);
    const names = ["t@.service", "t@1.service", "t@2.service"];
    expect(await destroy(told(client(), new Heard(), ...names))).toBe(0);
  });

  test("closes the connection where fleet's server panics", async () => {
    const { transport } = client();
    const target = "/fleet/v1/state/none.service";
    const request = { method: "GET", target, contentTypes: [], body: "" };
    await expect(transport.exchange(request)).rejects.toThrow(/closed without an answer/);
  });

  test("answers 503 while a fleetd is cut off from etcd, and refuses when it is gone", async () => {
    cluster.world.begin(
      { kind: "partition", from: [2], to: [0, 1], oneWay: false },
      1,
      600_000_000,
    );
    await until(async () => {
      const message = await client(2)
        .machines()
        .then(() => "", String);
      return message.includes("503: fleet server unable to communicate with etcd");
    });
    cluster.world.intervene({ kind: "end-fault", id: 1 });
    cluster.world.begin(
      { kind: "crash", host: 2, loseUnsyncedPpm: 0, loseDisk: false },
      2,
      600_000_000,
    );
    await until(async () => {
      const error = await client(2)
        .machines()
        .then(
          () => null,
          (thrown: unknown) => thrown,
        );
      return error instanceof Unreachable && error.message.includes("nobody listens");
    });
  });

  // Would have caught a request of a client that the log does not hold.
  test("is the same again when its log is executed", async () => {
    await cluster.stop();
    const again = servedAgain(scenario, records, cluster.world.simulation.at);
    expect(again.records).toEqual(records);
    expect(again.stateHash).toBe(cluster.world.simulation.stateHash());
  });
});

describe("a fleet in a run of its own", () => {
  const at = 60_000_000;
  const options = { scenario: loaded.value, seed: 1, plan: NO_FAULTS, at, host: null };

  test("takes the same commands, and gives them the time they wait for", async () => {
    const client = new FleetClient(await simulatedTransport(options));
    const heard = new Heard();
    expect(await start(told(client, heard, unitFile("here.service")))).toBe(0);
    expect(heard.lines.at(-1)).toMatch(/^Unit here.service launched on /);
    const shown = new Heard();
    expect(await cat({ client, voice: shown, flags: { json: true } }, ["here"])).toBe(0);
    expect(shown.lines[0]).toContain("ExecStart=/opt/bin/hello");
  });

  test("has a journal of what systemd says of its units, and ends with the run when it is followed", async () => {
    const client = new FleetClient(await simulatedTransport(options));
    expect(await start(told(client, new Heard(), unitFile("said.service")))).toBe(0);
    const shown = new Heard();
    const flags = { lines: 10, output: "short", sshPort: 22 };
    expect(await journal({ client, voice: shown, flags: {} }, "said", flags)).toBe(0);
    expect(shown.lines).toEqual([
      expect.stringMatching(/^Mar 01 00:0\d:\d\d \S+ systemd\[1\]: Started said.service.$/),
    ]);
    expect(await stop(told(client, new Heard(), "said"))).toBe(0);
    const followed = new Heard();
    const follow = { ...flags, lines: 1, output: "cat", follow: true } as const;
    expect(await journal({ client, voice: followed, flags: {} }, "said", follow)).toBe(0);
    // fleet says that a unit is stopped once systemd is asked to, so the end is heard as it comes.
    expect(followed.lines.slice(-2)).toEqual([
      "said.service: Deactivated successfully.",
      "Stopped said.service.",
    ]);
    const refused = new Heard();
    expect(await ssh({ client, voice: refused, flags: {} }, ["said"], { sshPort: 22 })).toBe(1);
    expect(refused.warnings[0]).toContain("is simulated");
  });

  test("is told from one whose fleetd does not run yet", async () => {
    await expect(simulatedTransport({ ...options, at: 1 })).rejects.toThrow(/no fleetd runs/);
  });
});
