import { DAY, type Micros } from "../kernel/index.js";
import type {
  Application,
  DenialReason,
  Group,
  Instance,
  Package,
  RolloutPolicy,
  ServiceConfig,
  ServiceState,
} from "./service-state.js";
import { compareVersions } from "./version.js";
import { UTC_TABLE, zoneOf } from "./zone.js";

/** A group whose cap is this large is not counted at all, unless it is in safe mode. */
const UNCOUNTED_UPDATES = 900_000;

/** What a group's hosts look like to the policy. */
export interface UpdateStats {
  total: number;
  /** Not in progress any more, whatever the outcome. */
  attempted: number;
  succeeded: number;
  grantedInLastPeriod: number;
  inProgress: number;
  timedOut: number;
}

/**
 * Counts a group's hosts as Nebraska's query does: only those that checked in within a day, and
 * as in progress only while the grant is younger than the timeout. Under `fixed` a host that was
 * granted keeps counting until it is known what became of it.
 */
export function updateStats(
  state: ServiceState,
  app: Application,
  group: Group,
  now: Micros,
): UpdateStats {
  const fixed = state.config.profile === "fixed";
  const target = targetOf(app, group)?.version ?? "";
  const { periodInterval, updateTimeout } = group.policy;
  const stats: UpdateStats = {
    total: 0,
    attempted: 0,
    succeeded: 0,
    grantedInLastPeriod: 0,
    inProgress: 0,
    timedOut: 0,
  };
  for (const instance of app.instances.values()) {
    if (instance.groupId !== group.id) continue;
    const { updateInProgress, lastUpdateVersion } = instance;
    if (instance.lastCheck <= now - DAY && !(fixed && updateInProgress)) continue;
    stats.total += 1;
    if (lastUpdateVersion === null) continue;
    if (instance.lastGranted > now - periodInterval) stats.grantedInLastPeriod += 1;
    if (updateInProgress) {
      const late = now - instance.lastGranted > updateTimeout;
      if (late) stats.timedOut += 1;
      if (!late || fixed) stats.inProgress += 1;
    } else if (lastUpdateVersion === target) {
      stats.attempted += 1;
      if (instance.version === target) stats.succeeded += 1;
    }
  }
  return stats;
}

/** The package a group's channel points to. */
export function targetOf(app: Application, group: Group): Package | null {
  const channel = group.channelId === null ? undefined : app.channels.get(group.channelId);
  if (channel === undefined || channel.packageId === null) return null;
  return app.packages.get(channel.packageId) ?? null;
}

/** What a host on `version` has to install next on its way to the target: the lowest floor above it, or the target. */
export function nextPackage(
  app: Application,
  group: Group,
  target: Package,
  version: string,
): Package {
  const channel = group.channelId === null ? undefined : app.channels.get(group.channelId);
  let next = target;
  for (const id of channel?.floors ?? []) {
    const floor = app.packages.get(id);
    if (floor === undefined || compareVersions(floor.version, version) <= 0) continue;
    if (compareVersions(floor.version, next.version) < 0) next = floor;
  }
  return next;
}

/** A verdict of the rollout policy. */
export type PolicyVerdict =
  | { readonly grant: true }
  | {
      readonly grant: false;
      readonly reason: DenialReason;
      /** The host is put on hold. */
      readonly hold: boolean;
      /** Safe mode stops the group. */
      readonly disable: boolean;
    };

const GRANT: PolicyVerdict = { grant: true };

/** Nebraska's enforceRolloutPolicy, in its order. */
export function rolloutPolicy(
  state: ServiceState,
  app: Application,
  group: Group,
  now: Micros,
): PolicyVerdict {
  const { policy } = group;
  if (!policy.updatesEnabled) return denied("updates-disabled", false);
  if (policy.officeHours && !isOfficeHour(state.config, policy, now)) {
    return denied("outside-office-hours", false);
  }
  if (policy.maxUpdatesPerPeriod >= UNCOUNTED_UPDATES && !policy.safeMode) return GRANT;
  const stats = updateStats(state, app, group, now);
  const canary = policy.safeMode && stats.attempted === 0;
  const max = canary ? 1 : policy.maxUpdatesPerPeriod;
  if (stats.grantedInLastPeriod >= max) return denied("max-updates-per-period", true);
  if (stats.inProgress >= max) return denied("max-concurrent", true);
  if (policy.safeMode && stats.timedOut >= max) {
    return { grant: false, reason: "max-timed-out", hold: true, disable: true };
  }
  return GRANT;
}

function denied(reason: DenialReason, hold: boolean): PolicyVerdict {
  return { grant: false, reason, hold, disable: false };
}

/** Monday to Friday, 09:00 to 16:59 in the policy's zone; a zone nobody knows is always closed. */
export function isOfficeHour(config: ServiceConfig, policy: RolloutPolicy, now: Micros): boolean {
  const table =
    policy.timezone === "UTC"
      ? UTC_TABLE
      : config.zones.find((zone) => zone.name === policy.timezone)?.table;
  if (table === undefined) return false;
  const seconds = Math.floor((config.epoch + now) / 1_000_000);
  const local = seconds + zoneOf(table)(seconds);
  const day = Math.floor(local / 86_400);
  const weekday = (((day + 4) % 7) + 7) % 7;
  const hour = Math.floor((local - day * 86_400) / 3_600);
  return weekday >= 1 && weekday <= 5 && hour >= 9 && hour < 17;
}

/** The key of the deny list. */
export function denialKey(host: string, version: string): string {
  return `${host} ${version}`;
}

/** Under `fixed`: the host came back, in a later boot, on another version than the installed one. */
export function cameBack(instance: Instance, version: string, bootId: string): boolean {
  return (
    instance.updateInProgress &&
    instance.status === "Installed" &&
    instance.lastUpdateVersion !== null &&
    instance.grantBootId !== bootId &&
    instance.lastUpdateVersion !== version
  );
}
