import type { Diagnostic, NodeIndex, Parsed } from "../../core/kernel/index.js";
import { electionDefaults, NO_SAFEGUARDS, type Safeguards } from "./catalogue.js";
import { checkUnitFile } from "./check-texts.js";
import type { ContainersSpec } from "./containers.js";
import { type Path, SourceDocument } from "./document.js";
import { Includes, type ReadFile } from "./include.js";
import { reportIssues } from "./issues.js";
import { Names } from "./names.js";
import { resolveClients, seatClients } from "./resolve-clients.js";
import { resolveContainers, resolveUsers } from "./resolve-containers.js";
import { resolveExpectations } from "./resolve-expect.js";
import { resolveFaults } from "./resolve-faults.js";
import { resolveHosts } from "./resolve-hosts.js";
import { resolveTimeline } from "./resolve-timeline.js";
import {
  type Counterfactual,
  type DiscoverySpec,
  type Expectation,
  type LinkSpec,
  type NetworkSpec,
  type ProcessSpec,
  type Release,
  SCENARIO_VERSION,
  type Scenario,
  type UnitSpec,
  type UpdateSpec,
} from "./scenario.js";
import {
  type RawOtherwise,
  type RawSafeguards,
  type RawScenario,
  scenarioSchema,
} from "./schema.js";
import { checkText, FILE_BYTES_MAX } from "./text.js";

export interface ParseOptions {
  /** Name of the file in diagnostics. */
  readonly file: string;
  /** Reads included files; without it a scenario that includes any is refused. */
  readonly readFile?: ReadFile;
  /** Names of the invariants there are; without them any name is taken. */
  readonly invariants?: readonly string[];
}

/**
 * Parses a scenario file. The result is fully resolved; problems come with their place in the
 * text, several at once, and never as an exception.
 */
export function parseScenario(text: string, options: ParseOptions): Parsed<Scenario> {
  const { file } = options;
  if (text.length > FILE_BYTES_MAX) {
    const found = `${text.length} characters`;
    return refuse(file, "E_FILE_TOO_LARGE", found, `at most ${FILE_BYTES_MAX}`, "Split it up.");
  }
  const checked = checkText(text, file);
  if (!checked.ok) return checked;
  if (text.trim() === "") {
    const advice = "Start with `orrery: 1`; see the scenarios that come with Orrery.";
    return refuse(file, "E_SCENARIO_EMPTY", "an empty file", "a scenario", advice);
  }
  const source = new SourceDocument(text, file);
  const values = source.values();
  if (source.problems.length > 0) return { ok: false, diagnostics: source.problems };
  if (values === null || values === undefined) {
    const advice = "Start with `orrery: 1`; see the scenarios that come with Orrery.";
    return refuse(file, "E_SCENARIO_EMPTY", "a file without values", "a scenario", advice);
  }
  const raw = scenarioSchema.safeParse(values);
  if (!raw.success) {
    reportIssues(source, values, raw.error.issues);
    return { ok: false, diagnostics: inOrder(source.problems) };
  }
  const warnings: Diagnostic[] = [];
  const scenario = resolve(source, raw.data, options, warnings);
  if (source.problems.length > 0) {
    return { ok: false, diagnostics: inOrder([...source.problems, ...warnings]) };
  }
  return { ok: true, value: scenario, warnings: inOrder(warnings) };
}

function resolve(
  source: SourceDocument,
  raw: RawScenario,
  options: ParseOptions,
  warnings: Diagnostic[],
): Scenario {
  const noFiles: ReadFile = () => ({ ok: false, reason: "no files can be read here" });
  const includes = new Includes(source, options.readFile ?? noFiles);
  const { hosts, zones } = resolveHosts(source, raw, includes, warnings);
  const releases = resolveReleases(source, raw);
  const units = resolveUnits(source, ["units"], raw.units, includes);
  const services = new Map<string, NodeIndex>();
  const discovery = resolveDiscovery(raw, hosts.length, services);
  const update = resolveUpdate(raw, hosts.length + services.size, services);
  const containers = resolveContainers(
    source,
    raw.containers,
    hosts.length + services.size,
    services,
  );
  const firstClient = hosts.length + services.size;
  const others = new Map(services);
  seatClients(raw.clients).forEach(({ name }, i) => {
    others.set(name, firstClient + i);
  });
  const names = new Names(
    source,
    hosts,
    zones,
    new Set(releases.map((release) => release.version)),
    new Set(units.map((unit) => unit.name)),
    others,
  );
  const clients = resolveClients(source, raw.clients, names, raw.duration, firstClient);
  if (update !== null) names.release(["update", "version"], raw.update?.version ?? "");
  warnOfDiscovery(source, raw, hosts, discovery, warnings);
  const safeguards = resolveSafeguards(source, raw);
  const expectations = (path: Path, entries: RawScenario["expect"]): Expectation[] =>
    resolveExpectations(source, path, entries, {
      names,
      duration: raw.duration,
      probed: raw.probe !== undefined,
      used: raw.users !== undefined,
      invariants: options.invariants,
    });
  const otherwise = (path: Path, other: RawOtherwise): Counterfactual => ({
    about: other.about.trim(),
    safeguards: withGiven(safeguards, other.safeguards ?? {}),
    ...otherDocker(source, [...path, "containers"], other, containers),
    ...otherUnits(source, [...path, "units"], other, units, includes),
    expect: expectations([...path, "expect"], other.expect),
  });
  const { counterfactual } = raw;
  return {
    orrery: SCENARIO_VERSION,
    name: raw.name,
    about: raw.about.trim(),
    source: raw.source,
    assumptions: raw.assumptions,
    duration: raw.duration,
    etcd: {
      version: raw.etcd.version,
      heartbeat: raw.etcd.heartbeat,
      election: raw.etcd.election,
      snapshotCount: raw.etcd.snapshot_count,
      fidelity: raw.etcd.fidelity,
    },
    fleet: {
      agentTtl: raw.fleet.agent_ttl,
      engineReconcile: raw.fleet.engine_reconcile_interval,
      etcdRequestTimeout: raw.fleet.etcd_request_timeout,
      enableGrpc: raw.fleet.enable_grpc,
    },
    discovery,
    zones,
    hosts,
    releases,
    update,
    network: resolveNetwork(raw, names),
    processes: resolveProcesses(raw, names),
    units,
    ...(containers === null ? {} : { containers }),
    ...resolveUsers(source, raw.users, names, containers),
    timeline: resolveTimeline(source, raw.timeline, names, raw.duration, update),
    faults: resolveFaults(source, raw.faults, names, raw.duration),
    safeguards,
    bugs: [...new Set(raw.bugs)].sort(),
    clients,
    probe: raw.probe ?? null,
    expect: expectations(["expect"], raw.expect),
    counterfactual:
      counterfactual === undefined ? null : otherwise(["counterfactual"], counterfactual),
    variants: Object.fromEntries(
      Object.entries(raw.variants).map(([name, variant]) => [
        name,
        otherwise(["variants", name], variant),
      ]),
    ),
  };
}

function resolveDiscovery(
  raw: RawScenario,
  node: NodeIndex,
  services: Map<string, NodeIndex>,
): DiscoverySpec | null {
  if (raw.discovery === undefined) return null;
  services.set("discovery", node);
  const { url, size } = raw.discovery;
  return { node, url, token: url.slice(url.lastIndexOf("/") + 1), size };
}

function resolveUpdate(
  raw: RawScenario,
  node: NodeIndex,
  services: Map<string, NodeIndex>,
): UpdateSpec | null {
  const update = raw.update;
  if (update === undefined) return null;
  services.set("update", node);
  return {
    node,
    group: update.group,
    channel: update.channel,
    channels: [{ channel: update.channel, version: update.version }],
    policy: {
      enabled: update.enabled ?? true,
      maxUpdatesPerPeriod: update.max_updates_per_period ?? 999_999,
      period: update.period ?? 60_000_000,
      updateTimeout: update.update_timeout ?? 3_600_000_000,
      safeMode: update.safe_mode ?? false,
      officeHours: update.office_hours ?? false,
    },
    checks: { first: update.first_check, every: update.check_every },
  };
}

function resolveReleases(source: SourceDocument, raw: RawScenario): Release[] {
  const releases = new Map<string, Release>();
  raw.releases.forEach((release, i) => {
    if (releases.has(release.version)) {
      const found = `release ${release.version} a second time`;
      const path = ["releases", i, "version"];
      source.report(path, "E_SCENARIO_DUPLICATE", found, "each release once", "Merge the two.");
    }
    const defects = release.defects.map((defect): Release["defects"][number] =>
      defect.kind === "network"
        ? { kind: "network", lossPpm: defect.loss, delay: defect.delay }
        : defect,
    );
    releases.set(release.version, {
      version: release.version,
      size: release.size,
      etcd: release.etcd ?? null,
      defects,
    });
  });
  for (const { os } of raw.hosts) {
    if (releases.has(os.version)) continue;
    releases.set(os.version, { version: os.version, size: 300_000_000, etcd: null, defects: [] });
  }
  return [...releases.values()];
}

function resolveUnits(
  source: SourceDocument,
  at: Path,
  raw: RawScenario["units"],
  includes: Includes,
): UnitSpec[] {
  return Object.entries(raw).map(([name, unit]) => {
    const path: Path = [...at, name];
    const inline = typeof unit === "string";
    const text = inline ? unit : includes.file([...path, "file"], unit.file);
    if (text !== null) checkUnitFile(source, inline ? path : [...path, "file"], text);
    return { name, text: text ?? "" };
  });
}

/** Docker as a variant has it. */
function otherDocker(
  source: SourceDocument,
  path: Path,
  { containers: raw }: RawOtherwise,
  containers: ContainersSpec | null,
): Pick<Counterfactual, "docker"> {
  if (raw === undefined) return {};
  if (containers === null) {
    const found = "containers of a variant";
    const advice = "Add `containers:` to the scenario.";
    source.report(path, "E_SCENARIO_REFERENCE", found, "a scenario with containers", advice, "key");
    return {};
  }
  const { docker } = containers;
  const version = raw.docker ?? docker.version;
  return { docker: { ...docker, version, liveRestore: raw.live_restore ?? docker.liveRestore } };
}

/** Unit files of a variant: each takes the place of one that the scenario has. */
function otherUnits(
  source: SourceDocument,
  path: Path,
  other: RawOtherwise,
  units: readonly UnitSpec[],
  includes: Includes,
): Pick<Counterfactual, "units"> {
  const known = units.map(({ name }) => name);
  const { safeguards, containers } = other;
  if (
    safeguards === undefined &&
    containers === undefined &&
    Object.keys(other.units).length === 0
  ) {
    const expected = "safeguards, containers or units, by which it differs";
    source.report(path.slice(0, -1), "E_SCENARIO_MISSING_KEY", "neither", expected, "Add one.");
  }
  for (const name of Object.keys(other.units)) {
    if (known.includes(name)) continue;
    const expected = known.length === 0 ? "no units to replace" : `one of ${known.join(", ")}`;
    const advice = "Declare it under `units` of the scenario too.";
    source.report([...path, name], "E_SCENARIO_REFERENCE", `unit ${name}`, expected, advice, "key");
  }
  const replaced = resolveUnits(source, path, other.units, includes);
  return replaced.length === 0 ? {} : { units: replaced };
}

function resolveProcesses(raw: RawScenario, names: Names): ProcessSpec[] {
  const processes = Object.entries(raw.processes).map(
    ([match, process]): ProcessSpec => ({
      match,
      readyAfter: process.ready_after,
      exits: process.exits === "never" ? null : process.exits,
      stopTakes: process.stop_takes === "never" ? null : process.stop_takes,
      ...(process.hosts === undefined
        ? {}
        : { hosts: names.hostList(["processes", match, "hosts"], process.hosts) }),
    }),
  );
  processes.push({
    match: "*",
    readyAfter: { low: 0, high: 0 },
    exits: null,
    stopTakes: { low: 10_000, high: 10_000 },
  });
  return processes;
}

type RawLink = RawScenario["network"]["default"];

function resolveNetwork(raw: RawScenario, names: Names): NetworkSpec {
  const link = ({ latency, loss, duplicate, bandwidth }: RawLink): LinkSpec => ({
    latency,
    lossPpm: loss,
    duplicatePpm: duplicate,
    bandwidth: bandwidth ?? null,
  });
  const zone = (i: number, side: number, name: string): number => {
    const index = names.zones.indexOf(name);
    if (index < 0)
      names.unknown(["network", "links", i, "between", side], "zone", name, names.zones);
    return index;
  };
  const { network } = raw;
  return {
    default: link(network.default),
    betweenZones: link(network.between_zones ?? network.default),
    services: link(network.services),
    clients: link(network.clients ?? network.default),
    links: network.links.map((entry, i) => {
      const ends = [zone(i, 0, entry.between[0]), zone(i, 1, entry.between[1])] as const;
      return { zones: [Math.min(...ends), Math.max(...ends)], link: link(entry) };
    }),
  };
}

function resolveSafeguards(source: SourceDocument, raw: RawScenario): Safeguards {
  const { etcd } = raw;
  const settings = { pre_vote: "etcd's --pre-vote", check_quorum: "Raft's CheckQuorum" } as const;
  for (const key of ["pre_vote", "check_quorum"] as const) {
    if (raw.safeguards[key] === undefined || etcd[key] === undefined) continue;
    source.report(
      ["safeguards", key],
      "E_SCENARIO_DUPLICATE",
      `${key} here and under etcd`,
      "one of them",
      `Both mean ${settings[key]}.`,
      "key",
    );
  }
  const defaults = electionDefaults(etcd.version);
  const preVote = etcd.pre_vote ?? defaults.preVote;
  const checkQuorum = etcd.check_quorum ?? defaults.checkQuorum;
  return withGiven({ ...NO_SAFEGUARDS, preVote, checkQuorum }, raw.safeguards);
}

function withGiven(base: Safeguards, given: RawSafeguards): Safeguards {
  return {
    rebootHealthGate: given.reboot_health_gate ?? base.rebootHealthGate,
    quorumGate: given.quorum_gate ?? base.quorumGate,
    markGoodGate: given.mark_good_gate ?? base.markGoodGate,
    removeBeforeAdd: given.remove_before_add ?? base.removeBeforeAdd,
    preVote: given.pre_vote ?? base.preVote,
    checkQuorum: given.check_quorum ?? base.checkQuorum,
    fleetProfile: given.fleet_profile ?? base.fleetProfile,
    maxReboots: given.max_reboots ?? base.maxReboots,
    agentTtl: given.agent_ttl ?? base.agentTtl,
  };
}

const DISCOVERY_URL = /https?:\/\/[^\s/"']+\/[0-9a-f]{32}\b/g;

/** A token nobody made is a mistake often made, and sometimes the very thing to be simulated. */
function warnOfDiscovery(
  source: SourceDocument,
  raw: RawScenario,
  hosts: Scenario["hosts"],
  discovery: DiscoverySpec | null,
  warnings: Diagnostic[],
): void {
  raw.hosts.forEach((group, i) => {
    const text =
      hosts.find((host) => host.group === (group.group ?? group.name))?.cloudConfig ?? "";
    for (const [url] of text.matchAll(DISCOVERY_URL)) {
      if (url === discovery?.url) continue;
      warnings.push({
        code: "E_SCENARIO_REFERENCE",
        severity: "warning",
        position: source.position(["hosts", i, "cloud_config"]),
        found: `the discovery URL ${url}`,
        expected: discovery === null ? "no discovery service" : discovery.url,
        advice: "Hosts with a token the service does not know never form a cluster.",
      });
    }
  });
  const present = hosts.filter((host) => host.present).length;
  if (discovery !== null && discovery.size > present) {
    warnings.push({
      code: "E_SCENARIO_VALUE",
      severity: "warning",
      position: source.position(["discovery", "size"]),
      found: `size ${discovery.size} with ${present} hosts`,
      expected: `at most ${present}`,
      advice: "The cluster waits until that many hosts have registered.",
    });
  }
}

function inOrder(problems: readonly Diagnostic[]): Diagnostic[] {
  return [...problems].sort(
    (left, right) =>
      left.position.line - right.position.line || left.position.column - right.position.column,
  );
}

function refuse(
  file: string,
  code: Diagnostic["code"],
  found: string,
  expected: string,
  advice: string,
): Parsed<never> {
  const position = { file, line: 1, column: 1 };
  return {
    ok: false,
    diagnostics: [{ code, severity: "error", position, found, expected, advice }],
  };
}
