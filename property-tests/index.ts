export { type Case, cases } from "./arbitraries/case.js";
export { type FaultLimits, faultPlans } from "./arbitraries/fault-plan.js";
export {
  type ScenarioLimits,
  type ScenarioShape,
  scenarioOf,
  scenarioShapes,
  scenarios,
} from "./arbitraries/scenario.js";
export {
  hostName,
  NEXT_RELEASE,
  type TimelineLine,
  timelines,
  UNITS,
} from "./arbitraries/timeline.js";
export { HOSTS_MAX, type Topology, topologies } from "./arbitraries/topology.js";
export { converges, type Excuse, excusesOf } from "./checks/convergence.js";
export type { Finding } from "./checks/finding.js";
export {
  type Delivery,
  recordDeliveries,
  runnersAgree,
  slotsStaySafe,
} from "./checks/hosts-again.js";
export { holdsInvariants, violationsOf } from "./checks/invariants.js";
export { flipIsNamed, logVerdict, writeRunLog } from "./checks/log-file.js";
export { holdsRaftInStates } from "./checks/raft-states.js";
export {
  droppingKeepsThePast,
  headerBringsBack,
  type RecordedRun,
  recordRun,
  runsAlike,
  slicesAlike,
} from "./checks/replay.js";
