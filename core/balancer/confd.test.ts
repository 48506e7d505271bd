import { expect, test } from "vitest";
import type { EtcdReply, V2Node, V2Request } from "../etcd/client.js";
import { MINUTE, SECOND } from "../kernel/index.js";
import { type ConfdEffect, type ConfdFact, type ConfdStimulus, confd } from "./index.js";

const PREFIX = "/services/website";

/** A confd whose etcd is answered by hand. */
class Confd {
  readonly state;
  readonly facts: ConfdFact[] = [];
  readonly effects: ConfdEffect[] = [];

  constructor(watch: boolean) {
    this.state = confd.create({ prefix: PREFIX, watch, interval: 10 * SECOND });
    this.tell({ kind: "start" });
  }

  tell(stimulus: ConfdStimulus): this {
    this.effects.length = 0;
    confd.step(this.state, stimulus, 0, this);
    return this;
  }

  answer(reply: EtcdReply): this {
    const call = this.effects.find((effect) => effect.kind === "etcd-call");
    return this.tell({ kind: "etcd-reply", id: call?.id ?? 0, reply });
  }

  asked(): V2Request[] {
    return this.effects.flatMap((effect) => (effect.kind === "etcd-call" ? [effect.request] : []));
  }
}

/** A directory with these values under a1, a2 and so on. */
function directory(...values: string[]): EtcdReply {
  const at = { modifiedIndex: 7, createdIndex: 7 };
  const nodes = values.map((value, i): V2Node => ({ key: `${PREFIX}/a${i + 1}`, value, ...at }));
  const node = { key: PREFIX, dir: true, nodes, ...at };
  return { ok: true, status: 200, action: "get", node, etcdIndex: 9 };
}

const FAILED: EtcdReply = { ok: false, unreachable: "refused" };

test("announcements become backends, in JSON as in fleet's guide or as host:port; others are passed over", () => {
  const running = new Confd(true).answer(
    directory('{ "host": "n-1", "port": 80 }', "10.0.0.12:8080", "hello", '{"host":1}', "{"),
  );
  expect(running.facts).toEqual([
    { kind: "balancer.backends", backends: ["n-1:80", "10.0.0.12:8080"] },
  ]);
});

test("it watches from behind what it has read, and reads again after each change", () => {
  const running = new Confd(true).answer(directory("n-1:80"));
  expect(running.asked()).toEqual([{ op: "watch", key: PREFIX, recursive: true, waitIndex: 10 }]);
  running.answer(directory("n-1:80"));
  expect(running.asked()).toMatchObject([{ op: "get", recursive: true }]);
  running.answer(directory("n-1:80"));
  expect(running.facts).toHaveLength(1);
});

test("without etcd the backends stay as they are, and it tries again every two seconds", () => {
  const running = new Confd(true).answer(directory("n-1:80")).answer(FAILED);
  expect(running.effects).toEqual([{ kind: "arm-timer", timer: "read", delay: 2 * SECOND }]);
  running.tell({ kind: "timer", timer: "read" }).answer(FAILED);
  expect(running.state.backends.map(({ host }) => host)).toEqual(["n-1"]);
});

test("a watch that is silent for a minute is asked for again; history that is gone is read anew", () => {
  const running = new Confd(true).answer(directory("n-1:80"));
  const [watch] = running.effects.filter((effect) => effect.kind === "etcd-call");
  expect(watch?.timeout).toBe(MINUTE);
  running.answer({ ok: false, unreachable: "timeout" });
  expect(running.asked()).toMatchObject([{ op: "get" }]);
});

test("without -watch it looks every interval", () => {
  const running = new Confd(false).answer(directory("n-1:80"));
  expect(running.effects).toContainEqual({ kind: "arm-timer", timer: "read", delay: 10 * SECOND });
  expect(running.asked()).toEqual([]);
});
