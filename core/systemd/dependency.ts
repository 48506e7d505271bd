/** The kinds of dependencies between units, each with its inverse. */
export const DEPENDENCIES = {
  requires: "requiredBy",
  requisite: "requisiteOf",
  wants: "wantedBy",
  bindsTo: "boundBy",
  partOf: "consistsOf",
  conflicts: "conflictedBy",
  before: "after",
  onFailure: "onFailureOf",
  onSuccess: "onSuccessOf",
  triggers: "triggeredBy",
  propagatesReloadTo: "reloadPropagatedFrom",
  requiredBy: "requires",
  requisiteOf: "requisite",
  wantedBy: "wants",
  boundBy: "bindsTo",
  consistsOf: "partOf",
  conflictedBy: "conflicts",
  after: "before",
  onFailureOf: "onFailure",
  onSuccessOf: "onSuccess",
  triggeredBy: "triggers",
  reloadPropagatedFrom: "propagatesReloadTo",
} as const;

export type Dependency = keyof typeof DEPENDENCIES;
