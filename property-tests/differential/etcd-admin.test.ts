import { expect, test } from "vitest";
import { whyNot } from "../live/needs.js";
import { compareAdmin } from "../oracles/etcd/admin.js";
import { ModelCluster } from "../oracles/etcd/model.js";
import { RealCluster, type Release } from "../oracles/etcd/real.js";
import { findRelease } from "../oracles/etcd/release.js";

const missing = whyNot("etcd") !== null;
const runs = Number(process.env.ORRERY_RUNS ?? 2);

function etcd34(): Release {
  const release = findRelease("3.4");
  if (typeof release === "string") throw new Error(release);
  return release;
}

test.skipIf(missing)(
  "a real member and its model agree on users, permissions, alarms and members, whoever asks",
  async () => {
    for (let seed = 1; seed <= runs; seed++) {
      expect({ seed, difference: await compareAdmin(etcd34(), seed, 250) }).toEqual({
        seed,
        difference: null,
      });
    }
  },
  60_000 * runs,
);

test.skipIf(missing)(
  "the hash of the whole database is the real one's: members, leases and alarms are where etcd keeps them",
  async () => {
    const release = etcd34();
    const real = await RealCluster.start(release, ["default"]);
    try {
      const model = new ModelCluster(release.version, real);
      const member = model.ids(real)[0] ?? "";
      const alarm = { op: "alarm", action: "activate", member, alarm: "nospace" } as const;
      for (const request of [
        { op: "lease-grant", id: "00000000000000aa", ttl: 9000 },
        { op: "kv-put", key: "k", value: "\0\xff", lease: "00000000000000aa" },
        { op: "kv-put", key: "k", value: "w" },
        { op: "kv-delete-range", key: "k" },
        { op: "auth-role-add", name: "r" },
        {
          op: "auth-role-grant-permission",
          name: "r",
          permission: { type: "write", key: "k", rangeEnd: "\0" },
        },
        { op: "auth-user-add", name: "u", password: "", noPassword: true },
        { op: "auth-user-grant-role", user: "u", role: "r" },
        { op: "kv-compact", revision: 3 },
        alarm,
      ] as const) {
        expect((await real.call(0, request.op, request as never)).ok).toBe(true);
        expect(model.call(0, request.op, request).ok).toBe(true);
      }
      const hash = { op: "hash" } as const;
      const [expected, actual] = [await real.call(0, "hash", hash), model.call(0, "hash", hash)];
      if (!expected.ok || !actual.ok) throw new Error("no hash");
      expect(actual.message.hash).toBe(expected.message.hash);
    } finally {
      await real.remove();
    }
  },
  60_000,
);
