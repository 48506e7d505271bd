import type { ArmTimer, Bytes, CancelTimer, TimerFired } from "../kernel/index.js";
import type { LogIndex, Message, RaftFact, RaftId, Term } from "../raft/index.js";
import type { EtcdReply, V2Request } from "./client.js";
import type { LogData } from "./log-data.js";
import type { StoreImage } from "./snapshot.js";
import type { V3Request, V3Response } from "./v3-api.js";
import type { WatchMessage } from "./watch-api.js";

/** A raft message between members. */
export type RaftMessage = Message<LogData, StoreImage>;

/** What members tell each other outside raft: etcd sends these over HTTP on the peer port. */
export type PeerNote =
  /** The receiver was removed from the cluster: HTTP 410 in rafthttp. */
  | { readonly type: "member-removed" }
  /** The connection stands; between members that raft has nothing to tell each other. */
  | { readonly type: "link-heartbeat" }
  /** The request that brought a snapshot has been answered. */
  | { readonly type: "snapshot-received" }
  /** A request that only the leader can answer: `/leases`, `/leases/internal`, `/members/promote`. */
  | { readonly type: "forward"; readonly id: number; readonly request: ClientRequest }
  | { readonly type: "forwarded"; readonly id: number; readonly reply: ClientReply };

/** Told apart by `type`: raft's begin with `Msg`. */
export type PeerMessage = RaftMessage | PeerNote;

export type ClientRequest = V2Request | V3Request;
export type ClientReply = EtcdReply | V3Response;

/** What a member hears. */
export type EtcdStimulus =
  /** The process starts, on what is durable on its disk. */
  | { readonly kind: "start" }
  | TimerFired
  | { readonly kind: "peer-message"; readonly from: RaftId; readonly message: PeerMessage }
  /** The transport could not deliver to a peer. Optional: raft also finds out by itself. */
  | { readonly kind: "peer-unreachable"; readonly peer: RaftId }
  /** A snapshot message was delivered, or was not. Members also tell each other; without a word it counts as lost after 5 s. */
  | { readonly kind: "snapshot-sent"; readonly to: RaftId; readonly delivered: boolean }
  | {
      readonly kind: "client-request";
      /** Unique among the requests of this process. */
      readonly id: number;
      /** Who asks; comes back as `to` of the reply. */
      readonly from: string;
      readonly request: ClientRequest;
      /** What `authenticate` answered, where the client has logged in; v3 only. */
      readonly token?: string;
      /**
       * Rather no answer, or no stream, than one of a member that has no leader (gRPC metadata `hasleader`);
       * v3 only.
       */
      readonly requireLeader?: boolean;
    }
  /** The client says more on the stream that the request of this id opened. */
  | { readonly kind: "client-message"; readonly id: number; readonly message: WatchMessage }
  /** The client of a stream has stopped reading, or reads again. Until told, it reads. */
  | { readonly kind: "client-flow"; readonly id: number; readonly blocked: boolean }
  /** The client hung up: it gets no further reply. What it proposed may still happen. */
  | { readonly kind: "client-cancel"; readonly id: number }
  /** Everything written up to `token` is durable. */
  | { readonly kind: "disk-synced"; readonly token: number }
  /** The process ends in good order: everything written becomes durable. */
  | { readonly kind: "stop" }
  /** The process is gone; of what was written and not synced only the first `surviving` records last. */
  | { readonly kind: "crash"; readonly surviving: number };

/** What a member asks of its world. */
export type EtcdEffect =
  | ArmTimer
  | CancelTimer
  | {
      readonly kind: "send";
      readonly to: RaftId;
      readonly message: PeerMessage;
      readonly sizeBytes: Bytes;
    }
  /** Bytes written that nobody waits for. */
  | { readonly kind: "disk-write"; readonly bytes: Bytes }
  /** Bytes written; answered by `disk-synced` with the token once they and all before them are durable. */
  | { readonly kind: "fsync"; readonly token: number; readonly bytes: Bytes }
  | {
      readonly kind: "client-reply";
      readonly id: number;
      readonly to: string;
      readonly reply: ClientReply;
      /** False while more replies of this id may follow (streams). */
      readonly last: boolean;
    }
  /** The process exits by itself. */
  | { readonly kind: "exit"; readonly code: number; readonly reason: string };

export type EtcdRole = "follower" | "pre-candidate" | "candidate" | "leader" | "learner";

/** What a member concludes. Raft's own facts pass through. */
export type EtcdFact =
  | RaftFact
  | {
      readonly kind: "etcd.started";
      /** Ids in hex. */
      readonly member: string;
      readonly cluster: string;
      readonly version: string;
    }
  /** Any change of role, term or leader; `lead` is its name (its id before it published one), "" for none. */
  | {
      readonly kind: "etcd.role";
      readonly role: EtcdRole;
      readonly term: Term;
      readonly lead: string;
    }
  /** The member has published its name and serves clients. */
  | { readonly kind: "etcd.ready" }
  | {
      readonly kind: "etcd.member-added";
      readonly member: string;
      readonly peerUrls: readonly string[];
      readonly learner: boolean;
    }
  | { readonly kind: "etcd.member-removed"; readonly member: string }
  | { readonly kind: "etcd.member-promoted"; readonly member: string }
  | { readonly kind: "etcd.snapshot"; readonly index: LogIndex }
  /** The stores were replaced by a snapshot: the member's own (`disk`) or its leader's (its name). */
  | { readonly kind: "etcd.restored"; readonly index: LogIndex; readonly from: string }
  | { readonly kind: "etcd.stopped"; readonly reason: string };
