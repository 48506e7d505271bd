import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  FOLDER,
  type HistoryCase,
  randomCases,
  recordedCases,
} from "../property-tests/conformance/linearizability/cases.js";
import { figure, print, secondsOf } from "./report.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const REPEATS = 3;

/** Milliseconds of one history, parsed beforehand. */
interface Row {
  readonly name: string;
  readonly ms: number;
  readonly right: boolean;
}

/**
 * Verdicts on the recorded and the random histories of the witness data: the checks alone, each
 * history the best of three passes, and the whole of the first, in which nothing is compiled yet.
 * With `--peers`, Porcupine on the same files in the same run.
 */
export function benchLinearizability(): void {
  console.log("linearizability: every history of the witness data");
  const dataDir = process.env.ORRERY_WITNESS_DIR ?? resolve(root, "../shared/data");
  const groups = { recorded: recordedCases(dataDir), random: randomCases(dataDir) };
  const cases = [...(groups.recorded ?? []), ...(groups.random ?? [])];
  if (cases.length === 0) {
    console.log(`  skipped: no ${FOLDER} in ${dataDir}`);
    return;
  }
  const first = passOf(cases);
  let ours = first;
  for (let i = 1; i < REPEATS; i++) ours = best(ours, passOf(cases));
  report(`Orrery, ${cases.length} histories, first pass`, first);
  report(`Orrery, best of ${REPEATS}`, ours);
  if (process.argv.includes("--peers")) comparePorcupine(dataDir, first, ours);
}

function passOf(cases: readonly HistoryCase[]): Row[] {
  return cases.map(({ name, linearizable, check }) => {
    let right = false;
    const seconds = secondsOf(1, () => {
      right = check().verdict === (linearizable ? "linearizable" : "not-linearizable");
    });
    return { name, ms: seconds * 1000, right };
  });
}

function best(left: readonly Row[], right: readonly Row[]): Row[] {
  return left.map((row, index) => {
    const other = right[index];
    return other !== undefined && other.ms < row.ms ? other : row;
  });
}

function comparePorcupine(dataDir: string, first: readonly Row[], ours: readonly Row[]): void {
  const theirs = porcupine(join(dataDir, FOLDER));
  if (typeof theirs === "string") {
    console.log(`  Porcupine skipped: ${theirs}`);
    return;
  }
  report(`Porcupine 1.3.0, best of ${REPEATS}`, theirs);
  const ratio = (rows: readonly Row[]) => (total(rows) / total(theirs)).toFixed(3);
  print("time of Orrery's first pass / Porcupine's best", ratio(first));
  print("time of Orrery's best / Porcupine's best", ratio(ours));
}

/** Builds and runs the program under `peers/porcupine`; or why it could not. */
function porcupine(folder: string): Row[] | string {
  const source = join(root, "bench/peers/porcupine");
  const target = mkdtempSync(join(tmpdir(), "orrery-porcupine-"));
  try {
    const program = join(target, "porcupine");
    const build = spawnSync("go", ["build", "-o", program, "."], { cwd: source, encoding: "utf8" });
    if (build.error !== undefined) return "no go on this machine";
    if (build.status !== 0) return `go build failed: ${build.stderr.trim()}`;
    const run = spawnSync(program, [folder, String(REPEATS)], { encoding: "utf8" });
    if (run.status !== 0) return `it failed: ${run.stderr.trim()}`;
    return JSON.parse(run.stdout) as Row[];
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}

function report(label: string, rows: readonly Row[]): void {
  const wrong = rows.filter((row) => !row.right).map((row) => row.name);
  const [slowest] = [...rows].sort((a, b) => b.ms - a.ms);
  const worst = `worst ${slowest?.name} ${figure(slowest?.ms ?? 0)}`;
  const verdicts = wrong.length === 0 ? "all verdicts right" : `WRONG: ${wrong.join(", ")}`;
  print(label, `${figure(total(rows))} ms, ${worst} ms, ${verdicts}`);
}

const total = (rows: readonly Row[]) => rows.reduce((sum, row) => sum + row.ms, 0);
