import { expect, test } from "vitest";
import { createGenerator } from "../kernel/index.js";
import {
  campaign,
  createMemoryStorage,
  createRawNode,
  type RaftConfig,
  type RaftFact,
  type TraceEvent,
  traceJson,
} from "./index.js";
import { createGroup, perform, settle } from "./testing/group.js";

const CONFIG: Omit<RaftConfig, "id"> = {
  electionTick: 10,
  heartbeatTick: 1,
  maxSizePerMsg: 1024,
  maxInflightMsgs: 8,
};

function eventsOf(facts: readonly RaftFact[]): TraceEvent[] {
  return facts.flatMap((fact) => (fact.kind === "raft.trace" ? [fact.event] : []));
}

/** A group of three with a leader, one proposal and one conf change. */
function busyGroup(trace: boolean) {
  const group = createGroup({
    members: [1, 2, 3],
    voters: [1, 2, 3],
    config: { ...CONFIG, trace },
    mode: "in-place",
    sabotage: "none",
    seed: 1,
  });
  perform(group, 1, { kind: "campaign" });
  settle(group);
  perform(group, 1, { kind: "propose", data: "a" });
  const change = {
    version: 1,
    type: "add-learner-node",
    nodeId: 4,
    context: null,
    contextBytes: 0,
  } as const;
  perform(group, 1, { kind: "propose-conf-change", change });
  settle(group);
  return group;
}

test("a group that elects, appends and changes its configuration emits every event there is", () => {
  const events = eventsOf(busyGroup(true).facts.map(({ fact }) => fact));
  expect([...new Set(events.map(({ name }) => name))].sort()).toEqual([
    "ApplyConfChange",
    "BecomeCandidate",
    "BecomeFollower",
    "BecomeLeader",
    "ChangeConf",
    "Commit",
    "InitState",
    "Ready",
    "ReceiveAppendEntriesRequest",
    "ReceiveAppendEntriesResponse",
    "ReceiveRequestVoteRequest",
    "ReceiveRequestVoteResponse",
    "Replicate",
    "SendAppendEntriesRequest",
    "SendAppendEntriesResponse",
    "SendRequestVoteRequest",
    "SendRequestVoteResponse",
  ]);
});

test("tracing changes nothing else, and no event comes without it", () => {
  const traced = busyGroup(true);
  const plain = busyGroup(false);
  expect(traced.facts.filter(({ fact }) => fact.kind !== "raft.trace")).toEqual(plain.facts);
  expect(eventsOf(plain.facts.map(({ fact }) => fact))).toEqual([]);
});

test("an event holds the state of its moment, and is written as the library writes it", () => {
  const facts: RaftFact[] = [];
  const node = createRawNode(
    { ...CONFIG, id: 7, trace: true },
    createMemoryStorage<string, string>(),
    createGenerator(1, "member 7"),
    facts,
  );
  campaign(node, facts);
  expect(eventsOf(facts).map(traceJson)).toEqual([
    '{"name":"InitState","nid":"7","state":{"term":0,"vote":"0","commit":0},"role":"StateFollower","log":0,"conf":[[],[]]}',
    '{"name":"ApplyConfChange","nid":"7","state":{"term":0,"vote":"0","commit":0},"role":"StateFollower","log":0,"conf":[[],[]],"prop":{"cc":{}}}',
    '{"name":"BecomeFollower","nid":"7","state":{"term":0,"vote":"0","commit":0},"role":"StateFollower","log":0,"conf":[[],[]]}',
  ]);
  const [change] = eventsOf(busyGroup(true).facts.map(({ fact }) => fact)).filter(
    ({ name }) => name === "ChangeConf",
  );
  expect(change === undefined ? "" : traceJson(change)).toMatch(
    /"prop":\{"cc":\{"changes":\[\{"nid":"4","action":"AddLearner"\}\]\}\}\}$/,
  );
});
