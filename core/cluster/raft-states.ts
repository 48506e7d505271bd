import { type Durable, type LogData, raftIdOf, type StoreImage } from "../etcd/index.js";
import type { HostState } from "../host/index.js";
import type { NodeIndex } from "../kernel/index.js";
import { EMPTY_SNAPSHOT, type MemoryStorage, type Replica } from "../raft/index.js";

/** A member of an etcd cluster as `checkInvariants` looks at it, and the host it is on. */
export interface HostReplica extends Replica<LogData, StoreImage> {
  readonly host: NodeIndex;
}

/**
 * The members of one etcd cluster; one whose process is down counts with what is on its disk. They
 * share the hosts' states: good for looking, until the next step.
 */
export function raftStatesOf(hosts: readonly HostState[], clusterId: string): HostReplica[] {
  const members: HostReplica[] = [];
  for (let host = 0; host < hosts.length; host++) {
    const member = hosts[host]?.member ?? null;
    const identity = member?.disk.durable.identity ?? null;
    if (member === null || identity?.clusterId !== clusterId) continue;
    const { run, disk } = member;
    members.push({
      host,
      id: raftIdOf(identity.memberId),
      node: run?.node ?? null,
      durable: storageOver(disk.durable),
      writing: run !== null && run.saving !== null,
    });
  }
  return members;
}

/** The etcd clusters that some host's disk knows of, by id, in the order of the hosts. */
export function raftClustersOf(hosts: readonly HostState[]): string[] {
  const ids = new Set<string>();
  for (const host of hosts) {
    const id = clusterIdOf(host);
    if (id !== null) ids.add(id);
  }
  return [...ids];
}

/** The etcd cluster that a host's disk belongs to. */
export function clusterIdOf(host: HostState | undefined): string | null {
  return host?.member?.disk.durable.identity?.clusterId ?? null;
}

/** What is durable as raft would find it, without a copy of its entries. */
function storageOver({
  hardState,
  snapshot,
  entries,
}: Durable): MemoryStorage<LogData, StoreImage> {
  return {
    hardState,
    snapshot: snapshot ?? EMPTY_SNAPSHOT,
    compactedIndex: snapshot?.index ?? 0,
    compactedTerm: snapshot?.term ?? 0,
    entries,
    offered: null,
  };
}
