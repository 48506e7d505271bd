import fc from "fast-check";
import { parseScenario, type Scenario } from "../../sim/index.js";
import { hostName, NEXT_RELEASE, type TimelineLine, timelines, UNITS } from "./timeline.js";
import { type Topology, topologies } from "./topology.js";

/** What of a scenario is drawn besides its topology; the rest is fixed and small. */
export interface ScenarioShape {
  readonly topology: Topology;
  /** Seconds; operators and faults are at work in the first two thirds. */
  readonly seconds: number;
  readonly electionMs: number;
  readonly snapshotCount: number;
  readonly preVote: boolean;
  readonly strategy: "etcd-lock" | "reboot" | "off";
  readonly agentTtlSeconds: number;
  readonly fleetProfile: "faithful" | "fixed";
  readonly driftPpm: number;
  /** Loss between zones, in percent. */
  readonly lossPercent: number;
  readonly timeline: readonly TimelineLine[];
}

/** How long drawn scenarios are, in simulated seconds. */
export interface ScenarioLimits {
  readonly secondsMin: number;
  readonly secondsMax: number;
}

const LIMITS: ScenarioLimits = { secondsMin: 60, secondsMax: 150 };

/** Shapes of scenarios, kept as data so that a counterexample can be read and repeated. */
export function scenarioShapes(limits: ScenarioLimits = LIMITS): fc.Arbitrary<ScenarioShape> {
  return fc
    .tuple(topologies(), fc.integer({ min: limits.secondsMin, max: limits.secondsMax }))
    .chain(([topology, seconds]) =>
      fc.record({
        topology: fc.constant(topology),
        seconds: fc.constant(seconds),
        electionMs: fc.constantFrom(1_000, 500, 2_000),
        snapshotCount: fc.constantFrom(10_000, 50, 7),
        preVote: fc.boolean(),
        strategy: fc.constantFrom("off" as const, "etcd-lock" as const, "reboot" as const),
        agentTtlSeconds: fc.constantFrom(30, 15),
        fleetProfile: fc.constantFrom("faithful" as const, "fixed" as const),
        driftPpm: fc.constantFrom(0, 200),
        lossPercent: fc.constantFrom(0, 3),
        timeline: timelines(topology, 10, Math.floor((seconds * 2) / 3)),
      }),
    );
}

/** Small scenarios: hosts boot in a second or two, a release is ten megabytes. */
export function scenarios(limits: ScenarioLimits = LIMITS): fc.Arbitrary<Scenario> {
  return scenarioShapes(limits).map(scenarioOf);
}

/** The scenario of a shape, through the same parser that reads files. */
export function scenarioOf(shape: ScenarioShape): Scenario {
  const text = JSON.stringify(documentOf(shape), null, 1);
  const parsed = parseScenario(text, { file: "drawn.yaml", readFile: noFiles });
  if (parsed.ok) return parsed.value;
  const problems = parsed.diagnostics.map((d) => `${d.code} ${d.found}, not ${d.expected}`);
  throw new Error(`a drawn scenario is refused: ${problems.join("; ")}\n${text}`);
}

const noFiles = () => ({ ok: false as const, reason: "drawn scenarios have no files" });

const TOKEN_URL = "https://discovery.etcd.io/00112233445566778899aabbccddeeff";

/** What a scenario file of this shape says. */
function documentOf(shape: ScenarioShape): unknown {
  const { topology } = shape;
  return {
    orrery: 1,
    name: "drawn",
    duration: `${shape.seconds}s`,
    etcd: {
      heartbeat: "100ms",
      election: `${shape.electionMs}ms`,
      snapshot_count: shape.snapshotCount,
      pre_vote: shape.preVote,
    },
    fleet: { agent_ttl: `${shape.agentTtlSeconds}s` },
    safeguards: { fleet_profile: shape.fleetProfile },
    ...(topology.bootstrap === "discovery"
      ? { discovery: { url: TOKEN_URL, size: topology.members } }
      : {}),
    hosts: [
      {
        group: "core",
        count: topology.hosts,
        zones: ["a", "b", "c"].slice(0, topology.zones),
        os: { version: "1000.0.0" },
        boot: "1s..2s",
        disk: { fsync: "1ms..8ms", bandwidth: "20MB/s" },
        clock: { offset: "-20ms..20ms", drift: `-${shape.driftPpm}ppm..${shape.driftPpm}ppm` },
        cloud_config: cloudConfig(shape),
      },
    ],
    releases: [{ version: NEXT_RELEASE, size: "10MB" }],
    update: {
      version: "1000.0.0",
      max_updates_per_period: 10,
      first_check: "20s..50s",
      check_every: "20s..30s",
    },
    network: {
      between_zones: { latency: "1ms..5ms", loss: `${shape.lossPercent}%`, duplicate: "1%" },
    },
    processes: { web: { stop_takes: "10ms..500ms" } },
    units: UNITS,
    timeline: shape.timeline,
  };
}

/** Addresses are those a scenario gives when it names none: 10.ZONE.0.INDEX+10. */
function cloudConfig({ topology, strategy }: ScenarioShape): string {
  const finds =
    topology.bootstrap === "discovery"
      ? `discovery: ${TOKEN_URL}`
      : `initial-cluster: ${Array.from({ length: topology.hosts }, (_, i) => `${hostName(i)}=http://10.${i % topology.zones}.0.${i + 10}:2380`).join(",")}`;
  return `#cloud-config
coreos:
  etcd2:
    ${finds}
    advertise-client-urls: http://$private_ipv4:2379
    initial-advertise-peer-urls: http://$private_ipv4:2380
    listen-client-urls: http://0.0.0.0:2379
    listen-peer-urls: http://$private_ipv4:2380
  fleet:
    public-ip: $private_ipv4
  update:
    reboot-strategy: ${strategy}
  units:
    - name: etcd2.service
      command: start
    - name: fleet.service
      command: start
`;
}
