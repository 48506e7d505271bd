import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type FleetProfile, loadScenario, runCampaign, type Scenario } from "../../sim/index.js";
import { integer, runCommand } from "../command-line.js";

const FOLDER = "scenarios/fleet/history";

const PROFILES: readonly FleetProfile[] = ["faithful", "documented", "fixed"];

const USAGE = `usage: npm run fleet-history -- [--seeds N] [--profile ${PROFILES.join("|")}] [--only h09,…]
       [--workers N] [--out FILE]
Runs seeds 1 to N (10,000) of each scenario of fleet's history and counts those in which it shows. With
--out what is done is kept in FILE, a line for each piece, and not done again.`;

/** Seeds that are run of one scenario before the next one's turn comes: no scenario has to wait for the others. */
const PIECE = 2_500;

interface Options {
  readonly seeds: number;
  readonly profile: FleetProfile;
  readonly only: readonly string[];
  readonly workers: number;
  readonly out: string | null;
}

/** What came of consecutive seeds of one scenario. */
interface Piece {
  readonly scenario: string;
  readonly profile: FleetProfile;
  readonly from: number;
  readonly seeds: number;
  readonly failed: readonly number[];
}

/** Throws with the reason if the command line makes no sense. */
function options(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "10000" },
      profile: { type: "string", default: "fixed" },
      only: { type: "string", default: "" },
      workers: { type: "string", default: "2" },
      out: { type: "string" },
    },
  });
  const profile = PROFILES.find((one) => one === values.profile);
  if (profile === undefined) throw new Error(`no such profile: ${values.profile}`);
  return {
    seeds: integer("--seeds", values.seeds, 1),
    profile,
    only: values.only.split(",").filter((name) => name !== ""),
    workers: integer("--workers", values.workers, 1),
    out: values.out ?? null,
  };
}

/** The scenarios by file name without its ending, as they are in a profile. */
function scenarios({ only, profile }: Options): Map<string, Scenario> {
  const names = readdirSync(FOLDER).flatMap((file) =>
    file.endsWith(".yaml") ? [file.slice(0, -".yaml".length)] : [],
  );
  const chosen = names.filter(
    (name) => only.length === 0 || only.some((prefix) => name.startsWith(prefix)),
  );
  return new Map(
    chosen.map((name) => {
      const loaded = loadScenario(`${FOLDER}/${name}.yaml`);
      if (!loaded.ok) throw new Error(`${name} does not parse; orrery lint says why`);
      const { value } = loaded;
      return [name, { ...value, safeguards: { ...value.safeguards, fleetProfile: profile } }];
    }),
  );
}

/** Pieces that an earlier run has kept. */
function kept(out: string | null): Piece[] {
  if (out === null || !existsSync(out)) return [];
  const lines = readFileSync(out, "utf8").split("\n");
  return lines.flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Piece]));
}

async function run(asked: Options): Promise<number> {
  const { seeds, profile, workers, out } = asked;
  const all = scenarios(asked);
  const pieces = kept(out).filter(
    (piece) => piece.profile === profile && all.has(piece.scenario) && piece.from <= seeds,
  );
  for (let from = 1; from <= seeds; from += PIECE) {
    for (const [name, scenario] of all) {
      if (pieces.some((piece) => piece.scenario === name && piece.from === from)) continue;
      const count = Math.min(PIECE, seeds - from + 1);
      const result = await runCampaign({
        scenario,
        from,
        seeds: count,
        workers,
        keepGoing: true,
        shrinkRunsMax: 0,
      });
      const failed = result.failedSeeds;
      const piece: Piece = { scenario: name, profile, from, seeds: count, failed };
      pieces.push(piece);
      if (out !== null) appendFileSync(out, `${JSON.stringify(piece)}\n`);
    }
  }
  for (const name of all.keys()) {
    const own = pieces.filter(({ scenario }) => scenario === name);
    const run = own.reduce((sum, piece) => sum + piece.seeds, 0);
    const failed = own.flatMap((piece) => piece.failed).sort((left, right) => left - right);
    const first = failed[0] === undefined ? "" : `, first in seed ${failed[0]}`;
    console.log(`${name.padEnd(30)} ${profile}: shows in ${failed.length} of ${run} seeds${first}`);
  }
  const shown = pieces.some(({ failed }) => failed.length > 0);
  return profile === "fixed" && shown ? 1 : 0;
}

process.exitCode = await runCommand(USAGE, options, run);
