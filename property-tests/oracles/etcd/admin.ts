import type { CallName } from "../../../adapters/etcd/wire-calls.js";
import type { Permission, V3Request } from "../../../core/etcd/index.js";
import { createGenerator } from "../../../core/kernel/index.js";
import { agree, canonical, type Plain } from "./canonical.js";
import { Draw } from "./draw.js";
import { ModelCluster } from "./model.js";
import { type Answer, RealCluster, type Release } from "./real.js";

/**
 * Requests about users, permissions, alarms and members, by whoever has logged in as whom, on a cluster of one
 * member: what its answers are, and that they stand at the same place in the log.
 */
export interface AdminStep {
  /** Whose token comes with it: a user, "nobody" for none, or a token as it is. */
  readonly as: string;
  readonly request: AdminRequest;
}

/** `@self` and `@learner` stand for ids. */
type AdminRequest = Extract<V3Request, { readonly op: CallName }>;

/** The first step that the sides answer differently. */
export interface AdminDifference {
  readonly step: AdminStep;
  readonly expected: Plain;
  readonly actual: Plain;
}

const USERS = ["root", "u1", "u2"];
const ROLES = ["root", "r1", "r2"];
const KEYS = ["a", "b", "c", "d", "\0"];
const ENDS = ["", "", "b", "c", "e", "\0", "\0"];
const LEASES = ["0000000000000001", "0000000000000002"];

/** Steps of a seed. They begin with what it takes to enable auth, which most of them need. */
export function adminSteps(seed: number, count: number): readonly AdminStep[] {
  const draw = new Draw(createGenerator(seed, "etcd-admin"));
  const step = (as: string, request: AdminRequest): AdminStep => ({ as, request });
  const password = (name: string) => ({ name, password: `${name}'s` });
  const prelude = [
    step("nobody", { op: "auth-enable" }),
    ...USERS.map((name) => step("nobody", { op: "auth-user-add", ...password(name) })),
    step("nobody", { op: "auth-user-grant-role", user: "root", role: "root" }),
    step("nobody", { op: "auth-role-add", name: "r1" }),
    step("nobody", { op: "auth-user-grant-role", user: "u1", role: "r1" }),
    step("nobody", { op: "auth-role-grant-permission", name: "r1", permission: permission(draw) }),
    step("nobody", { op: "auth-enable" }),
    ...USERS.map((name) => step("nobody", { op: "authenticate", ...password(name) })),
  ];
  const rest = Array.from({ length: count }, () => {
    const request = adminRequest(draw);
    const as = draw.weighted([
      [6, () => "root"],
      [6, () => draw.pick(["u1", "u2"])],
      [2, () => "nobody"],
      [1, () => draw.pick(["nonsense", "aaaaaaaaaaaaaaaa.1", "a.b"])],
    ]);
    return step(as, request);
  });
  return [...prelude, ...rest];
}

function permission(draw: Draw): Permission {
  return { type: draw.pick(["read", "write", "read-write"] as const), ...rangeOf(draw) };
}

/** None ends before it begins: what is permitted of those hangs on the shape of etcd's tree. */
function rangeOf(draw: Draw): { readonly key: string; readonly rangeEnd: string } {
  const key = draw.pick(KEYS);
  const rangeEnd = draw.pick(ENDS);
  return rangeEnd === "" || rangeEnd === "\0" || key < rangeEnd
    ? { key, rangeEnd }
    : { key: rangeEnd, rangeEnd: `${key}z` };
}

function adminRequest(draw: Draw): AdminRequest {
  const user = (): string => draw.pick([...USERS, "u1", "u2", "", "missing"]);
  const role = (): string => draw.pick([...ROLES, "r1", "r2", "", "missing"]);
  return draw.weighted<AdminRequest>([
    [12, () => keyRequest(draw)],
    [
      6,
      () => {
        const name = user();
        return { op: "authenticate", name, password: draw.oneIn(6) ? "wrong" : `${name}'s` };
      },
    ],
    [1, () => ({ op: "auth-enable" })],
    [draw.oneIn(4) ? 1 : 0, () => ({ op: "auth-disable" })],
    [1, () => ({ op: "auth-status" })],
    [
      3,
      () => {
        const name = user();
        const noPassword = draw.oneIn(4);
        return { op: "auth-user-add", name, password: noPassword ? "" : `${name}'s`, noPassword };
      },
    ],
    [1, () => ({ op: "auth-user-delete", name: user() })],
    [1, () => changePassword(user())],
    [4, () => ({ op: "auth-user-grant-role", user: user(), role: role() })],
    [1, () => ({ op: "auth-user-revoke-role", name: user(), role: role() })],
    [2, () => ({ op: "auth-user-get", name: user() })],
    [1, () => ({ op: "auth-user-list" })],
    [3, () => ({ op: "auth-role-add", name: role() })],
    [1, () => ({ op: "auth-role-delete", role: role() })],
    [2, () => ({ op: "auth-role-get", role: role() })],
    [1, () => ({ op: "auth-role-list" })],
    [4, () => ({ op: "auth-role-grant-permission", name: role(), permission: permission(draw) })],
    [
      1,
      () => {
        const { key, rangeEnd } = permission(draw);
        return { op: "auth-role-revoke-permission", role: role(), key, rangeEnd };
      },
    ],
    [5, () => leaseRequest(draw)],
    [3, () => maintenanceRequest(draw)],
    [3, () => memberRequest(draw)],
  ]);
}

function changePassword(name: string): AdminRequest {
  return { op: "auth-user-change-password", name, password: `${name}'s` };
}

function keyRequest(draw: Draw): AdminRequest {
  const { key, rangeEnd } = rangeOf(draw);
  const put = () =>
    ({
      op: "kv-put",
      key: draw.pick(KEYS),
      value: "v",
      ...(draw.oneIn(3) && { prevKv: true }),
      ...(draw.oneIn(3) && { lease: draw.pick(LEASES) }),
    }) as const;
  const read = { op: "kv-range", key, rangeEnd } as const;
  const gone = { op: "kv-delete-range", key, rangeEnd, prevKv: draw.oneIn(2) } as const;
  return draw.weighted<AdminRequest>([
    [4, put],
    [3, () => ({ ...read, serializable: draw.oneIn(2) })],
    [2, () => gone],
    [
      2,
      () => ({
        op: "kv-txn",
        compare: draw.oneIn(2)
          ? [{ key, rangeEnd, result: "greater", target: { field: "version", operand: 0 } }]
          : [],
        success: draw.oneIn(2)
          ? [put()]
          : [{ op: "kv-txn", compare: [], success: [put()], failure: [] }],
        failure: [draw.oneIn(2) ? read : gone],
      }),
    ],
  ]);
}

function leaseRequest(draw: Draw): AdminRequest {
  const id = draw.pick(LEASES);
  return draw.weighted<AdminRequest>([
    [3, () => ({ op: "lease-grant", id, ttl: 9000 })],
    [2, () => ({ op: "lease-revoke", id })],
    [1, () => ({ op: "lease-time-to-live", id, keys: draw.oneIn(2) })],
    [1, () => ({ op: "lease-list" })],
  ]);
}

function maintenanceRequest(draw: Draw): AdminRequest {
  const member = draw.pick(["@self", "", "00000000000000aa"]);
  const alarm = draw.pick(["none", "nospace", "corrupt"] as const);
  return draw.weighted<AdminRequest>([
    [2, () => ({ op: "alarm", action: "get", member, alarm })],
    // Of no type and no member it ends 3.4 for good.
    [1, () => ({ op: "alarm", action: "activate", member: member || "@self", alarm })],
    [3, () => ({ op: "alarm", action: "deactivate", member, alarm })],
    [1, () => ({ op: "status" })],
    [1, () => ({ op: "defragment" })],
    [1, () => ({ op: "hash-kv", revision: 0 })],
    [1, () => ({ op: "move-leader", to: draw.pick(["@self", "00000000000000aa"]) })],
    [
      1,
      () => ({
        op: "downgrade",
        // When the leader acts upon a downgrade, its clock decides.
        action: draw.pick(["validate", "cancel"] as const),
        version: draw.pick(["3.5.0", "3.5", "3.4.0", "x"]),
      }),
    ],
  ]);
}

function memberRequest(draw: Draw): AdminRequest {
  const member = draw.pick(["@learner", "00000000000000aa"]);
  const peerUrls = draw.pick([
    ["http://127.0.0.1:1"],
    ["http://127.0.0.1:2"],
    ["http://127.0.0.1:2/path"],
    ["127.0.0.1:2"],
    [],
  ]);
  return draw.weighted<AdminRequest>([
    [2, () => ({ op: "member-list", linearizable: draw.oneIn(2) })],
    [2, () => ({ op: "member-add", peerUrls, learner: true })],
    [2, () => ({ op: "member-remove", member })],
    [1, () => ({ op: "member-remove", member: "@self" })],
    [1, () => ({ op: "member-update", member, peerUrls: ["http://127.0.0.1:3"] })],
    [1, () => ({ op: "member-promote", member: draw.pick([member, "@self"]) })],
  ]);
}

/** One side: what it calls things by names, and how it is asked. */
class Side {
  readonly tokens = new Map<string, string>();
  readonly ids = new Map<string, string>();
  readonly aliases = new Map<string, string>();
  #firstIndex: number | null = null;

  constructor(
    readonly ask: (name: CallName, request: AdminRequest, token: string) => Promise<Answer>,
    self: string,
  ) {
    this.name("@self", self);
  }

  name(name: string, id: string): void {
    this.ids.set(name, id);
    this.aliases.set(BigInt(`0x${id}`).toString(), name);
  }

  async take({ as, request }: AdminStep, learners: number): Promise<Plain> {
    const token = as === "nobody" ? "" : (this.tokens.get(as) ?? (USERS.includes(as) ? "" : as));
    const answer = await this.ask(request.op, filled(request, this.ids), token);
    if (answer.ok && request.op === "authenticate") {
      const made = String(answer.message.token);
      this.tokens.set(request.name, made);
      const [letters = "", index = ""] = made.split(".");
      // Questions about health, before the first step, have taken entries of the real log.
      this.#firstIndex ??= Number(index);
      return { letters: /^[a-zA-Z]{16}$/.test(letters), after: Number(index) - this.#firstIndex };
    }
    if (answer.ok && request.op === "member-add") {
      const { member } = answer.message;
      const id = member !== null && typeof member === "object" && "ID" in member ? member.ID : "0";
      const hex = BigInt(String(id)).toString(16).padStart(16, "0");
      this.name("@learner", hex);
      this.aliases.set(String(id), `@learner-${learners}`);
    }
    return withoutOrder(canonical(request.op, answer, this.aliases));
  }
}

/**
 * Members come in the order of ids, which hang on the second in which a side has made them, and alarms in
 * that of a Go map.
 */
function withoutOrder(answer: Plain): Plain {
  if (answer === null || typeof answer !== "object") return answer;
  const isList = (field: string): boolean => ["members", "alarms", "errors"].includes(field);
  const fields = Object.entries(answer).map(([field, value]): [string, Plain] => {
    if (!isList(field) || !Array.isArray(value)) return [field, value];
    return [field, value.map((item) => JSON.stringify(item)).sort()];
  });
  return Object.fromEntries(fields);
}

function filled(request: AdminRequest, ids: ReadonlyMap<string, string>): AdminRequest {
  const named = Object.entries(request).map(([field, value]) => {
    const isName = typeof value === "string" && value.startsWith("@");
    return [field, isName ? (ids.get(value) ?? "00000000000000bb") : value];
  });
  // Only ids, which are texts, are replaced.
  return Object.fromEntries(named) as AdminRequest;
}

/** Holds a model member against a real one on steps of a seed, up to the first difference. */
export async function compareAdmin(
  release: Release,
  seed: number,
  count: number,
): Promise<AdminDifference | null> {
  const cluster = await RealCluster.start(release, ["default"]);
  try {
    const model = new ModelCluster(release.version, cluster);
    const self = model.ids(cluster)[0] ?? "";
    // The names of both requests are those of one step.
    const real = new Side(
      (name, asked, token) => cluster.call(0, name, asked as never, token),
      self,
    );
    const modelled = new Side(
      async (name, asked, token) => model.call(0, name, asked, token),
      self,
    );
    for (const [i, step] of adminSteps(seed, count).entries()) {
      model.keepUp();
      const expected = await real.take(step, i);
      const actual = await modelled.take(step, i);
      if (!agree(expected, actual)) return { step, expected, actual };
    }
    return null;
  } finally {
    await cluster.remove();
  }
}
