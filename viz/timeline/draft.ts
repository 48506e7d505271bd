import type { LogHeader, Micros } from "../../core/kernel/index.js";
import { type Fields, fieldsOf, textOf } from "./fields.js";
import { type HostNames, headerHosts, headerZones } from "./host-names.js";
import type { ClusterView, HostView, UnitInstance, UnitView } from "./view.js";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The cluster before anything happened, with the hosts the header names. */
export function initialView(header: LogHeader): ClusterView {
  return {
    index: -1,
    seq: -1,
    at: 0,
    hosts: headerHosts(header).map((host) => newHost(host, headerZones(header))),
    units: new Map(),
    leader: null,
    elections: 0,
    engine: null,
    lock: { holders: [], max: 1 },
    faults: [],
    faultsBegun: 0,
    violations: 0,
    reboots: 0,
    crashes: 0,
    expectationsMet: 0,
    expectationsFailed: 0,
    observed: null,
    unknown: 0,
    end: null,
  };
}

function newHost(fields: Fields, zones: readonly unknown[] = []): HostView {
  const zone = typeof fields.zone === "number" ? zones[fields.zone] : null;
  return {
    name: textOf(fields, "name"),
    zone: typeof zone === "string" ? zone : textOf(fields, "zone"),
    group: textOf(fields, "group"),
    power: "down",
    since: 0,
    reason: "",
    boots: 0,
    version: textOf(fieldsOf(fields.os), "version") || textOf(fields, "osVersion"),
    slot: "",
    slots: [],
    etcd: null,
    registered: false,
    updateStatus: "",
    updateVersion: "",
    updateSince: 0,
    updateError: "",
    locksmith: "",
    units: new Map(),
    unitsActive: 0,
    unitsFailed: 0,
  };
}

/**
 * A view being folded forward. Between two `freeze`s each part is copied at most once, when it
 * first changes, and then changed in place: folding is as fast as changing a plain object, and
 * what `freeze` returned before stays as it was.
 */
export class Draft {
  readonly cluster: Writable<ClusterView>;
  readonly #indexes = new Map<string, number>();
  #hosts: HostView[];
  #units: Map<string, UnitView>;
  readonly #hostOwned: boolean[] = [];
  readonly #instancesOwned: boolean[] = [];
  #anyOwned = false;
  #hostsOwned = false;
  #unitsOwned = false;
  /** Index of the host the last record changed, -1 for none. Whoever applies records resets it. */
  touchedHost = -1;
  /** Cluster units the last record changed. Whoever applies records empties it. */
  readonly touchedUnits: string[] = [];

  /**
   * @param names - what hosts are called; it may learn more, and must be the same for all drafts
   * of one log
   */
  constructor(
    view: ClusterView,
    readonly names: HostNames,
  ) {
    this.cluster = { ...view };
    // Both are only written to once owned, and owning copies them.
    this.#hosts = view.hosts as HostView[];
    this.#units = view.units as Map<string, UnitView>;
    view.hosts.forEach((host, index) => {
      this.#indexes.set(host.name, index);
    });
  }

  /** The view as it is now. Later changes will not show in it. */
  freeze(): ClusterView {
    const view = { ...this.cluster, hosts: this.#hosts, units: this.#units };
    this.#hostsOwned = false;
    this.#unitsOwned = false;
    if (this.#anyOwned) {
      this.#hostOwned.length = 0;
      this.#instancesOwned.length = 0;
      this.#anyOwned = false;
    }
    return view;
  }

  get hosts(): readonly HostView[] {
    return this.#hosts;
  }

  /** Index of a host, which is added if the header did not name it. */
  hostIndex(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    this.#ownHosts();
    const index = this.#hosts.push(newHost({ name })) - 1;
    this.#indexes.set(name, index);
    return index;
  }

  /** Index of a host, or -1. */
  findHost(name: string): number {
    return this.#indexes.get(name) ?? -1;
  }

  /** The host, for reading. */
  host(index: number): HostView {
    const host = this.#hosts[index];
    if (host === undefined) throw new RangeError(`no host ${index}`);
    return host;
  }

  /** The host, for changing. */
  edit(index: number): Writable<HostView> {
    this.touchedHost = index;
    if (this.#hostOwned[index] === true) return this.host(index);
    this.#ownHosts();
    const copy = { ...this.host(index) };
    this.#hosts[index] = copy;
    this.#hostOwned[index] = true;
    this.#anyOwned = true;
    return copy;
  }

  /** The units of a host, for changing. */
  editInstances(index: number): Map<string, UnitInstance> {
    const host = this.edit(index);
    if (this.#instancesOwned[index] === true) return host.units as Map<string, UnitInstance>;
    const copy = new Map(host.units);
    host.units = copy;
    this.#instancesOwned[index] = true;
    return copy;
  }

  unit(name: string): UnitView | undefined {
    return this.#units.get(name);
  }

  setUnit(unit: UnitView): void {
    if (!this.#unitsOwned) {
      this.#units = new Map(this.#units);
      this.#unitsOwned = true;
    }
    this.#units.set(unit.name, unit);
    this.touchedUnits.push(unit.name);
  }

  get unitNames(): Iterable<string> {
    return this.#units.keys();
  }

  #ownHosts(): void {
    if (this.#hostsOwned) return;
    this.#hosts = [...this.#hosts];
    this.#hostsOwned = true;
  }
}

/** A cluster unit nothing is known of yet, active wherever its instances already are. */
export function newUnit(draft: Draft, name: string, at: Micros): UnitView {
  const activeOn = draft.hosts
    .filter((host) => isActive(host.units.get(name)?.active ?? ""))
    .map((host) => host.name)
    .sort();
  return {
    name,
    machine: "",
    reason: "",
    activeOn,
    since: at,
    firstActive: activeOn.length > 0 ? at : null,
    downSince: null,
    downtime: 0,
    outages: 0,
    moves: 0,
    wanted: true,
  };
}

/** Whether a unit in this active state is doing its work. */
export function isActive(active: string): boolean {
  return active === "active" || active === "reloading";
}
