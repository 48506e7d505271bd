import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type ClusterState,
  countJobs,
  type EngineJob,
  type EngineTask,
  listedOrder,
  parseUnit,
  reconcilePass,
  requirements,
} from "../../core/fleet/index.js";
import {
  countFailures,
  countTask,
  type EngineCounts,
  metricsText,
  noCounts,
  passFailures,
} from "../../core/fleet/metrics.js";
import { PREFIX } from "../../core/fleet/testing/registry.js";
import { EtcdServer } from "./etcd-server.js";
import { RealApi } from "./fleet-api.js";
import { hasGo } from "./fleetctl.js";
import { whyNot } from "./needs.js";
import { until } from "./program.js";

/** A unit in the registry: where it is scheduled, if anywhere, what is wanted of it, and its file. */
interface Given {
  readonly target: string | null;
  readonly state: "launched" | "inactive";
  readonly fleet: string;
}

const MACHINES = ["m1", "m2"];

/** No order in which Go walks its maps makes a difference here. */
const UNITS: Readonly<Record<string, Given>> = {
  "stays.service": { target: "m1", state: "launched", fleet: "" },
  "stays-too.service": { target: "m1", state: "launched", fleet: "" },
  "moves.service": { target: "gone", state: "launched", fleet: "MachineID=m2" },
  "lost.service": { target: "gone", state: "launched", fleet: "MachineID=gone" },
  "misplaced.service": { target: "m1", state: "launched", fleet: "MachineID=m2" },
  "homeless.service": { target: null, state: "launched", fleet: "MachineID=nowhere" },
  "unwanted.service": { target: "m1", state: "inactive", fleet: "" },
  "idle.service": { target: null, state: "inactive", fleet: "" },
};

const textOf = ({ fleet }: Given): string =>
  `[Service]\nExecStart=/bin/true\n${fleet === "" ? "" : `[X-Fleet]\n${fleet}\n`}`;

/** The same as the model's engine sees it. */
function clusterOf(units: Readonly<Record<string, Given>>): ClusterState {
  const jobs = Object.entries(units).map(([name, given]): EngineJob => {
    const parsed = parseUnit(textOf(given));
    if (!parsed.ok) throw new Error(parsed.error);
    const { target: machine, state: targetState } = given;
    return { name, machine, targetState, requirements: requirements(name, parsed.unit) };
  });
  return { jobs, globals: [], machines: MACHINES.map((id) => ({ id, metadata: {} })) };
}

function afterTasks({ jobs, ...rest }: ClusterState, tasks: readonly EngineTask[]): ClusterState {
  const machines = new Map(jobs.map(({ name, machine }) => [name, machine]));
  for (const { type, unit, machine } of tasks) {
    machines.set(unit, type === "UnscheduleUnit" ? null : machine);
  }
  return {
    ...rest,
    jobs: jobs.map((job) => ({ ...job, machine: machines.get(job.name) ?? null })),
  };
}

/** What the model has counted after so many passes. */
function countsAfter(passes: number): EngineCounts {
  const counts = noCounts();
  let cluster = clusterOf(UNITS);
  for (let pass = 0; pass < passes; pass++) {
    const tasks = reconcilePass(cluster, listedOrder(cluster));
    countFailures(counts, passFailures(countJobs(cluster), tasks, true));
    for (const task of tasks) countTask(counts, task, true);
    cluster = afterTasks(cluster, tasks);
  }
  counts.passes = 2 * passes;
  return counts;
}

const skipped = whyNot("etcd") ?? (hasGo() ? null : "no Go");

describe.skipIf(skipped !== null)("the engine of fleet 1.0 itself", () => {
  let etcd: EtcdServer;
  let api: RealApi;
  let leading: RealApi;

  beforeAll(async () => {
    etcd = await EtcdServer.create();
    api = await RealApi.start(etcd.url);
    const write = (key: string, value: string): Promise<void> =>
      api.etcd({ op: "put", key: `${PREFIX}/${key}`, value });
    for (const id of MACHINES) {
      await write(`machines/${id}/object`, JSON.stringify({ ID: id, PublicIP: "", Metadata: {} }));
    }
    for (const [name, given] of Object.entries(UNITS)) {
      const parsed = parseUnit(textOf(given));
      if (!parsed.ok) throw new Error(parsed.error);
      const body = { desiredState: given.state, options: parsed.unit.options };
      await api.ask({
        method: "PUT",
        target: `/fleet/v1/units/${name}`,
        contentTypes: ["application/json"],
        body: JSON.stringify(body),
      });
      if (given.target !== null) await write(`job/${name}/target`, given.target);
    }
    leading = await RealApi.start(etcd.url, "m1");
  });

  afterAll(async () => {
    await leading?.stop();
    await api?.stop();
    await etcd?.remove();
  });

  /** What it tells at `/metrics` of its engine. */
  async function metrics(of: RealApi): Promise<string> {
    const answer = await of.ask({ method: "GET", target: "/metrics", contentTypes: [], body: "" });
    if (answer.kind !== "answer") throw new Error(answer.kind);
    const lines = answer.body.split("\n").filter((line) => /^(# \w+ )?fleet_/.test(line));
    return lines.map((line) => `${line}\n`).join("");
  }

  test("counts its passes, tasks and failures as the model does, and prints them so", async () => {
    let text = "";
    let passes = 0;
    await until(60, "the end of the fourth pass", async () => {
      const before = text;
      text = await metrics(leading);
      // A pass under way has counted some of what it will have.
      if (text !== before) return false;
      passes = Number(/^fleet_engine_reconcile_count_total (\d+)$/m.exec(text)?.[1] ?? "0");
      return passes >= 8 && passes % 2 === 0;
    });
    const [, started = ""] = /^fleet_engine_leader_start_time (.*)$/m.exec(text) ?? [];
    expect(Math.abs(Number(started) - Date.now() / 1_000)).toBeLessThan(120);
    const leaderStart = Number(started);
    expect(text).toBe(metricsText({ ...countsAfter(passes / 2), leaderStart }));
  });

  test("tells nothing but zeros where it does not run", async () => {
    expect(await metrics(api)).toBe(metricsText(noCounts()));
  });
});
