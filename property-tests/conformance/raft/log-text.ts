import { unreachable } from "../../../core/kernel/index.js";
import {
  type ConfChangeRefusal,
  type RaftFact,
  type RaftId,
  STEP_ERROR_TEXT,
} from "../../../core/raft/index.js";
import {
  confChangeProto,
  confStateProto,
  describeConfig,
  describeProgress,
  ROLE_TEXT,
} from "./describe.js";

export type Level = "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL" | "NONE";

/** Levels, from the most talkative to silence. */
export const LEVELS: readonly Level[] = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"];

/** What the library logs; the trace is another output of it. */
type LoggedFact = Exclude<RaftFact, { readonly kind: "raft.trace" }>;

/** The line etcd's library 3.7 logs where the core concludes `fact`. */
export function logLine(self: RaftId, fact: LoggedFact): { level: Level; text: string } {
  const id = hex(self);
  const debug = (text: string) => ({ level: "DEBUG" as const, text });
  const info = (text: string) => ({ level: "INFO" as const, text });
  const warn = (text: string) => ({ level: "WARN" as const, text });
  const error = (text: string) => ({ level: "ERROR" as const, text });
  switch (fact.kind) {
    case "raft.started":
      return info(
        `newRaft ${id} [peers: [${fact.peers.map(hex).join(",")}], term: ${fact.term}, commit: ${fact.commit}, ` +
          `applied: ${fact.applied}, lastindex: ${fact.lastIndex}, lastterm: ${fact.lastTerm}]`,
      );
    case "raft.became-follower":
      return info(`${id} became follower at term ${fact.term}`);
    case "raft.became-pre-candidate":
      return info(`${id} became pre-candidate at term ${fact.term}`);
    case "raft.became-candidate":
      return info(`${id} became candidate at term ${fact.term}`);
    case "raft.became-leader":
      return info(`${id} became leader at term ${fact.term}`);
    case "raft.election-started":
      return info(`${id} is starting a new election at term ${fact.term}`);
    case "raft.election-skipped-as-leader":
      return debug(`${id} ignoring MsgHup because already leader`);
    case "raft.election-skipped-as-unpromotable":
      return warn(`${id} is unpromotable and can not campaign`);
    case "raft.election-blocked-by-conf-change":
      return warn(
        `${id} cannot campaign at term ${fact.term} since there are still pending configuration changes to apply`,
      );
    case "raft.campaign-while-unpromotable":
      return warn(`${id} is unpromotable; campaign() should have been called`);
    case "raft.vote-requested":
      return info(
        `${id} [logterm: ${fact.lastTerm}, index: ${fact.lastIndex}] sent ${fact.request} request to ` +
          `${hex(fact.to)} at term ${fact.term}`,
      );
    case "raft.vote-received": {
      const rejection = fact.granted ? "" : " rejection";
      return info(
        `${id} received ${fact.response}${rejection} from ${hex(fact.from)} at term ${fact.term}`,
      );
    }
    case "raft.votes-tallied":
      return info(
        `${id} has received ${fact.granted} ${fact.response} votes and ${fact.rejected} vote rejections`,
      );
    case "raft.vote-cast":
      return info(`${voter(id, fact)} cast ${fact.request} for ${candidate(fact)}`);
    case "raft.vote-rejected":
      return info(`${voter(id, fact)} rejected ${fact.request} from ${candidate(fact)}`);
    case "raft.vote-ignored-in-lease":
      return info(
        `${voter(id, fact)} ignored ${fact.request} from ${candidate(fact)}: ` +
          `lease is not expired (remaining ticks: ${fact.remainingTicks})`,
      );
    case "raft.higher-term-received":
      return info(
        `${id} [term: ${fact.term}] received a ${fact.message} message with higher term from ` +
          `${hex(fact.from)} [term: ${fact.messageTerm}]`,
      );
    case "raft.lower-term-ignored":
      return info(
        `${id} [term: ${fact.term}] ignored a ${fact.message} message with lower term from ` +
          `${hex(fact.from)} [term: ${fact.messageTerm}]`,
      );
    case "raft.quorum-lost":
      return warn(`${id} stepped down to follower since quorum is not active`);
    case "raft.leader-forgotten":
      return info(`${id} forgetting leader ${hex(fact.lead)} at term ${fact.term}`);
    case "raft.forget-leader-refused":
      return error("ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
    case "raft.transfer-started":
      return info(
        `${id} [term ${fact.term}] starts to transfer leadership to ${hex(fact.transferee)}`,
      );
    case "raft.transfer-repeated": {
      const to = hex(fact.transferee);
      return info(
        `${id} [term ${fact.term}] transfer leadership to ${to} is in progress, ignores request to same node ${to}`,
      );
    }
    case "raft.transfer-aborted":
      return info(
        `${id} [term ${fact.term}] abort previous transferring leadership to ${hex(fact.transferee)}`,
      );
    case "raft.transfer-to-learner-ignored":
      return debug(`${id} is learner. Ignored transferring leadership`);
    case "raft.transfer-to-self-ignored":
      return debug(`${id} is already leader. Ignored transferring leadership to self`);
    case "raft.transfer-dropped-without-leader":
      return info(`${id} no leader at term ${fact.term}; dropping leader transfer msg`);
    case "raft.timeout-now-sent": {
      const to = hex(fact.to);
      if (fact.after === "catch-up") {
        return info(`${id} sent MsgTimeoutNow to ${to} after received MsgAppResp`);
      }
      return info(
        `${id} sends MsgTimeoutNow to ${to} immediately as ${to} already has up-to-date log`,
      );
    }
    case "raft.timeout-now-received":
      return info(
        `${id} [term ${fact.term}] received MsgTimeoutNow from ${hex(fact.from)} and starts an election to get leadership.`,
      );
    case "raft.timeout-now-ignored":
      return debug(
        `${id} [term ${fact.term} state ${ROLE_TEXT[fact.role]}] ignored MsgTimeoutNow from ${hex(fact.from)}`,
      );
    case "raft.proposal-dropped-without-leader":
      return info(`${id} no leader at term ${fact.term}; dropping proposal`);
    case "raft.proposal-dropped-in-transfer":
      return debug(
        `${id} [term ${fact.term}] transfer leadership to ${hex(fact.transferee)} is in progress; dropping proposal`,
      );
    case "raft.proposal-not-forwarded":
      return info(
        `${id} not forwarding to leader ${hex(fact.lead)} at term ${fact.term}; dropping proposal`,
      );
    case "raft.proposal-over-size-limit":
      return warn(
        `${id} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
      );
    case "raft.conf-change-refused":
      return info(
        `${id} ignoring conf change ${confChangeProto(fact.change)} at config ${describeConfig(fact.config)}: ` +
          refusal(fact.reason),
      );
    case "raft.configuration-switched":
      return info(`${id} switched to configuration ${describeConfig(fact.config)}`);
    case "raft.auto-leave-started":
      return info(
        `initiating automatic transition out of joint configuration ${describeConfig(fact.config)}`,
      );
    case "raft.auto-leave-refused":
      return debug(
        `not initiating automatic transition out of joint configuration ${describeConfig(fact.config)}: ` +
          STEP_ERROR_TEXT[fact.error],
      );
    case "raft.read-dropped-without-leader":
      return info(`${id} no leader at term ${fact.term}; dropping index reading msg`);
    case "raft.read-response-malformed":
      return error(
        `${id} invalid format of MsgReadIndexResp from ${hex(fact.from)}, entries count: ${fact.entries}`,
      );
    case "raft.pending-reads-released-early":
      return error(
        "pending MsgReadIndex should be released only after first commit in current term",
      );
    case "raft.progress-unknown":
      return debug(`${id} no progress available for ${hex(fact.from)}`);
    case "raft.append-rejected":
      return debug(
        `${id} received MsgAppResp(rejected, hint: (index ${fact.hintIndex}, term ${fact.hintTerm})) from ` +
          `${hex(fact.from)} for index ${fact.index}`,
      );
    case "raft.progress-decreased":
      return debug(
        `${id} decreased progress of ${hex(fact.peer)} to [${describeProgress(fact.progress)}]`,
      );
    case "raft.peer-unreachable":
      return debug(
        `${id} failed to send message to ${hex(fact.peer)} because it is unreachable [${describeProgress(fact.progress)}]`,
      );
    case "raft.append-refused":
      return debug(
        `${id} [logterm: ${fact.ownTerm}, index: ${fact.index}] rejected MsgApp ` +
          `[logterm: ${fact.logTerm}, index: ${fact.index}] from ${hex(fact.from)}`,
      );
    case "raft.conflict-found":
      return info(
        `found conflict at index ${fact.index} [existing term: ${fact.existingTerm}, conflicting term: ${fact.conflictingTerm}]`,
      );
    case "raft.unstable-replaced":
      return info(`replace the unstable entries from index ${fact.index}`);
    case "raft.unstable-truncated":
      return info(`truncate the unstable entries before index ${fact.index}`);
    case "raft.stable-entry-missing":
      return info(`entry at index ${fact.index} missing from unstable log; ignoring`);
    case "raft.stable-entry-in-snapshot":
      return info(`entry at index ${fact.index} matched unstable snapshot; ignoring`);
    case "raft.stable-entry-mismatched":
      return info(
        `entry at (index,term)=(${fact.index},${fact.term}) mismatched with entry at ` +
          `(${fact.index},${fact.unstableTerm}) in unstable log; ignoring`,
      );
    case "raft.stale-append-ignored":
      return info(
        `${id} [term: ${fact.term}] ignored entry appends from a MsgStorageAppendResp message with lower term ` +
          `[term: ${fact.messageTerm}]`,
      );
    case "raft.snapshot-withheld-from-inactive":
      return debug(`ignore sending snapshot to ${hex(fact.to)} since it is not recently active`);
    case "raft.snapshot-temporarily-unavailable":
      return debug(
        `${id} failed to send snapshot to ${hex(fact.to)} because snapshot is temporarily unavailable`,
      );
    case "raft.snapshot-sent":
      return debug(
        `${id} [firstindex: ${fact.firstIndex}, commit: ${fact.commit}] sent snapshot[index: ${fact.index}, ` +
          `term: ${fact.term}] to ${hex(fact.to)} [${describeProgress(fact.progress)}]`,
      );
    case "raft.replication-paused":
      return debug(
        `${id} paused sending replication messages to ${hex(fact.to)} [${describeProgress(fact.progress)}]`,
      );
    case "raft.snapshot-recovered":
      return debug(
        `${id} recovered from needing snapshot, resumed sending replication messages to ${hex(fact.peer)} ` +
          `[${describeProgress(fact.progress)}]`,
      );
    case "raft.snapshot-reported":
      return debug(
        `${id} snapshot ${fact.succeeded ? "succeeded" : "failed"}, resumed sending replication messages to ` +
          `${hex(fact.peer)} [${describeProgress(fact.progress)}]`,
      );
    case "raft.snapshot-restoring":
      return info(
        `log [committed=${fact.committed}, applied=${fact.applied}, applying=${fact.applying}, ` +
          `unstable.offset=${fact.unstableOffset}, unstable.offsetInProgress=${fact.unstableOffsetInProgress}, ` +
          `len(unstable.Entries)=${fact.unstableEntries}] starts to restore snapshot ${position(fact)}`,
      );
    case "raft.snapshot-restored":
      return info(
        `${id} [commit: ${fact.commit}, lastindex: ${fact.lastIndex}, lastterm: ${fact.lastTerm}] ` +
          `restored snapshot ${position(fact)}`,
      );
    case "raft.snapshot-answered": {
      const verb = fact.accepted ? "restored" : "ignored";
      return info(`${id} [commit: ${fact.commit}] ${verb} snapshot ${position(fact)}`);
    }
    case "raft.snapshot-fast-forwarded":
      return info(
        `${id} [commit: ${fact.commit}, lastindex: ${fact.lastIndex}, lastterm: ${fact.lastTerm}] ` +
          `fast-forwarded commit to snapshot ${position(fact)}`,
      );
    case "raft.snapshot-for-others-ignored":
      return warn(
        `${id} attempted to restore snapshot but it is not in the ConfState ${confStateProto(fact.confState)}; should never happen`,
      );
    case "raft.snapshot-as-leader-ignored":
      return warn(`${id} attempted to restore snapshot as leader; should never happen`);
    default:
      return unreachable(fact);
  }
}

function hex(id: RaftId): string {
  return id.toString(16);
}

type VoteAnswer = Extract<
  RaftFact,
  { kind: "raft.vote-cast" | "raft.vote-rejected" | "raft.vote-ignored-in-lease" }
>;

function voter(id: string, fact: VoteAnswer): string {
  return `${id} [logterm: ${fact.lastTerm}, index: ${fact.lastIndex}, vote: ${hex(fact.vote)}]`;
}

function candidate(fact: VoteAnswer): string {
  const end = `[logterm: ${fact.candidateTerm}, index: ${fact.candidateIndex}]`;
  return `${hex(fact.from)} ${end} at term ${fact.term}`;
}

function position({ index, term }: { index: number; term: number }): string {
  return `[index: ${index}, term: ${term}]`;
}

function refusal(reason: ConfChangeRefusal): string {
  switch (reason.check) {
    case "pending":
      return `possible unapplied conf change at index ${reason.pendingIndex} (applied to ${reason.applied})`;
    case "already-joint":
      return "must transition out of joint config first";
    case "not-joint":
      return "not in joint state; refusing empty conf change";
  }
}
