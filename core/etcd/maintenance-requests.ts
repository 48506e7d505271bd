import type { Micros } from "../kernel/index.js";
import { transferLeader } from "../raft/index.js";
import type { MaintenanceRequest } from "./maintenance-api.js";
import { raftIdOf } from "./membership.js";
import { requestTimeout } from "./propose.js";
import { type EtcdOut, reply, SERVER_ERROR, v3Answer } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";
import { v3Failure } from "./v3-api.js";

/** Takes a request of the Maintenance service. */
export function takeMaintenance(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: MaintenanceRequest,
  now: Micros,
  out: EtcdOut,
): void {
  if (request.op === "move-leader") moveLeader(state, run, asker, request.to, now, out);
  else reply(asker, v3Failure("Unimplemented", `${request.op} is not modelled`), true, out);
}

/** Hands the lead over. Only the leader can, and only to a voter it knows. */
function moveLeader(
  state: EtcdState,
  run: Running,
  asker: Asker,
  to: string,
  now: Micros,
  out: EtcdOut,
): void {
  const refuse = (error: string): void =>
    reply(asker, v3Failure("FailedPrecondition", error), true, out);
  if (run.node.role !== "leader") {
    refuse(SERVER_ERROR.notLeader);
    return;
  }
  const member = run.stores.membership.members.get(to);
  if (member === undefined || member.learner) {
    refuse(SERVER_ERROR.badTransferee);
    return;
  }
  const target = raftIdOf(to);
  if (target === run.id) {
    reply(asker, v3Answer(run, { op: "move-leader" }), true, out);
    return;
  }
  run.transfer = { asker, target, deadline: now + requestTimeout(state) };
  transferLeader(run.node, target, out.facts);
}
