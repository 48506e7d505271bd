import type { V2Request } from "../etcd/client.js";
import { SECOND } from "../kernel/index.js";
import type { SystemdReply, UnitStatus } from "../systemd/client.js";
import {
  isRpcReply,
  type RegistryCall,
  type RegistryReply,
  type RpcRequest,
} from "./grpc-calls.js";
import { callRegistry } from "./grpc-client.js";
import { isNotFound, removeUnitState, saveUnitState, type UnitReport } from "./registry.js";
import type { PublishWorker } from "./state.js";
import { arm, callEtcd, callSystemd, fixesOf, type Step, ttlSeconds } from "./step.js";
import { isTemplate } from "./unit-name.js";

/**
 * The unit-state generator and publisher. fleet polls systemd every second; here a tick happens
 * only after something that can have changed a state: a call of the agent, a change systemd
 * announced, a republish. Ticks keep to whole seconds from the start, as the poll does, so what is
 * seen and when is the same.
 */
const TICK = SECOND;

export function startGenerator(step: Step): void {
  const { generator } = step.state;
  generator.startedAt = step.now;
  if (generator.subscribed.size > 0) markDirty(step);
}

/** From now on the states of the unit are reported. */
export function subscribe(step: Step, unit: string): void {
  step.state.generator.subscribed.add(unit);
  markDirty(step);
}

/** The unit is reported gone at the next tick. */
export function unsubscribe(step: Step, unit: string): void {
  step.state.generator.subscribed.delete(unit);
  markDirty(step);
}

/** systemd announced a change of a unit. */
export function unitChanged(step: Step, unit: string): void {
  if (step.state.generator.subscribed.has(unit)) markDirty(step);
}

function markDirty(step: Step): void {
  const { state, now } = step;
  const { generator } = state;
  generator.dirty = true;
  if (state.phase !== "running" || state.timers.has("generate")) return;
  arm(step, "generate", TICK - ((now - generator.startedAt) % TICK));
}

/**
 * fleet asks systemd for the states of all units in one call, which fails if one of the names is a
 * template's; and so does its second way, a call for each. A template in the units directory
 * therefore ends every pass of the agent before it does anything, for good, and the purge; one among
 * the subscribed units keeps all states from being published.
 * Source: fleet 1.0, systemd/manager.go GetUnitStates; systemd, ListUnitsByNames and GetAll.
 */
export function templateBlinds(step: Step, units: Iterable<string>): boolean {
  return !fixesOf(step).tasksGoOn && [...units].some(isTemplate);
}

/** A tick: asks systemd for the states of the subscribed units, in one call. */
export function generate(step: Step): void {
  const { generator } = step.state;
  // The previous answer is still out: look again at the next tick.
  for (const owner of step.state.calls.values()) {
    if (owner === "generate") {
      markDirty(step);
      return;
    }
  }
  generator.dirty = false;
  generator.left = [...generator.lastSubscribed].filter((unit) => !generator.subscribed.has(unit));
  generator.lastSubscribed = new Set(generator.subscribed);
  if (templateBlinds(step, generator.subscribed)) generator.left = [];
  else if (generator.subscribed.size > 0) {
    callSystemd(step, "generate", { call: "list-units", units: [...generator.subscribed] });
  } else reportGone(step);
}

export function generateReplied(step: Step, reply: SystemdReply): void {
  const { generator } = step.state;
  if (!reply.ok || reply.call !== "units") {
    generator.left = [];
    markDirty(step);
    return;
  }
  const found = new Map(reply.units.map((status) => [status.name, status]));
  for (const unit of generator.lastSubscribed) report(step, unit, found.get(unit));
  reportGone(step);
}

/** A unit that systemd does not list is one it has not loaded: inactive. */
function report(step: Step, unit: string, status: UnitStatus | undefined): void {
  const hash = step.state.agent.files.get(unit) ?? "";
  const load = status?.loadState ?? (hash === "" ? "not-found" : "loaded");
  const active = status?.activeState ?? "inactive";
  observe(step, unit, { load, active, sub: status?.subState ?? "dead", hash });
}

function reportGone(step: Step): void {
  const { generator } = step.state;
  for (const unit of generator.left) observe(step, unit, null);
  generator.left = [];
}

/** Publishes a report if it differs from the last one. */
function observe(step: Step, unit: string, next: UnitReport | null): void {
  const { publisher } = step.state;
  const last = publisher.cache.get(unit);
  if (last !== undefined && sameReport(last, next)) return;
  publisher.cache.set(unit, next);
  enqueue(step, unit, next, true);
}

function sameReport(left: UnitReport | null, right: UnitReport | null): boolean {
  if (left === null || right === null) return left === null && right === null;
  return (
    left.load === right.load &&
    left.active === right.active &&
    left.sub === right.sub &&
    left.hash === right.hash
  );
}

/** Every state is written again before its TTL ends; units that are gone are taken away once more. */
export function republish(step: Step): void {
  const { publisher } = step.state;
  for (const [unit, last] of publisher.cache) {
    enqueue(step, unit, last, false);
    if (last === null) publisher.cache.delete(unit);
  }
  markDirty(step);
}

function enqueue(step: Step, unit: string, next: UnitReport | null, changed: boolean): void {
  const { queue, workers } = step.state.publisher;
  const waiting = queue.get(unit);
  queue.set(unit, { report: next, changed: changed || waiting?.changed === true });
  for (const worker of workers) if (worker.call === 0) takeWork(step, worker);
}

function takeWork(step: Step, worker: PublishWorker): void {
  const { queue } = step.state.publisher;
  for (const [unit, { report: next, changed }] of queue) {
    queue.delete(unit);
    worker.unit = unit;
    worker.report = next;
    worker.changed = changed;
    worker.requests = publication(step, unit, next);
    sendNext(step, worker);
    if (worker.call !== 0) return;
  }
}

/** A state without a hash is not published: the unit is about to go, or was never fleet's. */
function publication(
  step: Step,
  unit: string,
  next: UnitReport | null,
): (V2Request | RegistryCall)[] {
  const { keyPrefix, machineId } = step.state.config;
  const { clearsOnlyOwn } = fixesOf(step);
  if (next === null) {
    const removal = removeUnitState(keyPrefix, unit, clearsOnlyOwn ? machineId : null);
    return either({ rpc: "RemoveUnitState", unit }, removal);
  }
  if (next.hash === "") return [];
  const ttl = ttlSeconds(step.state);
  const state = { name: unit, machine: machineId, ...next };
  const writes = saveUnitState(keyPrefix, unit, machineId, next, ttl);
  return either({ rpc: "SaveUnitState", state, ttl }, writes);
}

/** One call over gRPC, or the first of several requests to etcd. */
function either(
  rpc: RpcRequest,
  [first, ...others]: readonly V2Request[],
): (V2Request | RegistryCall)[] {
  return first === undefined ? [] : [{ rpc, etcd: first }, ...others];
}

function sendNext(step: Step, worker: PublishWorker): void {
  const request = worker.requests.shift();
  if (request === undefined) worker.call = 0;
  else if ("rpc" in request) worker.call = callRegistry(step, "publish", request);
  else worker.call = callEtcd(step, "publish", request);
}

export function publishReplied(step: Step, id: number, reply: RegistryReply): void {
  const worker = step.state.publisher.workers.find(({ call }) => call === id);
  if (worker === undefined) return;
  const { unit, report: last } = worker;
  if (isRpcReply(reply)) worker.requests = [];
  if (last === null) {
    // RemoveUnitState stops at the first error; SaveUnitState does not look.
    if (!reply.ok && !isNotFound(reply)) worker.requests = [];
  } else if (worker.requests.length === 0 && worker.changed && reply.ok) {
    const { active, sub } = last;
    step.out.facts.push({ kind: "fleet.unit-state", unit, active, sub });
  }
  sendNext(step, worker);
  if (worker.call === 0) takeWork(step, worker);
}

/** The publishers end; what they had not begun is left. */
export function stopPublishing(step: Step): void {
  const { publisher, calls } = step.state;
  publisher.queue.clear();
  for (const worker of publisher.workers) {
    calls.delete(worker.call);
    worker.call = 0;
    worker.requests = [];
  }
}
