import { cloudConfig } from "./cloud-config.js";
import { fleetAgent } from "./fleet-agent.js";
import { fleetEngine } from "./fleet-engine.js";
import { fleetUnits } from "./fleet-units.js";
import { linearizability } from "./linearizability.js";
import { locksmith } from "./locksmith.js";
import { raftConfChange } from "./raft-confchange.js";
import { raftInteraction } from "./raft-interaction.js";
import { raftQuorum } from "./raft-quorum.js";
import type { Suite } from "./suite.js";

/** Every suite, in the order in which `--list` and a run without names go through them. */
export const SUITES: readonly Suite[] = [
  raftInteraction,
  raftQuorum,
  raftConfChange,
  locksmith,
  cloudConfig,
  fleetEngine,
  fleetAgent,
  fleetUnits,
  linearizability,
];
