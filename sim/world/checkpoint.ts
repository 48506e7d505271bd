import type { HostState } from "../../core/host/index.js";

/** What a checkpoint says of one host. */
export function checkpointOf(host: HostState): unknown {
  const { member, etcd } = host;
  const raft = etcd?.serving === true ? (member?.run?.node ?? null) : null;
  return {
    name: host.config.name,
    up: host.power === "up",
    etcd:
      raft === null || member?.run == null
        ? null
        : {
            role: raft.role,
            term: raft.term,
            commit: raft.log.committed,
            applied: member.run.stores.applied.index,
            hash: member.run.stores.applied.hashX,
          },
  };
}
