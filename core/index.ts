/** The machines, each under its own name; see docs/architecture.md. */

export * as balancer from "./balancer/index.js";
export * as cloudconfig from "./cloudconfig/index.js";
export * as cluster from "./cluster/index.js";
export * as container from "./container/index.js";
export * as discovery from "./discovery/index.js";
export * as etcd from "./etcd/index.js";
export * as flannel from "./flannel/index.js";
export * as fleet from "./fleet/index.js";
export * as host from "./host/index.js";
export * as kernel from "./kernel/index.js";
export * as linearizability from "./linearizability/index.js";
export * as observe from "./observe/index.js";
export * as raft from "./raft/index.js";
export * as shell from "./shell/index.js";
export * as systemd from "./systemd/index.js";
export * as update from "./update/index.js";
export * as workload from "./workload/index.js";
