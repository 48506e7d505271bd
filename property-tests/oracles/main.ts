import { parseArgs } from "node:util";
import { describeReport, type OracleName, raftOracle } from "./raft.js";

const USAGE = "usage: npm run oracle -- raft|raft-trace [--scripts N] [--seed S] [--json]";

interface Options {
  readonly oracle: OracleName;
  readonly scripts: number;
  readonly seed: number;
  readonly json: boolean;
}

/** Throws with the reason if the command line makes no sense. */
function options(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scripts: { type: "string", default: "300" },
      seed: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const [oracle] = positionals;
  if (positionals.length !== 1 || (oracle !== "raft" && oracle !== "raft-trace")) {
    throw new Error("name an oracle: raft or raft-trace");
  }
  const fresh = String(Date.now());
  return {
    oracle,
    scripts: integer("--scripts", values.scripts, 1),
    seed: integer("--seed", values.seed ?? fresh, 0),
    json: values.json,
  };
}

function integer(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new Error(`${name} takes a whole number from ${least}: ${text}`);
  }
  return value;
}

async function main(): Promise<number> {
  let chosen: Options;
  try {
    chosen = options();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const report = await raftOracle(chosen.scripts, chosen.seed, chosen.oracle);
  console.log(chosen.json ? JSON.stringify(report) : describeReport(report));
  if (report.skipped !== null) return process.env.ORRERY_WITNESS_REQUIRED === "1" ? 1 : 0;
  return report.difference === null ? 0 : 1;
}

process.exitCode = await main();
