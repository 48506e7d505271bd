import type { V2Request } from "../etcd/client.js";
import {
  type ApiUnit,
  BROKEN,
  etcdSchedule,
  etcdScheduledUnit,
  etcdStates,
  etcdUnit,
  etcdUnits,
  isJobState,
  type JobState,
  NOWHERE,
  type Schedule,
  type StoredUnit,
} from "./api-registry.js";
import type { FleetProfile } from "./config.js";
import { createUnit } from "./fleetctl.js";
import type { RpcReply, RpcUnit, RpcUnitState } from "./grpc-calls.js";
import { deleteJob, isExisting, type RegisteredState, writeTargetState } from "./registry.js";
import { inEither, type RegistryRead, type RegistrySession } from "./registry-session.js";
import { requirements } from "./requirements.js";

/** Where the registry is in etcd, and whether fleet's bugs are in who writes to it. */
interface UnitsConfig {
  readonly keyPrefix: string;
  readonly profile: FleetProfile;
}

/** One unit with its schedule; null where there is none. Global units are not scheduled. */
export function* oneUnit(
  { keyPrefix }: UnitsConfig,
  name: string,
): RegistrySession<ApiUnit | null | typeof BROKEN> {
  const unit = yield* inEither(
    { rpc: "GetUnit", unit: name },
    etcdUnit(keyPrefix, name),
    (reply) => (reply.rpc === "unit" ? reply.unit && storedUnit(reply.unit) : BROKEN),
  );
  if (unit === null || unit === BROKEN) return unit;
  if (requirements(unit.name, unit.file).global) return { ...unit, ...NOWHERE };
  const schedule = yield* inEither(
    { rpc: "GetScheduledUnit", unit: name },
    etcdScheduledUnit(keyPrefix, name),
    (reply) => scheduleIn(reply)?.get(name) ?? BROKEN,
  );
  return schedule === BROKEN ? BROKEN : { ...unit, ...schedule };
}

/** All units with their schedules, by name. */
export function* allUnits({ keyPrefix }: UnitsConfig): RegistrySession<ApiUnit[] | typeof BROKEN> {
  const units = yield* inEither({ rpc: "GetUnits" }, etcdUnits(keyPrefix), (reply) =>
    reply.rpc === "units" ? reply.units.map(storedUnit) : BROKEN,
  );
  if (units === BROKEN) return BROKEN;
  const schedule = yield* inEither(
    { rpc: "GetScheduledUnits" },
    etcdSchedule(keyPrefix),
    (reply) => scheduleIn(reply) ?? BROKEN,
  );
  if (schedule === BROKEN) return BROKEN;
  return units.map((unit) => ({ ...unit, ...(schedule.get(unit.name) ?? NOWHERE) }));
}

function storedUnit({ name, file, state }: RpcUnit): StoredUnit {
  return { name, file, desiredState: state };
}

function scheduleIn(reply: RpcReply): Map<string, Schedule> | null {
  if (reply.rpc !== "schedule") return null;
  return new Map(
    reply.units.map(({ name, machine, state }) => [name, { currentState: state, machine }]),
  );
}

/** Every state that a machine has reported, by unit and machine. */
export function allStates({
  keyPrefix,
}: UnitsConfig): RegistrySession<RegisteredState[] | typeof BROKEN> {
  return inEither({ rpc: "GetUnitStates" }, etcdStates(keyPrefix), (reply) =>
    reply.rpc === "states" ? reply.states.map(registeredState) : BROKEN,
  );
}

/** A state of a unit, whichever comes first of several; over gRPC one that says nothing where there is none. */
export function oneState(
  { keyPrefix }: UnitsConfig,
  name: string,
): RegistrySession<RegisteredState | null | typeof BROKEN> {
  return inEither({ rpc: "GetUnitState", unit: name }, etcdState(keyPrefix, name), (reply) => {
    if (reply.rpc !== "states") return BROKEN;
    const nothing = { name: "", machine: "", load: "", active: "", sub: "", hash: "" };
    return registeredState(reply.states[0] ?? nothing);
  });
}

function* etcdState(
  prefix: string,
  name: string,
): RegistryRead<RegisteredState | null | typeof BROKEN> {
  const all = yield* etcdStates(prefix);
  return all === BROKEN ? BROKEN : (all.find(({ unit }) => unit === name) ?? null);
}

function registeredState({ name, ...state }: RpcUnitState): RegisteredState {
  return { unit: name, reporter: state.machine, ...state };
}

/** Creates a unit, or gives it another file; false if that did not work out. */
export function create(config: UnitsConfig, unit: RpcUnit): RegistrySession<boolean> {
  return inEither({ rpc: "CreateUnit", unit }, etcdCreate(config, unit), ({ ok }) => ok);
}

/** The writes that create a unit, one after the other. */
export function* etcdCreate(
  { keyPrefix, profile }: UnitsConfig,
  { name, file, state }: RpcUnit,
): RegistryRead<boolean> {
  for (const request of createUnit(keyPrefix, name, file, state, profile)) {
    const reply = yield request;
    const stored = request.key.startsWith(`${keyPrefix}/unit/`) && isExisting(reply);
    if (!reply.ok && !stored) return false;
  }
  return true;
}

/** A target state as it is sent over gRPC: what is none is `loaded`. Source: job/job_protobuf.go. */
export function rpcJobState(state: string): JobState {
  return isJobState(state) ? state : "loaded";
}

/** Sets a unit's target state; false if that did not work out. */
export function setTargetState(
  { keyPrefix }: UnitsConfig,
  unit: string,
  state: string,
): RegistrySession<boolean> {
  return inEither(
    { rpc: "SetUnitTargetState", unit, state: rpcJobState(state) },
    etcdWrite(writeTargetState(keyPrefix, unit, state)),
    ({ ok }) => ok,
  );
}

/** Takes a unit away; false if that did not work out. */
export function destroy({ keyPrefix }: UnitsConfig, unit: string): RegistrySession<boolean> {
  return inEither(
    { rpc: "DestroyUnit", unit },
    etcdWrite(deleteJob(keyPrefix, unit)),
    ({ ok }) => ok,
  );
}

function* etcdWrite(request: V2Request): RegistryRead<boolean> {
  return (yield request).ok;
}
