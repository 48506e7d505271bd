import { dropRequests } from "./api-server.js";
import { stopServer } from "./grpc-server.js";
import { type CallOwner, createState } from "./state.js";
import { forget, type Step } from "./step.js";

/** Those that wait for answers for as long as there is a process. */
const OUTLIVING: ReadonlySet<CallOwner> = new Set(["api", "rpc-server", "rpc-change"]);

/**
 * Nothing more is waited for, but what clients of the API and other fleetds have asked, and what stands
 * between this one and the registry.
 */
export function takeBackEverything(step: Step): void {
  const { state, out } = step;
  for (const timer of state.timers) out.effects.push({ kind: "cancel-timer", timer });
  state.timers.clear();
  if (state.grpc !== null) state.grpc.timerAt = null;
  forget(step, "watch");
  for (const [id, owner] of state.calls) if (!OUTLIVING.has(owner)) state.calls.delete(id);
}

/** The end of the process. Only the ids it has used are remembered, so that late answers find nobody. */
export function exit(step: Step, code: number): void {
  const { state, out } = step;
  takeBackEverything(step);
  dropRequests(step);
  stopServer(step);
  const { nextId } = state;
  Object.assign(state, createState(state.config), { nextId });
  out.facts.push({ kind: "fleet.exited", machine: state.config.machineId, code });
  out.effects.push({ kind: "exit", code });
}
