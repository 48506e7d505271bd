import { z } from "zod";
import {
  countSpan,
  drift,
  driftSpan,
  duration,
  durationSpan,
  keys,
  oneOrMore,
  positiveDuration,
  positiveDurationSpan,
  share,
  shareSpan,
  signedDuration,
  signedDurationSpan,
  text,
  unitName,
} from "./fields.js";

/** Hosts: a name, a group, `zone:a`, a glob such as `core-*`, or `*`; or a list of these. */
export const hosts = oneOrMore(text);

/** Two sides; or one side cut off from everything else. */
const sides = {
  between: z.tuple([hosts, hosts]).optional(),
  isolate: hosts.optional(),
  one_way: z.boolean().default(false),
};

const when = {
  id: z.int().min(0).max(1_000_000).optional(),
  at: duration,
  for: positiveDuration,
};

/** One fault of an explicit plan. */
export const faultSchema = z.discriminatedUnion("kind", [
  keys({ ...when, kind: z.literal("partition"), ...sides }),
  keys({
    ...when,
    kind: z.literal("link"),
    ...sides,
    loss: share.prefault("0%"),
    duplicate: share.prefault("0%"),
    delay: durationSpan.prefault("0"),
  }),
  keys({
    ...when,
    kind: z.literal("crash"),
    host: text,
    lose_unsynced: share.prefault("100%"),
    lose_disk: z.boolean().default(false),
  }),
  keys({ ...when, kind: z.literal("kill-process"), host: text, unit: unitName }),
  keys({
    ...when,
    kind: z.literal("member-change"),
    host: text,
    learner: z.boolean().default(false),
  }),
  keys({ ...when, kind: z.literal("pause"), host: text }),
  keys({ ...when, kind: z.literal("clock-step"), host: text, by: signedDuration }),
  keys({ ...when, kind: z.literal("clock-drift"), host: text, by: drift }),
  keys({ ...when, kind: z.literal("slow-disk"), host: text, delay: positiveDurationSpan }),
  keys({ ...when, kind: z.literal("update-down") }),
  keys({ ...when, kind: z.literal("discovery-down") }),
  keys({ ...when, kind: z.literal("registry-down") }),
]);

const allowance = { count: countSpan, for: positiveDurationSpan };
const onHosts = { ...allowance, hosts: hosts.optional() };

/** What a plan may hold of each kind, and what it may do at once. */
export const budgetSchema = keys({
  from: duration.prefault("0"),
  until: duration.optional(),
  keep: z.enum(["quorum", "nothing"]).default("quorum"),
  hosts_at_once: z.int().min(0).max(10_000).optional(),
  partition: keys({ ...onHosts, one_way: share.prefault("0%") }).optional(),
  link: keys({
    ...onHosts,
    one_way: share.prefault("0%"),
    loss: shareSpan.prefault("0%"),
    duplicate: shareSpan.prefault("0%"),
    delay: durationSpan.prefault("0"),
  }).optional(),
  crash: keys({
    ...onHosts,
    lose_unsynced: shareSpan.prefault("100%"),
    lose_disk: share.prefault("0%"),
  }).optional(),
  "kill-process": keys({ ...onHosts, units: oneOrMore(unitName) }).optional(),
  "member-change": keys({ ...onHosts, learner: share.prefault("0%") }).optional(),
  pause: keys(onHosts).optional(),
  "clock-step": keys({ ...onHosts, by: signedDurationSpan }).optional(),
  "clock-drift": keys({ ...onHosts, by: driftSpan }).optional(),
  "slow-disk": keys({ ...onHosts, delay: positiveDurationSpan }).optional(),
  "update-down": keys(allowance).optional(),
  "discovery-down": keys(allowance).optional(),
  "registry-down": keys(allowance).optional(),
});

export const faultsSchema = keys({
  plan: z.array(faultSchema).max(10_000).optional(),
  budget: budgetSchema.optional(),
});

export type RawFault = z.output<typeof faultSchema>;
export type RawBudget = z.output<typeof budgetSchema>;
