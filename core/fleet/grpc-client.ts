import type { EtcdReply } from "../etcd/client.js";
import { MILLISECOND, type Micros, SECOND } from "../kernel/index.js";
import {
  type RegistryCall,
  type RpcError,
  type RpcReply,
  type RpcRequest,
  rpcError,
} from "./grpc-calls.js";
import type { RpcMemory } from "./grpc-memory.js";
import type { RpcServer } from "./grpc-server.js";
import { heartbeat } from "./registry.js";
import type { CallOwner } from "./state.js";
import { arm, newCall, type Step, sendEtcd, ttlSeconds } from "./step.js";

/**
 * A fleetd with `enable_grpc`: the registry of units is asked of the engine that leads once there is
 * a connection to it, else of etcd. Source: registry/rpc/registrymux.go, rpcregistry.go.
 */
export interface GrpcState {
  /** Where calls go: etcd until an engine has been found. */
  current: "etcd" | "rpc";
  /** The engine that leads, as far as is known: where connections are made to. */
  engine: EnginePresence | null;
  client: RpcClient | null;
  /** Calls under way, by id. */
  waiting: Map<number, WaitingCall>;
  /** Calls made while the engine changes, which wait until that is over. */
  held: { readonly id: number; readonly call: RegistryCall }[];
  server: RpcServer | null;
  change: EngineChange | null;
  /** Changes that wait for the one under way. */
  changes: EnginePresence[];
  connector: Connector;
  /** When the timer goes off that looks after the calls; null: it is not armed. */
  timerAt: Micros | null;
}

/** What the registry says of the machine of an engine. */
export interface EnginePresence {
  readonly id: string;
  readonly publicIp: string;
  readonly grpc: boolean;
}

export interface RpcClient {
  /** Address at the other end; null while there is no connection. */
  connection: string | null;
}

/** A change of engines under way; see `engineChanged`. */
export interface EngineChange {
  readonly engine: EnginePresence;
  /** It is another machine than before. */
  readonly moved: boolean;
  step: "server" | "load" | "machines" | "status" | "connect";
  /** etcd's answers while the server loads. */
  replies: EtcdReply[];
  loaded: RpcMemory | null;
}

/** How far a fleetd without an engine is in finding the one that leads; see `lookForEngine`. */
export interface Connector {
  step: "idle" | "lease" | "machines" | "status" | "connect" | "find-lease" | "find-machines";
  leader: string;
  /** It has closed its connection because the engine that led took no part in gRPC. */
  closed: boolean;
}

interface WaitingCall {
  readonly request: RpcRequest;
  readonly deadline: Micros;
  /** It waits for a connection whatever happens, until its deadline. */
  readonly persistent: boolean;
  /** Address it was sent to; null while nobody listens. */
  sentTo: string | null;
  /** It was sent over a connection that had been there before. */
  connected: boolean;
}

/** A call that is over, with what became of it. */
export interface FinishedCall {
  readonly id: number;
  readonly reply: RpcReply;
}

const CALL_PATIENCE = 5 * SECOND;
const DIAL_INTERVAL = 200 * MILLISECOND;

export function createGrpc(): GrpcState {
  return {
    current: "etcd",
    engine: null,
    client: null,
    waiting: new Map(),
    held: [],
    server: null,
    change: null,
    changes: [],
    connector: { step: "idle", leader: "", closed: false },
    timerAt: null,
  };
}

/** Asks whichever registry of units there is, and returns the id of the call. */
export function callRegistry(step: Step, owner: CallOwner | null, call: RegistryCall): number {
  const id = newCall(step, owner);
  const { grpc } = step.state;
  if (grpc !== null && grpc.change !== null) grpc.held.push({ id, call });
  else dispatch(step, id, call);
  return id;
}

/** Says that this machine runs the unit. */
export function beatCall({ state }: Step, unit: string): RegistryCall {
  const { keyPrefix, machineId: machine } = state.config;
  const etcd = heartbeat(keyPrefix, unit, machine, ttlSeconds(state));
  return { rpc: { rpc: "UnitHeartbeat", unit, machine }, etcd };
}

/** The engine has changed: calls go to whatever registry there is now. */
export function releaseHeld(step: Step, grpc: GrpcState): void {
  for (const { id, call } of grpc.held.splice(0)) dispatch(step, id, call);
}

function dispatch(step: Step, id: number, call: RegistryCall): void {
  const { grpc } = step.state;
  if (grpc === null || grpc.current === "etcd") sendEtcd(step, id, call.etcd);
  else sendRpc(step, grpc, id, call.rpc, CALL_PATIENCE, false);
}

/** Whether the engine at the other end of the connection serves. */
export function askStatus(step: Step, grpc: GrpcState, owner: CallOwner): void {
  sendRpc(step, grpc, newCall(step, owner), { rpc: "Status" }, CALL_PATIENCE, false);
}

/** Makes a new connection, for as long as `patience` lasts; its answer is that of a call. */
export function connect(step: Step, grpc: GrpcState, owner: CallOwner, patience: Micros): void {
  grpc.client = { connection: null };
  sendRpc(step, grpc, newCall(step, owner), { rpc: "Status" }, patience, true);
}

function sendRpc(
  step: Step,
  grpc: GrpcState,
  id: number,
  request: RpcRequest,
  patience: Micros,
  persistent: boolean,
): void {
  const deadline = step.now + patience;
  const call = { request, deadline, persistent, sentTo: null, connected: false };
  grpc.waiting.set(id, call);
  attempt(step, grpc, id, call);
}

function attempt(step: Step, grpc: GrpcState, id: number, call: WaitingCall): void {
  const connection = grpc.client?.connection ?? null;
  call.connected = connection !== null;
  call.sentTo = connection ?? grpc.engine?.publicIp ?? null;
  const { sentTo, request } = call;
  if (sentTo !== null) step.out.effects.push({ kind: "rpc-call", id, address: sentTo, request });
  lookAfter(step, grpc, sentTo === null ? step.now + DIAL_INTERVAL : call.deadline);
}

function lookAfter(step: Step, grpc: GrpcState, at: Micros): void {
  if (grpc.timerAt !== null && grpc.timerAt <= at) return;
  grpc.timerAt = at;
  arm(step, "rpc", at - step.now);
}

/** Calls whose time is up end; those that nobody listened to are tried again. */
export function callsDue(step: Step, grpc: GrpcState): FinishedCall[] {
  grpc.timerAt = null;
  const finished: FinishedCall[] = [];
  for (const [id, call] of [...grpc.waiting]) {
    if (step.now >= call.deadline) {
      grpc.waiting.delete(id);
      finished.push({ id, reply: rpcError("deadline") });
    } else if (call.sentTo === null) attempt(step, grpc, id, call);
    else lookAfter(step, grpc, call.deadline);
  }
  return finished;
}

/** The answer to a call; null if the call goes on, or is over already. */
export function callAnswered(
  step: Step,
  grpc: GrpcState,
  id: number,
  reply: RpcReply,
): FinishedCall | null {
  const call = grpc.waiting.get(id);
  if (call === undefined) return null;
  if (reply.rpc === "error" && reply.error === "refused") return lost(step, grpc, id, call);
  grpc.waiting.delete(id);
  if (grpc.client !== null) grpc.client.connection ??= call.sentTo;
  return { id, reply };
}

/** The server at an address has closed its connections. */
export function hungUp(step: Step, grpc: GrpcState, address: string): FinishedCall[] {
  if (grpc.client?.connection === address) grpc.client.connection = null;
  return [...grpc.waiting].flatMap(([id, call]) => {
    if (call.sentTo !== address) return [];
    call.connected = true;
    return lost(step, grpc, id, call) ?? [];
  });
}

/** What was sent over a connection ends with it; what was to open one waits for the next try. */
function lost(step: Step, grpc: GrpcState, id: number, call: WaitingCall): FinishedCall | null {
  if (grpc.client?.connection === call.sentTo) grpc.client.connection = null;
  if (call.connected && !call.persistent) {
    grpc.waiting.delete(id);
    const error: RpcError = "unavailable";
    return { id, reply: rpcError(error) };
  }
  call.sentTo = null;
  lookAfter(step, grpc, Math.min(step.now + DIAL_INTERVAL, call.deadline));
  return null;
}
