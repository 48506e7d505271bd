import type { Micros } from "../../core/kernel/index.js";

/** Deliberate protocol bugs the simulator can be told to have: name to what is wrong. */
export const BUGS = {
  "raft-vote-not-persisted": "a vote is answered without being synced, so a crash forgets it",
  "etcd-14370":
    "writes count as on disk before they are synced, so a crash loses what was answered",
  "etcd-13766":
    "the database says an entry was applied before it holds what the entry changes, so a crash loses it on one member",
  "etcd-14685":
    "a crash soon after a defragmentation loses on one member what was applied before it",
  "etcd-17780":
    "a crash soon after a compaction that leaves nothing of the newest revision takes the revision back",
  "etcd-14571":
    "a member that catches up by a snapshot goes on with the permissions it knew before",
  "etcd-stale-read": "a linearizable read is answered from the member's own store",
  "etcd-watch-lost-event": "one event in 64 does not reach a watch",
} as const;

export type BugName = keyof typeof BUGS;

/** Which of fleet's behaviours to model: with its bugs, as its documentation has it, or as it should have been. */
export type FleetProfile = "faithful" | "documented" | "fixed";

/**
 * Named switches that make a cluster safer than the real one was. All off is history; one on is
 * its counterfactual.
 */
export interface Safeguards {
  /** The reboot lock is given back only when the rebooted host's etcd member is healthy again. */
  readonly rebootHealthGate: boolean;
  /** The reboot lock is granted only while the cluster would keep a quorum without the host. */
  readonly quorumGate: boolean;
  /** A new slot is marked good only if etcd is healthy and systemd never had to restart it; else the host falls back. */
  readonly markGoodGate: boolean;
  /** A dead member is removed before its replacement is added. */
  readonly removeBeforeAdd: boolean;
  /** etcd's `--pre-vote`: by default as `etcd.version` has it. */
  readonly preVote: boolean;
  /** Raft's CheckQuorum, which etcd has no flag for: by default as `etcd.version` has it. */
  readonly checkQuorum: boolean;
  readonly fleetProfile: FleetProfile;
  /** Most hosts that may hold the reboot lock at once. */
  readonly maxReboots: number;
  /** fleet's `agent_ttl` on every host; 0: as the scenario's `fleet.agent_ttl` has it. */
  readonly agentTtl: Micros;
}

/** Names as scenario files and flags have them, and what each does. */
export const SAFEGUARDS = {
  reboot_health_gate: "the reboot lock is given back only when the host's etcd member is healthy",
  quorum_gate: "the reboot lock is granted only while a quorum would remain",
  mark_good_gate:
    "a new slot is marked good only if the host's etcd is healthy and never had to be restarted",
  remove_before_add: "a dead member is removed before its replacement is added",
  pre_vote: "etcd's --pre-vote",
  check_quorum: "a leader steps down without a quorum, and followers of a live one take no votes",
  fleet_profile: "faithful, documented or fixed",
  max_reboots: "most hosts that may hold the reboot lock at once",
  agent_ttl: "how long fleet may hear nothing of a machine before it gives its units away",
} as const;

export type SafeguardName = keyof typeof SAFEGUARDS;

/** As the real system was. Its election settings depend on its version: `electionDefaults`. */
export const NO_SAFEGUARDS: Omit<Safeguards, "preVote" | "checkQuorum"> = {
  rebootHealthGate: false,
  quorumGate: false,
  markGoodGate: false,
  removeBeforeAdd: false,
  fleetProfile: "faithful",
  maxReboots: 1,
  agentTtl: 0,
};

/**
 * How the members of this version elect: CheckQuorum is set since 3.0 (before, only with
 * `--experimental-v3demo`), PreVote by default since 3.5 (etcdserver/raft.go of the versions).
 */
export function electionDefaults(version: string): Pick<Safeguards, "preVote" | "checkQuorum"> {
  return { preVote: isAtLeast(version, 3, 5), checkQuorum: isAtLeast(version, 3, 0) };
}

/** `3.4` or `3.4.23` against a major and minor version. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split(".").map(Number);
  return first > major || (first === major && second >= minor);
}
