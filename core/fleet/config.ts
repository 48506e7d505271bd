import { type Micros, SECOND } from "../kernel/index.js";

/**
 * `faithful` behaves as fleet 1.0 does, its bugs included. `fixed` differs in what is named at the
 * place where it differs: an agent fences itself before its presence can have expired, and does
 * not unload its units because its own machine object is missing.
 */
export type FleetProfile = "faithful" | "fixed";

/** What fleet.conf says, and the host's identity. Source: fleetd/fleetd.go, config/config.go. */
export interface FleetConfig {
  /** /etc/machine-id, 32 hex digits. Two hosts that share one fight over it, as they do with fleet. */
  readonly machineId: string;
  readonly publicIp: string;
  /** Static metadata of the host; the registry's dynamic metadata is merged over it. */
  readonly metadata: Readonly<Record<string, string>>;
  /** TTL of presence, heartbeats and unit states: whole seconds. */
  readonly agentTtl: Micros;
  readonly engineReconcileInterval: Micros;
  readonly etcdRequestTimeout: Micros;
  readonly disableEngine: boolean;
  readonly profile: FleetProfile;
  /** Where unit files are written; no trailing slash. */
  readonly unitsDirectory: string;
  /** Root of fleet's keys in etcd; no trailing slash. */
  readonly keyPrefix: string;
}

/** fleet's own defaults, for everything but the host's identity. */
export const FLEET_DEFAULTS = {
  publicIp: "",
  metadata: {},
  agentTtl: 30 * SECOND,
  engineReconcileInterval: 2 * SECOND,
  etcdRequestTimeout: SECOND,
  disableEngine: false,
  profile: "faithful",
  unitsDirectory: "/run/fleet/units",
  keyPrefix: "/_coreos.com/fleet",
} as const satisfies Omit<FleetConfig, "machineId">;
