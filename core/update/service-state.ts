import type { ArmTimer, Micros, TimerFired } from "../kernel/index.js";
import type { OmahaRequest, OmahaResponse } from "./omaha.js";
import type { ZoneTable } from "./zone.js";

/** One release of an application's OS image. */
export interface Package {
  readonly id: string;
  readonly version: string;
  readonly urls: readonly string[];
  readonly filename: string;
  readonly sizeBytes: number;
  /** Of the payload, base64. */
  readonly sha256: string;
  readonly disablePayloadBackoff: boolean;
  /** Channels that must not serve it. */
  readonly channelsBlacklist: readonly string[];
}

/** A named pointer to a package, with the versions nobody may skip. */
export interface Channel {
  readonly id: string;
  packageId: string | null;
  /** Package ids of mandatory intermediate versions. */
  floors: string[];
}

/** A group's rollout policy. Defaults differ between Nebraska's seed, its form and its columns; state them. */
export interface RolloutPolicy {
  updatesEnabled: boolean;
  safeMode: boolean;
  officeHours: boolean;
  /** IANA name; "" or unknown to the service's tables: closed. */
  timezone: string;
  maxUpdatesPerPeriod: number;
  periodInterval: Micros;
  updateTimeout: Micros;
}

export interface Group {
  readonly id: string;
  /** What hosts send as `track`. */
  readonly track: string;
  channelId: string | null;
  policy: RolloutPolicy;
  rolloutInProgress: boolean;
}

export type InstanceStatus =
  | "Undefined"
  | "UpdateGranted"
  | "Error"
  | "Complete"
  | "Installed"
  | "Downloaded"
  | "Downloading"
  | "OnHold";

/** What the service believes of one host. Events reach it at most once, so it can be wrong. */
export interface Instance {
  readonly host: string;
  groupId: string;
  /** Null until the first grant. */
  status: InstanceStatus | null;
  version: string;
  lastCheck: Micros;
  /** Version granted last. */
  lastUpdateVersion: string | null;
  lastGranted: Micros;
  updateInProgress: boolean;
  /** Boot in which the last grant was given; a later boot on another version is a rollback. */
  grantBootId: string;
}

export interface Application {
  readonly id: string;
  readonly packages: Map<string, Package>;
  readonly channels: Map<string, Channel>;
  readonly groups: Map<string, Group>;
  readonly instances: Map<string, Instance>;
}

/**
 * `faithful`: Nebraska as read, its defects included. `fixed`: denials answer `noupdate`; counting
 * and granting are one step; a granted host goes on obeying policy and channel, and holds its place
 * until it is known what became of it, however silent; the running version proves an update, not
 * an event that may be lost; the first failure of a rollout halts it; a version that a host came
 * back from is not offered to it again.
 */
export type ServiceProfile = "faithful" | "fixed";

export interface GroupConfig {
  readonly id: string;
  readonly track: string;
  readonly channelId: string | null;
  readonly policy: RolloutPolicy;
}

export interface ApplicationConfig {
  readonly id: string;
  readonly packages: readonly Package[];
  readonly channels: readonly {
    readonly id: string;
    readonly packageId: string | null;
    readonly floors?: readonly string[];
  }[];
  readonly groups: readonly GroupConfig[];
}

export interface ServiceConfig {
  readonly profile: ServiceProfile;
  readonly applications: readonly ApplicationConfig[];
  /**
   * Time between reading the statistics and writing the grant. Requests that fall into it see the
   * old statistics: the race by which Nebraska grants more than its policy allows. 0, or profile
   * `fixed`: none.
   */
  readonly grantLatency: Micros;
  /** UTC time at which this machine's clock showed 0, in µs since 1970. */
  readonly epoch: Micros;
  /** Time zones that office hours may name, besides UTC. */
  readonly zones: readonly { readonly name: string; readonly table: ZoneTable }[];
}

/** A grant that was decided and is not yet written. */
export interface PendingGrant {
  /** Of the request; the timer is `grant/<id>`. */
  readonly id: number;
  readonly appId: string;
  readonly host: string;
  readonly bootId: string;
  readonly packageId: string;
}

export interface ServiceState {
  readonly config: ServiceConfig;
  readonly applications: Map<string, Application>;
  pending: PendingGrant[];
  /** `host version` pairs not to be granted again (profile fixed). */
  readonly denied: Set<string>;
}

/** Why a check was not granted; Nebraska's errors in words. */
export type DenialReason =
  | "unknown-application"
  | "unknown-group"
  | "registration-failed"
  | "update-in-progress"
  | "no-package"
  | "updates-disabled"
  | "outside-office-hours"
  | "max-updates-per-period"
  | "max-concurrent"
  | "max-timed-out"
  | "denied-after-rollback";

export type ServiceStimulus =
  /** One host's request; answered by an `omaha-response` with the same id. */
  | { readonly kind: "omaha-request"; readonly id: number; readonly request: OmahaRequest }
  | TimerFired
  | {
      readonly kind: "set-channel";
      readonly appId: string;
      readonly channelId: string;
      readonly packageId: string | null;
    }
  | { readonly kind: "add-package"; readonly appId: string; readonly package: Package }
  | {
      readonly kind: "set-floors";
      readonly appId: string;
      readonly channelId: string;
      readonly floors: readonly string[];
    }
  | {
      readonly kind: "set-updates";
      readonly appId: string;
      readonly groupId: string;
      readonly enabled: boolean;
    }
  | {
      readonly kind: "set-policy";
      readonly appId: string;
      readonly groupId: string;
      readonly policy: RolloutPolicy;
    };

export type ServiceEffect =
  | { readonly kind: "omaha-response"; readonly id: number; readonly response: OmahaResponse }
  | ArmTimer;

export type ServiceFact =
  | { readonly kind: "service.granted"; readonly host: string; readonly version: string }
  | { readonly kind: "service.denied"; readonly host: string; readonly reason: DenialReason }
  /** Each change of what is believed of a host. */
  | {
      readonly kind: "service.instance";
      readonly host: string;
      readonly status: InstanceStatus | "none";
      readonly version: string;
    }
  | {
      readonly kind: "service.rollout";
      readonly group: string;
      readonly rollout: "started" | "finished" | "failed" | "disabled" | "enabled";
      readonly version: string;
    }
  | {
      readonly kind: "service.channel";
      readonly channel: string;
      readonly version: string;
    };
