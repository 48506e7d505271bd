/** The kinds of dependencies between units, each with its inverse. */
export const DEPENDENCIES = {
  requires: "requiredBy",
  requisite: "requisiteOf",
  wants: "wantedBy",
  bindsTo: "boundBy",
  partOf: "consistsOf",
  upholds: "upheldBy",
  conflicts: "conflictedBy",
  before: "after",
  onFailure: "onFailureOf",
  onSuccess: "onSuccessOf",
  triggers: "triggeredBy",
  propagatesReloadTo: "reloadPropagatedFrom",
  propagatesStopTo: "stopPropagatedFrom",
  requiredBy: "requires",
  requisiteOf: "requisite",
  wantedBy: "wants",
  boundBy: "bindsTo",
  consistsOf: "partOf",
  upheldBy: "upholds",
  conflictedBy: "conflicts",
  after: "before",
  onFailureOf: "onFailure",
  onSuccessOf: "onSuccess",
  triggeredBy: "triggers",
  reloadPropagatedFrom: "propagatesReloadTo",
  stopPropagatedFrom: "propagatesStopTo",
} as const;

export type Dependency = keyof typeof DEPENDENCIES;

/**
 * What each kind of dependency comes to (core/unit-dependency-atom.c): an effect, and the kinds
 * that have it, seen from the unit that has the edge.
 */
export const EFFECTS = {
  /** A start pulls in a start of these, and fails without it. */
  pullInStart: ["requires", "bindsTo"],
  /** A start pulls in a start of these, and does not need it. */
  pullInStartIgnored: ["wants", "upholds"],
  /** A start fails unless these are up already. */
  pullInVerify: ["requisite"],
  /** A start pulls in a stop of these, and fails without it. */
  pullInStop: ["conflicts"],
  /** A start pulls in a stop of these, and does not need it. */
  pullInStopIgnored: ["conflictedBy"],
  /** Coming up by itself starts these, whatever is queued, */
  retroactiveStartReplace: ["requires", "bindsTo", "upholds"],
  /** or unless something else is queued. */
  retroactiveStartFail: ["wants"],
  /** Coming up by itself stops these. */
  retroactiveStopOnStart: ["conflicts", "conflictedBy"],
  /** Going down by itself stops these. */
  retroactiveStopOnStop: ["boundBy", "propagatesStopTo"],
  /** A stop stops these. */
  propagateStop: ["requiredBy", "requisiteOf", "boundBy", "consistsOf", "propagatesStopTo"],
  /** A restart restarts those of these that are up. */
  propagateRestart: ["requiredBy", "requisiteOf", "boundBy", "consistsOf"],
  /** A start that failed fails the starts of these. */
  propagateStartFailure: ["requiredBy", "requisiteOf", "boundBy"],
  /** A stop that failed fails the starts of these. */
  propagateStopFailure: ["conflictedBy"],
  /** A start that left the unit inactive fails the starts of these. */
  propagateInactiveStart: ["requisiteOf"],
  /** StopWhenUnneeded= spares the unit while one of these is up. */
  pinsUnneeded: ["requiredBy", "requisiteOf", "wantedBy", "boundBy", "upheldBy"],
  /** Going down may leave these unneeded. */
  checksUnneeded: ["requires", "requisite", "wants", "bindsTo", "upholds"],
  /** While one of these is up the unit is started again and again. */
  startSteadily: ["upheldBy"],
  /** Coming up makes sure that these are up. */
  checksUpheld: ["upholds"],
  /** The unit is stopped when one of these is down. */
  cannotBeActiveWithout: ["bindsTo"],
  /** Going down stops these. */
  checksBound: ["boundBy"],
  /** A target that has one of these edges comes after the unit. */
  defaultTarget: ["requiredBy", "requisiteOf", "wantedBy", "boundBy", "upheldBy"],
} as const satisfies Readonly<Record<string, readonly Dependency[]>>;

export type Effect = keyof typeof EFFECTS;
