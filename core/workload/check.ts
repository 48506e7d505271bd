import type { Revision } from "../etcd/index.js";
import type { Micros } from "../kernel/index.js";
import { type CheckResult, checkLinearizable } from "../linearizability/index.js";
import { describeRequest } from "./describe.js";
import { evidenceOf, type StoreOperation } from "./evidence.js";
import type { ClientCall, ClientHistory } from "./history.js";
import { sameResult, storeModel } from "./model.js";
import { rangeAnswer } from "./perform.js";
import { type Replay, replay } from "./replay.js";
import { REFUSED, type StoreRange } from "./request.js";
import { WATCH_CHECKS, type WatchReference } from "./watch-checks.js";

/** What must hold of the history of a store's clients, by name. */
export const HISTORY_CHECKS = {
  "etcd-linearizability":
    "one order of the clients' requests that respects time explains every answer",
  "etcd-serializable-reads":
    "a stale read, and one of an earlier revision, tells what the store held then",
  "watch-filter": "a watch tells only what it was asked for",
  "watch-ordered": "a watch tells changes in the order of their revisions",
  "watch-unique": "a watch tells no change twice",
  "watch-atomic": "a watch tells all changes of a revision at once",
  "watch-bookmarkable": "when a watch tells its progress, everything up to there has been told",
  "watch-resumable": "a watch begins with the first change from its start on",
  "watch-reliable": "a watch leaves out no change between the first it tells and the last",
  "watch-prev-kv": "the value before a change is that of the revision before",
  "watch-is-create": "a change says that it makes its key if and only if the key was not there",
} as const;

export type HistoryCheckName = keyof typeof HISTORY_CHECKS;

/** One breach. `member` is the host that gave the answer, "" where there is not one. */
export interface HistoryFinding {
  readonly check: HistoryCheckName;
  readonly detail: string;
  readonly member: string;
}

/** What a history was found to be. */
export interface HistoryVerdict {
  readonly findings: readonly HistoryFinding[];
  /** What the search for an order came to; `unknown` if it ended at its bound, and then little else was looked at. */
  readonly linearizability: CheckResult;
  /** What was searched, and by which model: a picture shows these. */
  readonly operations: readonly StoreOperation[];
  readonly model: ReturnType<typeof storeModel>;
  /** Operations whose outcome nobody was told and nothing settles. */
  readonly open: number;
}

export interface HistoryCheckOptions {
  /** Bound of the search for an order; past it the answer is `unknown`. */
  readonly stepsMax?: number;
  /** For a picture: also how far orders came that do not explain the history. */
  readonly explain?: boolean;
}

/** Far more than a history of a few thousand requests takes when each revision is told. */
const STEPS_MAX = 200_000;

/**
 * Checks the history of all clients of one new store: that it is linearizable, that stale and past reads
 * tell what the store held, and each of the nine guarantees of every watch, all against
 * the one order that explains the calls.
 */
export function checkHistory(
  history: ClientHistory,
  options: HistoryCheckOptions = {},
): HistoryVerdict {
  const { operations, told } = evidenceOf(history);
  const model = storeModel(told);
  const linearizability = checkLinearizable(model, operations, {
    stepsMax: options.stepsMax ?? STEPS_MAX,
    ...(options.explain === true ? { explain: true } : {}),
  });
  const order = linearizability.partitions.flatMap(({ linearization }) => linearization ?? []);
  const found = linearizability.verdict === "linearizable" ? replay(operations, order) : null;
  const findings: HistoryFinding[] = [];
  if (linearizability.verdict === "not-linearizable") {
    const detail = `no order explains the ${operations.length} operations`;
    findings.push({ check: "etcd-linearizability", detail, member: "" });
  }
  if (found !== null) findings.push(...staleReads(history.calls, found));
  findings.push(...watches(history, found));
  const open = operations.filter((operation) => operation.output === null).length;
  return { findings, linearizability, operations, model, open };
}

/** Reads that any member answers by itself, and reads of an earlier revision. */
function staleReads(calls: readonly ClientCall[], found: Replay): HistoryFinding[] {
  return calls.flatMap((call): HistoryFinding[] => {
    const { request, member } = call;
    if (request.op !== "kv-range") return [];
    const past = (request.revision ?? 0) > 0;
    if (request.serializable !== true && !past) return [];
    const detail = staleRead(call, request, found, calls);
    return detail === null ? [] : [{ check: "etcd-serializable-reads", detail, member }];
  });
}

function staleRead(
  { response, returned }: ClientCall,
  request: StoreRange,
  found: Replay,
  calls: readonly ClientCall[],
): string | null {
  if (response === null || returned === null) return null;
  const asked = request.revision ?? 0;
  const what = describeRequest(request);
  if (!response.ok) {
    if (response.message !== REFUSED.compacted) return null;
    const compacted = compactionsOf(calls)(returned) > asked;
    return compacted ? null : `${what} was refused as compacted, which nobody had asked for`;
  }
  const { revision } = response.header;
  const state = found.states.get(asked > 0 ? asked : revision);
  if (state === undefined) {
    return `${what} told of revision ${revision}, and the store came to ${found.last}`;
  }
  if (asked > revision) return `${what} was answered at revision ${revision}`;
  const same = sameResult(response.result, rangeAnswer(state.keys, request));
  return same ? null : `${what} told something else than the store held at ${state.revision}`;
}

function watches(history: ClientHistory, found: Replay | null): HistoryFinding[] {
  const reference: WatchReference = { replay: found, compactedBy: compactionsOf(history.calls) };
  const findings: HistoryFinding[] = [];
  for (const watch of history.watches) {
    for (const check of CHECK_NAMES) {
      const detail = WATCH_CHECKS[check](watch, reference);
      if (detail === null) continue;
      findings.push({ check, detail: `${watch.client}: ${detail}`, member: watch.member });
    }
  }
  return findings;
}

const CHECK_NAMES = Object.keys(WATCH_CHECKS).filter(
  (name): name is keyof typeof WATCH_CHECKS => name in WATCH_CHECKS,
);

/** The highest revision that compactions asked for by a time may have taken up to; 0 for none. */
function compactionsOf(calls: readonly ClientCall[]): (at: Micros) => Revision {
  const asked = calls.flatMap(({ request, invoked }) =>
    request.op === "kv-compact" ? [{ revision: request.revision, invoked }] : [],
  );
  return (at) =>
    asked.reduce(
      (most, { revision, invoked }) => (invoked <= at ? Math.max(most, revision) : most),
      0,
    );
}
