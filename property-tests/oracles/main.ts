import { parseArgs } from "node:util";
import { integer, runCommand } from "../command-line.js";
import { describeEtcd, etcdOracle } from "./etcd.js";
import { describeReport, raftOracle } from "./raft.js";
import { describeSystemdReport, systemdOracle } from "./systemd/oracle.js";
import { THEMES, type Theme } from "./systemd/themes.js";

const USAGE = `usage: npm run oracle -- raft|raft-trace [--scripts N] [--seed S] [--json]
       npm run oracle -- etcd [--ops N] [--version 3.4|3.6] [--seed S] [--json]
       npm run oracle -- systemd [--sets N [--theme THEME]] [--files N]
           [--calendars N] [--seed S] [--json]
       npm run oracle -- systemd --set NUMBER [--trace] --seed S`;

interface Options {
  readonly oracle: keyof typeof ORACLES;
  readonly scripts: number;
  readonly ops: number;
  readonly version: "3.4" | "3.6";
  readonly sets: number;
  /** Only this one of the sets; null: all. */
  readonly only: number | null;
  readonly theme: Theme | null;
  readonly trace: boolean;
  readonly files: number;
  readonly calendars: number;
  readonly seed: number;
  readonly json: boolean;
}

/** What any oracle reports. */
interface Verdict {
  readonly difference: object | null;
  readonly skipped: string | null;
}

/** Asks an oracle; its report as data and for people. */
type Ask = (chosen: Options) => Promise<{ readonly report: Verdict; readonly text: string }>;

const ORACLES = {
  raft: async ({ scripts, seed }) => told(await raftOracle(scripts, seed), describeReport),
  "raft-trace": async ({ scripts, seed }) =>
    told(await raftOracle(scripts, seed, "raft-trace"), describeReport),
  etcd: async ({ ops, seed, version }) =>
    told(await etcdOracle(ops, seed, version, (line) => console.error(line)), describeEtcd),
  systemd: async (chosen) =>
    told(await systemdOracle(chosen, (line) => console.error(line)), describeSystemdReport),
} as const satisfies Readonly<Record<string, Ask>>;

function told<Report extends Verdict>(report: Report, describe: (report: Report) => string) {
  return { report, text: describe(report) };
}

/** Throws with the reason if the command line makes no sense. */
function options(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scripts: { type: "string", default: "300" },
      ops: { type: "string", default: "2000" },
      version: { type: "string", default: "3.4" },
      sets: { type: "string", default: "300" },
      set: { type: "string" },
      theme: { type: "string" },
      trace: { type: "boolean", default: false },
      files: { type: "string", default: "600" },
      calendars: { type: "string", default: "2000" },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const [oracle = ""] = positionals;
  if (positionals.length !== 1 || !isOracle(oracle)) {
    throw new Error(`name an oracle: ${Object.keys(ORACLES).join(", ")}`);
  }
  const fresh = String(Date.now());
  const { version, json } = values;
  if (version !== "3.4" && version !== "3.6") {
    throw new Error(`--version takes 3.4 or 3.6: ${version}`);
  }
  if (values.trace && values.set === undefined) throw new Error("--trace takes a --set");
  return {
    oracle,
    scripts: integer("--scripts", values.scripts, 1),
    ops: integer("--ops", values.ops, 1),
    version,
    sets: integer("--sets", values.sets, 0),
    only: values.set === undefined ? null : integer("--set", values.set, 0),
    theme: themeOf(values.theme),
    trace: values.trace,
    files: integer("--files", values.files, 0),
    calendars: integer("--calendars", values.calendars, 0),
    seed: integer("--seed", values.seed ?? fresh, 0),
    json,
  };
}

function themeOf(name: string | undefined): Theme | null {
  const theme = THEMES.find((candidate) => candidate === name);
  if (name !== undefined && theme === undefined) {
    throw new Error(`--theme takes one of ${THEMES.join(", ")}: ${name}`);
  }
  return theme ?? null;
}

function isOracle(name: string): name is keyof typeof ORACLES {
  return Object.hasOwn(ORACLES, name);
}

async function askOracle(chosen: Options): Promise<number> {
  const { report, text } = await ORACLES[chosen.oracle](chosen);
  console.log(chosen.json ? JSON.stringify(report) : text);
  if (report.skipped !== null) return process.env.ORRERY_WITNESS_REQUIRED === "1" ? 1 : 0;
  return report.difference === null ? 0 : 1;
}

// Programs that an oracle has started end with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

process.exitCode = await runCommand(USAGE, options, askOracle);
