import {
  ableToRun,
  conflict,
  hasMetadata,
  type MachineState,
  type NamedUnit,
} from "./able-to-run.js";
import {
  type ClusterState,
  type EngineJob,
  type EngineTask,
  goneReason,
  INACTIVE_REASON,
  unableReason,
  unscheduledReason,
} from "./engine-task.js";

/** Above so many entries the two visits of a Go map need not be rotations of one cyclic order. */
const ONE_GROUP = 8;

type Schedule = readonly (string | null)[];

/** One way a visit of a job can go. */
interface Branch {
  readonly tasks: readonly EngineTask[];
  readonly schedule: Schedule;
}

/** What is left to do in a pass. `ring` has the jobs unscheduled so far, in the order of visit. */
interface Point {
  readonly phase: "unschedule" | "schedule";
  readonly left: readonly number[];
  readonly schedule: Schedule;
  readonly ring: readonly number[];
  /** Position in the ring of the job to visit next among those in it; null until one was visited. */
  readonly ringAt: number | null;
}

/**
 * Every task list one pass of fleet's engine can produce, over all orders in which Go may walk its
 * maps. Written plainly, with everything rebuilt on every decision as fleet does: the fast pass in
 * engine.ts is held against it. Exponential in the number of jobs; meant for a handful.
 */
export function passOutcomes(cluster: ClusterState): EngineTask[][] {
  const known = new Map<string, EngineTask[][]>();
  const follow = (point: Point): EngineTask[][] => {
    const key = JSON.stringify(point);
    const seen = known.get(key);
    if (seen !== undefined) return seen;
    const lists = new Map<string, EngineTask[]>();
    const keep = (head: readonly EngineTask[], next: Point | null): void => {
      for (const tail of next === null ? [[]] : follow(next)) {
        const list = [...head, ...tail];
        lists.set(JSON.stringify(list), list);
      }
    };
    if (point.left.length === 0)
      keep([], point.phase === "schedule" ? null : second(cluster, point));
    for (const job of visitable(cluster, point)) {
      for (const branch of visit(cluster, point, job))
        keep(branch.tasks, after(point, job, branch));
    }
    const outcomes = [...lists.values()];
    known.set(key, outcomes);
    return outcomes;
  };
  const schedule = cluster.jobs.map((job) => job.machine);
  const left = indexes(schedule).filter((job) => schedule[job] !== null);
  return follow({ phase: "unschedule", left, schedule, ring: [], ringAt: null });
}

function indexes(list: readonly unknown[]): number[] {
  return list.map((_, index) => index);
}

/** The second visit: every job that is not scheduled and not inactive. */
function second(cluster: ClusterState, first: Point): Point {
  const left = indexes(first.schedule).filter(
    (job) => first.schedule[job] === null && cluster.jobs[job]?.targetState !== "inactive",
  );
  const ring = first.ring.filter((job) => left.includes(job));
  return { phase: "schedule", left, schedule: first.schedule, ring, ringAt: null };
}

/** The jobs that may come next: of those already seen in the first visit, only the next in the ring. */
function visitable(cluster: ClusterState, point: Point): readonly number[] {
  const { left, ring, ringAt } = point;
  if (point.phase === "unschedule" || ringAt === null || cluster.jobs.length > ONE_GROUP)
    return left;
  return left.filter((job) => !ring.includes(job) || job === ring[ringAt]);
}

function after(point: Point, job: number, branch: Branch): Point {
  const { schedule } = branch;
  const left = point.left.filter((other) => other !== job);
  if (point.phase === "unschedule") {
    const ring = schedule[job] === null ? [...point.ring, job] : point.ring;
    return { ...point, left, schedule, ring };
  }
  const at = point.ring.indexOf(job);
  const ringAt = at === -1 ? point.ringAt : (at + 1) % point.ring.length;
  return { ...point, left, schedule, ringAt };
}

function visit(cluster: ClusterState, point: Point, index: number): Branch[] {
  const job = cluster.jobs[index];
  if (job === undefined) throw new RangeError(`no job ${index}`);
  return point.phase === "unschedule"
    ? checkScheduled(cluster, point.schedule, index, job)
    : scheduleOne(cluster, point.schedule, index, job);
}

function checkScheduled(
  cluster: ClusterState,
  schedule: Schedule,
  index: number,
  job: EngineJob,
): Branch[] {
  const id = schedule[index] ?? "";
  const unscheduled = (reason: string): Branch => ({
    tasks: [{ type: "UnscheduleUnit", unit: job.name, machine: id, reason }],
    schedule: schedule.with(index, null),
  });
  if (job.targetState === "inactive") return [unscheduled(INACTIVE_REASON)];
  const machine = cluster.machines.find((candidate) => candidate.id === id);
  if (machine === undefined) return [unscheduled(goneReason(id))];
  return globalOrders(cluster).flatMap((globals): Branch[] => {
    const verdict = ableToRun(job, machine, placedOn(cluster, schedule, machine, globals));
    if (verdict.action === "schedule") return [{ tasks: [], schedule }];
    if (verdict.action === "unschedule") {
      return verdict.reasons.map((why) => unscheduled(unableReason(id, why)));
    }
    return verdict.replaced.flatMap((unit) =>
      verdict.reasons.flatMap((why) =>
        moveAway(cluster, schedule, unit, id, unableReason(id, why)),
      ),
    );
  });
}

/**
 * Takes a unit off a machine and puts it on the least loaded other one, whatever it demands. The
 * unschedule task is out before another machine is looked for; without one the model keeps the unit.
 */
function moveAway(
  cluster: ClusterState,
  schedule: Schedule,
  unit: string,
  from: string,
  reason: string,
): Branch[] {
  const leave: EngineTask = { type: "UnscheduleUnit", unit, machine: from, reason };
  return globalOrders(cluster).map((globals) => {
    const to = byLoad(cluster, schedule, globals).find(({ id }) => id !== from);
    if (to === undefined) return { tasks: [leave], schedule };
    const enter: EngineTask = { type: "AttemptScheduleUnit", unit, machine: to.id, reason };
    const moved = cluster.jobs.findIndex(({ name }) => name === unit);
    return {
      tasks: [leave, enter],
      schedule: moved === -1 ? schedule : schedule.with(moved, to.id),
    };
  });
}

function scheduleOne(
  cluster: ClusterState,
  schedule: Schedule,
  index: number,
  job: EngineJob,
): Branch[] {
  return globalOrders(cluster).map((globals) => {
    const machine = byLoad(cluster, schedule, globals).find((candidate) => {
      const placed = placedOn(cluster, schedule, candidate, globals);
      return ableToRun(job, candidate, placed).action !== "unschedule";
    });
    if (machine === undefined) return { tasks: [], schedule };
    const reason = unscheduledReason(job.targetState);
    const task: EngineTask = {
      type: "AttemptScheduleUnit",
      unit: job.name,
      machine: machine.id,
      reason,
    };
    return { tasks: [task], schedule: schedule.with(index, machine.id) };
  });
}

/** Machines by number of units, then by ID. */
function byLoad(
  cluster: ClusterState,
  schedule: Schedule,
  globals: readonly NamedUnit[],
): MachineState[] {
  const load = new Map(
    cluster.machines.map((machine) => [
      machine,
      placedOn(cluster, schedule, machine, globals).length,
    ]),
  );
  return [...cluster.machines].sort(
    (left, right) =>
      (load.get(left) ?? 0) - (load.get(right) ?? 0) || (left.id < right.id ? -1 : 1),
  );
}

/** What the engine believes a machine runs: its jobs, then each global that fits, in the order given. */
function placedOn(
  cluster: ClusterState,
  schedule: Schedule,
  machine: MachineState,
  globals: readonly NamedUnit[],
): NamedUnit[] {
  const placed: NamedUnit[] = cluster.jobs.filter(
    (job, index) => schedule[index] === machine.id && job.targetState !== "inactive",
  );
  for (const unit of globals) {
    if (!hasMetadata(machine, unit.requirements.metadata)) continue;
    if (!placed.some((other) => conflict(unit, other))) placed.push(unit);
  }
  return placed;
}

/** All orders of the globals if they can get in each other's way, else one. */
function globalOrders({ globals }: ClusterState): (readonly NamedUnit[])[] {
  const contested = globals.some((left) => globals.some((right) => conflict(left, right)));
  return contested ? permutations(globals) : [globals];
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

/** Where repeated passes lead from a schedule. Schedules are maps from unit to machine ID. */
export interface Reach {
  /** Distinct schedules met, the start included. */
  readonly states: number;
  /** Schedules in which every pass has nothing to do. */
  readonly fixed: readonly Readonly<Record<string, string>>[];
  /** Groups of schedules that can be entered but not left and in which passes have something to do. */
  readonly cycles: readonly (readonly Readonly<Record<string, string>>[])[];
}

/**
 * Follows all outcomes of pass after pass; null when more than `limit` schedules turn up.
 *
 * @param start - the registry's schedule, which may also name units that are no jobs; it stands in
 *   for the `machine` of the jobs
 */
export function reachableSchedules(
  cluster: ClusterState,
  start: Readonly<Record<string, string>>,
  limit: number,
): Reach | null {
  const found = new Map<string, Found>();
  const queue = [sortedEntries(start)];
  for (let entries = queue.pop(); entries !== undefined; entries = queue.pop()) {
    const key = JSON.stringify(entries);
    if (found.has(key)) continue;
    if (found.size >= limit) return null;
    const here: Found = { entries, next: new Set(), busy: false };
    found.set(key, here);
    for (const tasks of passOutcomes(withSchedule(cluster, new Map(entries)))) {
      if (tasks.length > 0) here.busy = true;
      const next = sortedEntries(Object.fromEntries(applyTasks(new Map(entries), tasks)));
      here.next.add(JSON.stringify(next));
      queue.push(next);
    }
  }
  const closed = closedGroups(new Map([...found].map(([key, { next }]) => [key, next])));
  const show = (key: string): Record<string, string> =>
    Object.fromEntries(found.get(key)?.entries ?? []);
  const isFixed = (group: readonly string[]): boolean =>
    group.every((key) => found.get(key)?.busy === false);
  return {
    states: found.size,
    fixed: closed.filter(isFixed).flatMap((group) => group.map(show)),
    cycles: closed.filter((group) => !isFixed(group)).map((group) => group.map(show)),
  };
}

type Entries = readonly (readonly [unit: string, machine: string])[];

interface Found {
  readonly entries: Entries;
  readonly next: Set<string>;
  busy: boolean;
}

function sortedEntries(schedule: Readonly<Record<string, string>>): Entries {
  return Object.entries(schedule).sort(([left], [right]) => (left < right ? -1 : 1));
}

function withSchedule(cluster: ClusterState, schedule: ReadonlyMap<string, string>): ClusterState {
  const jobs = cluster.jobs.map((job) => ({ ...job, machine: schedule.get(job.name) ?? null }));
  return { ...cluster, jobs };
}

/** What the tasks make of the registry: each write is guarded by what it expects there. */
function applyTasks(
  schedule: ReadonlyMap<string, string>,
  tasks: readonly EngineTask[],
): Map<string, string> {
  const next = new Map(schedule);
  for (const { type, unit, machine } of tasks) {
    if (type === "UnscheduleUnit") {
      if (next.get(unit) === machine) next.delete(unit);
    } else if (!next.has(unit)) next.set(unit, machine);
  }
  return next;
}

/** The strongly connected groups that no edge leaves. Quadratic; graphs here are small. */
function closedGroups(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const reach = new Map<string, Set<string>>();
  for (const start of edges.keys()) {
    const seen = new Set([start]);
    const open = [start];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const next of edges.get(at) ?? []) {
        if (!seen.has(next)) open.push(next);
        seen.add(next);
      }
    }
    reach.set(start, seen);
  }
  const groups = new Map<string, string[]>();
  for (const [start, seen] of reach) {
    if (![...seen].every((other) => reach.get(other)?.has(start))) continue;
    const group = [...seen].sort();
    groups.set(JSON.stringify(group), group);
  }
  return [...groups.values()];
}
