import { type Bytes, MILLISECOND, MINUTE, type Micros } from "../kernel/index.js";
import type { BackendContent } from "./backend-rows.js";
import { type EtcdProfile, profileOf } from "./profile.js";

/** --quota-backend-bytes unless told otherwise; a negative one switches the quota off. */
const QUOTA_BYTES: Bytes = 2 * 1024 * 1024 * 1024;

/** --max-request-bytes unless told otherwise. */
const REQUEST_BYTES_MAX: Bytes = 1.5 * 1024 * 1024;

/** A member that a cluster begins with. */
export interface InitialMember {
  readonly name: string;
  readonly peerUrls: readonly string[];
}

/** Defects a member can be told to have. All off unless named. */
export interface EtcdBugs {
  /** Answers vote requests before, and never writes, whom it voted for: it may vote twice in a term. */
  readonly voteNotPersisted?: boolean;
  /** Goes on as if a write were on disk as soon as it was asked for (etcd #14370 is of this kind). */
  readonly ackBeforeSync?: boolean;
  /**
   * Commits the index of the entry it is applying before what the entry changes: a crash within 100 ms loses
   * that entry, here alone (etcd #13766, 3.5.0 to 3.5.2).
   */
  readonly indexBeforeData?: boolean;
  /**
   * Defragmenting commits the index, and not what was applied in the 100 ms before: a crash within 100 ms loses
   * those entries, here alone (etcd #14685).
   */
  readonly defragLosesData?: boolean;
  /**
   * A crash within 100 ms of a compaction that leaves nothing of the newest revision takes the revision back to
   * that of the newest row (etcd #17780).
   */
  readonly compactionUnfinished?: boolean;
  /** Goes on with the permissions it knew before its leader sent it a snapshot (etcd #14571). */
  readonly permissionsNotRestored?: boolean;
}

/** Settings of one etcd process, with etcd's names. Absent options have etcd 3.4's defaults. */
export interface EtcdConfig {
  readonly name: string;
  /** Seeds election timeouts, apart from every other member's. */
  readonly seed: number;
  /** `new` begins the initial cluster; `existing` joins one that has already added this member. */
  readonly clusterState: "new" | "existing";
  /** Everyone, this member included. */
  readonly initialCluster: readonly InitialMember[];
  /** Default `etcd-cluster`. */
  readonly clusterToken?: string;
  /**
   * Ids (16 hex digits) when `existing`: what the member would learn by asking a peer for the
   * members of the cluster.
   */
  readonly existing?: ExistingCluster;
  /** Begins a new cluster with this data, as a member restored by `etcdctl snapshot restore` does. */
  readonly restore?: BackendContent;
  /** Default: `http://NAME:2379`. */
  readonly clientUrls?: readonly string[];
  /** Default 3.4.23. */
  readonly version?: string;
  /** --heartbeat-interval; default 100 ms. */
  readonly tick?: Micros;
  /** --election-timeout in ticks; default 10. */
  readonly electionTicks?: number;
  readonly heartbeatTicks?: number;
  /** Default: as the version has it. */
  readonly preVote?: boolean;
  readonly checkQuorum?: boolean;
  /** Applied entries between snapshots; default 10,000 (etcd 3.4 has 100,000, before and since 10,000). */
  readonly snapshotCount?: number;
  /** Entries kept in memory behind a snapshot for slow followers; default 5,000. */
  readonly catchUpEntries?: number;
  readonly maxInflight?: number;
  /** Default true: refuse changes of membership that would endanger the quorum. */
  readonly strictReconfigCheck?: boolean;
  /** --experimental-watch-progress-notify-interval; default 10 minutes, at least 100 ms. */
  readonly watchProgressInterval?: Micros;
  /** --experimental-enable-lease-checkpoint; default false. */
  readonly leaseCheckpoint?: boolean;
  /** --experimental-enable-lease-checkpoint-persist; default false. Since 3.6 it is always on. */
  readonly leaseCheckpointPersist?: boolean;
  /** Default 5 minutes. */
  readonly leaseCheckpointInterval?: Micros;
  /** Single ways of behaving that differ from those of the version's line. */
  readonly quirks?: Partial<EtcdProfile>;
  /** --quota-backend-bytes; default 2 GiB, which 0 stands for too; no quota if negative. */
  readonly quotaBytes?: Bytes;
  /** --max-request-bytes; default 1.5 MiB. */
  readonly requestBytesMax?: Bytes;
  readonly bugs?: EtcdBugs;
  /** Raft's events as facts (`RaftConfig.trace`); default false. */
  readonly trace?: boolean;
}

/** A cluster as a peer describes it to a member that was added to it. */
export interface ExistingCluster {
  readonly memberId: string;
  readonly clusterId: string;
  /** Where its members are; needed until the log or a snapshot says it. */
  readonly members?: readonly { readonly id: string; readonly peerUrls: readonly string[] }[];
}

/** Settings with every default in place. */
export type ResolvedEtcdConfig = Required<
  Omit<EtcdConfig, "existing" | "restore" | "bugs" | "quirks">
> & {
  readonly existing: ExistingCluster | null;
  readonly restore: BackendContent | null;
  readonly bugs: Required<EtcdBugs>;
  readonly profile: EtcdProfile;
};

/** Fills in defaults. */
export function resolveEtcdConfig(config: EtcdConfig): ResolvedEtcdConfig {
  const version = config.version ?? "3.4.23";
  const profile = { ...profileOf(version), ...config.quirks };
  return {
    profile,
    name: config.name,
    seed: config.seed,
    clusterState: config.clusterState,
    initialCluster: config.initialCluster,
    clusterToken: config.clusterToken ?? "etcd-cluster",
    existing: config.existing ?? null,
    restore: config.restore ?? null,
    clientUrls: config.clientUrls ?? [`http://${config.name}:2379`],
    version,
    tick: config.tick ?? 100_000,
    electionTicks: config.electionTicks ?? 10,
    heartbeatTicks: config.heartbeatTicks ?? 1,
    preVote: config.preVote ?? profile.preVote,
    checkQuorum: config.checkQuorum ?? true,
    snapshotCount: config.snapshotCount ?? 10_000,
    catchUpEntries: config.catchUpEntries ?? 5_000,
    maxInflight: config.maxInflight ?? 512,
    strictReconfigCheck: config.strictReconfigCheck ?? true,
    watchProgressInterval: Math.max(config.watchProgressInterval ?? 10 * MINUTE, 100 * MILLISECOND),
    leaseCheckpoint: config.leaseCheckpoint ?? false,
    leaseCheckpointPersist: config.leaseCheckpointPersist ?? false,
    leaseCheckpointInterval: config.leaseCheckpointInterval ?? 5 * MINUTE,
    quotaBytes: config.quotaBytes || QUOTA_BYTES,
    requestBytesMax: config.requestBytesMax ?? REQUEST_BYTES_MAX,
    bugs: {
      voteNotPersisted: config.bugs?.voteNotPersisted ?? false,
      ackBeforeSync: config.bugs?.ackBeforeSync ?? false,
      indexBeforeData: config.bugs?.indexBeforeData ?? false,
      defragLosesData: config.bugs?.defragLosesData ?? false,
      compactionUnfinished: config.bugs?.compactionUnfinished ?? false,
      permissionsNotRestored: config.bugs?.permissionsNotRestored ?? false,
    },
    trace: config.trace ?? false,
  };
}
