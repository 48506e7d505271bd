import { z } from "zod";
import { BUGS } from "./catalogue.js";
import {
  count,
  driftSpan,
  durationSpan,
  keys,
  longText,
  name,
  oneOrMore,
  positiveCount,
  positiveDuration,
  positiveDurationSpan,
  rate,
  share,
  signedDurationSpan,
  size,
  text,
  unitName,
  version,
} from "./fields.js";
import { clientGroupSchema } from "./schema-clients.js";
import { containersSchema, otherEnginesSchema, usersSchema } from "./schema-containers.js";
import { faultsSchema } from "./schema-faults.js";
import { expectSchema, policyFields, timelineSchema } from "./schema-timeline.js";

const ipv4 = z.ipv4("an IPv4 address such as 10.0.0.11");

const hostGroupSchema = keys({
  group: name.optional(),
  name: name.optional(),
  count: positiveCount.optional(),
  zones: oneOrMore(name).optional(),
  address: ipv4.optional(),
  machine_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/, "32 lowercase hex digits")
    .optional(),
  present: z.boolean().default(true),
  member: z.boolean().optional(),
  os: keys({ version }),
  update_group: text.optional(),
  metadata: z.record(z.string().regex(/^[^\s=,]{1,128}$/, "a word"), text).prefault({}),
  cloud_config: longText.optional(),
  cloud_config_file: text.optional(),
  oem_config: longText.min(1).optional(),
  boot: durationSpan.prefault("15s..25s"),
  disk: keys({
    fsync: durationSpan.prefault("1ms..4ms"),
    bandwidth: rate.prefault("100MB/s"),
  }).prefault({}),
  clock: keys({
    offset: signedDurationSpan.prefault("0"),
    drift: driftSpan.prefault("0"),
  }).prefault({}),
});

const exitCode = z.int().min(0).max(255);

const defectSchema = z.discriminatedUnion("kind", [
  keys({
    kind: z.literal(["crash", "crash-peers"]),
    process: text,
    after: durationSpan,
    code: exitCode.default(2),
  }),
  keys({ kind: z.literal("exit"), unit: text, after: durationSpan, code: exitCode.default(1) }),
  keys({ kind: z.literal("panic-on-boot"), after: durationSpan.prefault("5s") }),
  keys({ kind: z.literal("hang-on-boot") }),
  keys({
    kind: z.literal("network"),
    loss: share.prefault("0%"),
    delay: durationSpan.prefault("0"),
  }),
]);

const releaseSchema = keys({
  version,
  size: size.prefault("300MB"),
  etcd: version.optional(),
  defects: z.array(defectSchema).max(100).default([]),
});

const linkFields = {
  latency: durationSpan,
  loss: share.prefault("0%"),
  duplicate: share.prefault("0%"),
  bandwidth: rate.optional(),
};

const processSchema = keys({
  ready_after: durationSpan.prefault("0"),
  exits: z
    .union([keys({ after: positiveDurationSpan, code: exitCode.default(0) }), z.literal("never")])
    .default("never"),
  stop_takes: z.union([z.literal("never"), durationSpan]).prefault("10ms"),
  hosts: oneOrMore(text).optional(),
});

const unitSchema = z.union([longText.min(1), keys({ file: text })]);

const bugNames = Object.keys(BUGS).filter((bug): bug is keyof typeof BUGS => bug in BUGS);

const safeguardsSchema = keys({
  reboot_health_gate: z.boolean().optional(),
  quorum_gate: z.boolean().optional(),
  mark_good_gate: z.boolean().optional(),
  remove_before_add: z.boolean().optional(),
  pre_vote: z.boolean().optional(),
  check_quorum: z.boolean().optional(),
  fleet_profile: z.enum(["faithful", "documented", "fixed"]).optional(),
  max_reboots: count.optional(),
  agent_ttl: positiveDuration.optional(),
});

/** The same run under other safeguards or with other unit files, and what it should show then. */
const otherwiseSchema = keys({
  about: longText.default(""),
  safeguards: safeguardsSchema.optional(),
  containers: otherEnginesSchema.optional(),
  units: z.record(unitName, unitSchema).default({}),
  expect: z.array(expectSchema).max(10_000),
});

/** A scenario file as written: quantities read, names not yet looked up. */
export const scenarioSchema = keys({
  orrery: z.literal(1),
  name,
  about: longText.default(""),
  source: z
    .array(keys({ url: z.string().regex(/^https?:\/\/\S+$/, "a URL"), facts: oneOrMore(text) }))
    .max(100)
    .default([]),
  assumptions: oneOrMore(text).default([]),
  duration: positiveDuration,
  etcd: keys({
    version: version.default("3.4"),
    heartbeat: positiveDuration.prefault("100ms"),
    election: positiveDuration.prefault("1s"),
    pre_vote: z.boolean().optional(),
    check_quorum: z.boolean().optional(),
    snapshot_count: positiveCount.prefault(10_000),
    fidelity: z.enum(["raft", "store"]).default("raft"),
  }).prefault({}),
  fleet: keys({
    agent_ttl: positiveDuration.prefault("30s"),
    engine_reconcile_interval: positiveDuration.prefault("2s"),
    etcd_request_timeout: positiveDuration.prefault("1s"),
    enable_grpc: z.boolean().default(false),
  }).prefault({}),
  discovery: keys({
    url: z
      .string()
      .regex(/^https?:\/\/[^\s/]+\/[0-9a-f]{32}$/, "https://HOST/ and 32 lowercase hex digits"),
    size: positiveCount,
  }).optional(),
  hosts: z.array(hostGroupSchema).min(1).max(1_000),
  releases: z.array(releaseSchema).max(1_000).default([]),
  update: keys({
    group: text.default("default"),
    channel: name.default("stable"),
    version,
    ...policyFields,
    first_check: durationSpan.prefault("2m..12m"),
    check_every: positiveDurationSpan.prefault("40m..50m"),
  }).optional(),
  network: keys({
    default: keys(linkFields).prefault({ latency: "200us..600us" }),
    between_zones: keys(linkFields).optional(),
    services: keys(linkFields).prefault({ latency: "10ms..40ms" }),
    clients: keys(linkFields).optional(),
    links: z
      .array(keys({ between: z.tuple([name, name]), ...linkFields }))
      .max(10_000)
      .default([]),
  }).prefault({}),
  processes: z.record(text, processSchema).default({}),
  units: z.record(unitName, unitSchema).default({}),
  containers: containersSchema.optional(),
  users: usersSchema.optional(),
  timeline: z.array(timelineSchema).max(100_000).default([]),
  faults: faultsSchema.prefault({}),
  safeguards: safeguardsSchema.prefault({}),
  bugs: z.array(z.enum(bugNames)).max(100).default([]),
  clients: z.array(clientGroupSchema).max(1_000).default([]),
  probe: keys({ every: positiveDuration.prefault("250ms") }).optional(),
  expect: z.array(expectSchema).max(10_000).default([]),
  counterfactual: otherwiseSchema.optional(),
  variants: z.record(name, otherwiseSchema).default({}),
});

export type RawScenario = z.output<typeof scenarioSchema>;
export type RawSafeguards = z.output<typeof safeguardsSchema>;
export type RawOtherwise = z.output<typeof otherwiseSchema>;
export type RawHostGroup = RawScenario["hosts"][number];
