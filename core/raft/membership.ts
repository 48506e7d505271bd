import type { Sink } from "../kernel/index.js";
import {
  type Changed,
  enterJoint,
  leaveJoint,
  restoreConfiguration,
  simpleChange,
} from "./changer.js";
import { type ConfChange, changesOf, entersJoint, leavesJoint } from "./conf-change.js";
import { becomeFollower } from "./election.js";
import { raftPanic } from "./errors.js";
import type { RaftFact } from "./facts.js";
import { lastIndex } from "./log.js";
import type { RawNode } from "./node.js";
import { broadcastAppend, maybeCommit, maybeSendAppend } from "./replication.js";
import { traceApplyConfChange } from "./trace.js";
import { confStateOf, createTracker, findProgress, type ProgressTracker } from "./tracker.js";
import { type ConfState, NONE } from "./types.js";

/**
 * Puts a committed conf change into force and returns the configuration.
 *
 * @throws RaftPanic if the change does not fit the configuration: proposals are checked against
 *   the configuration of their time only
 */
export function applyChange<D, S>(
  node: RawNode<D, S>,
  change: ConfChange<D>,
  facts: Sink<RaftFact>,
): ConfState {
  const { tracker } = node;
  const last = lastIndex(node.log);
  const { joint, autoLeave } = entersJoint(change);
  let changed: Changed | string;
  if (leavesJoint(change)) changed = leaveJoint(tracker);
  else if (joint) changed = enterJoint(tracker, last, autoLeave, changesOf(change));
  else changed = simpleChange(tracker, last, changesOf(change));
  if (typeof changed === "string") raftPanic(changed);
  return switchToConfig(node, changed, facts);
}

/**
 * Puts the configuration of a snapshot into force, forgetting the one before.
 *
 * @throws RaftPanic if it does not describe a configuration
 */
export function restoreConfState<D, S>(
  node: RawNode<D, S>,
  confState: ConfState,
  facts: Sink<RaftFact>,
): void {
  const { maxInflight, maxInflightBytes } = node.tracker;
  const empty: ProgressTracker = createTracker(maxInflight, maxInflightBytes);
  const changed = restoreConfiguration(empty, lastIndex(node.log), confState);
  if (typeof changed === "string") raftPanic(changed);
  node.tracker = empty;
  assertEquivalent(confState, switchToConfig(node, changed, facts));
}

/** Puts a configuration into force: a leader may be able to commit more, or have new peers to feed. */
function switchToConfig<D, S>(
  node: RawNode<D, S>,
  { config, progress }: Changed,
  facts: Sink<RaftFact>,
): ConfState {
  if (node.config.trace) traceApplyConfChange(node, config.incoming, facts);
  node.tracker.config = config;
  node.tracker.progress = progress;
  const confState = confStateOf(config);
  facts.push({ kind: "raft.configuration-switched", config: confState });
  const own = findProgress(node.tracker, node.id);
  node.isLearner = own?.isLearner ?? false;
  if (node.role !== "leader") return confState;
  if (own === undefined || own.isLearner) {
    if (node.config.stepDownOnRemoval) becomeFollower(node, node.term, NONE, facts);
    return confState;
  }
  if (confState.voters.length === 0) return confState;

  if (maybeCommit(node, facts)) {
    broadcastAppend(node, facts);
  } else {
    // New peers need not wait for a heartbeat to be probed.
    for (const peer of node.tracker.progress) {
      if (peer.id !== node.id) maybeSendAppend(node, peer, false, facts);
    }
  }
  const { leadTransferee } = node;
  const stays =
    config.incoming.includes(leadTransferee) || config.outgoing.includes(leadTransferee);
  if (!stays) node.leadTransferee = NONE;
  return confState;
}

/** A configuration that does not come out as it went in is a damaged one. */
function assertEquivalent(given: ConfState, made: ConfState): void {
  const same =
    sameIds(given.voters, made.voters) &&
    sameIds(given.votersOutgoing, made.votersOutgoing) &&
    sameIds(given.learners, made.learners) &&
    sameIds(given.learnersNext, made.learnersNext) &&
    given.autoLeave === made.autoLeave;
  if (!same) {
    raftPanic(
      `ConfStates not equivalent after sorting:\n${JSON.stringify(given)}\n${JSON.stringify(made)}`,
    );
  }
}

function sameIds(left: readonly number[], right: readonly number[]): boolean {
  if (left.length !== right.length) return false;
  const sorted = [...left].sort((a, b) => a - b);
  return right.every((id, i) => id === sorted[i]);
}
