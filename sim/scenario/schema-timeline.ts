import { z } from "zod";
import {
  countOrAll,
  countSpan,
  duration,
  keys,
  name,
  oneOrMore,
  openDurationSpan,
  openShareSpan,
  positiveCount,
  positiveDuration,
  share,
  text,
  version,
} from "./fields.js";
import { hosts } from "./schema-faults.js";

const at = { at: duration };
const via = { via: text.optional() };
const etcdKey = z.string().regex(/^(\/[^/\s]+)+$/, "a key such as /a/b");

/** Fields of the update group's policy that an operator may change. */
export const policyFields = {
  enabled: z.boolean().optional(),
  max_updates_per_period: positiveCount.optional(),
  period: positiveDuration.optional(),
  update_timeout: positiveDuration.optional(),
  safe_mode: z.boolean().optional(),
  office_hours: z.boolean().optional(),
};

/** One thing that happens at a moment. */
export const timelineSchema = z.discriminatedUnion("do", [
  keys({
    ...at,
    do: z.literal([
      "fleet-submit",
      "fleet-load",
      "fleet-start",
      "fleet-stop",
      "fleet-unload",
      "fleet-destroy",
    ]),
    units: oneOrMore(text),
    ...via,
  }),
  keys({ ...at, do: z.literal(["lock", "unlock"]), host: text, ...via }),
  keys({ ...at, do: z.literal("set-max"), max: z.int().min(-1_000).max(10_000), ...via }),
  keys({
    ...at,
    do: z.literal("power-off"),
    hosts,
    lose_unsynced: share.prefault("100%"),
  }),
  keys({
    ...at,
    do: z.literal(["power-on", "reboot", "terminate", "add-host", "attempt-update"]),
    hosts,
  }),
  keys({ ...at, do: z.literal(["member-add", "member-remove"]), host: text, ...via }),
  keys({ ...at, do: z.literal("move-leader"), to: text }),
  keys({
    ...at,
    do: z.literal("systemctl"),
    verb: z.enum(["start", "stop", "restart", "sighup"]),
    unit: text,
    hosts,
  }),
  keys({
    ...at,
    do: z.literal("fleet-metadata"),
    host: text,
    set: z.record(text, z.string().max(4_096)),
    ...via,
  }),
  keys({
    ...at,
    do: z.literal("etcd-set"),
    key: etcdKey,
    value: z.string().max(64 * 1024),
    ...via,
  }),
  keys({ ...at, do: z.literal("etcd-delete"), key: etcdKey, ...via }),
  keys({
    ...at,
    do: z.literal("replace-host"),
    host: text,
    by: text,
    overlap: duration.prefault("0"),
  }),
  keys({ ...at, do: z.literal("publish"), channel: name.optional(), version }),
  keys({ ...at, do: z.literal("set-policy"), ...policyFields }),
  keys({
    ...at,
    do: z.literal("partition"),
    between: z.tuple([hosts, hosts]).optional(),
    isolate: hosts.optional(),
    one_way: z.boolean().default(false),
  }),
  keys({ ...at, do: z.literal("heal") }),
  keys({ ...at, do: z.literal("mark"), label: text }),
]);

export type RawTimelineEntry = z.output<typeof timelineSchema>;

/** What a run should show. Which of the first keys is there says what is looked at. */
export const expectSchema = keys({
  leader: text.optional(),
  unit: text.optional(),
  active: countOrAll.optional(),
  copies: countSpan.optional(),
  spread: countSpan.optional(),
  on: hosts.optional(),
  keys: text.optional(),
  value: z.string().max(4_096).optional(),
  containers: text.optional(),
  errors: countSpan.optional(),
  requests: countSpan.optional(),
  facts: text.optional(),
  of: text.optional(),
  hosts_on: version.optional(),
  count: countOrAll.optional(),
  hosts_down: countSpan.optional(),
  members: countSpan.optional(),
  lock_holders: countSpan.optional(),
  quorum: z.enum(["held", "lost"]).optional(),
  terms: countSpan.optional(),
  led: openShareSpan.optional(),
  outage: openDurationSpan.optional(),
  invariant: text.optional(),
  is: z.enum(["held", "violated"]).optional(),
  by: duration.optional(),
  at: duration.optional(),
  during: text.optional(),
  within: text.optional(),
});

export type RawExpectation = z.output<typeof expectSchema>;
