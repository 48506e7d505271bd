import type { HostStimulus } from "../../core/host/index.js";
import type { Generator, Micros } from "../../core/kernel/index.js";
import { globMatches } from "../../core/kernel/index.js";
import type { ExecProcess, KillProcess } from "../../core/systemd/process.js";
import type { ProcessSpec } from "../scenario/scenario.js";
import { drawSpan } from "./span.js";

type Answer = (delay: Micros, stimulus: HostStimulus) => void;

/**
 * Programs that the scenario describes: when they are ready, when and how they end, how they take
 * SIGTERM. Daemons that are machines of their own (etcd, fleetd, …) never come here.
 */
export class ProcessTable {
  readonly #specs: readonly ProcessSpec[];
  readonly #generator: Generator;
  readonly #running = new Map<number, Map<number, ProcessSpec>>();

  constructor(specs: readonly ProcessSpec[], generator: Generator) {
    this.#specs = specs;
    this.#generator = generator;
  }

  exec(node: number, process: ExecProcess, answer: Answer): void {
    const { pid } = process;
    if (process.role !== "main") {
      // What runs before or after the main process is short unless a scenario's data says more.
      answer(MOMENT, { kind: "process-exited", pid, code: 0, signal: null });
      return;
    }
    const spec = this.#specs.find(
      ({ match, hosts }) =>
        (hosts === undefined || hosts.includes(node)) && matches(match, process),
    );
    if (spec === undefined) throw new Error(`no process entry matches ${process.unit}`);
    const table = this.#running.get(node) ?? new Map<number, ProcessSpec>();
    table.set(pid, spec);
    this.#running.set(node, table);
    answer(drawSpan(this.#generator, spec.readyAfter), { kind: "process-ready", pid });
    if (spec.exits === null) return;
    const { after, code } = spec.exits;
    answer(drawSpan(this.#generator, after), { kind: "process-exited", pid, code, signal: null });
  }

  /** Signals a process. A host ignores the exit of a process that ended before. */
  kill(node: number, kill: KillProcess, answer: Answer): void {
    const { pid, signal } = kill;
    const spec = this.#running.get(node)?.get(pid);
    if (spec === undefined || signal === "SIGHUP") return;
    if (signal === "SIGKILL") {
      this.#running.get(node)?.delete(pid);
      answer(0, { kind: "process-exited", pid, code: null, signal });
      return;
    }
    if (spec.stopTakes === null) return;
    answer(drawSpan(this.#generator, spec.stopTakes), {
      kind: "process-exited",
      pid,
      code: null,
      signal,
    });
  }

  /** The host lost power: nothing runs any more. */
  clear(node: number): void {
    this.#running.delete(node);
  }
}

/** How long ExecStartPre= and its like take. */
const MOMENT: Micros = 1000;

function matches(pattern: string, process: ExecProcess): boolean {
  const program = process.argv[0]?.split("/").at(-1) ?? "";
  const bare = process.unit.replace(/\.[a-z]+$/, "");
  return [process.unit, bare, program].some((name) => globMatches(pattern, name));
}
