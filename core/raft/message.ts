import type { Entry, Snapshot } from "./entry.js";
import { type LogIndex, type Mutable, NONE, type RaftId, type Term } from "./types.js";

/** The message types of raftpb, by their names there. */
export type MessageType =
  | "MsgHup"
  | "MsgBeat"
  | "MsgProp"
  | "MsgApp"
  | "MsgAppResp"
  | "MsgVote"
  | "MsgVoteResp"
  | "MsgSnap"
  | "MsgHeartbeat"
  | "MsgHeartbeatResp"
  | "MsgUnreachable"
  | "MsgSnapStatus"
  | "MsgCheckQuorum"
  | "MsgTransferLeader"
  | "MsgTimeoutNow"
  | "MsgReadIndex"
  | "MsgReadIndexResp"
  | "MsgPreVote"
  | "MsgPreVoteResp"
  | "MsgStorageAppend"
  | "MsgStorageAppendResp"
  | "MsgStorageApply"
  | "MsgStorageApplyResp"
  | "MsgForgetLeader";

/**
 * What members, and a member and its storage, tell each other. One flat record for all types, as in
 * raftpb: fields a type does not use are 0, false, null or empty. Messages are never changed once sent.
 */
export interface Message<D, S> {
  readonly type: MessageType;
  readonly to: RaftId;
  readonly from: RaftId;
  /** 0 marks a local message, which no term check applies to. */
  readonly term: Term;
  /** Term of the entry at `index`; in a refused `MsgAppResp`, of the entry at `rejectHint`. */
  readonly logTerm: Term;
  readonly index: LogIndex;
  readonly commit: LogIndex;
  readonly vote: RaftId;
  readonly reject: boolean;
  readonly rejectHint: LogIndex;
  readonly entries: readonly Entry<D>[];
  readonly snapshot: Snapshot<S> | null;
  /** In heartbeats and their answers: how many reads of the leader's term this round confirms; 0 for none. */
  readonly readPosition: number;
  /** In `MsgVote`: the leader itself asked for this election, so leases do not stand in its way. */
  readonly campaignTransfer: boolean;
  /** What to deliver once a `MsgStorageAppend` or `MsgStorageApply` is done. */
  readonly responses: readonly Message<D, S>[];
}

const NO_ITEMS: readonly never[] = [];

/** What a list of messages is while it is empty: nothing is ever added to it, the first message makes another list. */
export const NO_MESSAGES: never[] = [];

/** A message with nothing in it yet. Every message starts here, so that all share one shape. */
export function blankMessage<D, S>(type: MessageType, to: RaftId): Mutable<Message<D, S>> {
  return {
    type,
    to,
    from: NONE,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: NONE,
    reject: false,
    rejectHint: 0,
    entries: NO_ITEMS,
    snapshot: null,
    readPosition: 0,
    campaignTransfer: false,
    responses: NO_ITEMS,
  };
}

/** A message as it is passed on to another member. */
export function passedOn<D, S>(message: Message<D, S>, to: RaftId): Mutable<Message<D, S>> {
  const { type, from, term, logTerm, index, commit, vote, reject, rejectHint } = message;
  const { entries, snapshot, readPosition, campaignTransfer, responses } = message;
  return {
    type,
    to,
    from,
    term,
    logTerm,
    index,
    commit,
    vote,
    reject,
    rejectHint,
    entries,
    snapshot,
    readPosition,
    campaignTransfer,
    responses,
  };
}

/** True for messages that only a member's own runtime or storage may send it. */
export function isLocalMessage(type: MessageType): boolean {
  switch (type) {
    case "MsgHup":
    case "MsgBeat":
    case "MsgUnreachable":
    case "MsgSnapStatus":
    case "MsgCheckQuorum":
    case "MsgStorageAppend":
    case "MsgStorageAppendResp":
    case "MsgStorageApply":
    case "MsgStorageApplyResp":
      return true;
    default:
      return false;
  }
}

/** True for messages that answer another: they count only from a member of the configuration. */
export function isResponseMessage(type: MessageType): boolean {
  switch (type) {
    case "MsgHeartbeatResp":
    case "MsgAppResp":
    case "MsgVoteResp":
    case "MsgUnreachable":
    case "MsgReadIndexResp":
    case "MsgPreVoteResp":
    case "MsgStorageAppendResp":
    case "MsgStorageApplyResp":
      return true;
    default:
      return false;
  }
}
