import type { Micros } from "../kernel/index.js";
import { STEP_ERROR_TEXT } from "../raft/index.js";
import { admitted } from "./admit.js";
import { proposeFor, requestTimeout } from "./propose.js";
import { answerRead, takeRead } from "./reads.js";
import { type EtcdOut, reply } from "./reply.js";
import type { AfterApply, Asker, EtcdState, Running } from "./state.js";
import {
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  type V3Write,
  v3Failure,
} from "./v3-api.js";
import { checkKvRequest } from "./v3-check.js";

/** Takes a range, put, delete or transaction. */
export function takeKv(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: RequestOp,
  now: Micros,
  out: EtcdOut,
): void {
  const malformed = checkKvRequest(request);
  if (malformed !== null) {
    reply(asker, malformed, true, out);
    return;
  }
  if (request.op !== "kv-range" && (request.op !== "kv-txn" || !isReadOnly(request))) {
    proposeV3(state, run, asker, request, now, out);
  } else if (isSerializable(request)) {
    answerRead(state, run, asker, request, now, out);
  } else {
    takeRead(run, { asker, request, deadline: now + requestTimeout(state) }, now, out);
  }
}

/** Only ranges; a nested transaction counts as a write. */
function isReadOnly(txn: TxnRequest): boolean {
  return [...txn.success, ...txn.failure].every((op) => op.op === "kv-range");
}

/** Whether a read may be answered from the member's own store. */
export function isSerializable(request: RangeRequest | TxnRequest): boolean {
  if (request.op === "kv-range") return request.serializable === true;
  const ops = [...request.success, ...request.failure];
  return ops.every((op) => op.op === "kv-range" && op.serializable === true);
}

/** Proposes a write of the v3 API; whoever asks hears when it is applied, or why raft did not take it. */
export function proposeV3(
  state: EtcdState,
  run: Running,
  asker: Asker,
  write: V3Write,
  now: Micros,
  out: EtcdOut,
  after?: AfterApply,
): void {
  const data = admitted(state, run, asker, write, now);
  if ("ok" in data) {
    reply(asker, data, true, out);
    return;
  }
  const { origin } = data;
  const error = proposeFor(state, run, asker, "v3", data, now, out, after);
  if (error === null) return;
  run.requests.delete(origin.request);
  reply(asker, v3Failure("Unknown", STEP_ERROR_TEXT[error]), true, out);
}
