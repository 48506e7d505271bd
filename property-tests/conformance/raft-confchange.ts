import type { Suite } from "./suite.js";
import { witnessFiles } from "./witness.js";

/** Scripts of the confchange package. */
export const raftConfChange: Suite = {
  name: "raft-confchange",
  about: "confchange scripts, against etcd-io/raft 3.7",
  run(dataDir, report) {
    witnessFiles(dataDir, "raft/confchange", ".txt", report);
  },
};
