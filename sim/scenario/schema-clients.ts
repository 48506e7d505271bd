import { z } from "zod";
import {
  duration,
  durationSpan,
  keys,
  name,
  oneOrMore,
  positiveCount,
  positiveDuration,
  text,
} from "./fields.js";

const weight = z.int().min(0).max(1_000).default(0);

/** Weights of what clients do; what is left out is never done. */
const mixSchema = keys({
  get: weight,
  list: weight,
  "stale-get": weight,
  "stale-list": weight,
  "past-get": weight,
  put: weight,
  delete: weight,
  txn: weight,
  create: weight,
  update: weight,
  remove: weight,
  "lease-put": weight,
  revoke: weight,
  compact: weight,
});

/** One group of clients of etcd: they make requests, or with `watch` they watch. */
export const clientGroupSchema = keys({
  group: name,
  count: positiveCount.optional(),
  members: z.union([z.enum(["any", "one"]), oneOrMore(text)]).default("any"),
  from: duration.prefault("0"),
  until: duration.optional(),
  keys: positiveCount.prefault(6),
  pause: durationSpan.prefault("20ms..80ms"),
  timeout: positiveDuration.prefault("1s"),
  mix: z.union([z.enum(["etcd", "kubernetes"]), mixSchema]).optional(),
  watch: keys({
    from: z.enum(["record", "list", "revision"]),
    before: z.int().min(0).max(1_000_000).default(20),
    after: z.int().min(0).max(1_000_000).default(10),
    lasts: durationSpan.prefault("1s..5s"),
    progress: positiveDuration.prefault("400ms"),
  }).optional(),
});

export type RawClientGroup = z.output<typeof clientGroupSchema>;
