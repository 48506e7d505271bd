import { SECOND, unreachable } from "../kernel/index.js";
import { isRpcReply, type RegistryReply } from "./grpc-calls.js";
import { askStatus, connect, type EnginePresence, type GrpcState } from "./grpc-client.js";
import { CONNECT_PATIENCE, enginesIn, switchRegistry } from "./grpc-mux.js";
import { exit } from "./process.js";
import { parseLease, readLease, readMachines } from "./registry.js";
import { arm, callEtcd, disarm, type Step } from "./step.js";

/** How often a fleetd without an engine looks who leads, and how long it dials before it looks again. */
const LOOK_INTERVAL = 5 * SECOND;
/** The same while nobody leads. */
const FIND_INTERVAL = 2 * SECOND;

/**
 * A fleetd with `disable_engine` has no engine to tell it who leads, and looks every five seconds.
 * If the machine that leads is not in the registry, it reads through a null pointer.
 * Source: registry/rpc/registrymux.go ConnectToRegistry, rpcDialerNoEngine.
 */
export function lookForEngine(step: Step): void {
  const { grpc, config } = step.state;
  if (grpc === null || !config.disableEngine) return;
  const { connector } = grpc;
  const finds = connector.step === "connect";
  connector.step = finds ? "find-lease" : "lease";
  callEtcd(step, "connector", readLease(config.keyPrefix));
}

/** An answer that it waits for. */
export function connectorReplied(step: Step, reply: RegistryReply): void {
  const { grpc, config } = step.state;
  if (grpc === null) return;
  const { connector } = grpc;
  if (isRpcReply(reply)) {
    if (reply.ok) connected(step, grpc);
    else if (connector.step !== "status") exit(step, 1);
    else {
      connector.step = "connect";
      connect(step, grpc, "connector", CONNECT_PATIENCE);
      arm(step, "connector", LOOK_INTERVAL);
    }
    return;
  }
  switch (connector.step) {
    case "lease":
    case "find-lease": {
      if (!reply.ok) {
        lookLater(step, grpc);
        return;
      }
      connector.leader = parseLease(reply.node).machine;
      connector.step = connector.step === "lease" ? "machines" : "find-machines";
      callEtcd(step, "connector", readMachines(config.keyPrefix));
      return;
    }
    case "machines":
    case "find-machines": {
      const engines = enginesIn(reply);
      const leader = engines?.find(({ id }) => id === connector.leader);
      if (connector.step === "find-machines") {
        if (leader?.grpc === true) grpc.engine = leader;
        lookLater(step, grpc);
      } else if (engines === null) lookLater(step, grpc);
      else if (leader !== undefined) engineFound(step, grpc, leader);
      else exit(step, 2);
      return;
    }
    case "idle":
    case "status":
    case "connect":
      return;
    default:
      unreachable(connector.step);
  }
}

/**
 * The address of the engine is not looked at: connections go to the one found last, until they fail
 * for a while. A connection that was closed because somebody without gRPC led is waited for when
 * somebody with gRPC leads again: fleet never looks again, and stays with etcd.
 */
function engineFound(step: Step, grpc: GrpcState, leader: EnginePresence): void {
  const { connector } = grpc;
  if (!leader.grpc) {
    connector.closed ||= grpc.client !== null;
    grpc.client = null;
    switchRegistry(step, grpc, "etcd");
    lookLater(step, grpc);
  } else if (connector.closed) {
    connector.step = "idle";
  } else if (grpc.client === null) {
    connector.step = "connect";
    connect(step, grpc, "connector", CONNECT_PATIENCE);
    arm(step, "connector", LOOK_INTERVAL);
  } else {
    connector.step = "status";
    askStatus(step, grpc, "connector");
  }
}

function connected(step: Step, grpc: GrpcState): void {
  switchRegistry(step, grpc, "rpc");
  grpc.connector.step = "idle";
  disarm(step, "connector");
  arm(step, "connector", LOOK_INTERVAL);
}

/** While it dials it goes on dialling; else it rests. */
function lookLater(step: Step, grpc: GrpcState): void {
  const { connector } = grpc;
  const finds = connector.step === "find-lease" || connector.step === "find-machines";
  const failed = connector.step === "find-lease";
  connector.step = finds ? "connect" : "idle";
  arm(step, "connector", failed ? FIND_INTERVAL : LOOK_INTERVAL);
}
