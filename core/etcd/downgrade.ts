import { type Micros, SECOND, unreachable } from "../kernel/index.js";
import type { LogData } from "./log-data.js";
import type { MaintenanceRequest } from "./maintenance-api.js";
import { newOrigin, proposeFor, requestTimeout } from "./propose.js";
import { takeRead } from "./reads.js";
import { type EtcdOut, reply, unknownMethod, v3Answer } from "./reply.js";
import type { Asker, EtcdState, Running } from "./state.js";
import { v3Failure } from "./v3-api.js";

type DowngradeRequest = Extract<MaintenanceRequest, { readonly op: "downgrade" }>;

/** etcd's refusals of a downgrade. */
const DOWNGRADE_ERROR = {
  format: v3Failure("InvalidArgument", "etcdserver: wrong downgrade target version format"),
  target: v3Failure("InvalidArgument", "etcdserver: invalid downgrade target version"),
  noClusterVersion: v3Failure(
    "FailedPrecondition",
    "etcdserver: cluster version not found during downgrade",
  ),
  inProcess: v3Failure("FailedPrecondition", "etcdserver: cluster has a downgrade job in progress"),
} as const;

/** A version as `major.minor`; null for what is neither `3.5` nor `3.5.0`. */
function majorMinor(version: string): { readonly major: number; readonly minor: number } | null {
  const parts = /^(\d+)\.(\d+)(\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?)?$/.exec(version);
  return parts === null ? null : { major: Number(parts[1]), minor: Number(parts[2]) };
}

/** Takes a request to go back to the release before, for which the member first catches up. */
export function takeDowngrade(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: DowngradeRequest,
  now: Micros,
  out: EtcdOut,
): void {
  if (!state.config.profile.downgrade) {
    reply(asker, unknownMethod("Downgrade", "etcdserverpb.Maintenance"), true, out);
  } else if (request.action !== "cancel" && majorMinor(request.version) === null) {
    reply(asker, DOWNGRADE_ERROR.format, true, out);
  } else if (request.action === "validate" && run.stores.clusterVersion === "") {
    reply(asker, DOWNGRADE_ERROR.noClusterVersion, true, out);
  } else {
    takeRead(run, { asker, request, deadline: now + requestTimeout(state) }, now, out);
  }
}

/** Goes on with a downgrade on a member that is up to date. */
export function decideDowngrade(
  state: EtcdState,
  run: Running,
  asker: Asker,
  request: DowngradeRequest,
  now: Micros,
  out: EtcdOut,
): void {
  const { clusterVersion, downgradeTarget } = run.stores;
  const current = majorMinor(clusterVersion);
  const answer = (): void => {
    const version = current === null ? "" : `${current.major}.${current.minor}`;
    reply(asker, v3Answer(run, { op: "downgrade", version }), true, out);
  };
  switch (request.action) {
    case "cancel":
      // etcd only logs that there is nothing to cancel.
      if (downgradeTarget === "") answer();
      else setTarget(state, run, asker, "", now, out);
      return;
    case "validate":
    case "enable": {
      const target = majorMinor(request.version);
      const isBefore =
        current !== null && target?.major === current.major && target.minor === current.minor - 1;
      if (!isBefore) reply(asker, DOWNGRADE_ERROR.target, true, out);
      else if (downgradeTarget !== "") reply(asker, DOWNGRADE_ERROR.inProcess, true, out);
      else if (request.action === "validate") answer();
      else setTarget(state, run, asker, `${target.major}.${target.minor}.0`, now, out);
      return;
    }
    default:
      unreachable(request.action);
  }
}

function setTarget(
  state: EtcdState,
  run: Running,
  asker: Asker,
  target: string,
  now: Micros,
  out: EtcdOut,
): void {
  const data: LogData = { kind: "downgrade", origin: newOrigin(run), target };
  proposeFor(state, run, asker, "v3", data, now, out);
}

/** Answers whoever set or cancelled a downgrade, once that is applied. */
export function answerDowngrade(run: Running, asker: Asker, out: EtcdOut): void {
  const version = run.stores.clusterVersion.split(".").slice(0, 2).join(".");
  reply(asker, v3Answer(run, { op: "downgrade", version }), true, out);
}

/** How often a leader looks at the version of its cluster (etcd's monitorVersionInterval). */
const VERSION_INTERVAL: Micros = 4 * SECOND;

/**
 * A leader sees to it that the cluster has the version it should have, without a patch level: the target of
 * a downgrade, or its own. etcd takes the oldest release among the members, which here are all as new as the leader.
 */
export function setClusterVersion(state: EtcdState, run: Running, now: Micros, out: EtcdOut): void {
  run.versionCheckAt = now + VERSION_INTERVAL;
  if (run.node.role !== "leader") return;
  const { clusterVersion, downgradeTarget } = run.stores;
  const [major = "3", minor = "4"] = state.config.version.split(".");
  const version = downgradeTarget || `${major}.${minor}.0`;
  if (clusterVersion === version) return;
  const data: LogData = { kind: "cluster-version", origin: newOrigin(run), version };
  proposeFor(state, run, null, "cluster-version", data, now, out);
}

/** Looks at the version of the cluster when it is time. */
export function tendClusterVersion(
  state: EtcdState,
  run: Running,
  now: Micros,
  out: EtcdOut,
): void {
  if (now >= run.versionCheckAt) setClusterVersion(state, run, now, out);
}
