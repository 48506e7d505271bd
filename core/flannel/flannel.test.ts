import { expect, test } from "vitest";
import type { EtcdReply, V2Node, V2Request } from "../etcd/client.js";
import { DAY, HOUR, MINUTE, SECOND } from "../kernel/index.js";
import {
  type FlannelConfig,
  type FlannelEffect,
  type FlannelFact,
  type FlannelState,
  type FlannelStimulus,
  flanneld,
} from "./index.js";

const PREFIX = "/coreos.com/network";
const CONFIG = '{"Network":"10.1.0.0/16","SubnetMin":"10.1.1.0","SubnetMax":"10.1.3.0"}';

interface Call {
  readonly id: number;
  readonly request: V2Request;
}

/** A flanneld whose etcd is answered by hand. */
class Flannel {
  readonly state: FlannelState;
  readonly facts: FlannelFact[] = [];
  readonly effects: FlannelEffect[] = [];
  now = 0;

  constructor(changes: Partial<FlannelConfig> = {}) {
    this.state = flanneld.create({
      publicIp: "10.0.0.11",
      prefix: PREFIX,
      renewMargin: HOUR,
      watchesLease: true,
      previous: "",
      seed: 1,
      ...changes,
    });
    this.tell({ kind: "start" });
  }

  tell(stimulus: FlannelStimulus): this {
    this.effects.length = 0;
    flanneld.step(this.state, stimulus, this.now, this);
    return this;
  }

  /** Requests of the last step. */
  asked(): Call[] {
    return this.effects.flatMap((effect) => (effect.kind === "etcd-call" ? [effect] : []));
  }

  answer(reply: EtcdReply): this {
    return this.tell({ kind: "etcd-reply", id: this.asked()[0]?.id ?? 0, reply });
  }

  /** Up to the write of a lease, with these leases in etcd. */
  choose(...leases: V2Node[]): this {
    const dir = { ...node(`${PREFIX}/subnets`, ""), dir: true, nodes: leases };
    return this.answer(ok(node(`${PREFIX}/config`, CONFIG))).answer(ok(dir));
  }

  timers(): readonly (readonly [string, number])[] {
    return this.effects.flatMap((effect) =>
      effect.kind === "arm-timer" ? [[effect.timer, effect.delay] as const] : [],
    );
  }
}

function node(key: string, value: string, expiration?: number): V2Node {
  const end = expiration === undefined ? {} : { expiration, ttl: 1 };
  return { key, value, ...end, modifiedIndex: 7, createdIndex: 7 };
}

function lease(subnet: string, publicIp: string, expiration?: number): V2Node {
  const value = JSON.stringify({ PublicIP: publicIp });
  return node(`${PREFIX}/subnets/${subnet}-24`, value, expiration);
}

function ok(answered: V2Node, action: "get" | "set" | "expire" = "get"): EtcdReply {
  return { ok: true, status: 200, action, node: answered, etcdIndex: 7 };
}

const error = (errorCode: number): EtcdReply => ({
  ...{ ok: false, status: 400, errorCode, message: "", cause: "", index: 7 },
});

test("a new host takes a free subnet, for a day, only if nobody was faster", () => {
  const flannel = new Flannel().choose(lease("10.1.1.0", "x", 1), lease("10.1.3.0", "y", 1));
  const key = `${PREFIX}/subnets/10.1.2.0-24`;
  const value = '{"PublicIP":"10.0.0.11"}';
  expect(flannel.asked().map(({ request }) => request)).toEqual([
    { op: "put", key, value, ttl: DAY / SECOND, prevExist: false },
  ]);
  flannel.answer(error(105));
  expect(flannel.asked()[0]?.request).toMatchObject({ op: "get", key: `${PREFIX}/subnets` });
});

test("its lease is written where docker looks for it, and renewed an hour before its end", () => {
  const flannel = new Flannel().choose();
  flannel.answer(ok(lease("10.1.2.0", "10.0.0.11", DAY), "set"));
  const files = flannel.effects.flatMap((effect) => (effect.kind === "write-file" ? [effect] : []));
  expect(files.map(({ path }) => path)).toEqual([
    "/run/flannel/subnet.env",
    "/run/flannel_docker_opts.env",
  ]);
  expect(files[1]?.text).toMatch(/^DOCKER_OPT_BIP="--bip=10\.1\.\d\.1\/24"$/m);
  expect(flannel.timers()).toEqual([["renew", 23 * HOUR]]);
  expect(flannel.effects).toContainEqual({ kind: "ready" });
});

test("a lease of its own address is its own; a reservation is kept without an end", () => {
  const own = new Flannel().choose(lease("10.1.2.0", "10.0.0.11", 5));
  expect(own.asked()[0]?.request).toMatchObject({ op: "put", ttl: DAY / SECOND });
  const reserved = new Flannel().choose(lease("10.1.2.0", "10.0.0.11"));
  expect(reserved.asked()[0]?.request).toMatchObject({ op: "put", ttl: "" });
  reserved.answer(ok(lease("10.1.2.0", "10.0.0.11"), "set"));
  expect(reserved.timers()).toEqual([]);
  expect(reserved.facts).toEqual([
    { kind: "flannel.leased", subnet: "10.1.2.0/24", how: "own", reserved: true },
  ]);
});

test("a renewal sets the key whoever has it by now, and is tried each minute until it works", () => {
  const flannel = new Flannel().choose(lease("10.1.2.0", "10.0.0.11", 5));
  flannel.answer(ok(lease("10.1.2.0", "10.0.0.11", DAY), "set"));
  flannel.tell({ kind: "timer", timer: "renew" });
  expect(flannel.asked()[0]?.request).not.toHaveProperty("prevExist");
  for (let i = 0; i < 3; i++) {
    flannel.answer({ ok: false, unreachable: "timeout" });
    expect(flannel.timers()).toEqual([["renew", MINUTE]]);
    flannel.tell({ kind: "timer", timer: "renew" });
  }
  flannel.answer(ok(lease("10.1.2.0", "10.0.0.11", 2 * DAY), "set"));
  expect(flannel.facts.map(({ kind }) => kind)).toEqual([
    "flannel.leased",
    "flannel.renew-failed",
    "flannel.renewed",
  ]);
});

test("since 0.6 it ends when its lease does; someone else's lease of its subnet it takes for its own", () => {
  const flannel = new Flannel().choose(lease("10.1.2.0", "10.0.0.11", 5));
  flannel.answer(ok(lease("10.1.2.0", "10.0.0.11", DAY), "set"));
  flannel.answer(ok(lease("10.1.2.0", "10.0.0.99", DAY), "set"));
  expect(flannel.effects.some(({ kind }) => kind === "exit")).toBe(false);
  flannel.answer(ok(lease("10.1.2.0", "10.0.0.99"), "expire"));
  expect(flannel.effects).toContainEqual({ kind: "exit", code: 0 });
  const old = new Flannel({ watchesLease: false }).choose(lease("10.1.2.0", "10.0.0.11", 5));
  old.answer(ok(lease("10.1.2.0", "10.0.0.11", DAY), "set"));
  expect(old.asked()).toEqual([]);
});

test("since 0.7 it asks for the subnet it had before, even if another host has it", () => {
  const flannel = new Flannel({ previous: "10.1.2.1/24" }).choose(
    lease("10.1.2.0", "10.0.0.99", 5),
  );
  const key = `${PREFIX}/subnets/10.1.2.0-24`;
  expect(flannel.asked()[0]?.request).toMatchObject({ key, value: '{"PublicIP":"10.0.0.11"}' });
  expect(flannel.asked()[0]?.request).not.toHaveProperty("prevExist");
});

test("what keeps it from a subnet is told once and tried again each second", () => {
  const flannel = new Flannel();
  for (const reply of [error(100), error(100)]) {
    flannel.answer(reply);
    expect(flannel.timers()).toEqual([["retry", SECOND]]);
    flannel.tell({ kind: "timer", timer: "retry" });
  }
  expect(flannel.facts).toEqual([{ kind: "flannel.no-subnet", reason: "no-config" }]);
  const full = new Flannel().choose(
    ...["10.1.1.0", "10.1.2.0", "10.1.3.0"].map((subnet) => lease(subnet, "x", 1)),
  );
  expect(full.facts).toEqual([{ kind: "flannel.no-subnet", reason: "none-free" }]);
});
