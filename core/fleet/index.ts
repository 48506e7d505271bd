export * from "./able-to-run.js";
export * from "./agent-tasks.js";
export { type ApiConfig, type ApiRun, type ApiStep, beginRequest, nextStep } from "./api.js";
export type { FleetHttpRequest, FleetHttpResponse } from "./api-http.js";
export {
  type ApiMachine,
  type ApiUnit,
  BROKEN,
  type JobState,
} from "./api-registry.js";
export * from "./config.js";
export * from "./engine.js";
export { type EngineChange, IncrementalEngine } from "./engine-incremental.js";
export type { ClusterState, EngineJob, EngineTask } from "./engine-task.js";
export * from "./events.js";
export * from "./explain.js";
export * from "./fleetctl.js";
export * from "./fleetctl-api.js";
export * from "./fleetd.js";
export { globMatches } from "./glob.js";
export * from "./grpc-calls.js";
export * from "./outcomes.js";
export * from "./picture.js";
export * from "./registry.js";
export type { RegistryRead } from "./registry-session.js";
export * from "./requirements.js";
export * from "./state.js";
export * from "./unit-file.js";
export type { UnitOption } from "./unit-lexer.js";
export * from "./unit-name.js";
