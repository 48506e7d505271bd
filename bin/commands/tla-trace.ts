import { closeSync, openSync, writeSync } from "node:fs";
import type { LogReader } from "../../adapters/logfile/index.js";
import { clusterIdOf } from "../../core/cluster/index.js";
import { type Diagnostic, globMatches, type Micros } from "../../core/kernel/index.js";
import { type TraceEvent, traceJson } from "../../core/raft/index.js";
import { createSimulation, type RunOrigin } from "../../sim/index.js";
import { writeBeside } from "./output.js";
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
  if (reader.header.kind !== "run") {
    const position = { file: path, line: 1, column: 1 };
    const found = "a recording";
    const expected = "the log of a run, which can be executed again";
    const advice = "What the members of a real cluster trace, they must trace themselves.";
    refuse([{ code: "E_FLAG", severity: "error", position, found, expected, advice }]);
  }
  const origin = accept(originOf(reader, path));
  let traced: Traced = { clusters: new Map(), preVotes: false, events: 0 };
  writeBeside(file, path, (partial) => {
    traced = trace(origin, partial, filter);
    return traced.clusters.size === 1 ? null : notOneCluster(path, traced);
  });
  console.error(`${traced.events} events of raft in ${file}`);
  if (traced.preVotes) {
    console.error(
      "The specification knows no pre-votes, which these members took: it will not follow this trace. " +
        "See --safeguard pre_vote=off.",
    );
  }
}

/** What was traced. */
interface Traced {
  /** A host of each cluster, by the cluster's ID. */
  readonly clusters: ReadonlyMap<string, string>;
  readonly preVotes: boolean;
  readonly events: number;
}

function trace(origin: RunOrigin, file: string, filter: TraceFilter): Traced {
  const lines = new Lines(file);
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
  return { clusters, preVotes, events: lines.count };
}

function notOneCluster(path: string, { clusters }: Traced): Diagnostic {
  const hosts = [...clusters.values()].join(", ");
  return {
    code: "E_FLAG",
    severity: "error",
    position: { file: path, line: 1, column: 1 },
    found:
      clusters.size === 0 ? "no member of etcd" : `members of ${clusters.size} clusters (${hosts})`,
    expected: "members of one cluster",
    advice: "Choose them with --host.",
  };
}

/** A file of events, numbered in the order they happened. */
class Lines {
  count = 0;
  readonly #file: number;
  #text = "";

  constructor(path: string) {
    this.#file = openSync(path, "w");
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
