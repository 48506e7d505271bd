import type { Suite } from "./suite.js";
import { witnessFiles } from "./witness.js";

/** Whole-group scripts: every Ready, message and log line. */
export const raftInteraction: Suite = {
  name: "raft-interaction",
  about: "interaction scripts and panics, against etcd-io/raft 3.7",
  run(dataDir, report) {
    witnessFiles(dataDir, "raft/interaction", ".txt", report);
  },
};
