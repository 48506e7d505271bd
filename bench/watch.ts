import { type ClientRequest, type EtcdState, type EtcdStimulus, etcd } from "../core/etcd/index.js";
import { type Micros, SECOND, stepInPlace } from "../core/kernel/index.js";
import { figure, print, secondsOf } from "./report.js";

const ROUNDS = 5_000;
const MISSED = 10_000;

/** A cluster of one, on a disk that takes no time. */
class Member {
  readonly state: EtcdState;
  now: Micros = 0;
  replies = 0;
  readonly #timers = new Map<string, Micros>();
  #id = 1;

  constructor() {
    const initialCluster = [{ name: "a", peerUrls: ["http://a:2380"] }];
    this.state = etcd.create({ name: "a", seed: 1, clusterState: "new", initialCluster });
    this.hear({ kind: "start" });
    while (this.state.run?.ready !== true) this.pass(SECOND);
  }

  hear(stimulus: EtcdStimulus): void {
    for (const effect of stepInPlace(etcd, this.state, stimulus, this.now).effects) {
      if (effect.kind === "client-reply") this.replies++;
      if (effect.kind === "arm-timer") this.#timers.set(effect.timer, this.now + effect.delay);
      if (effect.kind === "fsync") this.hear({ kind: "disk-synced", token: effect.token });
    }
  }

  ask(request: ClientRequest): number {
    const id = this.#id++;
    this.hear({ kind: "client-request", id, from: "bench", request });
    return id;
  }

  put(key: string): void {
    this.ask({ op: "kv-put", key, value: "v" });
  }

  watch(stream: number, key: string, rangeEnd = "", startRevision = 0): void {
    const message = { type: "create", key, rangeEnd, startRevision } as const;
    this.hear({ kind: "client-message", id: stream, message });
  }

  pass(duration: Micros): void {
    const end = this.now + duration;
    for (;;) {
      const [next] = [...this.#timers].sort(([, left], [, right]) => left - right);
      if (next === undefined || next[1] > end) break;
      this.#timers.delete(next[0]);
      this.now = Math.max(this.now, next[1]);
      this.hear({ kind: "timer", timer: next[0] });
    }
    this.now = end;
  }
}

/** What a put costs beside watchers that it does not concern, and beside those that it does. */
export function benchWatch(): void {
  console.log("watches and leases of one member");
  putsBeside(0, () => {}); // warms the code up
  for (const count of [0, 1_000, 100_000]) {
    const keys = (member: Member, stream: number, i: number): void =>
      member.watch(stream, `idle/${i}`);
    const ranges = (member: Member, stream: number, i: number): void =>
      member.watch(stream, `idle/${i}/`, `idle/${i}0`);
    print(`put beside ${count} watches of other keys`, putsBeside(count, keys));
    if (count > 0) print(`put beside ${count} watches of other ranges`, putsBeside(count, ranges));
  }
  for (const count of [1, 100]) {
    const same = (member: Member, stream: number): void => member.watch(stream, "key", "key\0");
    print(`put that ${count} watches see`, putsBeside(count, same));
  }
  catchUp();
  leases();
}

function putsBeside(
  count: number,
  add: (member: Member, stream: number, i: number) => void,
): string {
  const member = new Member();
  const stream = member.ask({ op: "watch-stream" });
  for (let i = 0; i < count; i++) add(member, stream, i);
  const seconds = secondsOf(3, () => {
    for (let i = 0; i < ROUNDS; i++) member.put("key");
  });
  return `${figure(ROUNDS / seconds)} puts/s`;
}

function catchUp(): void {
  const member = new Member();
  for (let i = 0; i < MISSED; i++) member.put(`key${i % 100}`);
  const seconds = secondsOf(3, () => {
    const stream = member.ask({ op: "watch-stream" });
    for (let i = 0; i < 100; i++) member.watch(stream, `key${i}`, "", 2);
    member.pass(SECOND);
    member.hear({ kind: "client-cancel", id: stream });
  });
  print(`100 watches catch up on ${MISSED} changes`, `${figure(MISSED / seconds)} changes/s`);
}

function leases(): void {
  const member = new Member();
  const count = 100_000;
  const id = (i: number): string => (i + 1).toString(16).padStart(16, "0");
  const granting = secondsOf(1, () => {
    for (let i = 0; i < count; i++) member.ask({ op: "lease-grant", ttl: 3_600, id: id(i) });
  });
  print(`grant, up to ${count} leases`, `${figure(count / granting)} leases/s`);
  const renewing = secondsOf(3, () => {
    for (let i = 0; i < count; i++) member.ask({ op: "lease-keep-alive", id: id(i) });
  });
  print(`keep-alive among ${count} leases`, `${figure(count / renewing)} renewals/s`);
  const waiting = secondsOf(3, () => member.pass(10 * SECOND));
  print(`ten quiet seconds with ${count} leases`, `${(waiting * 1000).toFixed(1)} ms`);
}
