import { z } from "zod";
import type { Mix } from "../../core/workload/index.js";
import type { FaultBudget } from "../faults/budget.js";
import type { Fault, FaultPlan } from "../faults/plan.js";
import { BUGS, type Safeguards } from "./catalogue.js";
import type { ContainersSpec, UsersSpec } from "./containers.js";
import type { Action, ClientSpec, Expectation, Release, Scenario } from "./scenario.js";

const text = z.string();
const count = z.int().min(0);
const micros = z.int().min(0);
const node = z.int().min(0);
const ppm = z.int().min(0).max(1_000_000);
const span = z
  .strictObject({ low: z.int(), high: z.int() })
  .refine(({ low, high }) => low <= high, "low is above high");
const positiveSpan = span.refine(({ low }) => low >= 0, "a negative duration");
const nodes = z.array(node);
const duration = z.int().min(1);
const via = node.nullable();

const link = z.strictObject({
  latency: positiveSpan,
  lossPpm: ppm,
  duplicatePpm: ppm,
  bandwidth: z.int().min(1).nullable(),
});

const host = z.strictObject({
  index: node,
  name: text,
  group: text,
  zone: count,
  address: text,
  machineId: text,
  present: z.boolean(),
  member: z.boolean(),
  osVersion: text,
  updateGroup: text,
  metadata: z.record(text, text),
  cloudConfig: text,
  oemConfig: text.exactOptional(),
  boot: positiveSpan,
  disk: z.strictObject({ fsync: positiveSpan, bandwidth: z.int().min(1) }),
  clock: z.strictObject({ offset: span, driftPpm: span }),
});

const ending = { after: positiveSpan, code: count };
const defect: z.ZodType<Release["defects"][number]> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("crash"), process: text, ...ending }),
  z.strictObject({ kind: z.literal("crash-peers"), process: text, ...ending }),
  z.strictObject({ kind: z.literal("exit"), unit: text, ...ending }),
  z.strictObject({ kind: z.literal("panic-on-boot"), after: positiveSpan }),
  z.strictObject({ kind: z.literal("hang-on-boot") }),
  z.strictObject({ kind: z.literal("network"), lossPpm: ppm, delay: positiveSpan }),
]);

const policy = {
  enabled: z.boolean(),
  maxUpdatesPerPeriod: count,
  period: duration,
  updateTimeout: duration,
  safeMode: z.boolean(),
  officeHours: z.boolean(),
};

const policyChange = z.strictObject({
  enabled: policy.enabled.nullable(),
  maxUpdatesPerPeriod: policy.maxUpdatesPerPeriod.nullable(),
  period: policy.period.nullable(),
  updateTimeout: policy.updateTimeout.nullable(),
  safeMode: policy.safeMode.nullable(),
  officeHours: policy.officeHours.nullable(),
});

const sides = { from: nodes, to: nodes, oneWay: z.boolean() };

const action: z.ZodType<Action> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.enum([
      "fleet-submit",
      "fleet-load",
      "fleet-start",
      "fleet-stop",
      "fleet-unload",
      "fleet-destroy",
    ]),
    units: z.array(text),
    via,
  }),
  z.strictObject({ kind: z.enum(["lock", "unlock"]), host: node, via }),
  z.strictObject({ kind: z.literal("set-max"), max: z.int(), via }),
  z.strictObject({ kind: z.literal("power-off"), hosts: nodes, loseUnsyncedPpm: ppm }),
  z.strictObject({
    kind: z.enum(["power-on", "reboot", "terminate", "add-host"]),
    hosts: nodes,
  }),
  z.strictObject({ kind: z.enum(["member-add", "member-remove"]), host: node, via }),
  z.strictObject({ kind: z.literal("move-leader"), to: node }),
  z.strictObject({
    kind: z.literal("systemctl"),
    verb: z.enum(["start", "stop", "restart", "sighup"]),
    unit: text,
    hosts: nodes,
  }),
  z.strictObject({
    kind: z.literal("fleet-metadata"),
    host: node,
    set: z.record(text, text),
    via,
  }),
  z.strictObject({ kind: z.literal("etcd-set"), key: text, value: text, via }),
  z.strictObject({ kind: z.literal("etcd-delete"), key: text, via }),
  z.strictObject({ kind: z.literal("replace-host"), host: node, by: node, overlap: micros }),
  z.strictObject({ kind: z.literal("attempt-update"), hosts: nodes }),
  z.strictObject({ kind: z.literal("publish"), channel: text, version: text }),
  z.strictObject({ kind: z.literal("set-policy"), policy: policyChange }),
  z.strictObject({ kind: z.literal("partition"), ...sides }),
  z.strictObject({ kind: z.literal("heal") }),
  z.strictObject({ kind: z.literal("mark"), label: text }),
]);

const interval = { id: count, at: micros, duration };

const fault: z.ZodType<Fault> = z.discriminatedUnion("kind", [
  z.strictObject({ ...interval, kind: z.literal("partition"), ...sides }),
  z.strictObject({
    ...interval,
    kind: z.literal("link"),
    ...sides,
    lossPpm: ppm,
    duplicatePpm: ppm,
    delay: positiveSpan,
  }),
  z.strictObject({
    ...interval,
    kind: z.literal("crash"),
    host: node,
    loseUnsyncedPpm: ppm,
    loseDisk: z.boolean(),
  }),
  z.strictObject({ ...interval, kind: z.literal("kill-process"), host: node, unit: text }),
  z.strictObject({
    ...interval,
    kind: z.literal("member-change"),
    host: node,
    learner: z.boolean(),
  }),
  z.strictObject({ ...interval, kind: z.literal("pause"), host: node }),
  z.strictObject({ ...interval, kind: z.literal("clock-step"), host: node, by: z.int() }),
  z.strictObject({ ...interval, kind: z.literal("clock-drift"), host: node, ppm: z.int() }),
  z.strictObject({ ...interval, kind: z.literal("slow-disk"), host: node, delay: positiveSpan }),
  z.strictObject({ ...interval, kind: z.literal("update-down") }),
  z.strictObject({ ...interval, kind: z.literal("discovery-down") }),
  z.strictObject({ ...interval, kind: z.literal("registry-down") }),
]);

/** A fault plan as log headers have it. */
export const faultPlanJson: z.ZodType<FaultPlan> = z
  .strictObject({ faults: z.array(fault) })
  .refine(
    ({ faults }) => new Set(faults.map((each) => each.id)).size === faults.length,
    "an id twice",
  );

const budget: z.ZodType<FaultBudget> = z.strictObject({
  from: micros,
  until: micros,
  hostsAtOnce: count,
  keep: z.enum(["quorum", "nothing"]),
  allowances: z.array(
    z.strictObject({
      kind: z.enum([
        "partition",
        "link",
        "crash",
        "kill-process",
        "member-change",
        "pause",
        "clock-step",
        "clock-drift",
        "slow-disk",
        "update-down",
        "discovery-down",
        "registry-down",
      ]),
      count: positiveSpan,
      duration: positiveSpan,
      hosts: nodes,
      oneWayPpm: ppm,
      lossPpm: positiveSpan,
      duplicatePpm: positiveSpan,
      delay: positiveSpan,
      loseUnsyncedPpm: positiveSpan,
      loseDiskPpm: ppm,
      step: span,
      driftPpm: span,
      learnerPpm: ppm,
      units: z.array(text),
    }),
  ),
});

const weights: z.ZodType<Mix> = z.strictObject({
  get: count,
  list: count,
  "stale-get": count,
  "stale-list": count,
  "past-get": count,
  put: count,
  delete: count,
  txn: count,
  create: count,
  update: count,
  remove: count,
  "lease-put": count,
  revoke: count,
  compact: count,
});

const client: z.ZodType<ClientSpec> = z.strictObject({
  node,
  name: text,
  members: nodes,
  from: micros,
  until: micros,
  keys: z.int().min(1),
  timeout: duration,
  does: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("requests"), mix: weights, pause: positiveSpan }),
    z.strictObject({
      kind: z.literal("watches"),
      from: z.enum(["record", "list", "revision"]),
      before: count,
      after: count,
      lasts: positiveSpan,
      progressEvery: duration,
    }),
  ]),
});

const moment = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("by"), time: micros }),
  z.strictObject({ kind: z.literal("at"), time: micros }),
  z.strictObject({ kind: z.literal("end") }),
  z.strictObject({ kind: z.enum(["throughout", "sometime"]), from: micros, until: micros }),
]);

const seen = { when: moment, line: count };
const some = z.union([span, z.literal("all")]);

const expectation: z.ZodType<Expectation> = z.discriminatedUnion("kind", [
  z.strictObject({ ...seen, kind: z.literal("leaders"), count: span }),
  z.strictObject({ ...seen, kind: z.literal("leads"), host: node }),
  z.strictObject({
    ...seen,
    kind: z.enum(["terms", "led", "outage", "errors", "requests"]),
    value: positiveSpan,
  }),
  z.strictObject({
    ...seen,
    kind: z.literal("facts"),
    fact: text,
    of: text.nullable(),
    value: positiveSpan,
  }),
  z.strictObject({
    ...seen,
    kind: z.literal("unit-active"),
    unit: text,
    count: some,
    on: nodes.nullable(),
  }),
  z.strictObject({
    ...seen,
    kind: z.enum(["unit-copies", "unit-spread"]),
    unit: text,
    count: span,
  }),
  z.strictObject({
    ...seen,
    kind: z.literal("keys"),
    keys: text,
    holding: text.nullable(),
    count: span,
  }),
  z.strictObject({
    ...seen,
    kind: z.literal("containers"),
    containers: text,
    count: span,
    on: nodes.nullable(),
  }),
  z.strictObject({ ...seen, kind: z.literal("hosts-on"), version: text, count: some }),
  z.strictObject({ ...seen, kind: z.literal("hosts-down"), count: span }),
  z.strictObject({ ...seen, kind: z.literal("members"), count: span }),
  z.strictObject({ ...seen, kind: z.literal("lock-holders"), count: span }),
  z.strictObject({ ...seen, kind: z.literal("quorum"), is: z.enum(["held", "lost"]) }),
  z.strictObject({
    ...seen,
    kind: z.literal("invariant"),
    name: text,
    is: z.enum(["held", "violated"]),
  }),
]);

const safeguards: z.ZodType<Safeguards> = z.strictObject({
  rebootHealthGate: z.boolean(),
  quorumGate: z.boolean(),
  markGoodGate: z.boolean(),
  removeBeforeAdd: z.boolean(),
  preVote: z.boolean(),
  checkQuorum: z.boolean(),
  fleetProfile: z.enum(["faithful", "documented", "fixed"]),
  maxReboots: count,
  agentTtl: micros,
});

const bugNames = Object.keys(BUGS).filter((bug): bug is keyof typeof BUGS => bug in BUGS);

const docker = z.strictObject({
  version: text,
  liveRestore: z.boolean(),
  startTakes: positiveSpan,
});

const units = z.array(z.strictObject({ name: text, text }));

const otherwise = z.strictObject({
  about: text,
  safeguards,
  docker: docker.optional(),
  units: units.optional(),
  expect: z.array(expectation),
});

const containers: z.ZodType<ContainersSpec> = z.strictObject({
  node,
  docker,
  flannel: text,
  registryBandwidth: z.int().min(1),
  hostBandwidth: z.int().min(1),
  images: z.array(
    z.strictObject({
      name: text,
      present: z.boolean(),
      layers: z.array(z.strictObject({ id: text, bytes: count })),
      readyAfter: positiveSpan,
      exits: z.strictObject(ending).nullable(),
      stopTakes: positiveSpan.nullable(),
      stopCode: count,
      listens: z.array(count),
    }),
  ),
});

const users: z.ZodType<UsersSpec> = z.strictObject({
  from: micros,
  every: duration,
  timeout: duration,
  through: nodes,
});

/** The resolved scenario as log headers have it. The types hold it and `Scenario` together. */
export const scenarioJson: z.ZodType<Scenario> = z.strictObject({
  orrery: z.literal(1),
  name: text,
  about: text,
  source: z.array(z.strictObject({ url: text, facts: z.array(text) })),
  assumptions: z.array(text),
  duration,
  etcd: z.strictObject({
    version: text,
    heartbeat: duration,
    election: duration,
    snapshotCount: count,
    fidelity: z.enum(["raft", "store"]),
  }),
  fleet: z.strictObject({
    agentTtl: duration,
    engineReconcile: duration,
    etcdRequestTimeout: duration,
    enableGrpc: z.boolean().default(false),
  }),
  discovery: z.strictObject({ node, url: text, token: text, size: count }).nullable(),
  zones: z.array(text),
  hosts: z.array(host),
  releases: z.array(
    z.strictObject({
      version: text,
      size: count,
      etcd: text.nullable(),
      defects: z.array(defect),
    }),
  ),
  update: z
    .strictObject({
      node,
      group: text,
      channel: text,
      channels: z.array(z.strictObject({ channel: text, version: text })),
      policy: z.strictObject(policy),
      checks: z.strictObject({ first: positiveSpan, every: positiveSpan }),
    })
    .nullable(),
  network: z.strictObject({
    default: link,
    betweenZones: link,
    services: link,
    clients: link,
    links: z.array(z.strictObject({ zones: z.tuple([count, count]), link })),
  }),
  processes: z.array(
    z.strictObject({
      match: text,
      readyAfter: positiveSpan,
      exits: z.strictObject(ending).nullable(),
      stopTakes: positiveSpan.nullable(),
      hosts: z.array(node).exactOptional(),
    }),
  ),
  units,
  containers: containers.optional(),
  users: users.optional(),
  timeline: z.array(z.strictObject({ at: micros, action })),
  faults: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("plan"), plan: faultPlanJson }),
    z.strictObject({ kind: z.literal("budget"), budget }),
  ]),
  safeguards,
  bugs: z.array(z.enum(bugNames)),
  clients: z.array(client),
  probe: z.strictObject({ every: duration }).nullable(),
  expect: z.array(expectation),
  counterfactual: otherwise.nullable(),
  variants: z.record(text, otherwise),
});
