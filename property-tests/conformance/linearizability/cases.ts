import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CheckOptions,
  type CheckResult,
  casRegister,
  checkLinearizable,
  keyValue,
} from "../../../core/linearizability/index.js";
import {
  jepsenHistory,
  keyValueHistory,
  type RandomOperation,
  randomHistory,
} from "./histories.js";

/** A recorded history with the answer Porcupine gave. */
export interface HistoryCase {
  /** Its file, or its id among the random ones. */
  readonly name: string;
  readonly linearizable: boolean;
  readonly operations: number;
  check(options?: CheckOptions): CheckResult;
}

interface VerdictRow {
  readonly file: string;
  readonly model: string;
  readonly linearizable: boolean;
}

interface RandomRow {
  readonly id: string;
  readonly linearizable: boolean;
  readonly ops: readonly RandomOperation[];
}

/** The part of the witness data this suite reads. */
export const FOLDER = "porcupine";

/** The recorded histories with their verdicts, parsed; null if the data is absent. */
export function recordedCases(dataDir: string): HistoryCase[] | null {
  const folder = join(dataDir, FOLDER);
  const verdicts = join(folder, "verdicts.json");
  if (!existsSync(verdicts)) return null;
  const rows = JSON.parse(readFileSync(verdicts, "utf8")) as VerdictRow[];
  return rows.map((row) => recordedCase(row, readFileSync(join(folder, row.file), "utf8")));
}

function recordedCase(row: VerdictRow, text: string): HistoryCase {
  const { file: name, linearizable } = row;
  switch (row.model) {
    case "etcd-cas-register": {
      const history = jepsenHistory(text);
      const check = (options?: CheckOptions) => checkLinearizable(casRegister, history, options);
      return { name, linearizable, operations: history.length, check };
    }
    case "kv-put-get-append": {
      const history = keyValueHistory(text);
      const check = (options?: CheckOptions) => checkLinearizable(keyValue, history, options);
      return { name, linearizable, operations: history.length, check };
    }
    default:
      throw new Error(`${name}: no model ${row.model}`);
  }
}

/** The generated histories, parsed; null if the data is absent. */
export function randomCases(dataDir: string): HistoryCase[] | null {
  const file = join(dataDir, FOLDER, "kv-random.jsonl");
  if (!existsSync(file)) return null;
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const row = JSON.parse(line) as RandomRow;
      const history = randomHistory(row.ops);
      return {
        name: row.id,
        linearizable: row.linearizable,
        operations: history.length,
        check: (options?: CheckOptions) => checkLinearizable(keyValue, history, options),
      };
    });
}
