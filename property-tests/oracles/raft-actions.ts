import {
  type Generator,
  nextBelow,
  nextBetween,
  permutation,
  pick,
} from "../../core/kernel/index.js";
import { firstIndex, lastIndex } from "../../core/raft/index.js";
import type { Environment, Member } from "../conformance/raft/environment.js";
import { changesText } from "./raft-changes.js";
import { addNodes, MAX_ID, percent } from "./raft-groups.js";
import { isDue, mayFire } from "./raft-play.js";

/**
 * The next directives of a walk, made with an eye to the group's state; none if there is nothing
 * to do it to. An action draws from the generator alone, so that a walk is a function of its seed.
 */
type Action = (env: Environment, generator: Generator, profile: string) => readonly string[];

const MAX_NODES = 6;

/** Everything that a walk can do. */
export const ACTIONS = {
  addNodes: (env, generator, profile) =>
    env.members.length < MAX_NODES ? [addNodes(env, generator, profile)] : [],
  breakpoint: () => ["_breakpoint"],
  campaign: (env, generator) => [`campaign ${anyId(env, generator)}`],
  compact: (env, generator) => [compact(env, generator)],
  confChange: (env, generator, profile) => [confChange(env, generator, profile)],
  deliver: (env, generator) => deliver(env, generator),
  deliverType: (env, generator) => deliverType(env, generator),
  drop: (env, generator) => drop(env, generator),
  forgetLeader: (env, generator) => [`forget-leader ${anyId(env, generator)}`],
  logLevel: (_, generator) => [`log-level ${logLevel(generator)}`],
  nonsense: (env, generator) => [nonsense(env, generator)],
  pin: (env, generator) => [pin(anyId(env, generator), generator)],
  processAppend: (env, generator) =>
    nodesWith("process-append-thread", env, generator, ({ appendWork }) => appendWork.length > 0),
  processApply: (env, generator) =>
    nodesWith("process-apply-thread", env, generator, ({ applyWork }) => applyWork.length > 0),
  processReady: (env, generator) => nodesWith("process-ready", env, generator, isDue),
  propose: (env, generator) => propose(env, generator),
  raftLog: (env, generator) => [`raft-log ${anyId(env, generator)}`],
  raftState: () => ["raft-state"],
  reportUnreachable: (env, generator) => [
    `report-unreachable ${leaderId(env, generator, 70)} ${anyId(env, generator)}`,
  ],
  sendSnapshot: (env, generator) => [
    `send-snapshot ${leaderId(env, generator, 75)} ${anyId(env, generator)}`,
  ],
  stabilize: (_, generator) => [`stabilize${levelArgument(generator)}`],
  stabilizeSome: (env, generator) => [
    `stabilize ${someIds(env, generator).join(" ")}${levelArgument(generator)}`,
  ],
  status: (env, generator) => [`status ${leaderId(env, generator, 85)}`],
  tickElection: (env, generator) => tick("tick-election", env, generator),
  tickHeartbeat: (env, generator) => tick("tick-heartbeat", env, generator),
  transferLeadership: (env, generator) => [
    `transfer-leadership from=${leaderId(env, generator, 75)} to=${anyId(env, generator)}`,
  ],
} as const satisfies Record<string, Action>;

export type ActionName = keyof typeof ACTIONS;

function anyId(env: Environment, generator: Generator): number {
  return nextBetween(generator, 1, env.members.length);
}

/** A node that takes itself for a leader in so many of a hundred cases, else any. */
function leaderId(env: Environment, generator: Generator, share: number): number {
  const leaders = env.members.filter(({ node }) => node.role === "leader");
  if (leaders.length === 0 || !percent(generator, share)) return anyId(env, generator);
  return pick(generator, leaders).node.id;
}

/** One to three different nodes. */
function someIds(env: Environment, generator: Generator): number[] {
  const ids = permutation(generator, env.members.length).map((id) => id + 1);
  return ids.slice(0, nextBetween(generator, 1, 3));
}

/** A command for one node that has such work, or in one of ten cases for some that may not. */
function nodesWith(
  command: string,
  env: Environment,
  generator: Generator,
  due: (member: Member) => boolean,
): string[] {
  const able = env.members.filter(due);
  if (percent(generator, 10)) return [`${command} ${someIds(env, generator).join(" ")}`];
  if (able.length === 0) return [];
  if (percent(generator, 20)) return [`${command} ${able.map(({ node }) => node.id).join(" ")}`];
  return [`${command} ${pick(generator, able).node.id}`];
}

function tick(command: "tick-election" | "tick-heartbeat", env: Environment, generator: Generator) {
  const id = leaderId(env, generator, command === "tick-heartbeat" ? 70 : 30);
  const member = env.member(id);
  const { electionTick, heartbeatTick } = member.node.config;
  const line = `${command} ${id}`;
  const ticks = command === "tick-election" ? electionTick : heartbeatTick;
  return mayFire(member, ticks) ? [pin(id, generator), line] : [line];
}

function pin(id: number, generator: Generator): string {
  return `set-randomized-election-timeout ${id} timeout=${nextBetween(generator, 1, 6)}`;
}

/** Ids of nodes that messages wait for. */
function recipients(env: Environment): number[] {
  const ids = new Set(env.messages.map(({ to }) => to));
  return [...ids].filter((id) => id <= env.members.length).sort();
}

function deliver(env: Environment, generator: Generator): string[] {
  const waiting = recipients(env);
  if (waiting.length === 0) return percent(generator, 5) ? ["deliver-msgs 1"] : [];
  if (percent(generator, 30)) return [`deliver-msgs ${waiting.join(" ")}`];
  const id = pick(generator, waiting);
  const others = waiting.filter((other) => other !== id);
  const lost =
    others.length > 0 && percent(generator, 15) ? ` drop=${pick(generator, others)}` : "";
  return [`deliver-msgs ${id}${lost}`];
}

function deliverType(env: Environment, generator: Generator): string[] {
  const able = env.messages.filter(({ to }) => to <= env.members.length);
  if (able.length === 0) return [];
  const { to, type } = pick(generator, able);
  const target = percent(generator, 85) ? to : anyId(env, generator);
  return [`deliver-msgs ${target} type=${type}`];
}

function drop(env: Environment, generator: Generator): string[] {
  const waiting = [...new Set(env.messages.map(({ to }) => to))].sort();
  if (waiting.length === 0) return [];
  if (percent(generator, 20)) return [`deliver-msgs drop=(${waiting.join(",")})`];
  const { to, type } = pick(generator, env.messages);
  return [`deliver-msgs drop=${to}${percent(generator, 20) ? ` type=${type}` : ""}`];
}

/** Mostly to what is applied, which a real application may; at times further, or to nothing. */
function compact(env: Environment, generator: Generator): string {
  const member = pick(generator, env.members);
  const { id, log } = member.node;
  const { storage, applied } = log;
  const stored = storage.compactedIndex + storage.entries.length;
  const kind = nextBelow(generator, 100);
  if (kind < 2) return `compact ${id} ${pick(generator, ["x", "-1", "18446744073709551616"])}`;
  if (kind < 4) return `compact ${id} ${stored + nextBetween(generator, 1, 3)}`;
  if (kind < 10) return `compact ${id} ${nextBetween(generator, 0, firstIndex(log))}`;
  const last = Math.min(stored, kind < 16 ? lastIndex(log) : applied);
  return `compact ${id} ${nextBetween(generator, Math.min(last, storage.compactedIndex), last)}`;
}

const TEXTS = [
  "a",
  "data",
  "foo",
  "bar_",
  "prop_",
  "x-",
  'say"',
  "back\\",
  "ü",
  "世界",
  "🜁",
  "(",
  ",",
];

/** One proposal, or a few for one node that make a batch. */
function propose(env: Environment, generator: Generator): string[] {
  const id = leaderId(env, generator, 75);
  const count = percent(generator, 20) ? nextBetween(generator, 2, 3) : 1;
  return Array.from({ length: count }, () => {
    const text = `${pick(generator, TEXTS)}${nextBelow(generator, 100)}`;
    const size = percent(generator, 10) ? nextBetween(generator, 1, 200) : 0;
    return `propose ${id} ${text}${"y".repeat(size)}`;
  });
}

function confChange(env: Environment, generator: Generator, profile: string): string {
  const id = leaderId(env, generator, 85);
  const { args, input } = changesText(env, generator, profile, MAX_ID);
  return `propose-conf-change ${id}${args}${input === "" ? "" : `\n${input}`}`;
}

function logLevel(generator: Generator): string {
  const odd = ["DEBUG", "Info", "none", "fatal", "bogus"];
  if (percent(generator, 10)) return pick(generator, odd);
  return pick(generator, ["debug", "debug", "debug", "info", "warn", "error"]);
}

function levelArgument(generator: Generator): string {
  if (!percent(generator, 30)) return "";
  return ` log-level=${pick(generator, ["none", "info", "warn", "error", "debug", "loud"])}`;
}

/** What the harness has an error for. */
function nonsense(env: Environment, generator: Generator): string {
  const id = anyId(env, generator);
  return pick(generator, [
    `frobnicate ${id}`,
    `report-unreachable ${id}`,
    `report-unreachable ${id} ${id} ${id}`,
    "log-level loud",
    `propose-conf-change ${id} transition=bogus\nv1`,
    `propose-conf-change ${id} v1=maybe\nv1`,
    `propose-conf-change ${id} foo=bar\nv1`,
    `propose-conf-change ${id}\nz1`,
    `propose-conf-change ${id}\nv`,
    `propose-conf-change ${id}\nvx`,
    `deliver-msgs drop=${MAX_ID + 1}`,
    `send-snapshot ${id} ${MAX_ID + 1}`,
    "process-ready",
    "process-append-thread",
    "deliver-msgs",
  ]);
}
