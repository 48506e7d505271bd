import type { Permission } from "./auth-api.js";
import type { AuthImage, AuthRole, AuthUser, Password } from "./auth-store.js";
import { crc32c } from "./hash-kv.js";
import type { LessorImage } from "./lease.js";
import type { Alarm, AlarmType } from "./maintenance-api.js";
import type { Member, MembershipImage } from "./membership.js";
import type { MvccImage, Row } from "./mvcc.js";
import type { EtcdProfile } from "./profile.js";
import {
  bigEndian,
  bytesField,
  bytesOf,
  type Fields,
  fromBigEndian,
  idField,
  idOf,
  intField,
  intOf,
  messageOf,
  readFields,
  utf8Bytes,
  utf8Text,
} from "./proto-bytes.js";
import type { StoreImage } from "./snapshot.js";

/** Key and value as byte strings, one character a byte. */
export type BackendRow = readonly [key: string, value: string];

/** A bucket of etcd's database; rows by key, ascending. */
export interface BackendBucket {
  readonly name: string;
  readonly rows: readonly BackendRow[];
}

/**
 * Everything but the v2 store, as etcd's database holds it (etcd 3.6 server/storage/schema): the buckets by name.
 * Users have no password there, since nothing here makes bcrypt's hashes; those that came with one keep it.
 */
export function bucketsOf(
  image: StoreImage,
  profile: Pick<EtcdProfile, "line">,
): readonly BackendBucket[] {
  const { mvcc, lessor, membership, auth, alarms } = image;
  const buckets = new Map<string, BackendRow[]>([
    ["alarm", alarms.map((alarm) => [alarmBytes(alarm), ""])],
    ["auth", authRows(auth)],
    ["authRoles", auth.roles.map((role) => [utf8Bytes(role.name), roleBytes(role)])],
    ["authUsers", auth.users.map((user) => [utf8Bytes(user.name), userBytes(user)])],
    ["cluster", clusterRows(image)],
    ["key", mvcc.rows.map((row) => [rowKey(row), keyValueBytes(row)])],
    [
      "lease",
      lessor.leases.map((lease) => [bigEndian(BigInt(`0x${lease.id}`)), leaseBytes(lease)]),
    ],
    ["members", membership.members.map((member) => [memberKey(member.id), memberJson(member)])],
    ["members_removed", membership.removed.map((id) => [memberKey(id), "removed"])],
    ["meta", metaRows(image, profile)],
  ]);
  return [...buckets].map(([name, rows]) => ({
    name,
    rows: rows.sort(([left], [right]) => (left < right ? -1 : 1)),
  }));
}

function metaRows({ applied, mvcc, membership }: StoreImage, { line }: Pick<EtcdProfile, "line">) {
  const rows: BackendRow[] = [["consistent_index", bigEndian(applied.index)]];
  if (mvcc.compactRevision >= 0) {
    const revision = revisionBytes(mvcc.compactRevision, 0);
    rows.push(["finishedCompactRev", revision], ["scheduledCompactRev", revision]);
  }
  if (line === "3.4") return rows;
  rows.push(["term", bigEndian(applied.term)], ["confState", confStateJson(membership)]);
  rows.push(["storageVersion", "3.6.0"]);
  return rows;
}

function confStateJson({ members }: MembershipImage): string {
  const ids = (learner: boolean): string =>
    members
      .filter((member) => member.learner === learner)
      .map(({ id }) => BigInt(`0x${id}`).toString())
      .join(",");
  const learners = ids(true);
  const some = learners === "" ? "" : `"learners":[${learners}],`;
  return `{"voters":[${ids(false)}],${some}"auto_leave":false}`;
}

function clusterRows({ clusterVersion, downgradeTarget }: StoreImage): BackendRow[] {
  const rows: BackendRow[] = [];
  if (clusterVersion !== "") rows.push(["clusterVersion", clusterVersion]);
  if (downgradeTarget !== "") {
    rows.push(["downgrade", JSON.stringify({ "target-version": downgradeTarget, enabled: true })]);
  }
  return rows;
}

function authRows({ enabled, revision }: AuthImage): BackendRow[] {
  const rows: BackendRow[] = [["authRevision", bigEndian(revision)]];
  if (enabled) rows.push(["authEnabled", "\x01"]);
  return rows;
}

function userBytes({ name, password, roles }: AuthUser): string {
  const hash = password?.kind === "hash" ? password.bytes : "";
  return (
    bytesField(1, utf8Bytes(name)) +
    bytesField(2, hash) +
    roles.map((role) => messageOf(3, utf8Bytes(role))).join("") +
    messageOf(4, intField(1, password === null ? 1 : 0))
  );
}

function roleBytes({ name, permissions }: AuthRole): string {
  const inner = permissions.map(({ type, key, rangeEnd }) =>
    messageOf(
      2,
      intField(1, PERMISSIONS.indexOf(type)) + bytesField(2, key) + bytesField(3, rangeEnd),
    ),
  );
  return bytesField(1, utf8Bytes(name)) + inner.join("");
}

/** In the order of authpb.Permission_Type. */
const PERMISSIONS = ["read", "write", "read-write"] as const satisfies Permission["type"][];

/** In the order of etcdserverpb.AlarmType. */
const ALARMS = ["none", "nospace", "corrupt"] as const satisfies AlarmType[];

function alarmBytes({ member, alarm }: Alarm): string {
  return idField(1, member) + intField(2, ALARMS.indexOf(alarm));
}

function leaseBytes({ id, ttl, remainingTtl }: LessorImage["leases"][number]): string {
  return idField(1, id) + intField(2, ttl) + intField(3, remainingTtl);
}

/** Go prints ids without leading zeros. */
function memberKey(id: string): string {
  return BigInt(`0x${id}`).toString(16);
}

/** As Go's encoding/json writes a Member: ids are numbers of 64 bits, and what is empty is left out. */
function memberJson({ id, name, peerUrls, clientUrls, learner }: Member): string {
  const fields = [`"id":${BigInt(`0x${id}`)}`, `"peerURLs":${goJson(peerUrls)}`];
  if (learner) fields.push(`"isLearner":true`);
  if (name !== "") fields.push(`"name":${goJson(name)}`);
  if (clientUrls.length > 0) fields.push(`"clientURLs":${goJson(clientUrls)}`);
  return `{${fields.join(",")}}`;
}

function goJson(value: string | readonly string[]): string {
  const escaped = (text: string): string => `\\u00${text.charCodeAt(0).toString(16)}`;
  return utf8Bytes(JSON.stringify(value).replace(/[<>&]/g, escaped));
}

/** A row's key: revision, "_", number within it, and "t" for a deletion. */
function rowKey({ main, sub, kv }: Row): string {
  return revisionBytes(main, sub) + (kv === null ? "t" : "");
}

function revisionBytes(main: number, sub: number): string {
  return `${bigEndian(main)}_${bigEndian(sub)}`;
}

function keyValueBytes({ key, kv }: Row): string {
  if (kv === null) return bytesField(1, key);
  return (
    bytesField(1, key) +
    intField(2, kv.createRevision) +
    intField(3, kv.modRevision) +
    intField(4, kv.version) +
    bytesField(5, kv.value) +
    idField(6, kv.lease)
  );
}

/** What changes without a request of anybody's, so that etcd leaves it out of its hash. */
const NOT_HASHED: readonly string[] = ["consistent_index", "term", "storageVersion"];

/** The hash of a whole database, as etcd's Hash has it: names of buckets, keys and values. */
export function hashOfBuckets(buckets: readonly BackendBucket[]): number {
  return crc32c(
    buckets.flatMap(({ name, rows }) => {
      const isHashed = ([key]: BackendRow): boolean => name !== "meta" || !NOT_HASHED.includes(key);
      return [name, ...rows.filter(isHashed).flat()];
    }),
  );
}

/** What a database holds, for those who begin with it. */
export interface BackendContent {
  readonly mvcc: MvccImage;
  readonly lessor: LessorImage;
  readonly membership: MembershipImage;
  readonly auth: AuthImage;
  readonly alarms: readonly Alarm[];
  readonly clusterVersion: string;
  readonly downgradeTarget: string;
  readonly consistentIndex: number;
  readonly term: number;
}

/**
 * Reads the buckets of a database, whoever wrote it.
 *
 * @throws Error on rows that are not as etcd writes them
 */
export function contentOf(buckets: readonly BackendBucket[]): BackendContent {
  const rowsOf = (name: string): readonly BackendRow[] =>
    buckets.find((bucket) => bucket.name === name)?.rows ?? [];
  const meta = new Map(rowsOf("meta"));
  const auth = new Map(rowsOf("auth"));
  const cluster = new Map(rowsOf("cluster"));
  return {
    mvcc: mvccFrom(rowsOf("key"), meta),
    lessor: { leases: rowsOf("lease").map(([, value]) => leaseFrom(readFields(value))) },
    membership: {
      members: rowsOf("members").map(([key, value]) => memberFrom(key, value)),
      removed: rowsOf("members_removed").map(([key]) => key.padStart(16, "0")),
    },
    auth: {
      enabled: auth.get("authEnabled") === "\x01",
      revision: Number(fromBigEndian(auth.get("authRevision") ?? bigEndian(1))),
      users: rowsOf("authUsers").map(([, value]) => userFrom(readFields(value))),
      roles: rowsOf("authRoles").map(([, value]) => roleFrom(readFields(value))),
    },
    alarms: rowsOf("alarm").map(([key]) => alarmFrom(readFields(key))),
    clusterVersion: cluster.get("clusterVersion") ?? "",
    downgradeTarget: downgradeFrom(cluster.get("downgrade")),
    consistentIndex: Number(fromBigEndian(meta.get("consistent_index") ?? bigEndian(0))),
    term: Number(fromBigEndian(meta.get("term") ?? bigEndian(0))),
  };
}

/** A compaction that was scheduled and not finished counts as done, as etcd finishes it when it starts. */
function mvccFrom(rows: readonly BackendRow[], meta: ReadonlyMap<string, string>): MvccImage {
  const compacted = (name: string): number => {
    const bytes = meta.get(name);
    return bytes === undefined ? -1 : Number(fromBigEndian(bytes));
  };
  const compactRevision = Math.max(
    compacted("finishedCompactRev"),
    compacted("scheduledCompactRev"),
  );
  const read = rows.map(rowFrom);
  const revision = Math.max(1, compactRevision, read.at(-1)?.main ?? 0);
  return { revision, compactRevision, rows: read };
}

function rowFrom([key, value]: BackendRow): Row {
  const fields = readFields(value);
  const row = {
    main: Number(fromBigEndian(key)),
    sub: Number(fromBigEndian(key.slice(9))),
    key: bytesOf(fields, 1),
  };
  if (key.length > 17) return { ...row, kv: null };
  const kv = {
    key: row.key,
    createRevision: intOf(fields, 2),
    modRevision: intOf(fields, 3),
    version: intOf(fields, 4),
    value: bytesOf(fields, 5),
    lease: idOf(fields, 6),
  };
  return { ...row, kv };
}

function leaseFrom(fields: Fields): LessorImage["leases"][number] {
  return { id: idOf(fields, 1), ttl: intOf(fields, 2), remainingTtl: intOf(fields, 3) };
}

function memberFrom(key: string, value: string): Member {
  const parsed: unknown = JSON.parse(utf8Text(value));
  const fields = parsed !== null && typeof parsed === "object" ? parsed : {};
  const texts = (list: unknown): string[] =>
    Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
  return {
    // JavaScript's numbers do not hold the id in the value.
    id: key.padStart(16, "0"),
    name: "name" in fields && typeof fields.name === "string" ? fields.name : "",
    peerUrls: texts("peerURLs" in fields ? fields.peerURLs : []),
    clientUrls: texts("clientURLs" in fields ? fields.clientURLs : []),
    learner: "isLearner" in fields && fields.isLearner === true,
  };
}

function userFrom(fields: Fields): AuthUser {
  const options = readFields(bytesOf(fields, 4));
  const hash: Password = { kind: "hash", bytes: bytesOf(fields, 2) };
  return {
    name: utf8Text(bytesOf(fields, 1)),
    password: intOf(options, 1) === 0 ? hash : null,
    roles: (fields.texts.get(3) ?? []).map(utf8Text),
  };
}

function roleFrom(fields: Fields): AuthRole {
  const permissions = (fields.texts.get(2) ?? []).map((bytes): Permission => {
    const inner = readFields(bytes);
    const type = PERMISSIONS[intOf(inner, 1)] ?? "read";
    return { type, key: bytesOf(inner, 2), rangeEnd: bytesOf(inner, 3) };
  });
  return { name: utf8Text(bytesOf(fields, 1)), permissions };
}

function alarmFrom(fields: Fields): Alarm {
  return {
    member: idOf(fields, 1).padStart(16, "0"),
    alarm: ALARMS[intOf(fields, 2)] ?? "none",
  };
}

function downgradeFrom(json: string | undefined): string {
  const parsed: unknown = json === undefined ? null : JSON.parse(utf8Text(json));
  if (parsed === null || typeof parsed !== "object") return "";
  const isOn = "enabled" in parsed && parsed.enabled === true;
  return isOn && "target-version" in parsed ? String(parsed["target-version"]) : "";
}
