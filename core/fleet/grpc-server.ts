import type { EtcdReply } from "../etcd/client.js";
import { SECOND, unreachable } from "../kernel/index.js";
import { BROKEN, etcdStates, etcdUnits, type StoredUnit } from "./api-registry.js";
import { etcdCreate, rpcJobState } from "./api-units.js";
import type { FleetHttpClient } from "./events.js";
import { type RpcReply, type RpcRequest, type RpcUnit, rpcError } from "./grpc-calls.js";
import {
  beat,
  destroy,
  type RpcMemory,
  saveState,
  scheduledUnit,
  scheduleOf,
  setTargetState,
  statesOf,
  unitsOf,
} from "./grpc-memory.js";
import {
  deleteJob,
  isNotFound,
  removeUnitState,
  saveUnitState,
  schedule,
  unschedule,
  writeTargetState,
} from "./registry.js";
import { afterReplies, type RegistryRead } from "./registry-session.js";
import { callEtcd, type Step } from "./step.js";

/**
 * The server of the engine that leads. What changes units or schedule is written to etcd first and
 * kept if etcd said yes; a write that etcd made and did not answer in time is never heard of again.
 * Source: registry/rpc/rpcserver.go.
 */
export interface RpcServer {
  readonly memory: RpcMemory;
  /** When it started there were machines without gRPC, for which states are kept in etcd too. */
  readonly hasOthers: boolean;
  /** Who has a connection. */
  peers: Set<number>;
  /** What waits for etcd, by call. */
  calls: Map<number, ServedCall>;
}

interface ServedCall {
  readonly client: FleetHttpClient;
  readonly request: RpcRequest;
  replies: EtcdReply[];
}

/** A call of a fleetd, this one's own included. */
export function hearCall(step: Step, client: FleetHttpClient, request: RpcRequest): void {
  const server = step.state.grpc?.server ?? null;
  if (server === null) {
    answer(step, client, rpcError("refused"));
    return;
  }
  server.peers.add(client.from);
  serve(step, server, { client, request, replies: [] });
}

/** etcd's answer to what a call waits for. */
export function serverReplied(step: Step, id: number, reply: EtcdReply): void {
  const server = step.state.grpc?.server;
  const call = server?.calls.get(id);
  if (server === undefined || server === null || call === undefined) return;
  server.calls.delete(id);
  call.replies.push(reply);
  serve(step, server, call);
}

/** The server ends: every connection is closed, whatever is under way. */
export function stopServer(step: Step): void {
  const { grpc, calls } = step.state;
  if (grpc === null || grpc.server === null) return;
  for (const id of grpc.server.calls.keys()) calls.delete(id);
  for (const peer of grpc.server.peers) step.out.effects.push({ kind: "rpc-hangup", peer });
  grpc.server = null;
}

function serve(step: Step, server: RpcServer, call: ServedCall): void {
  const next = afterReplies(handle(step, server, call.request), call.replies);
  if (next.done) answer(step, call.client, next.result);
  else server.calls.set(callEtcd(step, "rpc-server", next.request), call);
}

function answer(step: Step, client: FleetHttpClient, reply: RpcReply): void {
  step.out.effects.push({ kind: "rpc-response", client, reply });
}

const DONE: RpcReply = { ok: true, rpc: "done" };

/** What a call takes. Nothing is changed but at its very end, as its beginning is gone through again. */
function* handle(step: Step, server: RpcServer, request: RpcRequest): RegistryRead<RpcReply> {
  const { memory, hasOthers } = server;
  const { config } = step.state;
  const { keyPrefix } = config;
  switch (request.rpc) {
    case "Status":
      return DONE;
    case "GetUnits": {
      const units = unitsOf(memory);
      if (!hasOthers) return { ok: true, rpc: "units", units };
      const stored = yield* etcdUnits(keyPrefix);
      if (stored === BROKEN) return rpcError("failed");
      const others = stored.filter(({ name }) => !memory.units.has(name)).map(rpcUnit);
      return { ok: true, rpc: "units", units: [...units, ...others] };
    }
    case "GetUnit":
      return { ok: true, rpc: "unit", unit: memory.units.get(request.unit) ?? null };
    case "GetScheduledUnits":
      return { ok: true, rpc: "schedule", units: scheduleOf(memory) };
    case "GetScheduledUnit":
      return { ok: true, rpc: "schedule", units: [scheduledUnit(memory, request.unit)] };
    case "GetUnitStates": {
      const states = statesOf(memory, step.now);
      if (!hasOthers) return { ok: true, rpc: "states", states };
      const stored = yield* etcdStates(keyPrefix);
      if (stored === BROKEN) return rpcError("failed");
      // Only the last of the machines is known by then: states of others come twice.
      const told = new Map(states.map(({ name, machine }) => [name, machine]));
      const others = stored
        .filter(({ unit, machine }) => told.get(unit) !== machine)
        .map(({ unit, reporter: _, ...state }) => ({ name: unit, ...state }));
      return { ok: true, rpc: "states", states: [...states, ...others] };
    }
    case "GetUnitState": {
      const states = statesOf(memory, step.now).filter(({ name }) => name === request.unit);
      return { ok: true, rpc: "states", states: states.slice(0, 1) };
    }
    case "CreateUnit": {
      if (!(yield* etcdCreate(config, request.unit))) return rpcError("failed");
      memory.units.set(request.unit.name, request.unit);
      return DONE;
    }
    case "DestroyUnit": {
      // That it is gone already is an error too, and so it stays in memory.
      if (!(yield deleteJob(keyPrefix, request.unit)).ok) return rpcError("failed");
      destroy(memory, request.unit);
      return DONE;
    }
    case "SetUnitTargetState": {
      const { unit, state } = request;
      if (!(yield writeTargetState(keyPrefix, unit, state)).ok) return rpcError("failed");
      setTargetState(memory, unit, state);
      return DONE;
    }
    case "ScheduleUnit": {
      const { unit, machine } = request;
      if (!(yield schedule(keyPrefix, unit, machine)).ok) return rpcError("failed");
      memory.schedule.set(unit, machine);
      return DONE;
    }
    case "UnscheduleUnit": {
      const { unit, machine } = request;
      const reply = yield unschedule(keyPrefix, unit, machine);
      if (!reply.ok && !isNotFound(reply)) return rpcError("failed");
      memory.schedule.delete(unit);
      return DONE;
    }
    case "UnitHeartbeat":
      beat(memory, request.unit, request.machine);
      return DONE;
    case "ClearUnitHeartbeat":
      memory.heartbeats.delete(request.unit);
      return DONE;
    case "SaveUnitState": {
      const { state, ttl } = request;
      const { name, machine, ...report } = state;
      const writes = hasOthers ? saveUnitState(keyPrefix, name, machine, report, ttl) : [];
      for (const write of writes) yield write;
      saveState(memory, state, step.now + ttl * SECOND);
      return DONE;
    }
    case "RemoveUnitState": {
      for (const write of hasOthers ? removeUnitState(keyPrefix, request.unit, null) : []) {
        const reply = yield write;
        if (!reply.ok && !isNotFound(reply)) break;
      }
      memory.states.delete(request.unit);
      return DONE;
    }
    default:
      return unreachable(request);
  }
}

/** A unit of etcd's as it is sent. */
export function rpcUnit({ name, file, desiredState }: StoredUnit): RpcUnit {
  return { name, file, state: rpcJobState(desiredState) };
}
