import type { Suite } from "./suite.js";
import { witnessFiles } from "./witness.js";

/** Scripts of the quorum package. */
export const raftQuorum: Suite = {
  name: "raft-quorum",
  about: "quorum scripts, against etcd-io/raft 3.7",
  run(dataDir, report) {
    witnessFiles(dataDir, "raft/quorum", ".txt", report);
  },
};
