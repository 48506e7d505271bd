import type { Micros } from "../../core/kernel/index.js";
import { describe } from "./describe.js";
import type { Draft } from "./draft.js";
import { fieldsOf, textOf, textsOf } from "./fields.js";
import type { FoldRecord } from "./fold.js";
import type { HostNames } from "./host-names.js";
import { compareNames } from "./names.js";
import { type HostView, type RoleLabel, roleLabel } from "./view.js";

/** A stretch of time; `to` is null while it lasts. */
export interface Span {
  readonly from: Micros;
  to: Micros | null;
}

export interface RoleSpan extends Span {
  readonly role: RoleLabel;
  readonly term: number;
}

export interface VersionSpan extends Span {
  readonly version: string;
  readonly slot: string;
}

export interface PowerSpan extends Span {
  readonly power: HostView["power"];
  readonly reason: string;
}

/** What became of one host over time. */
export interface HostHistory {
  readonly name: string;
  readonly zone: string;
  readonly roles: RoleSpan[];
  readonly versions: VersionSpan[];
  readonly powers: PowerSpan[];
}

export interface Reign extends Span {
  readonly host: string;
  readonly term: number;
}

export interface LockSpan extends Span {
  readonly holder: string;
}

export interface UnitSpan extends Span {
  readonly host: string;
}

/** What became of one cluster unit: where it was active, and when it was nowhere though wanted. */
export interface UnitHistory {
  readonly name: string;
  readonly active: UnitSpan[];
  readonly outages: Span[];
}

export interface FaultSpan extends Span {
  readonly id: string;
  readonly kind: string;
  readonly text: string;
  readonly hosts: readonly string[];
}

/** One event worth naming: a violation, an expectation, an operator's action, a restart. */
export interface Notice {
  readonly index: number;
  readonly seq: number;
  readonly at: Micros;
  readonly host: string;
  readonly kind: string;
  readonly text: string;
  readonly hosts: readonly string[];
}

/** Spans and notices kept, over all hosts; what comes later is counted in `dropped`. */
export const CHRONICLE_ITEMS_MAX = 1_000_000;

/**
 * The whole run as spans: who led when, what each host ran, where each unit was active, which
 * faults held. It grows with the changes in a log, not with its length, and stops growing at
 * `CHRONICLE_ITEMS_MAX` (about 100 MB); pictures and reports then say that they are cut.
 */
export class Chronicle {
  readonly hosts: HostHistory[] = [];
  readonly units = new Map<string, UnitHistory>();
  readonly reigns: Reign[] = [];
  readonly engines: Reign[] = [];
  readonly locks: LockSpan[] = [];
  readonly faults: FaultSpan[] = [];
  readonly violations: Notice[] = [];
  readonly expectations: Notice[] = [];
  readonly operations: Notice[] = [];
  readonly restarts: Notice[] = [];
  #items = 0;
  #dropped = 0;
  #leader: unknown = null;
  #engine: unknown = null;
  #holders: readonly string[] = [];
  readonly #openLocks = new Map<string, LockSpan>();
  readonly #openFaults = new Map<string, FaultSpan>();
  readonly #openUnits = new Map<string, Map<string, UnitSpan>>();

  /** Items left out because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes in one record, after the draft was changed by it. */
  follow(draft: Draft, index: number, record: FoldRecord): void {
    const at = record.at;
    while (this.hosts.length < draft.hosts.length) {
      const { name, zone } = draft.host(this.hosts.length);
      this.hosts.push({ name, zone, roles: [], versions: [], powers: [] });
    }
    if (record.type === "checkpoint") {
      for (let i = 0; i < draft.hosts.length; i++) this.#host(draft.host(i), i, at);
    } else if (draft.touchedHost >= 0) {
      this.#host(draft.host(draft.touchedHost), draft.touchedHost, at);
    }
    for (const name of draft.touchedUnits) this.#unit(draft, name, at);
    this.#cluster(draft, at);
    if (record.type === "fact") this.#notice(draft, index, record);
  }

  #host(host: HostView, index: number, at: Micros): void {
    const history = this.hosts[index];
    // Before its first boot a host is neither up nor down.
    if (history === undefined || (history.powers.length === 0 && host.power !== "up")) return;
    const role = roleLabel(host);
    const term = host.etcd?.term ?? 0;
    const lastRole = history.roles.at(-1);
    if (
      lastRole === undefined ||
      lastRole.role !== role ||
      (role === "leader" && lastRole.term !== term)
    ) {
      this.#turn(history.roles, { role, term, from: at, to: null });
    }
    const lastPower = history.powers.at(-1);
    if (lastPower === undefined || lastPower.power !== host.power) {
      this.#turn(history.powers, { power: host.power, reason: host.reason, from: at, to: null });
    }
    const { version, slot } = host;
    const lastVersion = history.versions.at(-1);
    if (version !== "" && host.power === "up" && lastVersion?.version !== version) {
      this.#turn(history.versions, { version, slot, from: at, to: null });
    }
  }

  #unit(draft: Draft, name: string, at: Micros): void {
    const unit = draft.unit(name);
    if (unit === undefined) return;
    let history = this.units.get(name);
    if (history === undefined) {
      history = { name, active: [], outages: [] };
      this.units.set(name, history);
    }
    let open = this.#openUnits.get(name);
    if (open === undefined) {
      open = new Map();
      this.#openUnits.set(name, open);
    }
    turnOver(open, unit.activeOn, at, (host) =>
      this.#add(history.active, { host, from: at, to: null }),
    );
    const outage = history.outages.at(-1);
    const lasts = outage !== undefined && outage.to === null;
    if (lasts && unit.downSince === null) outage.to = at;
    else if (!lasts && unit.downSince !== null) {
      this.#add(history.outages, { from: unit.downSince, to: null });
    }
  }

  #cluster(draft: Draft, at: Micros): void {
    const { leader, engine, lock } = draft.cluster;
    if (leader !== this.#leader) {
      this.#leader = leader;
      closeLast(this.reigns, at);
      if (leader !== null) this.#add(this.reigns, { ...leader, from: at, to: null });
    }
    if (engine !== this.#engine) {
      this.#engine = engine;
      closeLast(this.engines, at);
      if (engine !== null) {
        this.#add(this.engines, { host: engine.machine, term: 0, from: at, to: null });
      }
    }
    if (lock.holders !== this.#holders) {
      this.#holders = lock.holders;
      turnOver(this.#openLocks, lock.holders, at, (holder) =>
        this.#add(this.locks, { holder, from: at, to: null }),
      );
    }
  }

  #notice(draft: Draft, index: number, record: FoldRecord): void {
    const target = this.#targetOf(record.kind);
    if (target !== null) {
      const { seq, at, host, kind, data } = record;
      const hosts = textsOf(fieldsOf(data), "hosts");
      this.#add(target, {
        index,
        seq,
        at,
        host,
        kind,
        text: describe(kind, data, draft.names),
        hosts,
      });
    } else if (record.kind === "fault.begin") {
      this.#fault(draft, record);
    } else if (record.kind === "fault.end") {
      const id = textOf(fieldsOf(record.data), "id");
      const span = this.#openFaults.get(id);
      if (span !== undefined) span.to = record.at;
      this.#openFaults.delete(id);
    }
  }

  #targetOf(kind: string): Notice[] | null {
    switch (kind) {
      case "invariant.violated":
        return this.violations;
      case "expectation.met":
      case "expectation.failed":
        return this.expectations;
      case "operator.action":
        return this.operations;
      case "host.rebooting":
      case "host.powering-off":
      case "host.down":
        return this.restarts;
      default:
        return null;
    }
  }

  #fault(draft: Draft, record: FoldRecord): void {
    const fields = fieldsOf(record.data);
    const fault = fieldsOf(fields.fault);
    const known = new Set(this.hosts.map((host) => host.name));
    const id = textOf(fields, "id");
    const span = this.#add<FaultSpan>(this.faults, {
      id,
      kind: textOf(fault, "kind") || "fault",
      text: describe(record.kind, record.data, draft.names),
      hosts: [...new Set(namesIn(fault, known, draft.names))].sort(compareNames),
      from: record.at,
      to: null,
    });
    this.#openFaults.set(id, span);
  }

  /** Ends the last span and begins the next; a span of no length is replaced. */
  #turn<S extends Span>(spans: S[], next: S): void {
    const last = spans.at(-1);
    if (last !== undefined && last.from === next.from && last.to === null) spans.pop();
    else closeLast(spans, next.from);
    this.#add(spans, next);
  }

  #add<T>(list: T[], item: T): T {
    if (this.#items >= CHRONICLE_ITEMS_MAX) {
      this.#dropped++;
      return item;
    }
    this.#items++;
    list.push(item);
    return item;
  }
}

/** Ends the open spans of names no longer there and opens one for each new name. */
function turnOver<S extends Span>(
  open: Map<string, S>,
  names: readonly string[],
  at: Micros,
  begin: (name: string) => S,
): void {
  for (const [name, span] of open) {
    if (names.includes(name)) continue;
    span.to = at;
    open.delete(name);
  }
  for (const name of names) if (!open.has(name)) open.set(name, begin(name));
}

function closeLast(spans: readonly Span[], at: Micros): void {
  const last = spans.at(-1);
  if (last !== undefined && last.to === null) last.to = at;
}

/** Fields of a fault that hold indexes of nodes. */
const FAULT_NODES: ReadonlySet<string> = new Set(["host", "hosts", "from", "to"]);

/** Host names anywhere in a fault: its targets, the ends of its links, the sides of its partition. */
function* namesIn(value: unknown, known: ReadonlySet<string>, names: HostNames): Generator<string> {
  if (typeof value === "string") {
    if (known.has(value)) yield value;
  } else if (Array.isArray(value)) {
    for (const item of value) yield* namesIn(item, known, names);
  } else if (typeof value === "object" && value !== null) {
    for (const [field, item] of Object.entries(value)) {
      const nodes = FAULT_NODES.has(field) ? (Array.isArray(item) ? item : [item]) : [];
      for (const node of nodes) {
        const name = typeof node === "number" ? names.ofNode(node) : "";
        if (known.has(name)) yield name;
      }
      yield* namesIn(item, known, names);
    }
  }
}
