import {
  type FleetHttpClient,
  type FleetRpcAsk,
  type FleetStimulus,
  type RpcReply,
  rpcError,
} from "../fleet/index.js";
import type { HostStep } from "./context.js";
import { type Packet, packetBytes } from "./packet.js";

/** The wires between fleetds with `enable_grpc`: each calls the engine that leads, which may be on its own host. */
export function callEngine(step: HostStep, { id, address, request }: FleetRpcAsk): void {
  const { host } = step;
  const own = host.config.index;
  const node = address === "" ? own : host.config.directory[address];
  if (node === undefined) {
    hear(step, { kind: "rpc-reply", id, reply: rpcError("refused") });
    return;
  }
  const call = host.nextCall++;
  host.rpcs ??= new Map();
  host.rpcs.set(call, id);
  if (node === own) hear(step, { kind: "rpc-request", client: { from: own, call }, request });
  else send(step, node, { kind: "fleet-rpc", call, request });
}

/** A call has come from another host. */
export function rpcCalled(
  step: HostStep,
  from: number,
  { call, request }: Packet & { readonly kind: "fleet-rpc" },
): void {
  const client = { from, call };
  if (step.host.fleet === null) answerCall(step, client, rpcError("refused"));
  else hear(step, { kind: "rpc-request", client, request });
}

export function answerCall(step: HostStep, client: FleetHttpClient, reply: RpcReply): void {
  if (client.from === step.host.config.index) rpcAnswered(step, client.call, reply);
  else send(step, client.from, { kind: "fleet-rpc-reply", call: client.call, reply });
}

/** The answer to a call; of a fleetd that is gone nobody waits for it. */
export function rpcAnswered(step: HostStep, call: number, reply: RpcReply): void {
  const id = step.host.rpcs?.get(call);
  if (id === undefined) return;
  step.host.rpcs?.delete(call);
  hear(step, { kind: "rpc-reply", id, reply });
}

/** The server on this host closes the connections of a peer. */
export function hangUp(step: HostStep, peer: number): void {
  const address = step.host.fleet?.config.publicIp ?? "";
  if (peer === step.host.config.index) hear(step, { kind: "rpc-closed", address });
  else send(step, peer, { kind: "fleet-rpc-closed", address });
}

function hear(step: HostStep, stimulus: FleetStimulus): void {
  step.inbox.push({ to: "fleet", stimulus });
}

function send(step: HostStep, to: number, packet: Packet): void {
  step.out.effects.push({ kind: "send", to, packet, bytes: packetBytes(packet) });
}
