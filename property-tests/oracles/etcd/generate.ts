import fc from "fast-check";
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
  WatchMessage,
} from "../../../core/etcd/index.js";
import { createGenerator } from "../../../core/kernel/index.js";
import { step as v2Step } from "../../differential/etcd-v2.js";
import { Draw } from "./draw.js";
import type { CallDraft, Draft, Step } from "./steps.js";

/** What an episode is about, besides keys. */
export interface Flavor {
  /** Members of the cluster. */
  readonly members: number;
  readonly v2: boolean;
  readonly watches: boolean;
  readonly membership: boolean;
}

/** The steps of one episode of a seed. */
export function generateSteps(
  seed: number,
  episode: number,
  count: number,
  flavor: Flavor,
): readonly Step[] {
  const draw = new Draw(createGenerator(seed, `etcd-oracle/${episode}`));
  const v2Steps = fc.sample(v2Step, { seed: draw.below(2 ** 31), numRuns: count });
  const kinds: (readonly [number, (at: number) => Step])[] = [
    [60, () => call(draw, flavor, keyRequest(draw))],
    [12, () => call(draw, flavor, leaseRequest(draw))],
    [6, () => call(draw, flavor, storeRequest(draw))],
    [2, () => call(draw, flavor, authRequest(draw))],
    [1, () => (draw.oneIn(12) ? expiry(draw, flavor) : call(draw, flavor, alarmRequest(draw)))],
  ];
  if (flavor.members > 1) kinds.push([1, () => call(draw, flavor, moveLeader(draw))]);
  if (flavor.watches) kinds.push([8, () => watchStep(draw, flavor)]);
  if (flavor.membership) kinds.push([8, () => call(draw, flavor, memberRequest(draw))]);
  if (flavor.v2) {
    kinds.push([
      10,
      (at) => ({
        kind: "v2",
        member: draw.below(flavor.members),
        step: v2Steps[at] ?? { request: { op: "get", key: "/" } },
      }),
    ]);
  }
  return Array.from({ length: count }, (_, at) =>
    draw.weighted(kinds.map(([weight, make]) => [weight, () => make(at)])),
  );
}

function call(draw: Draw, flavor: Flavor, request: CallDraft): Step {
  return { kind: "call", member: draw.below(flavor.members), request };
}

function keyRequest(draw: Draw): CallDraft {
  return draw.weighted<CallDraft>([
    [20, () => put(draw)],
    [14, () => range(draw)],
    [7, () => deleteRange(draw)],
    [14, () => txn(draw, 3)],
    [1, () => ({ ...put(draw), value: "@fill-1600000", ignoreValue: false })],
    [
      1,
      () => ({ op: "kv-txn", compare: [], success: draw.list(129, () => put(draw)), failure: [] }),
    ],
  ]);
}

function range(draw: Draw): Draft<RangeRequest> {
  return {
    op: "kv-range",
    key: draw.key(),
    ...draw.some<Draft<Omit<RangeRequest, "op" | "key">>>({
      rangeEnd: [2, () => draw.rangeEnd()],
      limit: [3, () => draw.pick([0, 1, 2, 3, 100, -1])],
      revision: [2, () => draw.revision()],
      sortTarget: [3, () => draw.pick(["key", "version", "create", "mod", "value"] as const)],
      sortOrder: [3, () => draw.pick(["none", "ascend", "descend"] as const)],
      serializable: [3, () => true],
      keysOnly: [6, () => true],
      countOnly: [8, () => true],
      minModRevision: [10, () => draw.revision()],
      maxModRevision: [10, () => draw.revision()],
      minCreateRevision: [10, () => draw.revision()],
      maxCreateRevision: [10, () => draw.revision()],
    }),
  };
}

function put(draw: Draw): Draft<PutRequest> {
  return {
    op: "kv-put",
    key: draw.key(),
    value: draw.value(),
    ...draw.some<Omit<PutRequest, "op" | "key" | "value">>({
      lease: [4, () => draw.lease()],
      prevKv: [3, () => true],
      ignoreValue: [8, () => true],
      ignoreLease: [8, () => true],
    }),
    // Ignored values are mostly given as etcd wants them.
    ...(draw.oneIn(12) ? { value: "", ignoreValue: true } : {}),
  };
}

function deleteRange(draw: Draw): Draft<DeleteRangeRequest> {
  return {
    op: "kv-delete-range",
    key: draw.key(),
    ...draw.some<Omit<DeleteRangeRequest, "op" | "key">>({
      rangeEnd: [2, () => draw.rangeEnd()],
      prevKv: [2, () => true],
    }),
  };
}

function txn(draw: Draw, depth: number): Draft<TxnRequest> {
  return {
    op: "kv-txn",
    compare: draw.list(draw.below(3), () => compare(draw)),
    success: draw.list(draw.below(4), () => operation(draw, depth)),
    failure: draw.list(draw.below(3), () => operation(draw, depth)),
  };
}

function operation(draw: Draw, depth: number): Draft<RequestOp> {
  return draw.weighted<Draft<RequestOp>>([
    [6, () => put(draw)],
    [6, () => range(draw)],
    [3, () => deleteRange(draw)],
    [depth > 0 ? 3 : 0, () => txn(draw, depth - 1)],
  ]);
}

function compare(draw: Draw): Draft<Compare> {
  return {
    key: draw.key(),
    ...(draw.oneIn(3) ? { rangeEnd: draw.rangeEnd() } : {}),
    result: draw.pick(["equal", "not-equal", "greater", "less"] as const),
    target: draw.weighted<Draft<Compare["target"]>>([
      [2, () => ({ field: "version", operand: draw.below(3) })],
      [2, () => ({ field: "create", operand: draw.oneIn(3) ? 0 : draw.revision() })],
      [2, () => ({ field: "mod", operand: draw.oneIn(3) ? 0 : draw.revision() })],
      [2, () => ({ field: "value", operand: draw.value() })],
      [1, () => ({ field: "lease", operand: draw.oneIn(3) ? "" : draw.lease() })],
    ]),
  };
}

function leaseRequest(draw: Draw): CallDraft {
  return draw.weighted<CallDraft>([
    [
      8,
      () => ({
        op: "lease-grant",
        // None may run out within an episode.
        ttl: draw.pick([600, 1000, 5000, 9_000_000_000, 9_000_000_001, Number.MAX_SAFE_INTEGER]),
        id: draw.oneIn(12) ? "" : draw.lease(),
      }),
    ],
    [3, () => ({ op: "lease-revoke", id: draw.lease() })],
    [2, () => ({ op: "lease-keep-alive", id: draw.lease() })],
    [3, () => ({ op: "lease-time-to-live", id: draw.lease(), keys: draw.oneIn(2) })],
    [1, () => ({ op: "lease-list" })],
  ]);
}

function storeRequest(draw: Draw): CallDraft {
  return draw.weighted<CallDraft>([
    [3, () => ({ op: "kv-compact", revision: draw.revision() })],
    [6, () => ({ op: "hash-kv", revision: draw.revision() })],
    [1, () => ({ op: "defragment" })],
    [1, () => ({ op: "status" })],
    [1, () => ({ op: "member-list" })],
  ]);
}

function expiry(draw: Draw, flavor: Flavor): Step {
  return {
    kind: "expire",
    member: draw.below(flavor.members),
    lease: draw.lease(),
    keys: draw.list(draw.below(4), () => draw.someKey()),
  };
}

/** Alarms are taken back more often than raised, because they stop all the rest. */
function alarmRequest(draw: Draw): CallDraft {
  return {
    op: "alarm",
    action: draw.pick(["get", "activate", "deactivate", "deactivate", "deactivate"] as const),
    member: draw.pick(["", "@self-0"]),
    alarm: draw.pick(["nospace", "nospace", "none", "corrupt"] as const),
  };
}

function moveLeader(draw: Draw): CallDraft {
  return { op: "move-leader", to: draw.pick(["@self-0", "@self-1", "@self-2", "@nobody"]) };
}

/** Users and roles, without turning on that they count. */
function authRequest(draw: Draw): CallDraft {
  const user = draw.pick(["u", "v", "root", ""]);
  const role = draw.pick(["r", "s", "root", ""]);
  const range = { key: draw.key(), rangeEnd: draw.rangeEnd() };
  return draw.weighted<CallDraft>([
    [2, () => ({ op: "auth-user-add", name: user, password: "p", noPassword: draw.oneIn(2) })],
    [1, () => ({ op: "auth-user-get", name: user })],
    [1, () => ({ op: "auth-user-list" })],
    [1, () => ({ op: "auth-user-delete", name: user })],
    [2, () => ({ op: "auth-user-grant-role", user, role })],
    [1, () => ({ op: "auth-user-revoke-role", name: user, role })],
    [2, () => ({ op: "auth-role-add", name: role })],
    [2, () => ({ op: "auth-role-get", role })],
    [1, () => ({ op: "auth-role-list" })],
    [1, () => ({ op: "auth-role-delete", role })],
    [
      3,
      () => ({
        op: "auth-role-grant-permission",
        name: role,
        permission: { type: draw.pick(["read", "write", "read-write"] as const), ...range },
      }),
    ],
    [2, () => ({ op: "auth-role-revoke-permission", role, ...range })],
    [1, () => ({ op: "auth-disable" })],
    [1, () => ({ op: "auth-status" })],
    [1, () => ({ op: "authenticate", name: user, password: "p" })],
  ]);
}

function memberRequest(draw: Draw): CallDraft {
  const port = (): string => `http://127.0.0.1:${draw.between(1, 9)}`;
  const member = (): string => draw.pick(["@self-0", "@self-1", "@added-0", "@added-1", "@nobody"]);
  return draw.weighted<CallDraft>([
    [3, () => ({ op: "member-list", linearizable: draw.oneIn(2) })],
    [
      3,
      () => ({
        op: "member-add",
        peerUrls: draw.list(draw.between(1, 2), port),
        learner: draw.oneIn(2),
      }),
    ],
    [2, () => ({ op: "member-remove", member: draw.pick(["@added-0", "@added-1", "@nobody"]) })],
    [
      2,
      () => ({
        op: "member-update",
        member: draw.pick(["@added-0", "@nobody"]),
        peerUrls: [port()],
      }),
    ],
    [2, () => ({ op: "member-promote", member: member() })],
  ]);
}

function watchStep(draw: Draw, flavor: Flavor): Step {
  return {
    kind: "watch",
    member: draw.below(flavor.members),
    stream: draw.below(2),
    message: draw.weighted<Draft<WatchMessage>>([
      [6, () => watchCreate(draw)],
      [2, () => ({ type: "cancel", watchId: draw.below(4) })],
      [1, () => ({ type: "progress" })],
    ]),
  };
}

function watchCreate(draw: Draw): Draft<WatchMessage> {
  return {
    type: "create",
    key: draw.key(),
    ...draw.some<Draft<Omit<Extract<WatchMessage, { readonly type: "create" }>, "type" | "key">>>({
      rangeEnd: [2, () => draw.rangeEnd()],
      startRevision: [2, () => draw.revision()],
      progressNotify: [8, () => true],
      prevKv: [2, () => true],
      noPut: [8, () => true],
      noDelete: [8, () => true],
      watchId: [5, () => draw.below(6)],
      fragment: [8, () => true],
    }),
  };
}
