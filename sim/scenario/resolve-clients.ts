import { type Mix, NO_REQUESTS, WORKLOAD_OPS } from "../../core/workload/index.js";
import type { Path, SourceDocument } from "./document.js";
import type { Names } from "./names.js";
import { writeDuration } from "./quantity.js";
import type { ClientSpec, HostSpec } from "./scenario.js";
import type { RawClientGroup } from "./schema-clients.js";

/** Clients of a group when the scenario does not say what they do. */
const MIXES = {
  /** After `EtcdPutDeleteLease` of etcd's robustness tests (tests/robustness/traffic/etcd.go). */
  etcd: {
    get: 15,
    list: 4,
    "stale-get": 10,
    "stale-list": 3,
    "past-get": 5,
    put: 25,
    delete: 5,
    txn: 10,
    update: 10,
    create: 3,
    "lease-put": 6,
    revoke: 3,
    compact: 1,
  },
  /** After `Kubernetes` (traffic/kubernetes.go): what is there is listed, then changed as it was last seen. */
  kubernetes: { list: 20, "stale-list": 5, get: 5, update: 60, create: 5, remove: 5 },
} as const satisfies Record<string, Partial<Mix>>;

/** Where a client's node comes before it is named: its group, its place in it. */
export interface ClientSeat {
  readonly name: string;
  readonly group: number;
  readonly place: number;
}

/** A name for every client: the group's, or with a count the group's and a number. */
export function seatClients(groups: readonly RawClientGroup[]): ClientSeat[] {
  return groups.flatMap(({ group: name, count }, group) =>
    count === undefined
      ? [{ name, group, place: 0 }]
      : Array.from({ length: count }, (_, place) => ({
          name: `${name}-${place + 1}`,
          group,
          place,
        })),
  );
}

/** The clients of a scenario, with their nodes from `first` on. */
export function resolveClients(
  source: SourceDocument,
  groups: readonly RawClientGroup[],
  names: Names,
  duration: number,
  first: number,
): ClientSpec[] {
  const taken = new Set(names.hosts.map((host) => host.name));
  return seatClients(groups).flatMap(({ name, group: index, place }, i): ClientSpec[] => {
    const group = groups[index];
    if (group === undefined) return [];
    const path: Path = ["clients", index];
    if (taken.has(name)) {
      const found = `the name ${name} a second time`;
      source.report(
        [...path, "group"],
        "E_SCENARIO_DUPLICATE",
        found,
        "each name once",
        "Rename it.",
      );
    }
    taken.add(name);
    const until = group.until ?? duration;
    if (group.from > until || until > duration) {
      source.report(
        [...path, group.until === undefined ? "from" : "until"],
        "E_SCENARIO_VALUE",
        `clients from ${writeDuration(group.from)} until ${writeDuration(until)}`,
        `a part of the run, which lasts ${writeDuration(duration)}`,
        "Move its ends.",
      );
    }
    return [
      {
        node: first + i,
        name,
        members: membersOf(group, names, path, place),
        from: group.from,
        until,
        keys: group.keys,
        timeout: group.timeout,
        does: taskOf(source, group, path),
      },
    ];
  });
}

function membersOf(group: RawClientGroup, names: Names, path: Path, place: number): number[] {
  if (typeof group.members !== "string") {
    return names.hostList([...path, "members"], group.members);
  }
  const all = names.hosts.filter(isMember).map((host) => host.index);
  const one = all[place % Math.max(1, all.length)];
  return group.members === "any" || one === undefined ? all : [one];
}

const isMember = (host: HostSpec): boolean => host.member && host.present;

function taskOf(source: SourceDocument, group: RawClientGroup, path: Path): ClientSpec["does"] {
  const { watch, mix = "etcd", pause } = group;
  if (watch !== undefined) {
    if (group.mix !== undefined) {
      const advice = "Clients either make requests or watch: make two groups.";
      source.report(
        [...path, "watch"],
        "E_SCENARIO_DUPLICATE",
        "both mix and watch",
        "one of them",
        advice,
        "key",
      );
    }
    const { from, before, after, lasts, progress } = watch;
    return { kind: "watches", from, before, after, lasts, progressEvery: progress };
  }
  const weights = typeof mix === "string" ? { ...NO_REQUESTS, ...MIXES[mix] } : mix;
  if (WORKLOAD_OPS.every((op) => weights[op] === 0)) {
    source.report(
      [...path, "mix"],
      "E_SCENARIO_VALUE",
      "a mix of nothing",
      "a weight above 0",
      "Add put: 1.",
    );
  }
  return { kind: "requests", mix: weights, pause };
}
