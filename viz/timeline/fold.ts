import type { LogRecord, Micros } from "../../core/kernel/index.js";
import { describeFault } from "./describe.js";
import { Draft } from "./draft.js";
import { type Fields, fieldsOf, isFields, listOf, numberOf, textOf, textsOf } from "./fields.js";
import {
  etcdFact,
  faultFields,
  hostCheckpoint,
  hostDown,
  hostUp,
  systemdUnit,
  updateFact,
} from "./fold-host.js";
import { unitOperated, unitPublished, unitScheduled, unitUnscheduled } from "./fold-units.js";
import type { HostNames } from "./host-names.js";
import type { ClusterView } from "./view.js";

/** The part of a record a view depends on. */
export type FoldRecord = Pick<LogRecord, "seq" | "at" | "host" | "type" | "kind" | "data">;

/** The view after one more record. The view given stays as it was. */
export function foldRecord(view: ClusterView, record: FoldRecord, names: HostNames): ClusterView {
  const draft = new Draft(view, names);
  applyRecord(draft, view.index + 1, record);
  return draft.freeze();
}

/**
 * Changes a draft by one record. Never throws, whatever the data: a log from another version or
 * a damaged tool chain is shown as far as it can be.
 */
export function applyRecord(draft: Draft, index: number, record: FoldRecord): void {
  draft.touchedHost = -1;
  draft.touchedUnits.length = 0;
  draft.cluster.index = index;
  draft.cluster.seq = record.seq;
  draft.cluster.at = record.at;
  switch (record.type) {
    case "fact":
      if (!applyFact(draft, record)) draft.cluster.unknown++;
      return;
    case "checkpoint":
      for (const host of listOf(fieldsOf(record.data), "hosts")) {
        if (isFields(host)) hostCheckpoint(draft, host, record.at);
      }
      return;
    case "end":
      draft.cluster.end = verdictOf(fieldsOf(record.data));
      return;
    case "stimulus":
    case "effect":
      return;
  }
}

function verdictOf(fields: Fields): ClusterView["end"] {
  return {
    verdict: textOf(fields, "verdict"),
    sum: textOf(fields, "sum"),
    hash: textOf(fields, "hash"),
    events: numberOf(fields, "events"),
  };
}

const HOST_MACHINES: ReadonlySet<string> = new Set([
  "host",
  "etcd",
  "systemd",
  "fleet",
  "update",
  "locksmith",
]);

function applyFact(draft: Draft, record: FoldRecord): boolean {
  const fields = fieldsOf(record.data);
  const dot = record.kind.indexOf(".");
  const machine = dot < 0 ? record.kind : record.kind.slice(0, dot);
  // Services have names too; only a machine of a host makes a name a host.
  const host = record.host !== "" && HOST_MACHINES.has(machine) ? draft.hostIndex(record.host) : -1;
  switch (machine) {
    case "host":
      return host >= 0 && hostFact(draft, host, record.kind, fields, record.at);
    case "etcd":
      return host >= 0 && etcdFact(draft, host, record.kind, fields, record.at);
    case "systemd":
      if (record.kind === "systemd.unit" && host >= 0) {
        systemdUnit(draft, host, fields, record.at);
      }
      return record.kind === "systemd.unit" || record.kind === "systemd.job";
    case "fleet":
      return fleetFact(draft, host, record.kind, fields, record.at);
    case "update":
      return host >= 0 && updateFact(draft, host, record.kind, fields, record.at);
    case "locksmith":
      if (host >= 0) draft.edit(host).locksmith = textOf(fields, "state");
      return record.kind === "locksmith.state";
    default:
      return clusterFact(draft, record, fields);
  }
}

function hostFact(draft: Draft, host: number, kind: string, fields: Fields, at: Micros): boolean {
  switch (kind) {
    case "host.up":
      hostUp(draft, host, fields, at);
      return true;
    case "host.down":
    case "host.rebooting":
    case "host.powering-off":
      hostDown(draft, host, fields, at, kind);
      return true;
    default:
      return false;
  }
}

function fleetFact(draft: Draft, host: number, kind: string, fields: Fields, at: Micros): boolean {
  switch (kind) {
    case "fleet.engine-leader": {
      const machine =
        draft.names.ofMachine(textOf(fields, "machine")) || (host < 0 ? "" : draft.host(host).name);
      if (draft.cluster.engine?.machine !== machine) draft.cluster.engine = { machine, since: at };
      return true;
    }
    case "fleet.engine-lost": {
      const lost =
        draft.names.ofMachine(textOf(fields, "machine")) || (host < 0 ? "" : draft.host(host).name);
      if (lost === "" || draft.cluster.engine?.machine === lost) draft.cluster.engine = null;
      return true;
    }
    case "fleet.scheduled":
      unitScheduled(draft, fields, at);
      return true;
    case "fleet.unscheduled":
      unitUnscheduled(draft, fields, at);
      return true;
    case "fleet.unit-state":
      unitPublished(draft, host, fields, at);
      return true;
    case "fleet.registered":
    case "fleet.presence-lost":
      if (host >= 0) draft.edit(host).registered = kind === "fleet.registered";
      return true;
    case "fleet.task":
    case "fleet.task-failed":
    case "fleet.unloaded-all":
    case "fleet.fenced":
    case "fleet.exited":
      return true;
    default:
      return false;
  }
}

function clusterFact(draft: Draft, record: FoldRecord, fields: Fields): boolean {
  const cluster = draft.cluster;
  switch (record.kind) {
    case "service.granted":
    case "service.denied":
      return true;
    case "lock.acquired":
      cluster.lock = {
        ...cluster.lock,
        holders: including(cluster.lock.holders, holderOf(draft, fields)),
      };
      return true;
    case "lock.released":
      cluster.lock = {
        ...cluster.lock,
        holders: excluding(cluster.lock.holders, holderOf(draft, fields)),
      };
      return true;
    case "lock.semaphore":
      cluster.lock = {
        holders: textsOf(fields, "holders")
          .map((holder) => draft.names.ofMachine(holder))
          .sort(),
        max: numberOf(fields, "max", cluster.lock.max),
      };
      return true;
    case "fault.begin":
      faultBegins(draft, fields, record.at);
      return true;
    case "fault.end": {
      const id = textOf(fields, "id");
      cluster.faults = cluster.faults.filter((fault) => fault.id !== id);
      return true;
    }
    case "operator.action":
      unitOperated(draft, fields, record.at);
      return true;
    case "invariant.violated":
      cluster.violations++;
      return true;
    case "expectation.met":
      cluster.expectationsMet++;
      return true;
    case "expectation.failed":
      cluster.expectationsFailed++;
      return true;
    default:
      return observedFact(draft, record.kind, fields);
  }
}

function holderOf(draft: Draft, fields: Fields): string {
  return draft.names.ofMachine(textOf(fields, "holder"));
}

function including(holders: readonly string[], holder: string): readonly string[] {
  return holder === "" || holders.includes(holder) ? holders : [...holders, holder].sort();
}

function excluding(holders: readonly string[], holder: string): readonly string[] {
  return holders.filter((other) => other !== holder);
}

function faultBegins(draft: Draft, fields: Fields, at: Micros): void {
  const fault = faultFields(fields);
  const id = textOf(fields, "id");
  const kind = textOf(fault, "kind") || "fault";
  const text = describeFault(fault, draft.names);
  const others = draft.cluster.faults.filter((active) => active.id !== id);
  draft.cluster.faults = [...others, { id, kind, text, since: at }];
  draft.cluster.faultsBegun++;
}

const UNSEEN = { connected: true, puts: 0, deletes: 0, revision: 0 };

function observedFact(draft: Draft, kind: string, fields: Fields): boolean {
  const before = draft.cluster.observed ?? UNSEEN;
  const revision = Math.max(before.revision, numberOf(fields, "revision"));
  switch (kind) {
    case "observed.put":
      draft.cluster.observed = { ...before, puts: before.puts + 1, revision };
      return true;
    case "observed.delete":
      draft.cluster.observed = { ...before, deletes: before.deletes + 1, revision };
      return true;
    case "observe.connected":
    case "observe.lost":
      draft.cluster.observed = { ...before, connected: kind === "observe.connected" };
      return true;
    default:
      return false;
  }
}
