import type { ConfChange } from "./conf-change.js";
import type { StepError } from "./errors.js";
import type { MessageType } from "./message.js";
import type { ProgressView } from "./progress.js";
import type { TraceEvent } from "./trace.js";
import type { ConfState, LogIndex, RaftId, Role, Term } from "./types.js";

/** The end of a member's log. */
export interface LogEnd {
  readonly lastTerm: Term;
  readonly lastIndex: LogIndex;
}

/** A vote request or its refusal, seen from the member that was asked. `vote` is whom it voted for before. */
interface VoteAnswer extends LogEnd {
  readonly vote: RaftId;
  readonly request: MessageType;
  readonly from: RaftId;
  readonly candidateTerm: Term;
  readonly candidateIndex: LogIndex;
  /** The member's own term. */
  readonly term: Term;
}

type ElectionFact =
  | {
      readonly kind: "raft.started";
      readonly peers: readonly RaftId[];
      readonly term: Term;
      readonly commit: LogIndex;
      readonly applied: LogIndex;
      readonly lastIndex: LogIndex;
      readonly lastTerm: Term;
    }
  | { readonly kind: "raft.became-follower"; readonly term: Term; readonly lead: RaftId }
  | { readonly kind: "raft.became-pre-candidate"; readonly term: Term }
  | { readonly kind: "raft.became-candidate"; readonly term: Term }
  | { readonly kind: "raft.became-leader"; readonly term: Term }
  | { readonly kind: "raft.election-started"; readonly term: Term }
  | { readonly kind: "raft.election-skipped-as-leader" }
  | { readonly kind: "raft.election-skipped-as-unpromotable" }
  | { readonly kind: "raft.election-blocked-by-conf-change"; readonly term: Term }
  | { readonly kind: "raft.campaign-while-unpromotable" }
  | ({
      readonly kind: "raft.vote-requested";
      readonly request: MessageType;
      readonly to: RaftId;
      readonly term: Term;
    } & LogEnd)
  | {
      readonly kind: "raft.vote-received";
      readonly response: MessageType;
      readonly from: RaftId;
      readonly granted: boolean;
      readonly term: Term;
    }
  | {
      readonly kind: "raft.votes-tallied";
      readonly response: MessageType;
      readonly granted: number;
      readonly rejected: number;
    }
  | ({ readonly kind: "raft.vote-cast" } & VoteAnswer)
  | ({ readonly kind: "raft.vote-rejected" } & VoteAnswer)
  | ({ readonly kind: "raft.vote-ignored-in-lease"; readonly remainingTicks: number } & VoteAnswer)
  | {
      readonly kind: "raft.higher-term-received";
      readonly term: Term;
      readonly message: MessageType;
      readonly from: RaftId;
      readonly messageTerm: Term;
    }
  | {
      readonly kind: "raft.lower-term-ignored";
      readonly term: Term;
      readonly message: MessageType;
      readonly from: RaftId;
      readonly messageTerm: Term;
    }
  | { readonly kind: "raft.quorum-lost" }
  | { readonly kind: "raft.leader-forgotten"; readonly lead: RaftId; readonly term: Term }
  | { readonly kind: "raft.forget-leader-refused" };

type TransferFact =
  | {
      readonly kind: "raft.transfer-started";
      readonly term: Term;
      readonly transferee: RaftId;
    }
  | { readonly kind: "raft.transfer-repeated"; readonly term: Term; readonly transferee: RaftId }
  | { readonly kind: "raft.transfer-aborted"; readonly term: Term; readonly transferee: RaftId }
  | { readonly kind: "raft.transfer-to-learner-ignored"; readonly transferee: RaftId }
  | { readonly kind: "raft.transfer-to-self-ignored" }
  | { readonly kind: "raft.transfer-dropped-without-leader"; readonly term: Term }
  | {
      readonly kind: "raft.timeout-now-sent";
      readonly to: RaftId;
      /** At once because the transferee's log was complete, or after it caught up. */
      readonly after: "request" | "catch-up";
    }
  | { readonly kind: "raft.timeout-now-received"; readonly term: Term; readonly from: RaftId }
  | {
      readonly kind: "raft.timeout-now-ignored";
      readonly term: Term;
      readonly role: Role;
      readonly from: RaftId;
    };

type ProposalFact =
  | { readonly kind: "raft.proposal-dropped-without-leader"; readonly term: Term }
  | {
      readonly kind: "raft.proposal-dropped-in-transfer";
      readonly term: Term;
      readonly transferee: RaftId;
    }
  | { readonly kind: "raft.proposal-not-forwarded"; readonly lead: RaftId; readonly term: Term }
  | { readonly kind: "raft.proposal-over-size-limit" }
  | {
      readonly kind: "raft.conf-change-refused";
      /** null is the change that leaves a joint configuration by itself. */
      readonly change: ConfChange<unknown> | null;
      readonly config: ConfState;
      readonly reason: ConfChangeRefusal;
    }
  | { readonly kind: "raft.configuration-switched"; readonly config: ConfState }
  | { readonly kind: "raft.auto-leave-started"; readonly config: ConfState }
  | {
      readonly kind: "raft.auto-leave-refused";
      readonly config: ConfState;
      readonly error: StepError;
    }
  | { readonly kind: "raft.read-dropped-without-leader"; readonly term: Term }
  | {
      readonly kind: "raft.read-response-malformed";
      readonly from: RaftId;
      readonly entries: number;
    }
  | { readonly kind: "raft.pending-reads-released-early" };

/** Why a leader put an empty entry in the place of a conf change. */
export type ConfChangeRefusal =
  | {
      readonly check: "pending";
      readonly pendingIndex: LogIndex;
      readonly applied: LogIndex;
    }
  | { readonly check: "already-joint" }
  | { readonly check: "not-joint" };

type ReplicationFact =
  | { readonly kind: "raft.progress-unknown"; readonly from: RaftId }
  | {
      readonly kind: "raft.append-rejected";
      readonly from: RaftId;
      readonly index: LogIndex;
      readonly hintIndex: LogIndex;
      readonly hintTerm: Term;
    }
  | {
      readonly kind: "raft.progress-decreased";
      readonly peer: RaftId;
      readonly progress: ProgressView;
    }
  | {
      readonly kind: "raft.peer-unreachable";
      readonly peer: RaftId;
      readonly progress: ProgressView;
    }
  | {
      readonly kind: "raft.append-refused";
      readonly from: RaftId;
      readonly index: LogIndex;
      /** The leader's term at `index`, and this member's; 0 if it has no such entry. */
      readonly logTerm: Term;
      readonly ownTerm: Term;
    }
  | {
      readonly kind: "raft.conflict-found";
      readonly index: LogIndex;
      readonly existingTerm: Term;
      readonly conflictingTerm: Term;
    }
  | { readonly kind: "raft.unstable-replaced"; readonly index: LogIndex }
  | { readonly kind: "raft.unstable-truncated"; readonly index: LogIndex }
  | { readonly kind: "raft.stable-entry-missing"; readonly index: LogIndex }
  | { readonly kind: "raft.stable-entry-in-snapshot"; readonly index: LogIndex }
  | {
      readonly kind: "raft.stable-entry-mismatched";
      readonly index: LogIndex;
      readonly term: Term;
      readonly unstableTerm: Term;
    }
  | {
      readonly kind: "raft.stale-append-ignored";
      readonly term: Term;
      readonly messageTerm: Term;
    };

type SnapshotFact =
  | { readonly kind: "raft.snapshot-withheld-from-inactive"; readonly to: RaftId }
  | { readonly kind: "raft.snapshot-temporarily-unavailable"; readonly to: RaftId }
  | {
      readonly kind: "raft.snapshot-sent";
      readonly to: RaftId;
      readonly index: LogIndex;
      readonly term: Term;
      readonly firstIndex: LogIndex;
      readonly commit: LogIndex;
      readonly progress: ProgressView;
    }
  | {
      readonly kind: "raft.replication-paused";
      readonly to: RaftId;
      readonly progress: ProgressView;
    }
  | {
      readonly kind: "raft.snapshot-recovered";
      readonly peer: RaftId;
      readonly progress: ProgressView;
    }
  | {
      readonly kind: "raft.snapshot-reported";
      readonly peer: RaftId;
      readonly succeeded: boolean;
      readonly progress: ProgressView;
    }
  | {
      readonly kind: "raft.snapshot-restoring";
      readonly index: LogIndex;
      readonly term: Term;
      readonly committed: LogIndex;
      readonly applied: LogIndex;
      readonly applying: LogIndex;
      readonly unstableOffset: LogIndex;
      readonly unstableOffsetInProgress: LogIndex;
      readonly unstableEntries: number;
    }
  | ({
      readonly kind: "raft.snapshot-restored";
      readonly index: LogIndex;
      readonly term: Term;
      readonly commit: LogIndex;
    } & LogEnd)
  | {
      readonly kind: "raft.snapshot-answered";
      readonly accepted: boolean;
      readonly index: LogIndex;
      readonly term: Term;
      readonly commit: LogIndex;
    }
  | ({
      readonly kind: "raft.snapshot-fast-forwarded";
      readonly index: LogIndex;
      readonly term: Term;
      readonly commit: LogIndex;
    } & LogEnd)
  | { readonly kind: "raft.snapshot-for-others-ignored"; readonly confState: ConfState }
  | { readonly kind: "raft.snapshot-as-leader-ignored" };

interface TraceFact {
  readonly kind: "raft.trace";
  readonly event: TraceEvent;
}

/**
 * What a member concluded. There is one kind for each line etcd's library logs at debug level or
 * above, with what is needed to print that line; nothing recurs on a quiet group's ticks. A member
 * told to trace emits `raft.trace` besides, and then every message is news.
 */
export type RaftFact =
  | ElectionFact
  | TransferFact
  | ProposalFact
  | ReplicationFact
  | SnapshotFact
  | TraceFact;
