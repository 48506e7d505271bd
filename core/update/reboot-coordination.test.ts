import { expect, test } from "vitest";
import type { EtcdReply, V2Request } from "../etcd/client.js";
import { HOUR, MINUTE, type Micros, SECOND, stepInPlace } from "../kernel/index.js";
import {
  encodeSemaphore,
  type LocksmithConfig,
  type LocksmithState,
  type LocksmithStimulus,
  locksmithd,
  UTC_TABLE,
} from "./index.js";

const BOOT: Micros = 30 * SECOND;
/** An etcd member that comes back has to catch up before it counts for the quorum. */
const CATCH_UP: Micros = 2 * MINUTE;
const TRIP: Micros = 10_000;

interface Host {
  readonly state: LocksmithState;
  readonly timers: Map<string, Micros>;
  up: boolean;
  healthy: boolean;
  boots: number;
}

/** Three hosts that each run a member of the etcd in which the lock is kept. */
class Cluster {
  now: Micros = 0;
  readonly hosts: Host[];
  /** The most members that did not count for the quorum at once. */
  membersDownMax = 0;
  #value: string | null = null;
  #index = 0;
  #queue: { at: Micros; run: () => void }[] = [];

  constructor(more: Partial<LocksmithConfig>, max: number) {
    this.#value = encodeSemaphore({ semaphore: max, max, holders: [] });
    this.hosts = ["a", "b", "c"].map((holder) => ({
      state: locksmithd.create({
        strategy: "etcd-lock",
        holder,
        group: "",
        windowStart: "",
        windowLength: "",
        zone: UTC_TABLE,
        epoch: 0,
        loginDelay: false,
        etcdActive: true,
        etcdTimeout: 5 * SECOND,
        healthGate: false,
        quorumGate: false,
        ...more,
      }),
      timers: new Map(),
      up: true,
      healthy: true,
      boots: 0,
    }));
    for (const host of this.hosts) {
      this.hear(host, { kind: "start", status: "IDLE" });
      this.hear(host, { kind: "healthy" });
    }
  }

  /** All of them have an update that waits for its reboot. */
  updateAll(): void {
    for (const host of this.hosts) {
      this.hear(host, { kind: "update-status", status: "UPDATED_NEED_REBOOT" });
    }
  }

  run(until: Micros): void {
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at);
      const next = this.#queue[0];
      if (next === undefined || next.at > until) return;
      this.#queue.shift();
      this.now = next.at;
      next.run();
    }
  }

  get membersUp(): number {
    return this.hosts.filter((host) => host.up && host.healthy).length;
  }

  hear(host: Host, stimulus: LocksmithStimulus): void {
    const { effects } = stepInPlace(locksmithd, host.state, stimulus, this.now);
    const { boots } = host;
    const later = (delay: Micros, run: () => void) =>
      this.#queue.push({
        at: this.now + delay,
        run: () => {
          if (host.boots === boots) run();
        },
      });
    for (const effect of effects) {
      switch (effect.kind) {
        case "arm-timer": {
          const { timer } = effect;
          const due = this.now + effect.delay;
          host.timers.set(timer, due);
          later(effect.delay, () => {
            if (host.timers.get(timer) === due) this.hear(host, { kind: "timer", timer });
          });
          break;
        }
        case "cancel-timer":
          host.timers.delete(effect.timer);
          break;
        case "etcd-call": {
          const { id, request } = effect;
          later(TRIP, () => {
            const reply = this.#answer(request);
            later(TRIP, () => this.hear(host, { kind: "etcd-reply", id, reply }));
          });
          break;
        }
        case "quorum-check":
          later(TRIP, () => {
            const ok = this.membersUp === this.hosts.length;
            this.hear(host, { kind: "quorum-checked", ok });
          });
          break;
        case "reboot":
          this.#reboot(host);
          break;
        case "exit":
          later(SECOND, () => this.hear(host, { kind: "start", status: "UPDATED_NEED_REBOOT" }));
          break;
        default:
          effect satisfies never;
      }
    }
  }

  #reboot(host: Host): void {
    host.boots += 1;
    host.up = false;
    host.healthy = false;
    host.timers.clear();
    const { boots } = host;
    this.membersDownMax = Math.max(this.membersDownMax, this.hosts.length - this.membersUp);
    const later = (delay: Micros, run: () => void) =>
      this.#queue.push({
        at: this.now + delay,
        run: () => {
          if (host.boots === boots) run();
        },
      });
    later(BOOT, () => {
      host.up = true;
      this.hear(host, { kind: "start", status: "IDLE" });
    });
    later(BOOT + CATCH_UP, () => {
      host.healthy = true;
      this.hear(host, { kind: "healthy" });
    });
  }

  #answer(request: V2Request): EtcdReply {
    if (this.membersUp < 2) return { ok: false, unreachable: "timeout" };
    if (request.op === "put") {
      const compared = request.prevIndex === undefined || request.prevIndex === this.#index;
      if (request.prevExist === false || !compared) {
        const errorCode = request.prevExist === false ? 105 : 101;
        const index = this.#index;
        return { ok: false, status: 412, errorCode, message: "", cause: "", index };
      }
      this.#value = request.value ?? "";
      this.#index += 1;
    }
    const value = this.#value ?? "";
    const node = { key: "", value, modifiedIndex: this.#index, createdIndex: 0 };
    return { ok: true, status: 200, action: "get", node, etcdIndex: this.#index };
  }
}

/** Updates everybody once; how many rebooted, and how many members were missing at worst. */
function rollout(more: Partial<LocksmithConfig>, max: number): { done: number; down: number } {
  const cluster = new Cluster(more, max);
  cluster.updateAll();
  cluster.run(12 * HOUR);
  const done = cluster.hosts.filter((host) => host.boots > 0).length;
  return { done, down: cluster.membersDownMax };
}

test("with one permit, two of three members are missing at once: the lock is given back before the member is", () => {
  expect(rollout({}, 1)).toEqual({ done: 3, down: 2 });
});

test("with the health gate one member at a time is missing, and everybody gets the update", () => {
  expect(rollout({ healthGate: true }, 1)).toEqual({ done: 3, down: 1 });
});

test("with the quorum gate the same, without waiting to give the lock back", () => {
  expect(rollout({ quorumGate: true }, 1)).toEqual({ done: 3, down: 1 });
});

test("with two permits for three members the quorum is lost, and with it the lock", () => {
  expect(rollout({}, 2).down).toBeGreaterThanOrEqual(2);
});

test("the health gate does not help against a second permit", () => {
  expect(rollout({ healthGate: true }, 2).down).toBe(2);
});
