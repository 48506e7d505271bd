import type { Progress, RaftId } from "../raft/index.js";
import type { Running } from "./state.js";

/** How far a leader knows a peer to be; null if it does not replicate to it. */
export function findProgress(run: Running, id: RaftId): Progress | null {
  return run.node.tracker.progress.find((peer) => peer.id === id) ?? null;
}
