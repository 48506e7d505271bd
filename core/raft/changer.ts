import type { ConfChangeSingle } from "./conf-change.js";
import { copyProgress, createProgress, type Progress } from "./progress.js";
import { type ProgressTracker, type TrackerConfig, voterIds } from "./tracker.js";
import type { ConfState, LogIndex, RaftId } from "./types.js";

/** A configuration made from another, with the progress of its members. */
export interface Changed {
  config: TrackerConfig;
  /** By ascending id. */
  progress: Progress[];
}

/** A configuration in the making. Nothing of it is shared with the one in force. */
interface Draft extends Changed {
  readonly tracker: ProgressTracker;
  readonly lastIndex: LogIndex;
}

/**
 * Applies changes that alter at most one voter, so that old and new majorities overlap. Returns
 * etcd's error text if they do not fit the configuration.
 */
export function simpleChange(
  tracker: ProgressTracker,
  lastIndex: LogIndex,
  changes: readonly ConfChangeSingle[],
): Changed | string {
  const draft = draftOf(tracker, lastIndex);
  if (typeof draft === "string") return draft;
  if (isJoint(draft.config)) return "can't apply simple config change in joint config";
  const problem = applyChanges(draft, changes);
  if (problem !== null) return problem;
  if (differing(tracker.config.incoming, draft.config.incoming) > 1) {
    return "more than one voter changed without entering joint config";
  }
  return checked(draft);
}

/** Enters a joint configuration: the old voters become the outgoing half, changes shape the incoming one. */
export function enterJoint(
  tracker: ProgressTracker,
  lastIndex: LogIndex,
  autoLeave: boolean,
  changes: readonly ConfChangeSingle[],
): Changed | string {
  const draft = draftOf(tracker, lastIndex);
  if (typeof draft === "string") return draft;
  if (isJoint(draft.config)) return "config is already joint";
  if (draft.config.incoming.length === 0) return "can't make a zero-voter config joint";
  draft.config.outgoing = [...draft.config.incoming];
  const problem = applyChanges(draft, changes);
  if (problem !== null) return problem;
  draft.config.autoLeave = autoLeave;
  return checked(draft);
}

/** Leaves a joint configuration: the incoming half decides alone, staged learners become learners. */
export function leaveJoint(tracker: ProgressTracker): Changed | string {
  const draft = draftOf(tracker, 0);
  if (typeof draft === "string") return draft;
  const { config } = draft;
  if (!isJoint(config)) return "can't leave a non-joint config";
  for (const id of config.learnersNext) {
    insertId(config.learners, id);
    const progress = progressOf(draft, id);
    if (progress !== undefined) progress.isLearner = true;
  }
  config.learnersNext = [];
  for (const id of config.outgoing) {
    if (!config.incoming.includes(id) && !config.learners.includes(id)) dropProgress(draft, id);
  }
  config.outgoing = [];
  config.autoLeave = false;
  return checked(draft);
}

/** Makes the configuration of a snapshot, starting from the empty one in `tracker`. */
export function restoreConfiguration(
  tracker: ProgressTracker,
  lastIndex: LogIndex,
  confState: ConfState,
): Changed | string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  const incoming = [
    ...operations("remove-node", votersOutgoing),
    ...operations("add-node", voters),
    ...operations("add-learner-node", learners),
    ...operations("add-learner-node", learnersNext),
  ];
  const joint = votersOutgoing.length > 0;
  // One by one: each step may alter one voter only.
  const steps = joint ? operations("add-node", votersOutgoing) : incoming;
  let at: ProgressTracker = tracker;
  for (const step of steps) {
    const changed = simpleChange(at, lastIndex, [step]);
    if (typeof changed === "string") return changed;
    at = { ...at, config: changed.config, progress: changed.progress };
  }
  if (joint) return enterJoint(at, lastIndex, autoLeave, incoming);
  return { config: at.config, progress: at.progress };
}

function operations(type: ConfChangeSingle["type"], ids: readonly RaftId[]): ConfChangeSingle[] {
  return ids.map((nodeId) => ({ type, nodeId }));
}

function applyChanges(draft: Draft, changes: readonly ConfChangeSingle[]): string | null {
  for (const { type, nodeId } of changes) {
    if (nodeId === 0) continue;
    switch (type) {
      case "add-node":
        makeVoter(draft, nodeId);
        break;
      case "add-learner-node":
        makeLearner(draft, nodeId);
        break;
      case "remove-node":
        remove(draft, nodeId);
        break;
      case "update-node":
        break;
    }
  }
  return draft.config.incoming.length === 0 ? "removed all voters" : null;
}

function makeVoter(draft: Draft, id: RaftId): void {
  const { config } = draft;
  const progress = progressOf(draft, id);
  insertId(config.incoming, id);
  if (progress === undefined) {
    addProgress(draft, id, false);
    return;
  }
  progress.isLearner = false;
  removeId(config.learners, id);
  removeId(config.learnersNext, id);
}

/**
 * Makes a member a learner, at once or, if it still votes in the outgoing half, when the joint
 * configuration is left: nobody is voter and learner at the same time.
 */
function makeLearner(draft: Draft, id: RaftId): void {
  const { config } = draft;
  const progress = progressOf(draft, id);
  if (progress === undefined) {
    insertId(config.learners, id);
    addProgress(draft, id, true);
    return;
  }
  if (progress.isLearner) return;
  removeId(config.incoming, id);
  removeId(config.learners, id);
  removeId(config.learnersNext, id);
  if (config.outgoing.includes(id)) {
    insertId(config.learnersNext, id);
  } else {
    progress.isLearner = true;
    insertId(config.learners, id);
  }
}

function remove(draft: Draft, id: RaftId): void {
  const { config } = draft;
  if (progressOf(draft, id) === undefined) return;
  removeId(config.incoming, id);
  removeId(config.learners, id);
  removeId(config.learnersNext, id);
  if (!config.outgoing.includes(id)) dropProgress(draft, id);
}

function addProgress(draft: Draft, id: RaftId, isLearner: boolean): void {
  const { tracker, lastIndex, progress } = draft;
  const next = Math.max(lastIndex, 1);
  const added = createProgress(id, next, isLearner, tracker.maxInflight, tracker.maxInflightBytes);
  // A new member counts as heard of, or the next check of the quorum might depose its leader.
  added.recentActive = true;
  const at = progress.findIndex((other) => other.id > id);
  if (at === -1) progress.push(added);
  else progress.splice(at, 0, added);
}

function progressOf(draft: Draft, id: RaftId): Progress | undefined {
  return draft.progress.find((progress) => progress.id === id);
}

function dropProgress(draft: Draft, id: RaftId): void {
  draft.progress = draft.progress.filter((progress) => progress.id !== id);
}

/** A copy of the configuration in force. As in etcd, `autoLeave` does not survive the copying. */
function draftOf(tracker: ProgressTracker, lastIndex: LogIndex): Draft | string {
  const { config } = tracker;
  const copy: TrackerConfig = {
    incoming: [...config.incoming],
    outgoing: [...config.outgoing],
    learners: [...config.learners],
    learnersNext: [...config.learnersNext],
    autoLeave: false,
  };
  const draft: Draft = {
    config: copy,
    progress: tracker.progress.map(copyProgress),
    tracker,
    lastIndex,
  };
  return problemOf(draft) ?? draft;
}

function checked(draft: Draft): Changed | string {
  const { config, progress } = draft;
  return problemOf(draft) ?? { config, progress };
}

/** What is wrong with a configuration in itself (etcd's confchange.checkInvariants), or null. */
function problemOf(draft: Draft): string | null {
  const { config } = draft;
  for (const ids of [voterIds(config), config.learners, config.learnersNext]) {
    for (const id of ids) {
      if (progressOf(draft, id) === undefined) return `no progress for ${id}`;
    }
  }
  for (const id of config.learnersNext) {
    if (!config.outgoing.includes(id)) return `${id} is in LearnersNext, but not Voters[1]`;
    if (progressOf(draft, id)?.isLearner) {
      return `${id} is in LearnersNext, but is already marked as learner`;
    }
  }
  for (const id of config.learners) {
    if (config.outgoing.includes(id)) return `${id} is in Learners and Voters[1]`;
    if (config.incoming.includes(id)) return `${id} is in Learners and Voters[0]`;
    if (!progressOf(draft, id)?.isLearner) {
      return `${id} is in Learners, but is not marked as learner`;
    }
  }
  if (isJoint(config)) return null;
  if (config.learnersNext.length > 0) return "cfg.LearnersNext must be nil when not joint";
  return config.autoLeave ? "AutoLeave must be false when not joint" : null;
}

function isJoint(config: TrackerConfig): boolean {
  return config.outgoing.length > 0;
}

function insertId(ids: RaftId[], id: RaftId): void {
  const at = ids.findIndex((other) => other >= id);
  if (at === -1) ids.push(id);
  else if (ids[at] !== id) ids.splice(at, 0, id);
}

function removeId(ids: RaftId[], id: RaftId): void {
  const at = ids.indexOf(id);
  if (at !== -1) ids.splice(at, 1);
}

/** How many ids are in one list and not in the other. */
function differing(left: readonly RaftId[], right: readonly RaftId[]): number {
  const missing = left.filter((id) => !right.includes(id)).length;
  return missing + right.filter((id) => !left.includes(id)).length;
}
