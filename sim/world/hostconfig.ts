import type { HostConfig, HostDefect } from "../../core/host/index.js";
import type { Micros } from "../../core/kernel/index.js";
import type { Span } from "../faults/plan.js";
import { isAtLeast } from "../scenario/catalogue.js";
import type { Defect, HostSpec, Scenario } from "../scenario/scenario.js";
import { imageOf } from "./registry.js";

/**
 * What a scenario says of a host, as the host machine wants it; `trace` asks for raft's events.
 * Members refuse changes of membership that endanger the quorum by default since etcd 3.1 (its NEWS
 * file).
 */
export function hostConfig(
  scenario: Scenario,
  host: HostSpec,
  seed: number,
  trace = false,
): HostConfig {
  const { safeguards, etcd, fleet, update } = scenario;
  const checks = update?.checks ?? { first: { low: 0, high: 0 }, every: { low: 0, high: 0 } };
  return {
    index: host.index,
    name: host.name,
    machineId: host.machineId,
    address: host.address,
    osVersion: host.osVersion,
    cloudConfig: host.cloudConfig,
    ...(host.oemConfig === undefined ? {} : { oemConfig: host.oemConfig }),
    metadata: host.metadata,
    directory: Object.fromEntries(scenario.hosts.map((other) => [other.address, other.index])),
    updateNode: update?.node ?? null,
    discoveryNode: scenario.discovery?.node ?? null,
    etcd: {
      heartbeat: etcd.heartbeat,
      election: etcd.election,
      snapshotCount: etcd.snapshotCount,
      preVote: safeguards.preVote,
      checkQuorum: safeguards.checkQuorum,
      strictReconfigCheck: isAtLeast(etcd.version, 3, 1),
      version: releaseOf(etcd.version),
      bugs: {
        voteNotPersisted: scenario.bugs.includes("raft-vote-not-persisted"),
        ackBeforeSync: scenario.bugs.includes("etcd-14370"),
        indexBeforeData: scenario.bugs.includes("etcd-13766"),
        defragLosesData: scenario.bugs.includes("etcd-14685"),
        compactionUnfinished: scenario.bugs.includes("etcd-17780"),
        permissionsNotRestored: scenario.bugs.includes("etcd-14571"),
        staleReads: scenario.bugs.includes("etcd-stale-read"),
        lostEvents: scenario.bugs.includes("etcd-watch-lost-event"),
      },
      trace,
    },
    fleet: {
      agentTtl: agentTtlOf(scenario),
      engineReconcile: fleet.engineReconcile,
      etcdRequestTimeout: fleet.etcdRequestTimeout,
      enableGrpc: fleet.enableGrpc,
      profile: safeguards.fleetProfile,
    },
    update: {
      track: host.updateGroup,
      firstCheck: range(checks.first),
      period: range(checks.every),
    },
    safeguards: {
      rebootHealthGate: safeguards.rebootHealthGate,
      quorumGate: safeguards.quorumGate,
      markGoodGate: safeguards.markGoodGate,
    },
    defects: Object.fromEntries(
      scenario.releases.map((release) => [release.version, release.defects.flatMap(hostDefect)]),
    ),
    ...containersOf(scenario, host, seed),
    // Hosts draw apart from each other; the world's own streams come from the seed alone.
    seed: seed * 4096 + host.index,
  };
}

/** The engines of a host; none where the scenario has no containers. */
function containersOf(
  { containers, hosts }: Scenario,
  host: HostSpec,
  seed: number,
): Pick<HostConfig, "containers"> {
  if (containers === undefined) return {};
  const { docker, flannel, images } = containers;
  const [major = 1, minor = 0] = docker.version.split(".").map(Number);
  const present = images.filter((image) => image.present);
  return {
    containers: {
      engine: {
        version: [major, minor],
        liveRestore: docker.liveRestore,
        startTakes: range(docker.startTakes),
        images: Object.fromEntries(present.map((image) => [image.name, imageOf(image)])),
        seed: seed * 4096 + host.index,
      },
      flannel: {
        watchesLease: isAtLeast(flannel, 0, 6),
        keepsPrevious: isAtLeast(flannel, 0, 7),
      },
      names: Object.fromEntries(hosts.map(({ name, index }) => [name, index])),
    },
  };
}

/** The release that stands for a line: members behave as 3.4.23 or as 3.6.16. */
function releaseOf(version: string): string {
  return isAtLeast(version, 3, 5) ? "3.6.16" : "3.4.23";
}

/** Defects that strike on the host itself; hangs and bad links are the world's. */
function hostDefect(defect: Defect): HostDefect[] {
  switch (defect.kind) {
    case "crash":
    case "crash-peers":
      return [
        {
          kind: defect.kind,
          target: defect.process,
          after: range(defect.after),
          code: defect.code,
        },
      ];
    case "exit":
      return [{ kind: "exit", target: defect.unit, after: range(defect.after), code: defect.code }];
    case "panic-on-boot":
      return [{ kind: "panic-on-boot", after: range(defect.after) }];
    case "hang-on-boot":
    case "network":
      return [];
  }
}

/** fleet's `agent_ttl` as this run has it. */
export function agentTtlOf({ safeguards, fleet }: Scenario): Micros {
  return safeguards.agentTtl > 0 ? safeguards.agentTtl : fleet.agentTtl;
}

function range(span: Span): readonly [number, number] {
  return [span.low, span.high];
}
