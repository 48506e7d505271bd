import { expect, test } from "vitest";
import type { HostStep, Inner } from "./context.js";
import {
  armCallTimers,
  callEtcd,
  callOfTimer,
  cancelEtcd,
  clientGone,
  etcdAnswered,
  etcdClosed,
  etcdTimedOut,
} from "./etcdlink.js";
import { createHost, type HostEffect, type HostState } from "./index.js";
import { hostConfigOf } from "./testing/cluster.js";

const REQUEST = { op: "get", key: "/k" } as const;
const ANSWER = {
  ok: false,
  errorCode: 100,
  message: "Key not found",
  cause: "/k",
  index: 1,
  status: 404,
} as const;

/** A step of a host whose etcd is a proxy before these nodes; none: no etcd runs. */
function stepOf(proxyFor: number[] | null, host: HostState = createHost(hostConfigOf(0))) {
  if (proxyFor !== null) {
    host.etcd = {
      pid: 1,
      environment: {},
      discovery: null,
      discoveryWatch: null,
      joining: false,
      serving: false,
      proxyFor,
      peers: new Map(),
    };
  }
  host.endpoint = 0;
  const effects: HostEffect[] = [];
  const inbox: Inner[] = [];
  const step: HostStep = { host, now: 0, out: { facts: [], effects }, inbox, called: [] };
  return { step, host, effects, inbox };
}

/** A later step of the same host. */
const next = (host: HostState) => {
  const effects: HostEffect[] = [];
  const inbox: Inner[] = [];
  return {
    step: { host, now: 1, out: { facts: [], effects }, inbox, called: [] } as HostStep,
    effects,
    inbox,
  };
};

const call = (id: number, timeout: number | null = 1000) =>
  ({ kind: "etcd-call", id, request: REQUEST, timeout }) as const;

const replies = (inbox: readonly Inner[]) =>
  inbox.flatMap((inner) => (inner.to === "fleet" || inner.to === "locksmith" ? [inner] : []));

const unreachable = (why: "refused" | "timeout" | "closed") => ({
  stimulus: { kind: "etcd-reply", id: 4, reply: { ok: false, unreachable: why } },
});

test("without an etcd on the host a call is refused at once", () => {
  const { step, inbox, effects } = stepOf(null);
  callEtcd(step, "fleet", call(4));
  expect(replies(inbox)).toMatchObject([{ to: "fleet", ...unreachable("refused") }]);
  expect(effects).toEqual([]);
});

test("a proxy that knows no members refuses, too", () => {
  const { step, inbox } = stepOf([]);
  callEtcd(step, "locksmith", call(4));
  expect(replies(inbox)).toMatchObject([{ to: "locksmith", ...unreachable("refused") }]);
});

test("an unanswered call gets a timer, which ends it as a timeout and turns to the next member", () => {
  const { step, host, effects } = stepOf([3, 5]);
  callEtcd(step, "fleet", call(4));
  armCallTimers(step);
  expect(effects.map((effect) => effect.kind)).toEqual(["send", "arm-timer"]);
  const timer = effects[1]?.kind === "arm-timer" ? effects[1].timer : "";
  const later = next(host);
  etcdTimedOut(later.step, callOfTimer(timer) ?? -1);
  expect(replies(later.inbox)).toMatchObject([{ to: "fleet", ...unreachable("timeout") }]);
  // The member is told to forget it.
  expect(later.effects).toContainEqual(
    expect.objectContaining({ kind: "send", to: 3, packet: { kind: "etcd-cancel", call: 1 } }),
  );
  callEtcd(later.step, "fleet", call(5));
  expect(later.effects.at(-1)).toMatchObject({ kind: "send", to: 5 });
});

test("an answer leaves the endpoint as it is; one that says unreachable does not", () => {
  const { step, host } = stepOf([3, 5]);
  callEtcd(step, "fleet", call(4));
  etcdAnswered(next(host).step, 1, ANSWER);
  expect(host.endpoint).toBe(0);
  callEtcd(step, "fleet", call(5));
  etcdAnswered(next(host).step, 2, { ok: false, unreachable: "refused" });
  expect(host.endpoint).toBe(1);
});

test("an answer that comes twice is handed on once", () => {
  const { step, host } = stepOf([3]);
  callEtcd(step, "fleet", call(4));
  const later = next(host);
  etcdAnswered(later.step, 1, ANSWER);
  etcdAnswered(later.step, 1, ANSWER);
  expect(replies(later.inbox)).toHaveLength(1);
});

test("a call taken back is not answered, and a timer of it finds nothing", () => {
  const { step, host } = stepOf([3]);
  callEtcd(step, "fleet", call(4));
  callEtcd(step, "locksmith", call(4));
  const later = next(host);
  cancelEtcd(later.step, "fleet", { kind: "etcd-cancel", id: 4 });
  etcdAnswered(later.step, 1, ANSWER);
  etcdTimedOut(later.step, 1);
  expect(replies(later.inbox)).toEqual([]);
  etcdAnswered(later.step, 2, ANSWER);
  expect(replies(later.inbox)).toMatchObject([{ to: "locksmith" }]);
});

test("a client that ends takes all of its calls along and no one else's", () => {
  const { step, host } = stepOf([3]);
  callEtcd(step, "fleet", call(1));
  callEtcd(step, "fleet", call(2));
  callEtcd(step, "locksmith", call(3));
  clientGone(next(host).step, "fleet");
  expect([...host.calls.values()].map(({ owner, id }) => [owner, id])).toEqual([["locksmith", 3]]);
});

test("when the local etcd ends, its clients' connections are closed", () => {
  const { step, host } = stepOf([3]);
  callEtcd(step, "fleet", call(4));
  host.etcd = null;
  const later = next(host);
  etcdClosed(later.step);
  expect(replies(later.inbox)).toMatchObject([{ to: "fleet", ...unreachable("closed") }]);
  expect(host.calls.size).toBe(0);
});

test("a call without a timeout, a watch, waits for ever", () => {
  const { step, effects } = stepOf([3]);
  callEtcd(step, "fleet", call(4, null));
  armCallTimers(step);
  expect(effects.map((effect) => effect.kind)).toEqual(["send"]);
});
