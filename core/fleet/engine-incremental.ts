import type { MachineState } from "./able-to-run.js";
import type { FleetFixes } from "./config.js";
import {
  type Engine,
  type JobCounts,
  type PassOrder,
  passDraws,
  secondVisit,
  wholeEngine,
} from "./engine.js";
import { EngineIndex, type Turn } from "./engine-index.js";
import { Pass, type PassDraws } from "./engine-pass.js";
import type { ClusterState, EngineJob, EngineTask } from "./engine-task.js";

/** Something that is not as it was at the last pass. A unit or machine that appears is `put`, too. */
export type EngineChange =
  | { readonly kind: "put-unit"; readonly unit: EngineJob }
  | { readonly kind: "drop-unit"; readonly name: string }
  | { readonly kind: "put-machine"; readonly machine: MachineState }
  | { readonly kind: "drop-machine"; readonly id: string };

/**
 * fleet's engine for pass after pass over one registry. It is told what changes and decides what
 * `reconcilePass` decides on the whole cluster, with jobs and globals listed by name and machines
 * by ID; the cost is near what has changed and what is not at rest. A pass under an order that
 * comes from outside also runs once along it. While globals conflict with each other every pass is
 * made from the whole cluster.
 */
export class IncrementalEngine implements Engine {
  readonly #index = new EngineIndex();
  readonly #fixes: FleetFixes;

  constructor(fixes: FleetFixes) {
    this.#fixes = fixes;
  }

  /** The order of changes does not matter, except of those to one unit or one machine. */
  change(change: EngineChange): void {
    switch (change.kind) {
      case "put-unit":
        this.#index.putUnit(change.unit);
        return;
      case "drop-unit":
        this.#index.dropUnit(change.name);
        return;
      case "put-machine":
        this.#index.putMachine(change.machine);
        return;
      case "drop-machine":
        this.#index.dropMachine(change.id);
    }
  }

  /** The cluster that all changes so far have made. */
  cluster(): ClusterState {
    return this.#index.cluster();
  }

  orderCounts(): number[] {
    const { jobCount: jobs, globalCount: globals } = this.#index;
    return [jobs, jobs, globals, globals, jobs + globals];
  }

  orderMatters(listed: readonly EngineTask[]): boolean {
    const { jobCount, globalCount, contested } = this.#index;
    if (listed.length > 0) return jobCount > 1 || globalCount > 1;
    return jobCount > 0 && contested;
  }

  jobCounts(): JobCounts {
    return { scheduled: this.#index.scheduledCount, waiting: this.#index.unplaced().size };
  }

  /**
   * The tasks of one pass. Nothing is changed by it: what becomes of the tasks is told as changes.
   */
  decide(order: PassOrder | null): EngineTask[] {
    const index = this.#index;
    if (index.contested) {
      return wholeEngine(index.cluster(), this.#fixes).decide(order);
    }
    index.begin(order?.globals ?? null);
    const draws = order === null ? this.#listedDraws() : passDraws(order);
    const pass = new Pass(index, draws, this.#fixes);
    const check = (job: number): void => {
      if (pass.check(job)) index.settle(job);
    };
    const place = (job: number): void => pass.place(job);
    if (order === null) {
      this.#visitListed(index.suspects(), check);
      this.#visitListed(index.unplaced(), place);
    } else {
      this.#visitAlong(order.unscheduling, index.suspects(), check);
      this.#visitAlong(secondVisit(order), index.unplaced(), place);
    }
    if (this.#fixes.rebalances && pass.tasks.length === 0) pass.rebalance();
    index.rollBack();
    return pass.tasks;
  }

  #listedDraws(): PassDraws {
    const { jobCount, globalCount } = this.#index;
    const units = jobCount + globalCount;
    return { globalStart: () => 0, pick: (nth) => nth % units };
  }

  /**
   * Visits jobs as they are listed, and each job on whose machine something changes meanwhile, if
   * its turn is still to come.
   */
  #visitListed(jobs: ReadonlySet<number>, visit: (job: number) => void): void {
    const index = this.#index;
    const turns = index.turns(jobs);
    const due = new Set(jobs);
    let now = 0;
    index.onTouch((job) => {
      if (due.has(job)) return;
      const turn = { job, position: index.positionOf(job) };
      if (turn.position > now) insert(turns, turn);
      due.add(job);
    });
    // Grows at its end while it is walked.
    for (const { job, position } of turns) {
      now = position;
      visit(job);
    }
    index.onTouch(null);
  }

  /** The same along an order that is given as positions of jobs in the list by name. */
  #visitAlong(
    order: readonly number[],
    jobs: ReadonlySet<number>,
    visit: (job: number) => void,
  ): void {
    const index = this.#index;
    // All that each job of the fleet costs is a look at one byte.
    const isDue = new Uint8Array(order.length);
    const due = new Map<number, number>();
    const add = (job: number): void => {
      const position = index.positionOf(job);
      due.set(position, job);
      isDue[position] = 1;
    };
    for (const job of jobs) add(job);
    index.onTouch(add);
    for (const position of order) {
      if (isDue[position] !== 1) continue;
      const job = due.get(position);
      if (job !== undefined) visit(job);
    }
    index.onTouch(null);
  }
}

/** Adds a turn to turns that come by position. */
function insert(turns: Turn[], added: Turn): void {
  let low = 0;
  let high = turns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((turns[middle]?.position ?? 0) < added.position) low = middle + 1;
    else high = middle;
  }
  turns.splice(low, 0, added);
}
