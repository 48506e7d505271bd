import type { FaultAllowance, FaultBudget } from "../faults/budget.js";
import {
  type Fault,
  type FaultKind,
  type FaultPlan,
  faultPlan,
  NO_FAULTS,
} from "../faults/plan.js";
import type { Path, SourceDocument } from "./document.js";
import type { Names } from "./names.js";
import { writeDuration } from "./quantity.js";
import { resolveSides } from "./resolve-timeline.js";
import type { FaultSource } from "./scenario.js";
import type { RawScenario } from "./schema.js";
import type { RawBudget, RawFault } from "./schema-faults.js";

/** An explicit plan or a budget; neither is a plan without faults. */
export function resolveFaults(
  source: SourceDocument,
  raw: RawScenario["faults"],
  names: Names,
  duration: number,
): FaultSource {
  if (raw.plan !== undefined && raw.budget !== undefined) {
    source.report(
      ["faults", "budget"],
      "E_SCENARIO_DUPLICATE",
      "both plan and budget",
      "one of them",
      "A plan says what happens; from a budget each seed draws its own plan.",
      "key",
    );
  }
  if (raw.budget !== undefined) {
    return { kind: "budget", budget: resolveBudget(source, raw.budget, names, duration) };
  }
  const plan = raw.plan ?? [];
  if (plan.length === 0) return { kind: "plan", plan: NO_FAULTS };
  return { kind: "plan", plan: resolvePlan(source, ["faults", "plan"], plan, names, duration) };
}

/** Faults as written, with names looked up and ids given. */
export function resolvePlan(
  source: SourceDocument,
  path: Path,
  raw: readonly RawFault[],
  names: Names,
  duration: number,
): FaultPlan {
  const given = new Set(raw.flatMap((fault) => (fault.id === undefined ? [] : [fault.id])));
  const ids = new Set<number>();
  let free = 0;
  const faults = raw.map((fault, i): Fault => {
    while (given.has(free)) free++;
    const id = fault.id ?? free++;
    if (ids.has(id)) {
      const found = `the id ${id} a second time`;
      source.report([...path, i, "id"], "E_SCENARIO_DUPLICATE", found, "each id once", "");
    }
    ids.add(id);
    if (fault.at >= duration) {
      source.report(
        [...path, i, "at"],
        "E_SCENARIO_VALUE",
        writeDuration(fault.at),
        `a moment before the run's end at ${writeDuration(duration)}`,
        "Move it earlier or make the run longer.",
      );
    }
    const kind = resolveFault(source, [...path, i], fault, names);
    return { id, at: fault.at, duration: fault.for, ...kind };
  });
  return faultPlan(faults);
}

function resolveFault(
  source: SourceDocument,
  path: Path,
  fault: RawFault,
  names: Names,
): FaultKind {
  const host = (name: string): number => names.host([...path, "host"], name);
  switch (fault.kind) {
    case "partition":
      return {
        kind: "partition",
        ...resolveSides(source, path, fault, names),
        oneWay: fault.one_way,
      };
    case "link":
      return {
        kind: "link",
        ...resolveSides(source, path, fault, names),
        oneWay: fault.one_way,
        lossPpm: fault.loss,
        duplicatePpm: fault.duplicate,
        delay: fault.delay,
      };
    case "crash":
      return {
        kind: "crash",
        host: host(fault.host),
        loseUnsyncedPpm: fault.lose_unsynced,
        loseDisk: fault.lose_disk,
      };
    case "member-change":
      return { kind: "member-change", host: host(fault.host), learner: fault.learner };
    case "kill-process":
      return { kind: "kill-process", host: host(fault.host), unit: fault.unit };
    case "pause":
      return { kind: "pause", host: host(fault.host) };
    case "clock-step":
      return { kind: "clock-step", host: host(fault.host), by: fault.by };
    case "clock-drift":
      return { kind: "clock-drift", host: host(fault.host), ppm: fault.by };
    case "slow-disk":
      return { kind: "slow-disk", host: host(fault.host), delay: fault.delay };
    case "update-down":
    case "discovery-down":
    case "registry-down": {
      needService(source, [...path, "kind"], names, fault.kind.replace("-down", ""));
      return { kind: fault.kind };
    }
  }
}

const NOTHING = { low: 0, high: 0 };

function resolveBudget(
  source: SourceDocument,
  raw: RawBudget,
  names: Names,
  duration: number,
): FaultBudget {
  const path: Path = ["faults", "budget"];
  const until = raw.until ?? duration;
  if (raw.from >= until || until > duration) {
    source.report(
      [...path, raw.until === undefined ? "from" : "until"],
      "E_SCENARIO_VALUE",
      `a window from ${writeDuration(raw.from)} until ${writeDuration(until)}`,
      `a window within the run, which lasts ${writeDuration(duration)}`,
      "Move its ends.",
    );
  }
  const members = names.hosts.filter((host) => host.member).length;
  const minority = Math.max(0, Math.floor((members - 1) / 2));
  return {
    from: raw.from,
    until,
    keep: raw.keep,
    hostsAtOnce: raw.hosts_at_once ?? (raw.keep === "quorum" ? minority : names.hosts.length),
    allowances: resolveAllowances(source, path, raw, names),
  };
}

function resolveAllowances(
  source: SourceDocument,
  path: Path,
  raw: RawBudget,
  names: Names,
): FaultAllowance[] {
  const present = names.hosts.filter((host) => host.present).map((host) => host.index);
  const allowances: FaultAllowance[] = [];
  const allow = (
    kind: FaultKind["kind"],
    entry:
      | {
          readonly count: FaultAllowance["count"];
          readonly for: FaultAllowance["duration"];
          readonly hosts?: readonly string[] | undefined;
        }
      | undefined,
    detail: Partial<FaultAllowance>,
  ): void => {
    if (entry === undefined) return;
    const hosts =
      entry.hosts === undefined ? present : names.hostList([...path, kind, "hosts"], entry.hosts);
    allowances.push({
      kind,
      count: entry.count,
      duration: entry.for,
      hosts,
      oneWayPpm: 0,
      lossPpm: NOTHING,
      duplicatePpm: NOTHING,
      delay: NOTHING,
      loseUnsyncedPpm: NOTHING,
      loseDiskPpm: 0,
      step: NOTHING,
      driftPpm: NOTHING,
      learnerPpm: 0,
      units: [],
      ...detail,
    });
  };
  const { partition, link, crash } = raw;
  allow("partition", partition, { oneWayPpm: partition?.one_way ?? 0 });
  allow("link", link, {
    oneWayPpm: link?.one_way ?? 0,
    lossPpm: link?.loss ?? NOTHING,
    duplicatePpm: link?.duplicate ?? NOTHING,
    delay: link?.delay ?? NOTHING,
  });
  allow("crash", crash, {
    loseUnsyncedPpm: crash?.lose_unsynced ?? NOTHING,
    loseDiskPpm: crash?.lose_disk ?? 0,
  });
  allow("kill-process", raw["kill-process"], { units: raw["kill-process"]?.units ?? [] });
  allow("member-change", raw["member-change"], { learnerPpm: raw["member-change"]?.learner ?? 0 });
  allow("pause", raw.pause, {});
  allow("clock-step", raw["clock-step"], { step: raw["clock-step"]?.by ?? NOTHING });
  allow("clock-drift", raw["clock-drift"], { driftPpm: raw["clock-drift"]?.by ?? NOTHING });
  allow("slow-disk", raw["slow-disk"], { delay: raw["slow-disk"]?.delay ?? NOTHING });
  for (const service of ["update", "discovery", "registry"] as const) {
    const entry = raw[`${service}-down`];
    if (entry === undefined) continue;
    needService(source, [...path, `${service}-down`], names, service);
    allow(`${service}-down`, { ...entry, hosts: [] }, {});
  }
  return allowances;
}

function needService(source: SourceDocument, path: Path, names: Names, service: string): void {
  if (names.services.has(service)) return;
  const key = service === "registry" ? "containers" : service;
  const found = `no \`${key}\` in the scenario`;
  const expected = `a scenario with ${key}`;
  source.report(path, "E_SCENARIO_REFERENCE", found, expected, `Add \`${key}:\`.`, "key");
}
