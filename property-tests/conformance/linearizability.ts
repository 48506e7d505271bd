import { FOLDER, type HistoryCase, randomCases, recordedCases } from "./linearizability/cases.js";
import type { Report, Suite } from "./suite.js";

/** So long one history may take before its answer is "unknown", which differs from any verdict. */
const HISTORY_MS_MAX = 60_000;

/** Recorded and generated histories, with the verdicts Porcupine gave. */
export const linearizability: Suite = {
  name: "linearizability",
  about:
    "verdicts on Jepsen's etcd logs, key-value logs and random histories, against Porcupine 1.3.0",
  run(dataDir, report) {
    compareAll(recordedCases(dataDir), `${FOLDER}/verdicts.json`, report);
    compareAll(randomCases(dataDir), `${FOLDER}/kv-random.jsonl`, report);
  },
};

function compareAll(cases: readonly HistoryCase[] | null, part: string, report: Report): void {
  if (cases === null) {
    report.skip(part);
    return;
  }
  for (const { name, operations, linearizable, check } of cases) {
    const deadline = Date.now() + HISTORY_MS_MAX;
    const { verdict, bound } = check({ shouldStop: () => Date.now() > deadline });
    const expected = linearizable ? "linearizable" : "not-linearizable";
    const actual = bound === null ? verdict : `${verdict} (${bound})`;
    report.compare(`${part} ${name}`, () => `${operations} operations`, expected, actual);
  }
}
