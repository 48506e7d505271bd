import type { Violation } from "../../core/cluster/index.js";
import { runningContainers } from "../../core/container/index.js";
import type { V2Store } from "../../core/etcd/index.js";
import type { HostFact, HostState } from "../../core/host/index.js";
import type { Micros } from "../../core/kernel/index.js";
import { globMatches } from "../../core/kernel/index.js";
import type { Span } from "../faults/plan.js";
import type { Expectation, MeasureKind, Moment, Scenario } from "../scenario/scenario.js";
import { describe, showValue } from "./expectation-text.js";
import { Measure, type Measurement } from "./measures.js";
import type { Network } from "./network.js";

/** An expectation that was decided. */
export interface ExpectationOutcome {
  readonly met: boolean;
  readonly data: {
    readonly line: number;
    readonly expectation: string;
    /** What was there when it was decided. */
    readonly found: string;
    /** What was measured over an interval. */
    readonly measured?: Measurement;
  };
}

type Measured = Expectation & MeasureKind;
type Counted = Exclude<
  Expectation,
  { readonly kind: "quorum" | "invariant" | "leads" } | MeasureKind
>;
type Tallied = Expectation & { readonly kind: "facts" };

type Verdict = "open" | "met" | "failed";

/** Holds a run's states against what the scenario expects, as time passes. */
export class ExpectationMonitor {
  readonly #scenario: Scenario;
  readonly #hosts: readonly HostState[];
  readonly #network: Network;
  readonly #probe: { readonly writtenAt: Micros } | null;
  readonly #measures: ReadonlyMap<Expectation, Measure>;
  readonly #tallies: readonly (readonly [Tallied, Measure])[];
  readonly #keys = new Map<Expectation, { store: V2Store; index: number; count: number }>();
  readonly #verdicts: Verdict[];
  readonly #units = new Map<string, Set<number>>();
  readonly #holders: Set<string> = new Set();
  /** Highest term of any member so far. */
  #term = 0;

  constructor(
    scenario: Scenario,
    hosts: readonly HostState[],
    network: Network,
    probe: { readonly writtenAt: Micros } | null = null,
  ) {
    this.#scenario = scenario;
    this.#hosts = hosts;
    this.#network = network;
    this.#probe = probe;
    this.#measures = new Map(
      scenario.expect.flatMap((expectation): [Expectation, Measure][] =>
        isMeasured(expectation) && expectation.when.kind === "throughout"
          ? [[expectation, new Measure(expectation.kind, expectation.when)]]
          : [],
      ),
    );
    this.#tallies = [...this.#measures].flatMap(([expectation, measure]) =>
      expectation.kind === "facts" ? [[expectation, measure] as const] : [],
    );
    this.#verdicts = scenario.expect.map((): Verdict => "open");
  }

  /** Expectations that failed. */
  get failed(): number {
    return this.#verdicts.filter((verdict) => verdict === "failed").length;
  }

  /** Breaches of invariants that no expectation asks for. */
  unexpectedViolations(violations: readonly Violation[]): readonly Violation[] {
    const asked = new Set(
      this.#scenario.expect.flatMap((e) =>
        e.kind === "invariant" && e.is === "violated" ? [e.name] : [],
      ),
    );
    return violations.filter((violation) => !asked.has(violation.invariant));
  }

  /** True times at which something is to be looked at even if nothing happens. */
  moments(): readonly Micros[] {
    return this.#scenario.expect.flatMap((expectation) => [
      ...momentsOf(expectation.when),
      ...(expectation.kind === "keys" ? looksAtKeys(expectation.when) : []),
    ]);
  }

  /** Takes note of a fact that the hosts' states do not show, at true time `at`. */
  note(node: number, fact: HostFact, at: Micros): void {
    for (const [expectation, measure] of this.#tallies) {
      if (isAbout(fact, expectation)) measure.count(at);
    }
    switch (fact.kind) {
      case "systemd.unit": {
        const hosts = this.#units.get(fact.unit) ?? new Set<number>();
        this.#units.set(fact.unit, hosts);
        if (fact.active === "active") hosts.add(node);
        else hosts.delete(node);
        return;
      }
      case "host.down":
        for (const hosts of this.#units.values()) hosts.delete(node);
        return;
      case "lock.semaphore":
        this.#holders.clear();
        for (const holder of fact.holders) this.#holders.add(holder);
        return;
      default:
        return;
    }
  }

  /** Takes note of a user's request that failed, or of a request that came to a member. */
  noteOne(kind: "errors" | "requests", at: Micros): void {
    for (const [expectation, measure] of this.#measures) {
      if (expectation.kind === kind) measure.count(at);
    }
  }

  /** Decides what can be decided at true time `at`. */
  observe(at: Micros): ExpectationOutcome[] {
    if (this.#measures.size > 0) this.#read(at);
    return this.#decide((expectation) => this.#verdictAt(expectation, at));
  }

  /** The run is over: what is still open is decided now. */
  finish(violations: readonly Violation[]): ExpectationOutcome[] {
    const broken = new Set<string>(violations.map((violation) => violation.invariant));
    return this.#decide((expectation) => {
      if (expectation.kind === "invariant") {
        return broken.has(expectation.name) === (expectation.is === "violated") ? "met" : "failed";
      }
      const { when } = expectation;
      if (isMeasured(expectation)) return this.#holds(expectation) ? "met" : "failed";
      if (when.kind === "throughout") return "met";
      if (when.kind === "end") return this.#holds(expectation) ? "met" : "failed";
      return "failed";
    });
  }

  #read(at: Micros): void {
    const term = this.#hosts.reduce((most, host) => {
      return Math.max(most, host.member?.run?.node.term ?? 0);
    }, this.#term);
    this.#term = term;
    const led = this.#leaders().length > 0;
    const reading = { term, led, writtenAt: this.#probe?.writtenAt ?? 0 };
    for (const measure of this.#measures.values()) measure.read(at, reading);
  }

  #decide(verdictOf: (expectation: Expectation) => Verdict): ExpectationOutcome[] {
    const outcomes: ExpectationOutcome[] = [];
    for (const [index, expectation] of this.#scenario.expect.entries()) {
      if (this.#verdicts[index] !== "open") continue;
      const verdict = verdictOf(expectation);
      if (verdict === "open") continue;
      this.#verdicts[index] = verdict;
      const { line } = expectation;
      const measured = isMeasured(expectation)
        ? { line, kind: expectation.kind, value: this.#measured(expectation) }
        : undefined;
      outcomes.push({
        met: verdict === "met",
        data: {
          line,
          expectation: describe(expectation, this.#scenario),
          found: this.#found(expectation),
          ...(measured === undefined ? {} : { measured }),
        },
      });
    }
    return outcomes;
  }

  #verdictAt(expectation: Expectation, at: Micros): Verdict {
    const { when } = expectation;
    if (expectation.kind === "invariant") return "open";
    if (isMeasured(expectation)) {
      if (when.kind !== "throughout" || at < when.until) return "open";
      return this.#holds(expectation) ? "met" : "failed";
    }
    switch (when.kind) {
      case "by":
        if (at > when.time) return "failed";
        if (this.#holds(expectation)) return "met";
        return at < when.time ? "open" : "failed";
      case "at":
        if (at < when.time) return "open";
        return this.#holds(expectation) ? "met" : "failed";
      case "throughout":
        if (at < when.from) return "open";
        if (!this.#holds(expectation)) return at <= when.until ? "failed" : "met";
        return at >= when.until ? "met" : "open";
      case "sometime":
        if (at < when.from) return "open";
        if (at <= when.until && this.#holds(expectation)) return "met";
        return at >= when.until ? "failed" : "open";
      case "end":
        return "open";
    }
  }

  #holds(expectation: Expectation): boolean {
    switch (expectation.kind) {
      case "quorum":
        return (this.#hasQuorum() ? "held" : "lost") === expectation.is;
      case "invariant":
        return true;
      case "leads": {
        const leaders = this.#leaders();
        return leaders.length === 1 && leaders[0] === expectation.host;
      }
      case "terms":
      case "led":
      case "outage":
      case "errors":
      case "requests":
      case "facts": {
        const { low, high } = expectation.value;
        const measured = this.#measured(expectation);
        return measured >= low && measured <= high;
      }
      default: {
        const count = this.#count(expectation);
        const { low, high } = this.#wanted(expectation);
        return count >= low && count <= high;
      }
    }
  }

  #measured(expectation: Measured): number {
    return this.#measures.get(expectation)?.value() ?? 0;
  }

  /** How many there should be; `all` means every host but those that are only added later, until they are. */
  #wanted(expectation: Counted): Span {
    if (expectation.count !== "all") return expectation.count;
    const { hosts } = this.#scenario;
    const all = this.#hosts.filter(({ boots }, node) => boots > 0 || hosts[node]?.present).length;
    return { low: all, high: all };
  }

  #found(expectation: Expectation): string {
    switch (expectation.kind) {
      case "quorum":
        return this.#hasQuorum() ? "held" : "lost";
      case "invariant":
        return expectation.is;
      case "leads": {
        const leaders = this.#leaders().map((node) => this.#scenario.hosts[node]?.name ?? "");
        return leaders.length === 0 ? "none" : leaders.join(", ");
      }
      case "terms":
      case "led":
      case "outage":
      case "errors":
      case "requests":
      case "facts":
        return showValue(expectation.kind, this.#measured(expectation));
      default:
        return String(this.#count(expectation));
    }
  }

  #count(expectation: Counted): number {
    switch (expectation.kind) {
      case "leaders":
        return this.#leaders().length;
      case "unit-active": {
        const { on } = expectation;
        return this.#activeOn(expectation.unit).reduce(
          (count, hosts) => count + (on?.filter((host) => hosts.has(host)).length ?? hosts.size),
          0,
        );
      }
      case "unit-copies":
        return Math.max(0, ...this.#activeOn(expectation.unit).map(({ size }) => size));
      case "unit-spread":
        return new Set(this.#activeOn(expectation.unit).flatMap((hosts) => [...hosts])).size;
      case "containers":
        return this.#countContainers(expectation);
      case "keys":
        return this.#countKeys(expectation);
      case "hosts-on":
        return this.#hosts.filter(
          (host) =>
            host.power === "up" &&
            host.running !== null &&
            host.slots[host.running].version === expectation.version,
        ).length;
      case "hosts-down":
        return this.#hosts.filter((host) => host.boots > 0 && host.power !== "up").length;
      case "members":
        return this.#voters().length;
      case "lock-holders":
        return this.#holders.size;
    }
  }

  /** Where each unit that matches is active. */
  #activeOn(glob: string): readonly ReadonlySet<number>[] {
    return [...this.#units].flatMap(([unit, hosts]) => (globMatches(glob, unit) ? [hosts] : []));
  }

  /** Containers of hosts that are up, each on its host. */
  #countContainers({ containers, on }: Expectation & { readonly kind: "containers" }): number {
    return this.#hosts.reduce((count, { containers: own }, node) => {
      if (own === undefined || (on !== null && !on.includes(node))) return count;
      const running = runningContainers(own.engine);
      return count + running.filter((name) => globMatches(containers, name)).length;
    }, 0);
  }

  /** Walks the store of the most advanced member only if it has changed. */
  #countKeys(expectation: Expectation & { readonly kind: "keys" }): number {
    const store = this.#hosts[this.#mostAdvanced()]?.member?.run?.stores.v2;
    if (store === undefined) return 0;
    const known = this.#keys.get(expectation);
    if (known?.store === store && known.index === store.index) return known.count;
    const { keys, holding } = expectation;
    const count = countNodes(store.root, ({ shown }) => {
      if (shown.dir === true || !globMatches(keys, shown.key)) return false;
      return holding === null || globMatches(holding, shown.value ?? "");
    });
    this.#keys.set(expectation, { store, index: store.index, count });
    return count;
  }

  /** Nodes that lead a quorum of the voters they know: they reach them, and none is in a later term. */
  #leaders(): readonly number[] {
    return this.#hosts.flatMap((host, node) => {
      const raft = host.member?.run?.node;
      if (raft?.role !== "leader" || host.etcd?.serving !== true) return [];
      const { voters } = this.#membersOf(node);
      const loyal = voters.filter(
        (voter) => (this.#hosts[voter]?.member?.run?.node.term ?? 0) <= raft.term,
      );
      return this.#reachable(node, loyal) * 2 > voters.length ? [node] : [];
    });
  }

  /** Some member reaches a quorum of the voters it knows. */
  #hasQuorum(): boolean {
    return this.#hosts.some((host, node) => {
      if (host.etcd?.serving !== true) return false;
      const { voters } = this.#membersOf(node);
      return voters.length > 0 && this.#reachable(node, voters) * 2 > voters.length;
    });
  }

  #reachable(node: number, voters: readonly number[]): number {
    return voters.filter((voter) => {
      const host = this.#hosts[voter];
      if (host?.etcd?.serving !== true) return false;
      return (
        voter === node || (!this.#network.isCut(node, voter) && !this.#network.isCut(voter, node))
      );
    }).length;
  }

  /** Voters as the most advanced member knows them. */
  #voters(): readonly number[] {
    const best = this.#mostAdvanced();
    return best < 0 ? [] : this.#membersOf(best).voters;
  }

  /** The serving member that has applied most; -1: there is none. */
  #mostAdvanced(): number {
    let best = -1;
    let applied = -1;
    for (const [node, host] of this.#hosts.entries()) {
      const index =
        host.etcd?.serving === true ? (host.member?.run?.stores.applied.index ?? -1) : -1;
      if (index > applied) {
        best = node;
        applied = index;
      }
    }
    return best;
  }

  /** Nodes of the voters one member knows; a voter without a host counts as node -1. */
  #membersOf(node: number): { readonly voters: readonly number[] } {
    const raft = this.#hosts[node]?.member?.run?.node ?? null;
    const ids = raft === null ? [] : raft.tracker.config.incoming;
    const voters = ids.map((id) => this.#hosts.findIndex((host) => host.member?.run?.id === id));
    return { voters };
  }
}

/** Whether a fact is one of those that are counted. */
function isAbout(fact: HostFact, { fact: kind, of }: Tallied): boolean {
  if (fact.kind !== kind) return false;
  return of === null || ("unit" in fact && globMatches(of, fact.unit));
}

function countNodes(node: V2Store["root"], matches: (node: V2Store["root"]) => boolean): number {
  let count = matches(node) ? 1 : 0;
  for (const child of node.children?.values() ?? []) count += countNodes(child, matches);
  return count;
}

function isMeasured(expectation: Expectation): expectation is Measured {
  return "value" in expectation;
}

/** Keys change without any fact, so an interval is looked at as often as that. */
const KEYS_EVERY: Micros = 100_000;

function looksAtKeys(when: Moment): readonly Micros[] {
  if (when.kind === "at" || when.kind === "end") return [];
  const [from, until] = when.kind === "by" ? [0, when.time] : [when.from, when.until];
  const count = Math.ceil((until - from) / KEYS_EVERY);
  return Array.from({ length: count }, (_, i) => from + i * KEYS_EVERY);
}

function momentsOf(when: Moment): readonly Micros[] {
  switch (when.kind) {
    case "by":
    case "at":
      return [when.time];
    case "throughout":
    case "sometime":
      return [when.from, when.until];
    case "end":
      return [];
  }
}
