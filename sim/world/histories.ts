import { rowsSince, v2Digest } from "../../core/etcd/index.js";
import type { HostState } from "../../core/host/index.js";
import { hashState, type Micros, type NodeIndex, SECOND } from "../../core/kernel/index.js";
import { checkHistory } from "../../core/workload/index.js";
import type { Simulation } from "./simulation.js";

/** What the record `history.checked` says of a run's clients. */
export interface HistorySummary {
  readonly linearizable: "linearizable" | "not-linearizable" | "unknown";
  /** Requests made; operations of them that the search had to place, and those nobody knows the outcome of. */
  readonly requests: number;
  readonly operations: number;
  readonly open: number;
  readonly watches: number;
  readonly events: number;
  /** Candidates the search looked at. */
  readonly steps: number;
}

/** Checks what the clients of a run saw, and that its members ended with the same; nothing without clients. */
export function concludeHistory(run: Simulation, complete: boolean): void {
  const { clients, invariants, at } = run;
  if (clients.history.isEmpty) return;
  const history = clients.history.history();
  const { findings, linearizability, operations, open } = checkHistory(history);
  const summary: HistorySummary = {
    linearizable: linearizability.verdict,
    requests: history.calls.length,
    operations: operations.length,
    open,
    watches: history.watches.length,
    events: history.watches.reduce(
      (sum, { told }) => sum + told.reduce((count, each) => count + each.told.events.length, 0),
      0,
    ),
    steps: linearizability.steps,
  };
  const seq = run.record("", "history.checked", summary, null);
  for (const { check, detail, member } of findings) {
    const hosts = member === "" ? [] : [run.nodeNamed(member)];
    invariants.report(check, detail, hosts, at, seq);
  }
  const unequal = complete ? unequalStores(run) : null;
  if (unequal === null) return;
  invariants.report("etcd-equal-stores", unequal.detail, unequal.hosts, at, seq);
}

interface Unequal {
  readonly detail: string;
  readonly hosts: readonly NodeIndex[];
}

/** Without requests and faults for so long, a member that is well has applied everything. */
const QUIET: Micros = 5 * SECOND;

/**
 * Members that have applied the same hold the same; and all have, if clients and faults were done some
 * time before the end.
 */
function unequalStores({ scenario, hosts, faultsUntil }: Simulation): Unequal | null {
  const quietFrom = Math.max(faultsUntil, ...scenario.clients.map(({ until }) => until));
  const isQuiet = scenario.duration - quietFrom >= QUIET;
  let first: { readonly node: NodeIndex; readonly index: number; readonly hash: string } | null =
    null;
  for (const [node, host] of hosts.entries()) {
    const run = host.etcd?.serving === true ? (host.member?.run ?? null) : null;
    if (run === null) continue;
    const { index } = run.stores.applied;
    if (first === null) {
      first = { node, index, hash: contentOf(run.stores) };
    } else if (index !== first.index) {
      if (!isQuiet) continue;
      const other = hosts[first.node]?.config.name ?? "";
      const detail = `${host.config.name} has applied entry ${index} and ${other} ${first.index}`;
      return { detail, hosts: [first.node, node] };
    } else if (contentOf(run.stores) !== first.hash) {
      return { detail: `stores differ at index ${index}`, hosts: [first.node, node] };
    }
  }
  return null;
}

type StoresOf = NonNullable<NonNullable<HostState["member"]>["run"]>["stores"];

/** A hash of what all members must hold alike: not of what only a leader knows, or who watches. */
function contentOf({ mvcc, lessor, membership, v2 }: StoresOf): string {
  const { revision, compactRevision } = mvcc;
  return hashState({
    v3: { revision, compactRevision, rows: rowsSince(mvcc, 0) },
    leases: [...lessor.leases.keys()].sort(),
    membership,
    v2: v2Digest(v2),
  });
}
