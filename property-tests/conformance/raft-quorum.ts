import {
  INFINITE_INDEX,
  jointCommitted,
  jointVote,
  majorityCommitted,
  majorityVote,
  type RaftId,
  type VoteResult,
} from "../../core/raft/index.js";
import { asExpected, type Directive, parseScript } from "./raft/datadriven.js";
import type { Suite } from "./suite.js";
import { witnessFiles } from "./witness.js";

/** What a quorum has committed or voted, in single and joint configurations. */
export const raftQuorum: Suite = {
  name: "raft-quorum",
  about: "directives of quorum scripts, against etcd-io/raft 3.7",
  run(dataDir, report) {
    for (const { path, text } of witnessFiles(dataDir, "raft/quorum", ".txt", report)) {
      for (const directive of parseScript(text)) {
        const name = `${path}:${directive.line}`;
        const actual = asExpected(answer(directive));
        report.compare(name, () => directive.source, directive.expected, actual);
      }
    }
  },
};

interface Question {
  readonly incoming: readonly RaftId[];
  /** null: not a joint configuration. */
  readonly outgoing: readonly RaftId[] | null;
  /** Index or vote by voter; absent if not known. */
  readonly known: ReadonlyMap<RaftId, number>;
}

function answer(directive: Directive): string {
  const question = parse(directive);
  if (typeof question === "string") return question;
  switch (directive.command) {
    case "committed":
      return committed(question);
    case "vote":
      return vote(question);
    default:
      return `unknown command: ${directive.command}`;
  }
}

function parse({ command, args }: Directive): Question | string {
  const list = (key: string) => args.filter((arg) => arg.key === key).flatMap((arg) => arg.values);
  const incoming = list("cfg").map(Number);
  const joint = args.some(({ key }) => key === "cfgj");
  const outgoing = list("cfgj")
    .filter((value) => value !== "zero")
    .map(Number);
  const given = list(command === "vote" ? "votes" : "idx").map((value) => {
    if (value === "_") return 0;
    return command === "vote" ? (value === "y" ? 2 : 1) : Number(value);
  });
  const voters = [...new Set([...incoming, ...outgoing])];
  if (voters.length !== given.length) {
    const ids = [...voters].sort((a, b) => a - b).join(" ");
    return `error: mismatched input (explicit or _) for voters map[${ids}]: [${given.join(" ")}]`;
  }
  const known = new Map<RaftId, number>();
  voters.forEach((voter, i) => {
    const value = given[i] ?? 0;
    if (value !== 0) known.set(voter, value);
  });
  const ascending = (ids: readonly RaftId[]) => [...new Set(ids)].sort((a, b) => a - b);
  return {
    incoming: ascending(incoming),
    outgoing: joint ? ascending(outgoing) : null,
    known,
  };
}

/** The index, a bar chart of who has acknowledged what, and any way of asking that gives another answer. */
function committed({ incoming, outgoing, known }: Question): string {
  const acked = (id: RaftId) => known.get(id) ?? null;
  const differing: string[] = [];
  const expect = (index: number, other: number, how: string) => {
    if (other !== index) differing.push(`${indexText(other)} <-- via ${how}\n`);
  };
  if (outgoing === null) {
    const index = majorityCommitted(incoming, acked);
    expect(index, byCounting(incoming, acked), "alternative computation");
    expect(index, jointCommitted(incoming, [], acked), "zero-joint quorum");
    expect(index, jointCommitted(incoming, incoming, acked), "self-joint quorum");
    return (
      chart(incoming, acked) + differing.join("") + lowered(incoming, known, index) + line(index)
    );
  }
  const index = jointCommitted(incoming, outgoing, acked);
  expect(index, jointCommitted(outgoing, incoming, acked), "symmetry");
  const all = [...new Set([...incoming, ...outgoing])].sort((a, b) => a - b);
  return chart(all, acked) + differing.join("") + line(index);
}

/** Lowering an index that is below the committed one must not change the answer. */
function lowered(
  voters: readonly RaftId[],
  known: ReadonlyMap<RaftId, number>,
  index: number,
): string {
  let text = "";
  for (const voter of voters) {
    const own = known.get(voter) ?? 0;
    if (own === 0 || own >= index) continue;
    for (const [lower, label] of [
      [own - 1, `${own}`],
      [0, "0"],
    ] as const) {
      const overlay = new Map(known).set(voter, lower);
      const other = majorityCommitted(voters, (id) => overlay.get(id) ?? null);
      if (other !== index) text += `${indexText(other)} <-- overlaying ${voter}->${label}`;
    }
  }
  return text;
}

/** The highest acknowledged index that enough voters have reached: the definition, by counting. */
function byCounting(voters: readonly RaftId[], acked: (id: RaftId) => number | null): number {
  if (voters.length === 0) return INFINITE_INDEX;
  const indexes = voters.map((voter) => acked(voter) ?? 0);
  const quorum = Math.floor(voters.length / 2) + 1;
  const reached = indexes.filter(
    (index) => indexes.filter((other) => other >= index).length >= quorum,
  );
  return Math.max(0, ...reached);
}

function vote({ incoming, outgoing, known }: Question): string {
  const voteOf = (id: RaftId) => {
    const value = known.get(id);
    return value === undefined ? null : value === 2;
  };
  if (outgoing === null) return `${voteText(majorityVote(incoming, voteOf))}\n`;
  const result = jointVote(incoming, outgoing, voteOf);
  const swapped = jointVote(outgoing, incoming, voteOf);
  const note = swapped === result ? "" : `${voteText(swapped)} <-- via symmetry\n`;
  return `${note}${voteText(result)}\n`;
}

function voteText(result: VoteResult): string {
  return { pending: "VotePending", lost: "VoteLost", won: "VoteWon" }[result];
}

function indexText(index: number): string {
  return index === INFINITE_INDEX ? "∞" : String(index);
}

function line(index: number): string {
  return `${indexText(index)}\n`;
}

/** A bar per voter, as long as the number of voters that acknowledged less. */
function chart(voters: readonly RaftId[], acked: (id: RaftId) => number | null): string {
  const count = voters.length;
  if (count === 0) return "<empty majority quorum>";
  const rows = voters.map((id) => ({
    id,
    index: acked(id) ?? 0,
    known: acked(id) !== null,
    bar: 0,
  }));
  const byIndex = [...rows].sort((a, b) => a.index - b.index || a.id - b.id);
  byIndex.forEach((row, i) => {
    const below = byIndex[i - 1];
    if (below !== undefined) row.bar = below.index < row.index ? i : below.bar;
  });
  let text = `${" ".repeat(count)}    idx\n`;
  for (const row of rows) {
    const bar = row.known
      ? `${"x".repeat(row.bar)}>${" ".repeat(count - row.bar)}`
      : `?${" ".repeat(count)}`;
    text += `${bar} ${String(row.index).padStart(5)}    (id=${row.id})\n`;
  }
  return text;
}
