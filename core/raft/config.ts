import type { Bytes } from "../kernel/index.js";
import { raftPanic } from "./errors.js";
import { isLocalTarget, type LogIndex, NO_LIMIT, NONE, type RaftId } from "./types.js";

/**
 * How reads are confirmed: `safe` asks a quorum each time, `lease-based` trusts that clocks do not
 * drift more than the election timeout allows, and needs `checkQuorum`.
 */
export type ReadOnlyOption = "safe" | "lease-based";

/** Settings of a member, with etcd's names and meanings. Absent options are off or without limit. */
export interface RaftConfig {
  readonly id: RaftId;
  /** Ticks without word from a leader after which a member campaigns, at the least. */
  readonly electionTick: number;
  readonly heartbeatTick: number;
  /** Encoded size of the entries of one append. 0 means one entry an append. */
  readonly maxSizePerMsg: Bytes;
  readonly maxInflightMsgs: number;
  /** Payload in flight to one peer; at least `maxSizePerMsg`. */
  readonly maxInflightBytes?: Bytes;
  /** Encoded size of what is handed out for application and not applied yet. Default: `maxSizePerMsg`. */
  readonly maxCommittedSizePerReady?: Bytes;
  /** Payload of a leader's uncommitted entries. */
  readonly maxUncommittedEntriesSize?: Bytes;
  /** Last index the application has applied, when it restarts. */
  readonly applied?: LogIndex;
  readonly asyncStorageWrites?: boolean;
  readonly checkQuorum?: boolean;
  readonly preVote?: boolean;
  readonly readOnlyOption?: ReadOnlyOption;
  readonly disableProposalForwarding?: boolean;
  readonly disableConfChangeValidation?: boolean;
  readonly stepDownOnRemoval?: boolean;
  /** Emits a `raft.trace` fact for every event that etcd's TLA+ specification validates (`trace.ts`). */
  readonly trace?: boolean;
}

/** Settings with every default in place. */
export type ResolvedConfig = Required<RaftConfig>;

/**
 * Checks settings and fills in defaults, as etcd's Config.validate.
 *
 * @throws RaftPanic with etcd's text if they cannot work
 */
export function resolveConfig(config: RaftConfig): ResolvedConfig {
  const { id, electionTick, heartbeatTick, maxSizePerMsg, maxInflightMsgs } = config;
  const maxInflightBytes = config.maxInflightBytes ?? 0;
  const readOnlyOption = config.readOnlyOption ?? "safe";
  const checkQuorum = config.checkQuorum ?? false;
  if (id === NONE) raftPanic("cannot use none as id");
  if (isLocalTarget(id)) raftPanic("cannot use local target as id");
  if (heartbeatTick <= 0) raftPanic("heartbeat tick must be greater than 0");
  if (electionTick <= heartbeatTick) {
    raftPanic("election tick must be greater than heartbeat tick");
  }
  if (maxInflightMsgs <= 0) raftPanic("max inflight messages must be greater than 0");
  if (maxInflightBytes !== 0 && maxInflightBytes < maxSizePerMsg) {
    raftPanic("max inflight bytes must be >= max message size");
  }
  if (readOnlyOption === "lease-based" && !checkQuorum) {
    raftPanic("CheckQuorum must be enabled when ReadOnlyOption is ReadOnlyLeaseBased");
  }
  return {
    id,
    electionTick,
    heartbeatTick,
    maxSizePerMsg,
    maxInflightMsgs,
    maxInflightBytes: maxInflightBytes === 0 ? NO_LIMIT : maxInflightBytes,
    maxCommittedSizePerReady: config.maxCommittedSizePerReady || maxSizePerMsg,
    maxUncommittedEntriesSize: config.maxUncommittedEntriesSize || NO_LIMIT,
    applied: config.applied ?? 0,
    asyncStorageWrites: config.asyncStorageWrites ?? false,
    checkQuorum,
    preVote: config.preVote ?? false,
    readOnlyOption,
    disableProposalForwarding: config.disableProposalForwarding ?? false,
    disableConfChangeValidation: config.disableConfChangeValidation ?? false,
    stepDownOnRemoval: config.stepDownOnRemoval ?? false,
    trace: config.trace ?? false,
  };
}
