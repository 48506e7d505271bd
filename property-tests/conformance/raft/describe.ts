import {
  APPEND_THREAD,
  APPLY_THREAD,
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeType,
  type ConfState,
  changesOf,
  type Entry,
  type HardState,
  type Message,
  NONE,
  type ProgressState,
  type ProgressView,
  type RaftId,
  type Ready,
  type Role,
  type Snapshot,
} from "../../../core/raft/index.js";
import { goQuote } from "./go-text.js";

/** etcd's names, as `raft.Describe…` and the String methods of 3.7 print them. */
export const ROLE_TEXT: Readonly<Record<Role, string>> = {
  follower: "StateFollower",
  candidate: "StateCandidate",
  leader: "StateLeader",
  "pre-candidate": "StatePreCandidate",
};

const PROGRESS_TEXT: Readonly<Record<ProgressState, string>> = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
};

const CHANGE_LETTER: Readonly<Record<ConfChangeType, string>> = {
  "add-node": "v",
  "add-learner-node": "l",
  "remove-node": "r",
  "update-node": "u",
};

const CHANGE_NAME: Readonly<Record<ConfChangeType, string>> = {
  "add-node": "ConfChangeAddNode",
  "add-learner-node": "ConfChangeAddLearnerNode",
  "remove-node": "ConfChangeRemoveNode",
  "update-node": "ConfChangeUpdateNode",
};

const TRANSITION_NAME = {
  auto: "ConfChangeTransitionAuto",
  "joint-implicit": "ConfChangeTransitionJointImplicit",
  "joint-explicit": "ConfChangeTransitionJointExplicit",
} as const;

export function describeReady(ready: Ready<string, string>): string {
  const lines: string[] = [];
  const { softState, hardState, readStates, entries, snapshot, committedEntries } = ready;
  if (softState !== null) lines.push(`Lead:${softState.lead} State:${ROLE_TEXT[softState.role]}`);
  if (hardState !== null) lines.push(`HardState ${describeHardState(hardState)}`);
  if (readStates.length > 0) {
    const states = readStates.map(({ index, context }) => `{${index} ${goBytes(context ?? "")}}`);
    lines.push(`ReadStates [${states.join(" ")}]`);
  }
  if (entries.length > 0) lines.push("Entries:", ...entries.map(describeEntry));
  if (snapshot !== null) lines.push(`Snapshot ${describeSnapshot(snapshot)}`);
  if (committedEntries.length > 0) {
    lines.push("CommittedEntries:", ...committedEntries.map(describeEntry));
  }
  if (ready.messages.length > 0) {
    lines.push("Messages:", ...ready.messages.map((message) => describeMessage(message)));
  }
  if (lines.length === 0) return "<empty Ready>";
  return `Ready MustSync=${ready.mustSync}:\n${lines.join("\n")}\n`;
}

function describeHardState({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === NONE ? "" : ` Vote:${vote}`} Commit:${commit}`;
}

/** A byte slice as Go's `%v` prints it. */
function goBytes(text: string): string {
  return `[${[...new TextEncoder().encode(text)].join(" ")}]`;
}

export function describeMessage(message: Message<string, string>, indent = ""): string {
  const { type, term, logTerm, index, commit, vote, entries, snapshot, responses } = message;
  let text = `${indent}${target(message.from)}->${target(message.to)} ${type}`;
  text += ` Term:${term} Log:${logTerm}/${index}`;
  if (message.reject) text += ` Rejected (Hint: ${message.rejectHint})`;
  if (commit !== 0) text += ` Commit:${commit}`;
  if (vote !== NONE) text += ` Vote:${vote}`;
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) {
    text += ` Entries:[${describeEntry(first)}]`;
  } else if (entries.length > 1) {
    text += " Entries:[";
    for (const entry of entries) text += `\n${indent}  ${describeEntry(entry)}`;
    text += `\n${indent}]`;
  }
  if (snapshot !== null && snapshot.index !== 0) {
    text += `\n${indent}  Snapshot: ${describeSnapshot(snapshot)}`;
  }
  if (responses.length > 0) {
    text += " Responses:[";
    for (const response of responses) text += `\n${describeMessage(response, `${indent}  `)}`;
    text += `\n${indent}]`;
  }
  return text;
}

function target(id: RaftId): string {
  if (id === NONE) return "None";
  if (id === APPEND_THREAD) return "AppendThread";
  return id === APPLY_THREAD ? "ApplyThread" : id.toString(16);
}

export function describeEntry(entry: Entry<string>): string {
  const body = entry.type === "EntryNormal" ? goQuote(entry.data ?? "") : changesText(entry.data);
  return `${entry.term}/${entry.index} ${entry.type}${body === "" ? "" : ` ${body}`}`;
}

function changesText(change: ConfChange<string> | null): string {
  const changes: readonly ConfChangeSingle[] = change === null ? [] : changesOf(change);
  return changes.map(({ type, nodeId }) => `${CHANGE_LETTER[type]}${nodeId}`).join(" ");
}

function describeSnapshot({ index, term, confState }: Snapshot<string>): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  return (
    `Index:${index} Term:${term} ConfState:` +
    `Voters:[${voters.join(" ")}] VotersOutgoing:[${votersOutgoing.join(" ")}]` +
    ` Learners:[${learners.join(" ")}] LearnersNext:[${learnersNext.join(" ")}]` +
    ` AutoLeave:${autoLeave}`
  );
}

/** A configuration as tracker.Config prints it. */
export function describeConfig(config: ConfState): string {
  let text = `voters=${idSet(config.voters)}`;
  if (config.votersOutgoing.length > 0) text += `&&${idSet(config.votersOutgoing)}`;
  if (config.learners.length > 0) text += ` learners=${idSet(config.learners)}`;
  if (config.learnersNext.length > 0) text += ` learners_next=${idSet(config.learnersNext)}`;
  return config.autoLeave ? `${text} autoleave` : text;
}

function idSet(ids: readonly RaftId[]): string {
  return `(${ids.map((id) => id.toString(16)).join(" ")})`;
}

export function describeProgress(view: ProgressView): string {
  let text = `${PROGRESS_TEXT[view.state]} match=${view.match} next=${view.next}`;
  if (view.learner) text += " learner";
  if (view.paused) text += " paused";
  if (view.pendingSnapshot > 0) text += ` pendingSnap=${view.pendingSnapshot}`;
  if (!view.recentActive) text += " inactive";
  if (view.inflight > 0) text += ` inflight=${view.inflight}${view.inflightFull ? "[full]" : ""}`;
  return text;
}

/**
 * A configuration state as the protobuf text format prints it, on one line. protobuf-go puts one
 * space or two between fields, by a hash of the program it is part of, so that nobody relies on its
 * text; the witness' program puts two.
 */
export function confStateProto(confState: ConfState): string {
  const list = (name: string, ids: readonly RaftId[]) => ids.map((id) => `${name}:${id}`);
  return [
    ...list("voters", confState.voters),
    ...list("learners", confState.learners),
    ...list("voters_outgoing", confState.votersOutgoing),
    ...list("learners_next", confState.learnersNext),
    `auto_leave:${confState.autoLeave}`,
  ].join("  ");
}

/**
 * A conf change as the protobuf text format prints it; the one that leaves by itself prints nothing.
 * The older form prints as the newer one it stands for.
 */
export function confChangeProto(change: ConfChange<unknown> | null): string {
  if (change === null) return "";
  const transition = change.version === 1 ? "auto" : change.transition;
  const changes = changesOf(change).map((single) => `changes:{${singleProto(single)}}`);
  return [`transition:${TRANSITION_NAME[transition]}`, ...changes].join(" ");
}

function singleProto({ type, nodeId }: ConfChangeSingle): string {
  return `type:${CHANGE_NAME[type]} node_id:${nodeId}`;
}
