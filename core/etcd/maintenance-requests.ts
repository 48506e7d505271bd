import type { Micros } from "../kernel/index.js";
import { transferLeader } from "../raft/index.js";
import { alarmText, listAlarms } from "./alarm.js";
import { bytesInUse, defragment, fileBytes } from "./backend.js";
import { bucketsOf, hashOfBuckets } from "./backend-rows.js";
import { takeDowngrade } from "./downgrade.js";
import { answerHashKv } from "./hash-kv.js";
import { proposeV3 } from "./kv-requests.js";
import type { MaintenanceRequest, StatusResult } from "./maintenance-api.js";
import { memberByRaftId, raftIdOf } from "./membership.js";
import { requestTimeout } from "./propose.js";
import { bareAnswer, type EtcdOut, reply, SERVER_ERROR, v3Answer } from "./reply.js";
import { imageOfStores } from "./snapshot.js";
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
  switch (request.op) {
    case "alarm":
      proposeV3(state, run, asker, request, now, out);
      return;
    case "status":
      reply(asker, v3Answer(run, statusOf(state, run)), true, out);
      return;
    case "defragment":
      defragment(run.stores.backend);
      run.moments.defragmentedAt = now;
      reply(asker, bareAnswer({ op: "defragment" }), true, out);
      return;
    case "hash-kv": {
      const found = answerHashKv(run.stores.mvcc, request.revision, state.config.profile);
      reply(asker, "ok" in found ? found : v3Answer(run, { op: "hash-kv", ...found }), true, out);
      return;
    }
    case "hash": {
      const buckets = bucketsOf(imageOfStores(run.stores), state.config.profile);
      reply(asker, v3Answer(run, { op: "hash", hash: hashOfBuckets(buckets) }), true, out);
      return;
    }
    case "snapshot":
      reply(asker, bareAnswer({ op: "snapshot", image: imageOfStores(run.stores) }), true, out);
      return;
    case "move-leader":
      moveLeader(state, run, asker, request.to, now, out);
      return;
    case "downgrade":
      takeDowngrade(state, run, asker, request, now, out);
  }
}

function statusOf({ config }: EtcdState, { node, stores }: Running): StatusResult {
  const errors = listAlarms(stores.alarms, "none").map(alarmText);
  if (node.lead === 0) errors.unshift(SERVER_ERROR.noLeader);
  return {
    op: "status",
    version: config.version,
    dbSize: fileBytes(stores.backend),
    dbSizeInUse: bytesInUse(stores.backend),
    leader: memberByRaftId(stores.membership, node.lead)?.id ?? "",
    raftIndex: node.log.committed,
    raftTerm: node.term,
    raftAppliedIndex: stores.applied.index,
    errors,
    learner: node.isLearner,
    ...(config.profile.downgrade && {
      dbSizeQuota: config.quotaBytes,
      storageVersion: stores.clusterVersion,
      downgradeTarget: stores.downgradeTarget,
    }),
  };
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
    reply(asker, bareAnswer({ op: "move-leader" }), true, out);
    return;
  }
  run.transfer = { asker, target, deadline: now + requestTimeout(state) };
  transferLeader(run.node, target, out.facts);
}
