import { DAY, type Machine, MINUTE, type Micros, type Out, unreachable } from "../kernel/index.js";
import {
  ERROR_CODE,
  EVENT_RESULT,
  EVENT_TYPE,
  type OmahaEvent,
  type OmahaRequest,
  type OmahaUpdateCheck,
} from "./omaha.js";
import {
  cameBack,
  denialKey,
  nextPackage,
  rolloutPolicy,
  targetOf,
  updateStats,
} from "./rollout.js";
import type {
  Application,
  ApplicationConfig,
  DenialReason,
  Group,
  Instance,
  InstanceStatus,
  Package,
  PendingGrant,
  ServiceConfig,
  ServiceEffect,
  ServiceFact,
  ServiceState,
  ServiceStimulus,
} from "./service-state.js";
import { compareVersions, parseVersion } from "./version.js";

/** A registration younger than this is not written again. */
const RECENT: Micros = 5 * MINUTE;

type ServiceOut = Out<ServiceFact, ServiceEffect>;

/** One host's request on its way through the service. */
interface Visit {
  readonly app: Application;
  readonly group: Group;
  readonly request: OmahaRequest;
  readonly id: number;
  readonly now: Micros;
}

/**
 * An update service of Nebraska's and CoreUpdate's kind: groups follow channels, channels point to
 * packages, and a policy decides whose turn it is. Events are read as Nebraska reads those of
 * Flatcar hosts.
 *
 * Source: flatcar/nebraska backend pkg/omaha/omaha.go, pkg/api/updates.go, events.go, instances.go.
 */
export const updateService: Machine<
  ServiceConfig,
  ServiceState,
  ServiceStimulus,
  ServiceFact,
  ServiceEffect
> = {
  name: "service",

  create(config) {
    return {
      config,
      applications: new Map(config.applications.map((app) => [app.id, createApplication(app)])),
      pending: [],
      denied: new Set(),
    };
  },

  step(state, stimulus, now, out) {
    switch (stimulus.kind) {
      case "omaha-request":
        requested(state, stimulus.id, stimulus.request, now, out);
        return;
      case "timer":
        grantDue(state, stimulus.timer, now, out);
        return;
      case "set-channel": {
        const app = state.applications.get(stimulus.appId);
        const channel = app?.channels.get(stimulus.channelId);
        if (app === undefined || channel === undefined) return;
        channel.packageId = stimulus.packageId;
        const version = app.packages.get(stimulus.packageId ?? "")?.version ?? "";
        out.facts.push({ kind: "service.channel", channel: channel.id, version });
        return;
      }
      case "add-package":
        state.applications.get(stimulus.appId)?.packages.set(stimulus.package.id, stimulus.package);
        return;
      case "set-floors": {
        const channel = state.applications.get(stimulus.appId)?.channels.get(stimulus.channelId);
        if (channel !== undefined) channel.floors = [...stimulus.floors];
        return;
      }
      case "set-updates": {
        const app = state.applications.get(stimulus.appId);
        const group = app?.groups.get(stimulus.groupId);
        if (app !== undefined && group !== undefined) {
          setUpdates(app, group, stimulus.enabled, out);
        }
        return;
      }
      case "set-policy": {
        const group = state.applications.get(stimulus.appId)?.groups.get(stimulus.groupId);
        if (group !== undefined) group.policy = { ...stimulus.policy };
        return;
      }
      default:
        unreachable(stimulus);
    }
  },
};

function createApplication(config: ApplicationConfig): Application {
  return {
    id: config.id,
    packages: new Map(config.packages.map((item) => [item.id, item])),
    channels: new Map(
      config.channels.map(({ id, packageId, floors }) => [
        id,
        { id, packageId, floors: [...(floors ?? [])] },
      ]),
    ),
    groups: new Map(
      config.groups.map(({ policy, ...group }) => [
        group.id,
        { ...group, policy: { ...policy }, rolloutInProgress: false },
      ]),
    ),
    instances: new Map(),
  };
}

/** One `<app>`: events first, then the ping, then the check. */
function requested(
  state: ServiceState,
  id: number,
  request: OmahaRequest,
  now: Micros,
  out: ServiceOut,
): void {
  const app = state.applications.get(request.appId);
  if (app === undefined) {
    deny(state, id, request, "unknown-application", out);
    return;
  }
  const group = groupOf(app, request.track);
  if (group === null) {
    deny(state, id, request, "unknown-group", out);
    return;
  }
  const visit: Visit = { app, group, request, id, now };
  for (const event of request.events) registerEvent(state, visit, event, out);
  if (request.ping) registerInstance(visit, out);
  if (request.updateCheck) checkForUpdate(state, visit, out);
  else respond(id, request.appId, "ok", null, out);
}

function groupOf(app: Application, track: string): Group | null {
  for (const group of app.groups.values()) if (group.track === track) return group;
  return null;
}

/** Null when the version a host claims is none. */
function registerInstance({ app, group, request, now }: Visit, out: ServiceOut): Instance | null {
  const { machineId: host, version } = request;
  if (parseVersion(version) === null) return null;
  const known = app.instances.get(host);
  if (known === undefined) {
    const instance: Instance = {
      host,
      groupId: group.id,
      status: null,
      version,
      lastCheck: now,
      lastUpdateVersion: null,
      lastGranted: 0,
      updateInProgress: false,
      grantBootId: "",
    };
    app.instances.set(host, instance);
    out.facts.push({ kind: "service.instance", host, status: "none", version });
    // Not `instance`: under a draft the map hands out another object.
    return app.instances.get(host) ?? null;
  }
  const moved = known.version !== version || known.groupId !== group.id;
  if (moved || now - known.lastCheck > RECENT) {
    known.lastCheck = now;
    known.version = version;
    known.groupId = group.id;
  }
  if (moved) out.facts.push(instanceFact(known));
  return known;
}

/** An event of a host that is not known to update is dropped, as is one of a host silent for a day. */
function registerEvent(
  state: ServiceState,
  visit: Visit,
  event: OmahaEvent,
  out: ServiceOut,
): void {
  const { app, request, now } = visit;
  const instance = app.instances.get(request.machineId);
  if (instance === undefined || !instance.updateInProgress) return;
  const fixed = state.config.profile === "fixed";
  if (!fixed && now - instance.lastCheck > DAY) return;
  const { type, result } = event;
  if (type === EVENT_TYPE.updateComplete && result === EVENT_RESULT.successReboot) {
    bootReported(state, visit, instance, event.previousVersion ?? "", out);
    return;
  }
  if (type === EVENT_TYPE.updateComplete && result === EVENT_RESULT.error) {
    if (fixed && event.errorCode === ERROR_CODE.rolledBack) {
      rolledBack(state, visit, instance, out);
    } else failed(state, visit, instance, out);
    return;
  }
  if (result !== EVENT_RESULT.success) return;
  const status = progressOf(type, fixed);
  if (status !== null) setStatus(state, instance, status, out);
}

/** 3/2, which every check carries: "I came up, and updated from this version", or from none. */
function bootReported(
  state: ServiceState,
  visit: Visit,
  instance: Instance,
  previousVersion: string,
  out: ServiceOut,
): void {
  const { request } = visit;
  const fixed = state.config.profile === "fixed";
  if (fixed && previousVersion === request.version) {
    // Up on the version it updated from: a rollback, or an installed update that was called off.
    if (instance.grantBootId !== request.bootId) rolledBack(state, visit, instance, out);
    else setStatus(state, instance, "Undefined", out);
  } else if (previousVersion === "" || previousVersion === "0.0.0.0") {
    // A host that checks without news is not updating, whatever was believed of it.
    if (!fixed || instance.status !== "Installed") setStatus(state, instance, "Undefined", out);
  } else completed(state, visit, instance, out);
}

/** Nebraska knows 800 as installed and takes no notice of 3/1, which is what update_engine sends. */
function progressOf(type: number, fixed: boolean): Exclude<InstanceStatus, "UpdateGranted"> | null {
  switch (type) {
    case EVENT_TYPE.downloadStarted:
      return "Downloading";
    case EVENT_TYPE.downloadFinished:
      return "Downloaded";
    case EVENT_TYPE.installed:
      return "Installed";
    case EVENT_TYPE.updateComplete:
      return fixed ? "Installed" : null;
    default:
      return null;
  }
}

function completed(state: ServiceState, visit: Visit, instance: Instance, out: ServiceOut): void {
  const { app, group, now } = visit;
  const version = instance.lastUpdateVersion ?? "";
  setStatus(state, instance, "Complete", out);
  const stats = updateStats(state, app, group, now);
  if (stats.succeeded !== stats.total) return;
  group.rolloutInProgress = false;
  out.facts.push({ kind: "service.rollout", group: group.id, rollout: "finished", version });
}

function failed(state: ServiceState, visit: Visit, instance: Instance, out: ServiceOut): void {
  const { app, group, now } = visit;
  setStatus(state, instance, "Error", out);
  // Nebraska has this switch too; nothing outside its tests turns it on.
  if (state.config.profile !== "fixed") return;
  const stats = updateStats(state, app, group, now);
  if (stats.attempted !== 1) return;
  const version = instance.lastUpdateVersion ?? "";
  group.rolloutInProgress = false;
  out.facts.push({ kind: "service.rollout", group: group.id, rollout: "failed", version });
  if (group.policy.updatesEnabled) setUpdates(app, group, false, out);
}

/** The host tried the version and came back: it is not offered to it again. */
function rolledBack(state: ServiceState, visit: Visit, instance: Instance, out: ServiceOut): void {
  const version = instance.lastUpdateVersion;
  if (version !== null) state.denied.add(denialKey(instance.host, version));
  failed(state, visit, instance, out);
}

/** Nebraska's GetUpdatePackage, in its order. */
function checkForUpdate(state: ServiceState, visit: Visit, out: ServiceOut): void {
  const { app, group, request, id } = visit;
  const fixed = state.config.profile === "fixed";
  const instance = registerInstance(visit, out);
  if (instance === null) {
    deny(state, id, request, "registration-failed", out);
    return;
  }
  if (fixed) observe(state, visit, instance, out);
  const { status } = instance;
  if (status === "Downloading" || status === "Downloaded" || status === "Installed") {
    deny(state, id, request, "update-in-progress", out);
    return;
  }
  const target = targetOf(app, group);
  if (target === null) {
    deny(state, id, request, "no-package", out);
    return;
  }
  if (status === "UpdateGranted" && !(fixed && !isStillGranted(state, visit, instance, target))) {
    granted(state, visit, instance, target, out);
    return;
  }
  if (compareVersions(request.version, target.version) >= 0) {
    respond(id, request.appId, "ok", { status: "noupdate" }, out);
    return;
  }
  const next = nextPackage(app, group, target, request.version);
  if (isBlacklisted(group, next)) {
    respond(id, request.appId, "ok", { status: "noupdate" }, out);
    return;
  }
  if (fixed && state.denied.has(denialKey(instance.host, next.version))) {
    deny(state, id, request, "denied-after-rollback", out);
    return;
  }
  enforcePolicy(state, visit, instance, next, out);
}

/** Under `fixed` the running version is the proof of an update, not the event that may be lost. */
function observe(state: ServiceState, visit: Visit, instance: Instance, out: ServiceOut): void {
  const { request } = visit;
  if (!instance.updateInProgress) return;
  if (request.version === instance.lastUpdateVersion) completed(state, visit, instance, out);
  else if (cameBack(instance, request.version, request.bootId)) {
    rolledBack(state, visit, instance, out);
  }
}

/** Under `fixed` a grant lasts while policy and channel still mean it. */
function isStillGranted(
  state: ServiceState,
  { app, group, request }: Visit,
  instance: Instance,
  target: Package,
): boolean {
  if (!group.policy.updatesEnabled) return false;
  const next = nextPackage(app, group, target, request.version);
  return (
    next.version === instance.lastUpdateVersion &&
    compareVersions(next.version, request.version) > 0 &&
    !state.denied.has(denialKey(instance.host, next.version))
  );
}

/** A host that was granted before asks again: it is served without looking at the policy. */
function granted(
  state: ServiceState,
  { app, group, request, id }: Visit,
  instance: Instance,
  target: Package,
  out: ServiceOut,
): void {
  const { lastUpdateVersion } = instance;
  const arrived =
    lastUpdateVersion === null || compareVersions(request.version, lastUpdateVersion) >= 0;
  if (isBlacklisted(group, target) || arrived) {
    setStatus(state, instance, "Complete", out);
    respond(id, request.appId, "ok", { status: "noupdate" }, out);
    return;
  }
  const next = nextPackage(app, group, target, request.version);
  respond(id, request.appId, "ok", offer(next), out);
}

function enforcePolicy(
  state: ServiceState,
  visit: Visit,
  instance: Instance,
  next: Package,
  out: ServiceOut,
): void {
  const { app, group, request, id, now } = visit;
  const verdict = rolloutPolicy(state, app, group, now);
  if (!verdict.grant) {
    if (verdict.disable && group.policy.updatesEnabled) setUpdates(app, group, false, out);
    if (verdict.hold) setStatus(state, instance, "OnHold", out);
    deny(state, id, request, verdict.reason, out);
    return;
  }
  const { machineId: host, appId, bootId } = request;
  const pending: PendingGrant = { id, appId, host, bootId, packageId: next.id };
  const { grantLatency, profile } = state.config;
  if (grantLatency === 0 || profile === "fixed") {
    grant(state, pending, now, out);
    return;
  }
  state.pending.push(pending);
  out.effects.push({ kind: "arm-timer", timer: `grant/${id}`, delay: grantLatency });
}

function grantDue(state: ServiceState, timer: string, now: Micros, out: ServiceOut): void {
  const at = state.pending.findIndex(({ id }) => `grant/${id}` === timer);
  const pending = state.pending[at];
  if (pending === undefined) return;
  const copy = { ...pending };
  state.pending.splice(at, 1);
  grant(state, copy, now, out);
}

function grant(state: ServiceState, pending: PendingGrant, now: Micros, out: ServiceOut): void {
  const { appId, bootId, host, id, packageId } = pending;
  const app = state.applications.get(appId);
  const instance = app?.instances.get(host);
  const next = app?.packages.get(packageId);
  if (app === undefined || instance === undefined || next === undefined) return;
  const { version } = next;
  instance.lastGranted = now;
  instance.lastUpdateVersion = version;
  instance.updateInProgress = true;
  instance.grantBootId = bootId;
  instance.status = "UpdateGranted";
  out.facts.push({ kind: "service.granted", host, version });
  out.facts.push(instanceFact(instance));
  const group = app.groups.get(instance.groupId);
  if (group !== undefined && !group.rolloutInProgress) {
    group.rolloutInProgress = true;
    out.facts.push({ kind: "service.rollout", group: group.id, rollout: "started", version });
  }
  respond(id, appId, "ok", offer(next), out);
}

/**
 * Nebraska's updateInstanceData. Its history row needs a granted version, so for a host that never
 * had a grant the whole statement fails and nothing changes: such a host is never put on hold.
 */
function setStatus(
  state: ServiceState,
  instance: Instance,
  status: Exclude<InstanceStatus, "UpdateGranted">,
  out: ServiceOut,
): void {
  if (instance.status === status) return;
  if (state.config.profile === "faithful" && instance.lastUpdateVersion === null) return;
  instance.status = status;
  if (status === "Complete") instance.version = instance.lastUpdateVersion ?? instance.version;
  if (
    status === "Complete" ||
    status === "Error" ||
    status === "Undefined" ||
    status === "OnHold"
  ) {
    instance.updateInProgress = false;
  }
  out.facts.push(instanceFact(instance));
}

function setUpdates(app: Application, group: Group, enabled: boolean, out: ServiceOut): void {
  group.policy.updatesEnabled = enabled;
  const version = targetOf(app, group)?.version ?? "";
  const rollout = enabled ? "enabled" : "disabled";
  out.facts.push({ kind: "service.rollout", group: group.id, rollout, version });
}

function isBlacklisted(group: Group, item: Package): boolean {
  return group.channelId !== null && item.channelsBlacklist.includes(group.channelId);
}

function offer(item: Package): OmahaUpdateCheck {
  return {
    status: "ok",
    manifest: {
      version: item.version,
      urls: [...item.urls],
      packageName: item.filename,
      sizeBytes: item.sizeBytes,
      sha256: item.sha256,
      isDelta: false,
      disablePayloadBackoff: item.disablePayloadBackoff,
      maxFailureCountPerUrl: null,
    },
  };
}

/** What Nebraska writes as the app's status; a host takes the whole answer for invalid. */
const DENIAL_STATUS: Readonly<Record<DenialReason, string>> = {
  "unknown-application": "error-unknownApplicationOrGroup",
  "unknown-group": "error-unknownApplicationOrGroup",
  "registration-failed": "error-instanceRegistrationFailed",
  "update-in-progress": "error-updateInProgressOnInstance",
  "no-package": "error-noPackageFound",
  "updates-disabled": "error-updatesDisabled",
  "outside-office-hours": "error-updatesDisabled",
  "max-updates-per-period": "error-maxUpdatesPerPeriodLimitReached",
  "max-concurrent": "error-maxConcurrentUpdatesLimitReached",
  "max-timed-out": "error-maxTimedOutUpdatesLimitReached",
  "denied-after-rollback": "error-updatesDisabled",
};

function deny(
  state: ServiceState,
  id: number,
  request: OmahaRequest,
  reason: DenialReason,
  out: ServiceOut,
): void {
  out.facts.push({ kind: "service.denied", host: request.machineId, reason });
  if (state.config.profile === "fixed") {
    respond(id, request.appId, "ok", { status: "noupdate" }, out);
  } else {
    respond(id, request.appId, DENIAL_STATUS[reason], { status: "error-internal" }, out);
  }
}

function respond(
  id: number,
  appId: string,
  appStatus: string,
  updateCheck: OmahaUpdateCheck | null,
  out: ServiceOut,
): void {
  const response = { appId, appStatus, updateCheck, pollIntervalSeconds: null };
  out.effects.push({ kind: "omaha-response", id, response });
}

function instanceFact(instance: Instance): ServiceFact {
  const { host, status, version } = instance;
  return { kind: "service.instance", host, status: status ?? "none", version };
}
