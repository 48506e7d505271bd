import { globMatches, type NodeIndex } from "../../core/kernel/index.js";
import { excerpt, type Path, type SourceDocument } from "./document.js";
import { nearest } from "./issues.js";
import type { HostSpec } from "./scenario.js";

/** What names a scenario has, and how to say that it has not the one that was written. */
export class Names {
  readonly hosts: readonly HostSpec[];
  readonly zones: readonly string[];
  readonly releases: ReadonlySet<string>;
  readonly units: ReadonlySet<string>;
  /** Services that exist and clients, by name. */
  readonly services: ReadonlyMap<string, NodeIndex>;
  readonly #source: SourceDocument;
  readonly #byName: ReadonlyMap<string, NodeIndex>;
  readonly #groups = new Map<string, NodeIndex[]>();

  constructor(
    source: SourceDocument,
    hosts: readonly HostSpec[],
    zones: readonly string[],
    releases: ReadonlySet<string>,
    units: ReadonlySet<string>,
    services: ReadonlyMap<string, NodeIndex>,
  ) {
    this.#source = source;
    this.hosts = hosts;
    this.zones = zones;
    this.releases = releases;
    this.units = units;
    this.services = services;
    this.#byName = new Map(hosts.map((host) => [host.name, host.index]));
    for (const host of hosts) {
      const group = this.#groups.get(host.group);
      if (group === undefined) this.#groups.set(host.group, [host.index]);
      else group.push(host.index);
    }
  }

  get nodeCount(): number {
    return this.hosts.length + this.services.size;
  }

  /** One host by its name. */
  host(path: Path, name: string): NodeIndex {
    const index = this.#byName.get(name);
    if (index !== undefined) return index;
    this.unknown(path, "host", name, [...this.#byName.keys()]);
    return 0;
  }

  /** Hosts by names, groups, `zone:a`, globs and `*`; ascending, each once. */
  hostList(path: Path, written: readonly string[]): NodeIndex[] {
    return this.#nodes(path, written, false);
  }

  /** As `hostList`, with the services `discovery` and `update` and clients among the names. */
  nodeList(path: Path, written: readonly string[]): NodeIndex[] {
    return this.#nodes(path, written, true);
  }

  #nodes(path: Path, written: readonly string[], services: boolean): NodeIndex[] {
    const found = new Set<NodeIndex>();
    written.forEach((text, i) => {
      const matches = this.#matches(text, services);
      if (matches.length === 0) {
        const names = [...this.#groups.keys(), ...this.#byName.keys()];
        if (services) names.push(...this.services.keys());
        this.unknown([...path, i], "host or group", text, names);
      }
      for (const index of matches) found.add(index);
    });
    return [...found].sort((left, right) => left - right);
  }

  #matches(text: string, services: boolean): readonly NodeIndex[] {
    const service = services ? this.services.get(text) : undefined;
    if (service !== undefined) return [service];
    const host = this.#byName.get(text);
    if (host !== undefined) return [host];
    const group = this.#groups.get(text);
    if (group !== undefined) return group;
    if (text.startsWith("zone:")) {
      const zone = this.zones.indexOf(text.slice("zone:".length));
      return this.hosts.filter((each) => each.zone === zone).map((each) => each.index);
    }
    if (!text.includes("*")) return [];
    return this.hosts.filter((each) => globMatches(text, each.name)).map((each) => each.index);
  }

  release(path: Path, version: string): string {
    if (!this.releases.has(version)) {
      this.unknown(path, "release", version, [...this.releases]);
    }
    return version;
  }

  /**
   * Full unit names of what was written: `web.service`, `web@1.service` of the template
   * `web@.service`, or several at once as a shell would: `web@{1..3}.service`.
   */
  unitList(path: Path, written: readonly string[]): string[] {
    return written.flatMap((text, i) => {
      const expanded = expandBraces(text);
      if (expanded === null) {
        this.#source.report(
          [...path, i],
          "E_SCENARIO_VALUE",
          `"${excerpt(text)}"`,
          "at most 10000 units in braces such as {1..3}",
          "Write fewer at once.",
        );
        return [];
      }
      for (const name of expanded) {
        const template = name.replace(/@[^.]*\./, "@.");
        if (!this.units.has(name) && !this.units.has(template)) {
          this.unknown([...path, i], "unit", name, [...this.units]);
          break;
        }
        if (name.includes("@.")) {
          this.#source.report(
            [...path, i],
            "E_SCENARIO_VALUE",
            `the template "${excerpt(name)}"`,
            "an instance of it",
            `Name an instance, such as ${name.replace("@.", "@1.")}.`,
          );
          break;
        }
      }
      return expanded;
    });
  }

  /** Reports a name that nothing has, with the ones there are. */
  unknown(path: Path, what: string, name: string, candidates: readonly string[]): void {
    const shown = [...new Set(candidates)].slice(0, 12);
    const meant = nearest(name, candidates);
    this.#source.report(
      path,
      "E_SCENARIO_REFERENCE",
      `the ${what} "${excerpt(name)}", which the scenario does not have`,
      shown.length === 0
        ? `no ${what}: the scenario has none`
        : `one of ${shown.join(", ")}${candidates.length > shown.length ? ", …" : ""}`,
      meant === null ? "Correct the name, or add what it names." : `Did you mean "${meant}"?`,
    );
  }
}

const UNITS_AT_ONCE_MAX = 10_000;

/** `a{1..3}b` or `a{x,y}b` (once) written out; null when that is too many. */
export function expandBraces(text: string): string[] | null {
  const match = /^([^{}]*)\{([^{}]*)\}([^{}]*)$/.exec(text);
  if (match === null) return [text];
  const [, before = "", inside = "", after = ""] = match;
  const range = /^(\d{1,6})\.\.(\d{1,6})$/.exec(inside);
  if (range === null) return inside.split(",").map((item) => before + item + after);
  const low = Number(range[1]);
  const high = Number(range[2]);
  if (high - low >= UNITS_AT_ONCE_MAX) return null;
  const items: string[] = [];
  for (let i = low; i <= high; i++) items.push(`${before}${i}${after}`);
  return items;
}
