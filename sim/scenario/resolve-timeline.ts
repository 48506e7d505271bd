import type { NodeIndex } from "../../core/kernel/index.js";
import { type Path, type SourceDocument, show } from "./document.js";
import type { Names } from "./names.js";
import { writeDuration } from "./quantity.js";
import type { Action, Scenario, TimelineEntry } from "./scenario.js";
import type { RawTimelineEntry } from "./schema-timeline.js";

/** The timeline in order of time; entries of one moment keep the order they were written in. */
export function resolveTimeline(
  source: SourceDocument,
  entries: readonly RawTimelineEntry[],
  names: Names,
  duration: number,
  update: Scenario["update"],
): TimelineEntry[] {
  const timeline = entries.map((entry, i): TimelineEntry => {
    const path: Path = ["timeline", i];
    if (entry.at > duration) {
      source.report(
        [...path, "at"],
        "E_SCENARIO_VALUE",
        writeDuration(entry.at),
        `a moment of the run, which lasts ${writeDuration(duration)}`,
        "Move it earlier or make the run longer.",
      );
    }
    return { at: entry.at, action: resolveAction(source, path, entry, names, update) };
  });
  return timeline.sort((left, right) => left.at - right.at);
}

function resolveAction(
  source: SourceDocument,
  path: Path,
  entry: RawTimelineEntry,
  names: Names,
  update: Scenario["update"],
): Action {
  switch (entry.do) {
    case "fleet-submit":
    case "fleet-load":
    case "fleet-start":
    case "fleet-stop":
    case "fleet-unload":
    case "fleet-destroy": {
      const units = names.unitList([...path, "units"], entry.units);
      return { kind: entry.do, units, via: via(names, path, entry.via) };
    }
    case "lock":
    case "unlock":
    case "member-add":
    case "member-remove":
      return {
        kind: entry.do,
        host: names.host([...path, "host"], entry.host),
        via: via(names, path, entry.via),
      };
    case "move-leader":
      return { kind: "move-leader", to: names.host([...path, "to"], entry.to) };
    case "systemctl":
      return {
        kind: "systemctl",
        verb: entry.verb,
        unit: entry.unit,
        hosts: names.hostList([...path, "hosts"], entry.hosts),
      };
    case "fleet-metadata":
      return {
        kind: "fleet-metadata",
        host: names.host([...path, "host"], entry.host),
        set: entry.set,
        via: via(names, path, entry.via),
      };
    case "etcd-set":
      return {
        kind: "etcd-set",
        key: entry.key,
        value: entry.value,
        via: via(names, path, entry.via),
      };
    case "etcd-delete":
      return { kind: "etcd-delete", key: entry.key, via: via(names, path, entry.via) };
    case "set-max":
      return { kind: "set-max", max: entry.max, via: via(names, path, entry.via) };
    case "power-off":
      return {
        kind: "power-off",
        hosts: names.hostList([...path, "hosts"], entry.hosts),
        loseUnsyncedPpm: entry.lose_unsynced,
      };
    case "power-on":
    case "reboot":
    case "terminate":
    case "add-host":
    case "attempt-update":
      return { kind: entry.do, hosts: names.hostList([...path, "hosts"], entry.hosts) };
    case "replace-host": {
      const by = names.host([...path, "by"], entry.by);
      if (names.hosts[by]?.present === true) {
        source.report(
          [...path, "by"],
          "E_SCENARIO_VALUE",
          `${show(entry.by)}, which is there from the start`,
          "a host of a group with present: false",
          "Add a group for the replacements.",
        );
      }
      const host = names.host([...path, "host"], entry.host);
      return { kind: "replace-host", host, by, overlap: entry.overlap };
    }
    case "publish": {
      needUpdate(source, path, update);
      const channel = entry.channel ?? update?.channel ?? "stable";
      if (update !== null && channel !== update.channel) {
        names.unknown([...path, "channel"], "channel", channel, [update.channel]);
      }
      return {
        kind: "publish",
        channel,
        version: names.release([...path, "version"], entry.version),
      };
    }
    case "set-policy":
      needUpdate(source, path, update);
      return {
        kind: "set-policy",
        policy: {
          enabled: entry.enabled ?? null,
          maxUpdatesPerPeriod: entry.max_updates_per_period ?? null,
          period: entry.period ?? null,
          updateTimeout: entry.update_timeout ?? null,
          safeMode: entry.safe_mode ?? null,
          officeHours: entry.office_hours ?? null,
        },
      };
    case "partition":
      return {
        kind: "partition",
        ...resolveSides(source, path, entry, names),
        oneWay: entry.one_way,
      };
    case "heal":
      return { kind: "heal" };
    case "mark":
      return { kind: "mark", label: entry.label };
  }
}

/** The two sides of `between`, or `isolate` and everything else. */
export function resolveSides(
  source: SourceDocument,
  path: Path,
  entry: {
    readonly between?: readonly [readonly string[], readonly string[]] | undefined;
    readonly isolate?: readonly string[] | undefined;
  },
  names: Names,
): { from: NodeIndex[]; to: NodeIndex[] } {
  if ((entry.between === undefined) === (entry.isolate === undefined)) {
    source.report(
      path,
      "E_SCENARIO_MISSING_KEY",
      entry.between === undefined ? "neither between nor isolate" : "both between and isolate",
      "between: [[…], […]], or isolate: […]",
      "isolate cuts hosts off from everything else.",
    );
    return { from: [], to: [] };
  }
  if (entry.between !== undefined) {
    const from = names.nodeList([...path, "between", 0], entry.between[0]);
    const to = names.nodeList([...path, "between", 1], entry.between[1]);
    const both = from.find((node) => to.includes(node));
    if (both !== undefined) {
      source.report(
        [...path, "between"],
        "E_SCENARIO_VALUE",
        `${names.hosts[both]?.name ?? "a service"} on both sides`,
        "two sides that have nothing in common",
        "Take it out of one of them.",
      );
    }
    return { from, to };
  }
  const from = names.nodeList([...path, "isolate"], entry.isolate ?? []);
  const inside = new Set(from);
  const to: NodeIndex[] = [];
  for (let node = 0; node < names.nodeCount; node++) if (!inside.has(node)) to.push(node);
  return { from, to };
}

function via(names: Names, path: Path, host: string | undefined): NodeIndex | null {
  return host === undefined ? null : names.host([...path, "via"], host);
}

function needUpdate(source: SourceDocument, path: Path, update: Scenario["update"]): void {
  if (update !== null) return;
  const expected = "a scenario with an update service";
  const found = "no `update` in the scenario";
  source.report([...path, "do"], "E_SCENARIO_REFERENCE", found, expected, "Add `update:`.");
}
