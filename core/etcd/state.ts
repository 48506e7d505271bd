import type { ArmTimer, Generator, Micros } from "../kernel/index.js";
import type { LogIndex, RaftId, RawNode, Ready, Term } from "../raft/index.js";
import type { Applier } from "./alarm.js";
import type { AuthenticateRequest } from "./auth-api.js";
import type { Tokens } from "./auth-token.js";
import type { LeaseId } from "./client.js";
import type { ClusterRequest } from "./cluster-api.js";
import { type EtcdConfig, type ResolvedEtcdConfig, resolveEtcdConfig } from "./config.js";
import { createDisk, type Disk } from "./disk.js";
import type { EtcdRole, EtcdStimulus } from "./events.js";
import type { LeaseCalls } from "./lease-calls.js";
import type { LogData } from "./log-data.js";
import type { MaintenanceRequest } from "./maintenance-api.js";
import type { Moments } from "./moments.js";
import type { StoreImage, Stores } from "./snapshot.js";
import type { RangeRequest, TxnRequest, V3Failure, V3Request } from "./v3-api.js";
import type { WatchHub } from "./watch.js";

/** Who gets a reply: a client of this member, or another member that passed a request on. */
export interface Asker {
  /** Of the client's request, or of the other member's. */
  readonly id: number;
  /** The client; "" for a member. */
  readonly client: string;
  /** The member; 0 for a client. */
  readonly peer: RaftId;
  /** Whether the client would rather hear nothing than something from a member without a leader. */
  readonly requireLeader?: boolean;
  /** With what the client has logged in; "" for one that has not, and for a member. */
  readonly token: string;
}

/** A request of this member's own that waits to be applied (or answered by the leader). */
export interface PendingRequest {
  /** null for what the member asked for itself. */
  asker: Asker | null;
  readonly purpose: "v2" | "v3" | "publish" | "cluster-version" | "lease" | "alarm";
  readonly since: Micros;
  readonly deadline: Micros;
  /** Where more is to be done than telling the asker what came of it. */
  readonly after?: AfterApply;
}

export type AfterApply =
  /** The password was right at this revision of the auth store: if that is another now, it is looked at again. */
  | { readonly kind: "login"; readonly request: AuthenticateRequest; readonly revision: number }
  /** The asker is told this whatever comes of it, and even if nothing does. */
  | { readonly kind: "tell"; readonly answer: V3Failure }
  /** Whoever waits for another request of this member's is told what came of that. */
  | { readonly kind: "release"; readonly request: number; readonly answer: V3Failure };

/** A proposal that waits for a leader to be known, as etcd's node does not take it before. */
export interface UnsentProposal {
  readonly data: LogData;
}

/** What needs to be as new as the moment it was asked: a range, a transaction of ranges only, and the like. */
export type ReadRequest = RangeRequest | TxnRequest | HeldRequest;

/** What a member goes on with when it has caught up, rather than answering it from its key space. */
export type HeldRequest =
  | AuthenticateRequest
  | Extract<MaintenanceRequest, { readonly op: "downgrade" }>
  | Extract<ClusterRequest, { readonly op: "member-list" }>;

/** A linearizable read. */
export interface WaitingRead {
  asker: Asker | null;
  readonly request: ReadRequest;
  readonly deadline: Micros;
}

/** The round of reads that asks for an index, and those that wait for the next round. */
export interface Reads {
  current: {
    readonly id: number;
    askedAt: Micros;
    /** Known once a quorum has confirmed the leader. */
    index: LogIndex | null;
    waiting: WaitingRead[];
  } | null;
  next: WaitingRead[];
}

/** What a client said before the member served clients. */
export type HeldStimulus = Extract<
  EtcdStimulus,
  { readonly kind: "client-request" | "client-message" | "client-flow" }
>;

/** What only a running process has. */
export interface Running {
  readonly id: RaftId;
  /** In hex, as `clusterId`. */
  readonly memberId: string;
  readonly clusterId: string;
  node: RawNode<LogData, StoreImage>;
  stores: Stores;
  /** Index of the last snapshot that was begun. */
  snapshotIndex: LogIndex;
  /** The Ready whose records are on their way to disk, up to record `token`; null while none is. */
  saving: {
    readonly token: number;
    readonly ready: Ready<LogData, StoreImage>;
    /** Whether its messages have left already: a leader's do, in parallel with the write. */
    readonly sent: boolean;
    readonly since: Micros;
  } | null;
  /** Record of the snapshot on its way to disk, after which the log is shortened to `compactTo`. */
  snapshotting: { readonly token: number; readonly compactTo: LogIndex } | null;
  /** By request number, oldest first. */
  requests: Map<number, PendingRequest>;
  unsent: UnsentProposal[];
  nextRequest: number;
  reads: Reads;
  /** Requests to go on with at the end of the step: the member has caught up with their moment. */
  caughtUp: { readonly asker: Asker; readonly request: HeldRequest }[];
  /** Requests with a token of an entry that is not applied here yet. */
  waiting: { readonly asker: Asker; readonly request: V3Request }[];
  /** What only a defect needs to know. */
  moments: Moments;
  tokens: Tokens;
  /** Draws the letters of tokens. */
  tokenLetters: Generator;
  applier: Applier;
  watches: WatchHub;
  /** Calls about leases that are not answered yet. */
  leaseCalls: LeaseCalls;
  /** Rounds of revocations: leases that are still to be revoked, and requests to revoke others. */
  revokes: { waiting: LeaseId[]; pending: number[] }[];
  /** How often in a row there was no leader when looked for, and when it is looked for next. */
  leaderless: { count: number; checkAt: Micros };
  /** Who watches the v2 keys, by the id of the request. */
  watching: Map<number, Asker>;
  /** Whether the member's name is known to the cluster: once it is, it serves clients. */
  published: boolean;
  ready: boolean;
  held: HeldStimulus[];
  /** Entries up to here were applied before the last stop: applying them again is no news. */
  readonly replayUntil: LogIndex;
  /** What the last `etcd.role` said. */
  toldRole: EtcdRole | null;
  toldTerm: Term;
  toldLead: RaftId;
  /** When this member last became leader. */
  electedAt: Micros | null;
  /** A leadership on its way to another member, for whoever asked. */
  transfer: { readonly asker: Asker; readonly target: RaftId; readonly deadline: Micros } | null;
  /** Snapshots sent and not heard of since; they count as lost at the given time. */
  snapshotsSent: Map<RaftId, Micros>;
  /** Peers that were heard: when last, and since when without a long silence. */
  connections: Map<RaftId, { readonly since: Micros; heard: Micros }>;
  /** When a leader looks at the version of the cluster again. */
  versionCheckAt: Micros;
  stats: ServerStats;
  /** When to tell peers again that the connection stands. */
  linkHeartbeatAt: Micros;
  /** Raft ids of removed members. */
  removed: Set<RaftId>;
  /** When a removed member stops; null for one that belongs. */
  stopsAt: Micros | null;
  /** Next time a tick has to look at deadlines, expiry and the like. */
  nextDue: Micros;
  /** What every tick asks for again. */
  readonly tickTimer: ArmTimer;
}

/** What `/v2/stats/self` and `/v2/stats/leader` tell: since this process began. */
export interface ServerStats {
  readonly startedAt: Micros;
  /** Since when the leader is who it is; null while none was ever known. */
  leaderSince: Micros | null;
  /** Append requests heard, and sent. */
  appendsReceived: number;
  appendsSent: number;
  /** Append requests by peer: sent, and known not to have got through. */
  peers: Map<RaftId, { sent: number; failed: number }>;
}

/** One etcd process and the disk under it. */
export interface EtcdState {
  readonly config: ResolvedEtcdConfig;
  disk: Disk;
  /** null while the process is down. */
  run: Running | null;
}

export function createEtcdState(config: EtcdConfig): EtcdState {
  return {
    config: resolveEtcdConfig(config),
    disk: createDisk(),
    run: null,
  };
}
