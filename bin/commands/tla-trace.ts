import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import type { LogReader } from "../../adapters/logfile/index.js";
import { clusterIdOf } from "../../core/cluster/index.js";
import { globMatches, type Micros } from "../../core/kernel/index.js";
import { type TraceEvent, traceJson } from "../../core/raft/index.js";
import { createSimulation } from "../../sim/index.js";
import { accept, refuse } from "./shared.js";
import { originOf } from "./verify.js";

/** Which part of a run to trace. */
export interface TraceFilter {
  /** Only hosts like this. */
  readonly host?: string;
  /** Not after this time. */
  readonly to?: Micros;
}

/** Number of the first line: all lines have as many digits, since etcd's `validate.sh` sorts them as text. */
const FIRST_LINE = 1_000_000_000;

/** Characters gathered before they are written. */
const CHUNK = 1 << 16;

/** Simulated time of one slice of the run, µs. */
const SLICE: Micros = 1_000_000;

/**
 * Executes a run again and writes what its etcd members trace, one event a line, as etcd's TLA+
 * specification reads it (etcd-io/raft tla/README.md). A trace is of one group of members; what
 * is there stays if this fails.
 */
export function writeTlaTrace(
  reader: LogReader,
  path: string,
  file: string,
  filter: TraceFilter,
): void {
  const position = { file: path, line: 1, column: 1 };
  if (reader.header.kind !== "run") {
    const found = "a recording";
    const expected = "the log of a run, which can be executed again";
    const advice = "What the members of a real cluster trace, they must trace themselves.";
    refuse([{ code: "E_FLAG", severity: "error", position, found, expected, advice }]);
  }
  const origin = accept(originOf(reader, path));
  const partial = `${file}.partial`;
  const lines = new Lines(partial);
  /** A host of each cluster that was traced. */
  const clusters = new Map<string, string>();
  let preVotes = false;
  const simulation = createSimulation(origin, {
    record: () => undefined,
    trace(node, event) {
      const name = simulation.name(node);
      if (filter.host !== undefined && !globMatches(filter.host, name)) return;
      clusters.set(clusterIdOf(simulation.hosts[node]) ?? "", name);
      preVotes ||= event.role === "pre-candidate";
      lines.add(event);
    },
  });
  const until = Math.min(filter.to ?? origin.scenario.duration, origin.scenario.duration);
  while (simulation.at < until) simulation.advance(Math.min(simulation.at + SLICE, until));
  lines.close();
  if (clusters.size !== 1) {
    rmSync(partial);
    const hosts = [...clusters.values()].join(", ");
    const found =
      clusters.size === 0 ? "no member of etcd" : `members of ${clusters.size} clusters (${hosts})`;
    const expected = "members of one cluster";
    const advice = "Choose them with --host.";
    refuse([{ code: "E_FLAG", severity: "error", position, found, expected, advice }]);
  }
  renameSync(partial, file);
  console.error(`${lines.count} events of raft in ${file}`);
  if (preVotes) {
    console.error(
      "The specification knows no pre-votes, which these members took: it will not follow this trace. " +
        "See --safeguard pre_vote=off.",
    );
  }
}

/** A file of events, numbered in the order they happened. */
class Lines {
  count = 0;
  readonly #file: number;
  #text = "";

  constructor(path: string) {
    try {
      this.#file = openSync(path, "w");
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error);
      const position = { file: path, line: 1, column: 1 };
      const expected = "a file that can be written";
      const advice = "Choose another file.";
      refuse([{ code: "E_LOG_WRITE", severity: "error", position, found, expected, advice }]);
    }
  }

  add(event: TraceEvent): void {
    const ts = FIRST_LINE + this.count++;
    this.#text += `{"level":"debug","ts":${ts},"tag":"trace","event":${traceJson(event)}}\n`;
    if (this.#text.length >= CHUNK) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#text);
    this.#text = "";
  }
}
