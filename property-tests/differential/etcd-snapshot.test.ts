import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSnapshotFile, writeSnapshotFile } from "../../adapters/etcd/bbolt.js";
import { hasProgram } from "../../adapters/lab/index.js";
import {
  bucketsOf,
  type ClientRequest,
  contentOf,
  type StoreImage,
  type V3Result,
} from "../../core/etcd/index.js";
import {
  call,
  settleCluster,
  startCluster,
  type TestCluster,
} from "../../core/etcd/testing/cluster.js";
import { EtcdServer } from "../live/etcd-server.js";
import { whyNot } from "../live/needs.js";

const missing = whyNot("etcd") !== null || !hasProgram("etcdctl");
const folder = mkdtempSync(join(tmpdir(), "orrery-snapshot-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ask(cluster: TestCluster, request: ClientRequest): V3Result {
  const reply = call(cluster, "default", request);
  if (reply?.ok !== true || !("result" in reply)) {
    throw new Error(`refused: ${JSON.stringify(reply)}`);
  }
  return reply.result;
}

/** A model whose store has seen a bit of everything. */
function fill(cluster: TestCluster): void {
  settleCluster(cluster);
  const lease = "00000000000000aa";
  ask(cluster, { op: "lease-grant", ttl: 1000, id: lease });
  for (let i = 0; i < 500; i++) {
    const key = `k${i % 120}`;
    ask(cluster, { op: "kv-put", key, value: `\0\xff${i}`, ...(i % 7 === 0 && { lease }) });
  }
  ask(cluster, { op: "kv-put", key: "large", value: "x".repeat(100_000) });
  ask(cluster, { op: "kv-delete-range", key: "k1", rangeEnd: "k2" });
  ask(cluster, { op: "kv-compact", revision: 300 });
  ask(cluster, { op: "kv-put", key: "k1", value: "again" });
  ask(cluster, { op: "auth-user-add", name: "someone", password: "", noPassword: true });
  ask(cluster, { op: "auth-role-add", name: "reader" });
  const permission = { type: "read", key: "k", rangeEnd: "l" } as const;
  ask(cluster, { op: "auth-role-grant-permission", name: "reader", permission });
  ask(cluster, { op: "auth-user-grant-role", user: "someone", role: "reader" });
}

function imageOf(cluster: TestCluster): StoreImage {
  const result = ask(cluster, { op: "snapshot" });
  if (result.op !== "snapshot") throw new Error(`not a snapshot: ${result.op}`);
  return result.image;
}

function etcdctl(...options: string[]): string {
  const env = { ...process.env, ETCDCTL_API: "3" };
  const stdio = ["ignore", "pipe", "ignore"] as const;
  return execFileSync("etcdctl", options, {
    env,
    encoding: "utf8",
    timeout: 30_000,
    stdio: [...stdio],
  });
}

function hashOf(url: string): unknown {
  const [first] = JSON.parse(etcdctl("endpoint", "hashkv", `--endpoints=${url}`, "-w", "json"));
  return first.HashKV.hash;
}

test.skipIf(missing)(
  "etcdctl restores the model's snapshot, and a real etcd serves the same keys, leases and users from it",
  async () => {
    const cluster = startCluster({ names: ["default"], config: { version: "3.4.23" } });
    fill(cluster);
    const image = imageOf(cluster);
    const file = join(folder, "model.db");
    writeFileSync(file, writeSnapshotFile(bucketsOf(image, { line: "3.4" })));
    const status = JSON.parse(etcdctl("snapshot", "status", file, "-w", "json"));
    expect(status.revision).toBe(image.mvcc.revision);
    const server = await EtcdServer.create({ snapshot: file });
    try {
      const { hash } = ask(cluster, { op: "hash-kv", revision: 0 }) as { hash: number };
      expect(hashOf(server.url)).toBe(hash);
      const endpoint = `--endpoints=${server.url}`;
      expect(etcdctl("get", "k1", endpoint, "--print-value-only").trim()).toBe("again");
      expect(etcdctl("lease", "list", endpoint)).toContain("aa");
      expect(etcdctl("user", "get", "someone", endpoint)).toContain("reader");
      expect(etcdctl("role", "get", "reader", endpoint)).toContain("[k, l)");
    } finally {
      await server.remove();
    }
  },
  120_000,
);

test.skipIf(missing)(
  "the snapshot of a real etcd is read back to its last row, and a model that begins with it has its hash",
  async () => {
    const server = await EtcdServer.create();
    const endpoint = `--endpoints=${server.url}`;
    const file = join(folder, "real.db");
    try {
      for (let i = 0; i < 60; i++) etcdctl("put", `k${i % 20}`, `v${i}`, endpoint);
      etcdctl("del", "k3", "k5", endpoint);
      etcdctl("compaction", "30", endpoint);
      etcdctl("put", "k4", "later", endpoint);
      etcdctl("user", "add", "root", "--new-user-password=secret", endpoint);
      etcdctl("role", "add", "reader", endpoint);
      etcdctl("role", "grant-permission", "reader", "readwrite", "k", "--prefix=true", endpoint);
      etcdctl("snapshot", "save", file, endpoint);
      const content = contentOf(readSnapshotFile(readFileSync(file)));
      expect(content.auth.roles).toEqual([
        { name: "reader", permissions: [{ type: "read-write", key: "k", rangeEnd: "l" }] },
      ]);
      expect(content.membership.members).toMatchObject([{ name: "default" }]);
      const cluster = startCluster({
        names: ["default"],
        config: { version: "3.4.23", restore: content },
      });
      settleCluster(cluster);
      const { hash } = ask(cluster, { op: "hash-kv", revision: 0 }) as { hash: number };
      expect(hash).toBe(hashOf(server.url));
      expect(ask(cluster, { op: "kv-range", key: "k4" })).toMatchObject({
        kvs: [{ value: "later" }],
      });
      expect(ask(cluster, { op: "auth-user-list" })).toMatchObject({ users: ["root"] });
      // What the model would write of it is what was read, users' hashes included.
      const again = contentOf(
        readSnapshotFile(writeSnapshotFile(bucketsOf(imageOf(cluster), { line: "3.4" }))),
      );
      expect({ ...again.mvcc, ...again.auth }).toEqual({ ...content.mvcc, ...content.auth });
    } finally {
      await server.remove();
    }
  },
  120_000,
);
