/**
 * What an attempt to start, stop or reload a unit came to, as its job sees it (the errno of
 * unit_start and its kin): `started` is under way, `already` is done, `again` later, the others end
 * the job with the result of that name; `condition` ends it as done, with nothing started.
 */
export type StartOutcome =
  | "started"
  | "already"
  | "again"
  | "condition"
  | "assert"
  | "dependency"
  | "invalid"
  | "unsupported"
  | "skipped"
  | "failed";
