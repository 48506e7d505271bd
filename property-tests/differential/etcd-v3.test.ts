import { expect, test } from "vitest";
import type { RequestOp } from "../../core/etcd/index.js";
import { whyNot } from "../live/needs.js";
import { generateSteps } from "../oracles/etcd/generate.js";
import { Pair } from "../oracles/etcd/play.js";
import type { Release } from "../oracles/etcd/real.js";
import { findRelease } from "../oracles/etcd/release.js";
import { shrink } from "../oracles/etcd/shrink.js";
import { describeStep, type Step } from "../oracles/etcd/steps.js";

const missing = whyNot("etcd") !== null;
const FLAVOR = { members: 3, v2: true, watches: true, membership: false };
const PATIENCE_MS = 120_000;

function etcd34(): Release {
  const release = findRelease("3.4");
  if (typeof release === "string") throw new Error(release);
  return release;
}

async function play(members: number, steps: readonly Step[], modelled = etcd34().version) {
  const pair = await Pair.start(etcd34(), { members, modelled });
  try {
    return await pair.play(steps);
  } finally {
    await pair.end();
  }
}

function ask(request: RequestOp): Step {
  return { kind: "call", member: 0, request };
}

test.skipIf(missing)(
  "three real members and their model answer 300 random requests alike",
  async () => {
    const steps = generateSteps(20261121, 0, 300, FLAVOR);
    expect(await play(3, steps)).toEqual({ steps: 300, difference: null });
  },
  PATIENCE_MS,
);

test.skipIf(missing)(
  "a model of another release is found out, and the steps shrink to what shows it",
  async () => {
    const steps: Step[] = [
      ask({ op: "kv-put", key: "a", value: "1" }),
      ask({ op: "kv-put", key: "b", value: "1" }),
      { kind: "call", member: 0, request: { op: "kv-compact", revision: 2 } },
      ask({ op: "kv-range", key: "a" }),
      { kind: "call", member: 0, request: { op: "hash-kv", revision: 2 } },
      ask({ op: "kv-range", key: "b" }),
    ];
    const again = async (fewer: readonly Step[]) => (await play(1, fewer, "3.6.16")).difference;
    const difference = await again(steps);
    if (difference === null) throw new Error("a hash of 3.6 tells its revision");
    const shrunk = await shrink({ steps, difference }, again, 60);
    expect(shrunk.steps.map(describeStep)).toEqual([
      'member 0: kv-put {"key":"a","value":"1"}',
      'member 0: hash-kv {"revision":2}',
    ]);
  },
  PATIENCE_MS,
);

test.skipIf(missing)(
  "a value kept of a key that the same transaction deleted ends the members on both sides",
  async () => {
    const steps = [
      ask({ op: "kv-put", key: "b", value: "x" }),
      ask({
        op: "kv-txn",
        compare: [],
        success: [
          { op: "kv-delete-range", key: "a", rangeEnd: "\0" },
          { op: "kv-put", key: "b", value: "", ignoreValue: true },
        ],
        failure: [],
      }),
      ask({ op: "kv-range", key: "b" }),
    ];
    expect(await play(1, steps)).toEqual({ steps: 2, difference: null });
  },
  PATIENCE_MS,
);

test.skipIf(missing)(
  "a transaction with a range of the future is refused where it was asked and done by the others",
  async () => {
    const put: RequestOp = { op: "kv-put", key: "a", value: "x" };
    const range: RequestOp = { op: "kv-range", key: "a", revision: 100 };
    const look = (member: number): Step => ({
      kind: "call",
      member,
      request: { op: "kv-range", key: "a" },
    });
    const txn: RequestOp = { op: "kv-txn", compare: [], success: [put, range], failure: [] };
    const steps = [ask(txn), look(0), look(1), look(2)];
    expect(await play(3, steps)).toEqual({ steps: 4, difference: null });
  },
  PATIENCE_MS,
);
