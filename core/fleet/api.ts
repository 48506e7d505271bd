import type { V2Request } from "../etcd/client.js";
import { fromBytes, goJson, quote, toBytes } from "../go/index.js";
import {
  DROPPED,
  emptyAnswer,
  errorAnswer,
  type FleetHttpRequest,
  type FleetHttpResponse,
  joinPath,
  jsonAnswer,
  unavailableAnswer,
} from "./api-http.js";
import { type Page, type PageToken, pageOf, pageTokenText } from "./api-page.js";
import { type ApiPlan, type MetadataWrite, planRequest } from "./api-plan.js";
import {
  type ApiMachine,
  type ApiUnit,
  apiMachines,
  BROKEN,
  isJobState,
  jsonFields,
} from "./api-registry.js";
import {
  allStates,
  allUnits,
  create,
  destroy,
  oneState,
  oneUnit,
  setTargetState,
} from "./api-units.js";
import type { FleetProfile } from "./config.js";
import type { RegistryCall, RegistryReply } from "./grpc-calls.js";
import { isNotFound, type RegisteredState, readMachines } from "./registry.js";
import {
  afterReplies,
  inEtcd,
  type RegistryRead,
  type RegistrySession,
} from "./registry-session.js";
import { validateOptions } from "./requirements.js";
import { unitFromOptions } from "./unit-file.js";
import type { UnitOption } from "./unit-lexer.js";
import { unitNameInfo } from "./unit-name.js";

/** How the API is set up: fleet's keys in etcd, and whether its bugs are in it. */
export interface ApiConfig {
  /** Root of fleet's keys; no trailing slash. */
  readonly keyPrefix: string;
  readonly profile: FleetProfile;
}

/** One request under way: what it demands, and what the registry has answered so far. Plain data. */
export interface ApiRun {
  readonly plan: ApiPlan;
  replies: RegistryReply[];
}

/** What a request needs next of the registry, or nothing more. */
export type ApiStep<Call = V2Request> =
  | { readonly call: Call; readonly response: null }
  | { readonly call: null; readonly response: FleetHttpResponse };

/**
 * Begins a request. Answers that need no registry come at once.
 *
 * @param metrics - what `/metrics` shows; "" where no fleetd counts anything
 */
export function beginRequest(
  request: FleetHttpRequest,
  available: boolean,
  metrics: () => string = () => "",
):
  | { readonly run: ApiRun; readonly response: null }
  | { readonly run: null; readonly response: FleetHttpResponse } {
  if (!available) return { run: null, response: unavailableAnswer() };
  const { plan, response } = planRequest(request, metrics);
  return plan === null ? { run: null, response } : { run: { plan, replies: [] }, response: null };
}

/** What a request needs after the replies it has had, where the registry is etcd's. */
export function nextStep(config: ApiConfig, run: ApiRun): ApiStep {
  const step = nextCall(config, run);
  if (step.call === null) return step;
  return { call: "rpc" in step.call ? step.call.etcd : step.call, response: null };
}

/** The same for either registry. */
export function nextCall(
  config: ApiConfig,
  { plan, replies }: ApiRun,
): ApiStep<V2Request | RegistryCall> {
  // The one session that may be long needs but the last reply.
  if (plan.kind === "patch-machines") return patchStep(config, plan.writes, replies);
  const step = afterReplies(sessionOf(config, plan), replies);
  return step.done ? { call: null, response: step.result } : { call: step.request, response: null };
}

type Session = RegistrySession<FleetHttpResponse>;

function sessionOf(config: ApiConfig, plan: Exclude<ApiPlan, { kind: "patch-machines" }>): Session {
  switch (plan.kind) {
    case "list-units":
      return listUnits(config, plan.token);
    case "get-unit":
      return getUnit(config, plan.unit);
    case "set-unit":
      return setUnit(config, plan);
    case "destroy-unit":
      return destroyUnit(config, plan.unit);
    case "list-states":
      return listStates(config, plan);
    case "get-state":
      return getState(config, plan.unit);
    case "list-machines":
      return listMachines(config, plan.token);
  }
}

/** An internal error says nothing of itself. */
const INTERNAL = errorAnswer(500);

function pageAnswer<Item>(
  { profile }: ApiConfig,
  all: readonly Item[],
  token: PageToken,
  json: (page: Page<Item>, next: string) => string,
): FleetHttpResponse {
  const page = pageOf(all, token, profile === "faithful");
  if (page === null) return DROPPED;
  const next = page.next === null ? "" : pageTokenText(page.next);
  return jsonAnswer(200, json(page, next));
}

function* listUnits(config: ApiConfig, token: PageToken): Session {
  const all = yield* allUnits(config);
  if (all === BROKEN) return INTERNAL;
  return pageAnswer(config, all, token, ({ items }, next) =>
    jsonFields([
      ["nextPageToken", next],
      ["units", items.map(unitJson)],
    ]),
  );
}

function* getUnit(config: ApiConfig, name: string): Session {
  const unit = yield* oneUnit(config, name);
  if (unit === BROKEN) return INTERNAL;
  if (unit === null) return errorAnswer(404, "unit does not exist");
  return jsonAnswer(200, unitJson(unit));
}

function* setUnit(config: ApiConfig, plan: ApiPlan & { readonly kind: "set-unit" }): Session {
  const { profile } = config;
  const { unit: name, desiredState } = plan;
  const found = yield* oneUnit(config, name);
  if (found === BROKEN) return INTERNAL;
  if (found === null && plan.options.length === 0) {
    return errorAnswer(409, "unit does not exist and options field empty");
  }
  const options = withoutNulls(plan.options);
  if (options === null) {
    // The server reads through a null pointer.
    return profile === "faithful" ? DROPPED : errorAnswer(400, "options must not be null");
  }
  const file = unitFromOptions(options);
  // Options are looked at only where there was no unit of the name before.
  const [invalid] = found === null ? validateOptions(file) : [];
  if (invalid !== undefined) return errorAnswer(400, invalid);
  if (found === null || (options.length > 0 && file.hash !== found.file.hash)) {
    // Before anything is written, unlike where a state is only changed.
    if (desiredState !== "" && !isJobState(desiredState)) return INTERNAL;
    const state = isJobState(desiredState) ? desiredState : "inactive";
    return (yield* create(config, { name, file, state })) ? emptyAnswer(201) : INTERNAL;
  }
  if (desiredState === "") {
    return errorAnswer(409, "must provide DesiredState to update existing unit");
  }
  if (unitNameInfo(name)?.isTemplate === true && desiredState !== "inactive") {
    return errorAnswer(400, `cannot activate template ${quote(toBytes(name))}`);
  }
  if (profile === "fixed" && !isJobState(desiredState)) {
    return errorAnswer(400, `invalid value ${quote(toBytes(desiredState))} for JobState`);
  }
  return (yield* setTargetState(config, name, desiredState)) ? emptyAnswer(204) : INTERNAL;
}

function withoutNulls(options: readonly (UnitOption | null)[]): UnitOption[] | null {
  const present = options.filter((option) => option !== null);
  return present.length === options.length ? present : null;
}

function* destroyUnit(config: ApiConfig, name: string): Session {
  const unit = yield* oneUnit(config, name);
  // `fixed` takes away what it cannot read, so that it can be created anew.
  if (unit === BROKEN && config.profile === "faithful") return INTERNAL;
  if (unit === null) return errorAnswer(404, "unit does not exist");
  return (yield* destroy(config, name)) ? emptyAnswer(204) : INTERNAL;
}

function* listStates(config: ApiConfig, plan: ApiPlan & { readonly kind: "list-states" }): Session {
  const all = yield* allStates(config);
  if (all === BROKEN) return INTERNAL;
  const chosen = all.filter(
    ({ machine, unit }) =>
      (plan.machine === "" || plan.machine === machine) && (plan.unit === "" || plan.unit === unit),
  );
  return pageAnswer(config, chosen, plan.token, ({ items }, next) =>
    jsonFields([
      ["nextPageToken", next],
      ["states", items.map(stateJson)],
    ]),
  );
}

function* getState(config: ApiConfig, name: string): Session {
  const state = yield* oneState(config, name);
  if (state === BROKEN) return INTERNAL;
  if (state !== null) return jsonAnswer(200, stateJson(state));
  // fleet turns the state that is not there into its schema before it looks whether there is one.
  return config.profile === "faithful" ? DROPPED : errorAnswer(404, "unit state does not exist");
}

function* listMachines(config: ApiConfig, token: PageToken): Session {
  const all = yield* inEtcd(etcdMachines(config.keyPrefix));
  if (all === BROKEN) return INTERNAL;
  return pageAnswer(config, all, token, ({ items }, next) =>
    jsonFields([
      ["machines", items.map(machineJson)],
      ["nextPageToken", next],
    ]),
  );
}

function* etcdMachines(prefix: string): RegistryRead<ApiMachine[] | typeof BROKEN> {
  const reply = yield readMachines(prefix);
  if (!reply.ok && !isNotFound(reply)) return BROKEN;
  return (reply.ok ? apiMachines(reply.node) : []) ?? BROKEN;
}

/** One write after the other; what was written before one that fails stays. */
function patchStep(
  { keyPrefix }: ApiConfig,
  writes: readonly MetadataWrite[],
  replies: readonly RegistryReply[],
): ApiStep {
  const last = replies.at(-1);
  if (last !== undefined && !last.ok) {
    return { call: null, response: errorAnswer(500, etcdError(last)) };
  }
  const write = writes[replies.length];
  if (write === undefined) return { call: null, response: jsonAnswer(204, "null") };
  const { machine, key, value } = write;
  const path = joinPath(keyPrefix, "machines", machine, "metadata", key);
  return { call: { op: "put", key: path, value }, response: null };
}

/** An error of etcd's Go client, as text. */
function etcdError(reply: RegistryReply & { readonly ok: false }): string {
  if (!("errorCode" in reply)) return "client: etcd cluster is unavailable or misconfigured";
  return `${reply.errorCode}: ${reply.message} (${reply.cause}) [${reply.index}]`;
}

function unitJson({ name, file, desiredState, currentState, machine }: ApiUnit): string {
  const options = file.options.map((option) =>
    jsonFields([
      ["name", fromBytes(option.name)],
      ["section", fromBytes(option.section)],
      ["value", fromBytes(option.value)],
    ]),
  );
  return jsonFields([
    ["currentState", currentState],
    ["desiredState", desiredState],
    ["machineID", machine],
    ["name", name],
    ["options", options],
  ]);
}

function stateJson({ unit, machine, load, active, sub, hash }: RegisteredState): string {
  return jsonFields([
    ["hash", hash],
    ["machineID", machine],
    ["name", unit],
    ["systemdActiveState", active],
    ["systemdLoadState", load],
    ["systemdSubState", sub],
  ]);
}

function machineJson({ id, publicIp, metadata }: ApiMachine): string {
  const keys = Object.keys(metadata).sort();
  const pairs = keys.map((key) => `${goJson(key)}:${goJson(metadata[key])}`);
  const fields = [`"id":${goJson(id)}`];
  if (pairs.length > 0) fields.push(`"metadata":{${pairs.join(",")}}`);
  if (publicIp !== "") fields.push(`"primaryIP":${goJson(publicIp)}`);
  return `{${fields.join(",")}}`;
}
