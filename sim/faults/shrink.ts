import { type Fault, type FaultPlan, faultPlan, type Span } from "./plan.js";

/** Whether a run under this plan still shows the failure that is being looked for. */
export type StillFails = (plan: FaultPlan) => boolean | Promise<boolean>;

export interface ShrinkOptions {
  /** Most runs to spend. */
  readonly runsMax: number;
  /** Told of each smaller plan that still fails. */
  readonly onSmaller?: (plan: FaultPlan, runs: number) => void;
}

export interface Shrunk {
  readonly plan: FaultPlan;
  readonly runs: number;
  readonly faultsBefore: number;
  readonly faultsAfter: number;
  /** Sum of the faults' durations, in µs. */
  readonly durationBefore: number;
  readonly durationAfter: number;
  /** Without any single fault of the plan the failure is gone: tried, not assumed. */
  readonly minimal: boolean;
}

/**
 * Makes a failing plan smaller: first drops faults (delta debugging, Zeller & Hildebrandt 2002,
 * `ddmin`), then makes those that are left shorter and plainer. Every plan it settles on was run
 * and failed; the plan passed in is taken to fail without being run.
 */
export async function shrinkFaultPlan(
  plan: FaultPlan,
  stillFails: StillFails,
  options: ShrinkOptions,
): Promise<Shrunk> {
  const search = new Search(plan, stillFails, options);
  await search.dropFaults();
  await search.simplifyFaults();
  // A shorter fault may have made another one needless.
  const minimal = await search.dropEach();
  return {
    plan: search.plan,
    runs: search.runs,
    faultsBefore: plan.faults.length,
    faultsAfter: search.plan.faults.length,
    durationBefore: total(plan),
    durationAfter: total(search.plan),
    minimal,
  };
}

class Search {
  plan: FaultPlan;
  runs = 0;
  readonly #stillFails: StillFails;
  readonly #options: ShrinkOptions;
  readonly #known = new Map<string, boolean>();

  constructor(plan: FaultPlan, stillFails: StillFails, options: ShrinkOptions) {
    this.plan = plan;
    this.#stillFails = stillFails;
    this.#options = options;
    this.#known.set(JSON.stringify(plan.faults), true);
  }

  get #spent(): boolean {
    return this.runs >= this.#options.runsMax;
  }

  /** Settles on the plan if it still fails. Null when there are no runs left to tell. */
  async #try(faults: readonly Fault[]): Promise<boolean | null> {
    const candidate = faultPlan(faults);
    const key = JSON.stringify(candidate.faults);
    const known = this.#known.get(key);
    if (known === undefined && this.#spent) return null;
    const fails = known ?? (await this.#run(candidate, key));
    if (fails) {
      this.plan = candidate;
      this.#options.onSmaller?.(candidate, this.runs);
    }
    return fails;
  }

  async #run(candidate: FaultPlan, key: string): Promise<boolean> {
    this.runs++;
    const fails = await this.#stillFails(candidate);
    this.#known.set(key, fails);
    return fails;
  }

  /** Drops ever smaller parts of the plan; the whole of it first, for failures no fault is needed for. */
  async dropFaults(): Promise<void> {
    if (this.plan.faults.length === 0 || (await this.#try([]))) return;
    let parts = 2;
    while (this.plan.faults.length >= 2 && !this.#spent) {
      const { faults } = this.plan;
      parts = Math.min(parts, faults.length);
      const dropped = await this.#dropOnePart(faults, parts);
      if (dropped) parts = Math.max(parts - 1, 2);
      else if (parts === faults.length) return;
      else parts *= 2;
    }
  }

  async #dropOnePart(faults: readonly Fault[], parts: number): Promise<boolean> {
    for (let part = 0; part < parts; part++) {
      const from = Math.floor((part * faults.length) / parts);
      const until = Math.floor(((part + 1) * faults.length) / parts);
      const rest = faults.filter((_, i) => i < from || i >= until);
      if (await this.#try(rest)) return true;
    }
    return false;
  }

  /** Drops single faults until none can go. True when each was tried and is needed. */
  async dropEach(): Promise<boolean> {
    for (let i = 0; i < this.plan.faults.length; ) {
      const outcome = await this.#try(this.plan.faults.filter((_, j) => j !== i));
      if (outcome === null) return false;
      // What came before may be needless now.
      i = outcome ? 0 : i + 1;
    }
    return true;
  }

  async simplifyFaults(): Promise<void> {
    let changed = true;
    while (changed && !this.#spent) {
      changed = false;
      for (const { id } of this.plan.faults) {
        for (let again = true; again && !this.#spent; ) {
          again = await this.#simplifyOnce(id);
          changed ||= again;
        }
      }
    }
  }

  async #simplifyOnce(id: number): Promise<boolean> {
    const fault = this.plan.faults.find((each) => each.id === id);
    if (fault === undefined) return false;
    const others = this.plan.faults.filter((each) => each.id !== id);
    for (const plainer of plainerFaults(fault)) {
      if (await this.#try([...others, plainer])) return true;
    }
    return false;
  }
}

const SECOND = 1_000_000;

/** Simpler versions of a fault, boldest first. None is as complex as the fault, so this ends. */
function plainerFaults(fault: Fault): Fault[] {
  const plainer: Fault[] = [];
  for (const duration of shorter(fault.duration)) plainer.push({ ...fault, duration });
  switch (fault.kind) {
    case "partition":
      for (const sides of fewer(fault.from, fault.to)) plainer.push({ ...fault, ...sides });
      break;
    case "link":
      if (fault.duplicatePpm > 0) plainer.push({ ...fault, duplicatePpm: 0 });
      if (fault.lossPpm > 0) plainer.push({ ...fault, lossPpm: 0 });
      if (fault.delay.high > 0) plainer.push({ ...fault, delay: { low: 0, high: 0 } });
      for (const delay of steadier(fault.delay)) plainer.push({ ...fault, delay });
      for (const sides of fewer(fault.from, fault.to)) plainer.push({ ...fault, ...sides });
      break;
    case "crash":
      if (fault.loseDisk) plainer.push({ ...fault, loseDisk: false });
      if (fault.loseUnsyncedPpm > 0) plainer.push({ ...fault, loseUnsyncedPpm: 0 });
      if (fault.loseUnsyncedPpm > 0 && fault.loseUnsyncedPpm < SECOND) {
        plainer.push({ ...fault, loseUnsyncedPpm: 1_000_000 });
      }
      break;
    case "slow-disk":
      for (const delay of steadier(fault.delay)) plainer.push({ ...fault, delay });
      break;
    case "clock-step":
      for (const by of closerToZero(fault.by)) plainer.push({ ...fault, by });
      break;
    case "clock-drift":
      for (const ppm of closerToZero(fault.ppm)) plainer.push({ ...fault, ppm });
      break;
    case "kill-process":
    case "pause":
    case "update-down":
    case "discovery-down":
    case "registry-down":
      break;
  }
  const rounded = Math.floor(fault.at / SECOND) * SECOND;
  if (rounded !== fault.at) plainer.push({ ...fault, at: rounded });
  return plainer;
}

/** Half as long, in whole seconds while it is that long; at least a millisecond. */
function shorter(duration: number): number[] {
  const half = Math.floor(duration / 2);
  const whole = Math.floor(half / SECOND) * SECOND;
  const tidy = Math.floor(duration / SECOND) * SECOND;
  const lengths = [whole > 0 ? whole : half, tidy];
  return lengths.filter((length) => length >= 1_000 && length < duration);
}

function steadier(delay: Span): Span[] {
  return delay.low < delay.high ? [{ low: delay.high, high: delay.high }] : [];
}

function closerToZero(value: number): number[] {
  const half = Math.trunc(value / 2);
  return half !== 0 && half !== value ? [half] : [];
}

/** With one node less on either side, neither side empty. */
function fewer(
  from: readonly number[],
  to: readonly number[],
): { from: readonly number[]; to: readonly number[] }[] {
  const less = (side: readonly number[]): number[][] =>
    side.length < 2 ? [] : side.map((_, i) => side.filter((__, j) => j !== i));
  return [
    ...less(from).map((side) => ({ from: side, to })),
    ...less(to).map((side) => ({ from, to: side })),
  ];
}

function total(plan: FaultPlan): number {
  return plan.faults.reduce((sum, fault) => sum + fault.duration, 0);
}
