import type { EtcdState } from "../../core/etcd/index.js";

/** One family: its name, what it is, its samples by labels. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly value: number;
  readonly labels?: string;
}

/**
 * The families of etcd's `/metrics` that a model can tell truly, in Prometheus' text format. Durations of
 * a disk and of Go's runtime are not among them.
 */
export function metricsText(state: EtcdState): string {
  const { run, config } = state;
  if (run === null) return "";
  const { node, stores } = run;
  const { mvcc } = stores;
  const leads = node.role === "leader";
  const families: Family[] = [
    gauge(
      "etcd_cluster_version",
      "Which version is running.",
      1,
      `cluster_version="${stores.clusterVersion}"`,
    ),
    gauge(
      "etcd_debugging_mvcc_compact_revision",
      "The revision of the last compaction in store.",
      mvcc.compactRevision,
    ),
    gauge("etcd_debugging_mvcc_current_revision", "The current revision of store.", mvcc.revision),
    gauge(
      "etcd_debugging_store_watchers",
      "Count of currently active watchers.",
      run.watching.size,
    ),
    gauge(
      "etcd_server_has_leader",
      "Whether or not a leader exists. 1 is existence, 0 is not.",
      node.lead === 0 ? 0 : 1,
    ),
    gauge(
      "etcd_server_id",
      "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.",
      1,
      `server_id="${run.memberId}"`,
    ),
    gauge(
      "etcd_server_is_leader",
      "Whether or not this member is a leader. 1 if is, 0 otherwise.",
      leads ? 1 : 0,
    ),
    gauge(
      "etcd_server_is_learner",
      "Whether or not this member is a learner. 1 if is, 0 otherwise.",
      node.isLearner ? 1 : 0,
    ),
    gauge(
      "etcd_server_proposals_applied_total",
      "The total number of consensus proposals applied.",
      stores.applied.index,
    ),
    gauge(
      "etcd_server_proposals_committed_total",
      "The total number of consensus proposals committed.",
      node.log.committed,
    ),
    gauge(
      "etcd_server_proposals_pending",
      "The current number of pending proposals to commit.",
      run.requests.size,
    ),
    gauge(
      "etcd_server_version",
      "Which version is running. 1 for 'server_version' label with current version.",
      1,
      `server_version="${config.version}"`,
    ),
  ];
  return families.map(text).join("");
}

function gauge(name: string, help: string, value: number, labels?: string): Family {
  return { name, help, type: "gauge", value, ...(labels === undefined ? {} : { labels }) };
}

function text({ name, help, type, value, labels }: Family): string {
  const sample = labels === undefined ? name : `${name}{${labels}}`;
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${sample} ${value}\n`;
}
