import {
  type ConfChange,
  type ConfChangeSingle,
  type ConfChangeTransition,
  type ConfChangeType,
  campaign,
  compact,
  forgetLeader,
  NO_LIMIT,
  propose,
  proposeConfChange,
  type RaftConfig,
  type RaftId,
  reportUnreachable,
  type Snapshot,
  STEP_ERROR_TEXT,
  STORAGE_ERROR_TEXT,
  type StepError,
  status,
  tick,
  transferLeader,
} from "../../../core/raft/index.js";
import type { Argument } from "./datadriven.js";
import { describeEntry, describeMessage, describeProgress, ROLE_TEXT } from "./describe.js";
import { CommandError, type Environment, type Member, type Text } from "./environment.js";
import { goParseBool, goParseUint, goQuote } from "./go-text.js";
import { LEVELS } from "./log-text.js";

/** What a script can ask for. */
export interface Command {
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
}

/** Carries out one command and returns what rafttest prints for it. A panic of a member gets through. */
export function runCommand(env: Environment, directive: Command): string {
  env.output.take();
  try {
    dispatch(env, directive);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return env.output.take() + error.message;
  }
  const text = env.output.take();
  return text === "" ? "ok" : text;
}

type Handler = (env: Environment, args: readonly Argument[], input: string) => void;

/** Every command of rafttest's InteractionEnv. */
const HANDLERS: Readonly<Record<string, Handler>> = {
  _breakpoint: () => {},
  "add-nodes": addNodes,
  campaign: (env, args) => {
    const { node, facts } = firstMember(env, args);
    campaign(node, facts);
  },
  compact: compactLog,
  "deliver-msgs": deliverMessages,
  "process-ready": (env, args) => {
    forEach(env, args, "handling Ready", (member) => env.processReady(member));
  },
  "process-append-thread": (env, args) => {
    forEach(env, args, "processing append thread", (member) => env.processAppend(member));
  },
  "process-apply-thread": (env, args) => {
    forEach(env, args, "processing apply thread", (member) => env.processApply(member));
  },
  "log-level": (env, args) => setLevel(env, args[0]?.key ?? ""),
  "raft-log": printLog,
  "raft-state": printState,
  "set-randomized-election-timeout": (env, args) => {
    firstMember(env, args).node.randomizedElectionTimeout = Number(argument(args, "timeout"));
  },
  stabilize,
  status: printStatus,
  "tick-election": (env, args) => ticks(firstMember(env, args), "electionTick"),
  "tick-heartbeat": (env, args) => ticks(firstMember(env, args), "heartbeatTick"),
  "transfer-leadership": (env, args) => {
    const { node, facts } = env.member(Number(argument(args, "from")));
    transferLeader(node, Number(argument(args, "to")), facts);
  },
  "forget-leader": (env, args) => {
    const { node, facts } = firstMember(env, args);
    check(forgetLeader(node, facts));
  },
  "send-snapshot": sendSnapshot,
  propose: (env, args) => {
    const { node, facts } = firstMember(env, args);
    const data = args[1]?.key ?? "";
    check(propose(node, data, new TextEncoder().encode(data).length, facts));
  },
  "propose-conf-change": (env, args, input) => {
    const { node, facts } = firstMember(env, args);
    check(proposeConfChange(node, parseConfChange(args, input), facts));
  },
  "report-unreachable": unreachable,
};

function dispatch(env: Environment, { command, args, input }: Command): void {
  const handler = Object.hasOwn(HANDLERS, command) ? HANDLERS[command] : undefined;
  if (handler === undefined) throw new CommandError("unknown command");
  handler(env, args, input);
}

function ticks({ node, facts }: Member, span: "electionTick" | "heartbeatTick"): void {
  for (let i = 0; i < node.config[span]; i++) tick(node, facts);
}

function unreachable(env: Environment, args: readonly Argument[]): void {
  const [from, peer, ...more] = idsOf(args);
  if (from === undefined || peer === undefined || more.length > 0) {
    throw new CommandError(
      "must specify exactly two node indexes: node on which to report, and reported node",
    );
  }
  const { node, facts } = env.member(from);
  reportUnreachable(node, env.member(peer).node.id, facts);
}

function check(error: StepError | null): void {
  if (error !== null) throw new CommandError(STEP_ERROR_TEXT[error]);
}

function firstId(args: readonly Argument[]): RaftId {
  const id = Number(args[0]?.key);
  if (!Number.isInteger(id)) throw new Error(`not a node: ${args[0]?.key}`);
  return id;
}

/** The nodes a command names; arguments with a value name none. */
function idsOf(args: readonly Argument[]): RaftId[] {
  return args.filter(({ values }) => values.length === 0).map((arg) => firstId([arg]));
}

function argument(args: readonly Argument[], key: string): string {
  const value = args.find((arg) => arg.key === key)?.values[0];
  if (value === undefined) throw new Error(`missing argument ${key}`);
  return value;
}

function firstMember(env: Environment, args: readonly Argument[]): Member {
  return env.member(firstId(args));
}

/** Runs `body` for each node a command names, under a header if there are several. */
function forEach(
  env: Environment,
  args: readonly Argument[],
  what: string,
  body: (member: Member) => void,
): void {
  const ids = idsOf(args);
  for (const id of ids) {
    const member = env.member(id);
    if (ids.length === 1) {
      body(member);
    } else {
      env.output.write(`> ${id} ${what}\n`);
      env.output.indented(() => body(member));
    }
  }
}

function addNodes(env: Environment, args: readonly Argument[]): void {
  let config: Omit<RaftConfig, "id"> = {
    electionTick: 3,
    heartbeatTick: 1,
    maxSizePerMsg: NO_LIMIT,
    maxInflightMsgs: 2 ** 31 - 1,
  };
  const voters: RaftId[] = [];
  const learners: RaftId[] = [];
  let index: number | null = null;
  for (const { key, values } of args.slice(1)) {
    for (const value of values) {
      switch (key) {
        case "voters":
          voters.push(Number(value));
          break;
        case "learners":
          learners.push(Number(value));
          break;
        case "index":
          index = Number(value);
          config = { ...config, applied: index };
          break;
        default:
          config = { ...config, ...option(key, value) };
      }
    }
  }
  const given = index !== null || voters.length > 0 || learners.length > 0;
  const snapshot: Snapshot<string> = {
    index: index ?? 0,
    term: 1,
    confState: { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false },
    data: null,
  };
  env.addMembers(firstId(args), config, given ? snapshot : null);
}

function option(key: string, value: string): Partial<RaftConfig> {
  switch (key) {
    case "inflight":
      return { maxInflightMsgs: Number(value) };
    case "async-storage-writes":
      return { asyncStorageWrites: flag(value) };
    case "prevote":
      return { preVote: flag(value) };
    case "checkquorum":
      return { checkQuorum: flag(value) };
    case "max-committed-size-per-ready":
      return { maxCommittedSizePerReady: Number(value) };
    case "disable-conf-change-validation":
      return { disableConfChangeValidation: flag(value) };
    case "step-down-on-removal":
      return { stepDownOnRemoval: flag(value) };
    case "read-only":
      if (value === "safe" || value === "lease-based") return { readOnlyOption: value };
      throw new CommandError(`invalid read-only option ${goQuote(value)}`);
    default:
      return {};
  }
}

function flag(value: string): boolean {
  const parsed = goParseBool(value);
  if (parsed instanceof Error) throw parsed;
  return parsed;
}

function compactLog(env: Environment, args: readonly Argument[]): void {
  const index = goParseUint(args[1]?.key ?? "");
  if (index instanceof Error) throw new CommandError(index.message);
  const error = compact(firstMember(env, args).node.log.storage, index);
  if (error !== null) throw new CommandError(STORAGE_ERROR_TEXT[error]);
  printLog(env, args);
}

function printLog(env: Environment, args: readonly Argument[]): void {
  const { compactedIndex, entries } = firstMember(env, args).node.log.storage;
  if (entries.length === 0) {
    env.output.write(
      `log is empty: first index=${compactedIndex + 1}, last index=${compactedIndex}`,
    );
  }
  for (const entry of entries) env.output.write(`${describeEntry(entry)}\n`);
}

function deliverMessages(env: Environment, args: readonly Argument[]): void {
  const recipients = idsOf(args).map((id) => ({ id, drop: false }));
  let type: string | null = null;
  for (const { key, values } of args) {
    for (const value of values) {
      if (key === "drop") recipients.push({ id: Number(value), drop: true });
      if (key === "type") type = value;
    }
  }
  if (env.deliver(type, recipients) === 0) env.output.write("no messages\n");
}

function setLevel(env: Environment, name: string): void {
  const level = LEVELS.find((candidate) => candidate === name.toUpperCase());
  if (level === undefined) {
    throw new CommandError(`log levels must be either of [${LEVELS.join(" ")}]`);
  }
  env.output.level = level;
}

function stabilize(env: Environment, args: readonly Argument[]): void {
  const { level } = env.output;
  try {
    for (const { key, values } of args) {
      if (key === "log-level") for (const value of values) setLevel(env, value);
    }
    env.stabilize(idsOf(args));
  } finally {
    env.output.level = level;
  }
}

function printState(env: Environment): void {
  for (const { node } of env.members) {
    const { id, softState, hardState, config } = status(node);
    const voter = config.voters.includes(id) || config.votersOutgoing.includes(id);
    env.output.write(
      `${id}: ${ROLE_TEXT[softState.role]} (${voter ? "Voter" : "Non-Voter"}) ` +
        `Term:${hardState.term} Lead:${softState.lead}\n`,
    );
  }
}

function printStatus(env: Environment, args: readonly Argument[]): void {
  for (const peer of status(firstMember(env, args).node).progress) {
    env.output.write(`${peer.id}: ${describeProgress(peer.view)}\n`);
  }
}

function sendSnapshot(env: Environment, args: readonly Argument[]): void {
  const [from, to] = idsOf(args);
  if (from === undefined || to === undefined) throw new Error("send-snapshot takes two nodes");
  const { node, history } = env.member(from);
  const message: Text = {
    type: "MsgSnap",
    to,
    from,
    term: node.term,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    entries: [],
    snapshot: history.at(-1) ?? null,
    readPosition: 0,
    campaignTransfer: false,
    responses: [],
  };
  env.messages.push(message);
  env.output.write(describeMessage(message));
}

const TRANSITIONS: Readonly<Record<string, ConfChangeTransition>> = {
  auto: "auto",
  implicit: "joint-implicit",
  explicit: "joint-explicit",
};

function parseConfChange(args: readonly Argument[], input: string): ConfChange<string> {
  let v1 = false;
  let transition: ConfChangeTransition = "auto";
  for (const { key, values } of args.slice(1)) {
    for (const value of values) {
      if (key === "v1") {
        const parsed = goParseBool(value);
        if (parsed instanceof Error) throw new CommandError(parsed.message);
        v1 = parsed;
      } else if (key === "transition") {
        const named = TRANSITIONS[value];
        if (named === undefined) throw new CommandError(`unknown transition ${value}`);
        transition = named;
      } else {
        throw new CommandError(`unknown command ${key}`);
      }
    }
  }
  const changes = parseChanges(input);
  const rest = { context: null, contextBytes: 0 };
  if (!v1) return { version: 2, transition, changes, ...rest };
  if (changes.length > 1 || transition !== "auto") {
    throw new CommandError("v1 conf change can only have one operation and no transition");
  }
  const [change] = changes;
  if (change === undefined) throw new Error("a v1 conf change needs an operation");
  return { version: 1, ...change, ...rest };
}

const OPERATIONS: Readonly<Record<string, ConfChangeType>> = {
  v: "add-node",
  l: "add-learner-node",
  r: "remove-node",
  u: "update-node",
};

/** Reads `v1 l2 r3 u4`: make voter, make learner, remove, update. */
export function parseChanges(text: string): ConfChangeSingle[] {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  return trimmed.split(" ").map((token) => {
    if (token.length < 2) throw new CommandError(`unknown token ${token}`);
    const type = OPERATIONS[token[0] ?? ""];
    if (type === undefined) throw new CommandError(`unknown input: ${token}`);
    const nodeId = goParseUint(token.slice(1));
    if (nodeId instanceof Error) throw new CommandError(nodeId.message);
    return { type, nodeId };
  });
}
