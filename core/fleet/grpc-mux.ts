import type { EtcdReply } from "../etcd/client.js";
import { SECOND, unreachable } from "../kernel/index.js";
import { BROKEN, etcdSchedule, etcdUnits } from "./api-registry.js";
import { isRpcReply, type RegistryReply } from "./grpc-calls.js";
import {
  askStatus,
  connect,
  type EngineChange,
  type EnginePresence,
  type GrpcState,
  releaseHeld,
} from "./grpc-client.js";
import { emptyMemory, type RpcMemory } from "./grpc-memory.js";
import { rpcUnit, stopServer } from "./grpc-server.js";
import { exit } from "./process.js";
import { hasGrpc, isNotFound, parseMachine, publicIpOf, readMachines } from "./registry.js";
import { afterReplies, type RegistryRead } from "./registry-session.js";
import { callEtcd, type Step } from "./step.js";

/** fleetd gives up, and ends, when a connection takes longer. */
export const CONNECT_PATIENCE = 12 * SECOND;

/**
 * Another engine leads, or this one has learnt who does. While the change is under way nobody gets at
 * the registry. Whoever leads and takes part in gRPC becomes the registry of all: if it is this
 * machine, it first fills a server's memory from etcd. What cannot be read then is simply not there:
 * fleet does not look at the error. Source: registry/rpc/registrymux.go EngineChanged.
 */
export function engineChanged(step: Step, engine: EnginePresence): void {
  const { grpc } = step.state;
  if (grpc === null) return;
  if (grpc.change === null) begin(step, grpc, engine);
  else grpc.changes.push(engine);
}

function begin(step: Step, grpc: GrpcState, engine: EnginePresence): void {
  const moved = grpc.engine?.id !== engine.id;
  grpc.engine = engine;
  const change: EngineChange = { engine, moved, step: "server", replies: [], loaded: null };
  grpc.change = change;
  if (grpc.server !== null && grpc.client !== null) askStatus(step, grpc, "rpc-change");
  else {
    if (moved) stopServer(step);
    startServer(step, grpc, change);
  }
}

/** An answer that the change waits for. */
export function changeReplied(step: Step, reply: RegistryReply): void {
  const { grpc } = step.state;
  const change = grpc?.change ?? null;
  if (grpc === null || change === null) return;
  if (isRpcReply(reply)) {
    rpcReplied(step, grpc, change, reply.ok);
    return;
  }
  if (change.step === "load") {
    change.replies.push(reply);
    load(step, change);
  } else if (change.step === "machines") serve(step, grpc, change, reply);
}

function rpcReplied(step: Step, grpc: GrpcState, change: EngineChange, ok: boolean): void {
  switch (change.step) {
    case "server":
      if (!ok || change.moved) stopServer(step);
      startServer(step, grpc, change);
      return;
    case "status":
      if (ok) conclude(step, grpc, "rpc");
      else makeConnection(step, grpc, change);
      return;
    case "connect":
      if (ok) conclude(step, grpc, "rpc");
      else exit(step, 1);
      return;
    case "load":
    case "machines":
      return;
    default:
      unreachable(change.step);
  }
}

function startServer(step: Step, grpc: GrpcState, change: EngineChange): void {
  if (change.engine.id === step.state.config.machineId && grpc.server === null) {
    change.step = "load";
    load(step, change);
  } else choose(step, grpc, change);
}

function load(step: Step, change: EngineChange): void {
  const { keyPrefix } = step.state.config;
  const next = afterReplies(loading(keyPrefix), change.replies);
  if (!next.done) {
    callEtcd(step, "rpc-change", next.request);
    return;
  }
  change.loaded = next.result;
  change.step = "machines";
  callEtcd(step, "rpc-change", readMachines(keyPrefix));
}

/** Units, then the schedule; what comes after an error is left out. */
function* loading(prefix: string): RegistryRead<RpcMemory> {
  const memory = emptyMemory();
  const units = yield* etcdUnits(prefix);
  if (units === BROKEN) return memory;
  for (const unit of units) memory.units.set(unit.name, rpcUnit(unit));
  const schedule = yield* etcdSchedule(prefix);
  if (schedule === BROKEN) return memory;
  for (const [name, { machine }] of schedule) memory.schedule.set(name, machine);
  return memory;
}

/** Without a list of machines there is no server, and fleetd ends. */
function serve(step: Step, grpc: GrpcState, change: EngineChange, reply: EtcdReply): void {
  const { loaded } = change;
  const machines = enginesIn(reply);
  if (loaded === null || machines === null) {
    exit(step, 1);
    return;
  }
  const hasOthers = machines.some((machine) => !machine.grpc);
  grpc.server = { memory: loaded, hasOthers, peers: new Set(), calls: new Map() };
  const scheduled = [...loaded.schedule.values()].filter((machine) => machine !== "").length;
  const { machineId: machine } = step.state.config;
  step.out.facts.push({ kind: "fleet.grpc-serving", machine, units: loaded.units.size, scheduled });
  choose(step, grpc, change);
}

function choose(step: Step, grpc: GrpcState, change: EngineChange): void {
  if (!change.engine.grpc) {
    stopServer(step);
    conclude(step, grpc, "etcd");
  } else if (grpc.client === null) makeConnection(step, grpc, change);
  else {
    change.step = "status";
    askStatus(step, grpc, "rpc-change");
  }
}

function makeConnection(step: Step, grpc: GrpcState, change: EngineChange): void {
  change.step = "connect";
  connect(step, grpc, "rpc-change", CONNECT_PATIENCE);
}

function conclude(step: Step, grpc: GrpcState, registry: "etcd" | "rpc"): void {
  switchRegistry(step, grpc, registry);
  grpc.change = null;
  releaseHeld(step, grpc);
  const next = grpc.changes.shift();
  if (next !== undefined) begin(step, grpc, next);
}

/** From now on calls of the registry go there. */
export function switchRegistry(step: Step, grpc: GrpcState, registry: "etcd" | "rpc"): void {
  const { machineId: machine } = step.state.config;
  if (grpc.current !== registry) {
    const kind = registry === "rpc" ? "fleet.registry-engine" : "fleet.registry-etcd";
    step.out.facts.push({ kind, machine, engine: grpc.engine?.id ?? "" });
  }
  grpc.current = registry;
}

/** The machines that an answer lists, as engines; null on an error, or if one of them is not JSON. */
export function enginesIn(reply: EtcdReply): EnginePresence[] | null {
  if (!reply.ok) return isNotFound(reply) ? [] : null;
  const engines: EnginePresence[] = [];
  for (const directory of reply.node.nodes ?? []) {
    const machine = parseMachine(directory);
    if (machine === null) return null;
    const { id } = machine;
    if (id !== "") engines.push({ id, publicIp: publicIpOf(directory), grpc: hasGrpc(directory) });
  }
  return engines;
}
