import { beginRequest, nextCall } from "./api.js";
import { DROPPED, type FleetHttpResponse } from "./api-http.js";
import type { FleetHttpCall, FleetHttpClient } from "./events.js";
import type { RegistryReply } from "./grpc-calls.js";
import { callRegistry } from "./grpc-client.js";
import { metricsText } from "./metrics.js";
import type { ApiRequest, FleetState } from "./state.js";
import { callEtcd, type Step } from "./step.js";

/** A client's request: answered at once, or once etcd has told what it needs. */
export function hearRequest(step: Step, { client, request }: FleetHttpCall): void {
  const metrics = () => metricsText(step.state.engine.counts);
  const { run, response } = beginRequest(request, servesNext(step.state), metrics);
  if (run === null) answer(step, client, response);
  else proceed(step, { client, run });
}

/** Whether there is more than 503 for this connection: during a reload every other one is the second server's. */
function servesNext({ phase, server }: FleetState): boolean {
  if (phase !== "running") return false;
  return server.reload === null || server.reload.asked++ % 2 === 0;
}

/** The answer to a call that a request waits for. */
export function apiReplied(step: Step, id: number, reply: RegistryReply): void {
  const request = step.state.api.get(id);
  if (request === undefined) return;
  step.state.api.delete(id);
  request.run.replies.push(reply);
  proceed(step, request);
}

/** The process ends: connections of clients that wait are closed. */
export function dropRequests(step: Step): void {
  for (const { client } of step.state.api.values()) answer(step, client, DROPPED);
  step.state.api.clear();
}

function proceed(step: Step, request: ApiRequest): void {
  const { call, response } = nextCall(step.state.config, request.run);
  if (call === null) answer(step, request.client, response);
  else {
    const id = "rpc" in call ? callRegistry(step, "api", call) : callEtcd(step, "api", call);
    step.state.api.set(id, request);
  }
}

function answer(step: Step, client: FleetHttpClient, response: FleetHttpResponse): void {
  step.out.effects.push({ kind: "http-response", client, response });
}
