import fc from "fast-check";
import { expect, test } from "vitest";
import type { EtcdReply, V2Request } from "../etcd/client.js";
import { MINUTE, type Micros, SECOND, stepImmutable, stepInPlace } from "../kernel/index.js";
import {
  encodeSemaphore,
  type LocksmithConfig,
  type LocksmithEffect,
  type LocksmithFact,
  type LocksmithState,
  type LocksmithStimulus,
  locksmithctl,
  locksmithd,
  NEW_SEMAPHORE,
  readSemaphore,
  UTC_TABLE,
} from "./index.js";

const KEY = "/coreos.com/updateengine/rebootlock/semaphore";

function configFor(holder: string, more: Partial<LocksmithConfig> = {}): LocksmithConfig {
  return {
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
  };
}

/** One key with etcd's compare-and-set rules. */
class Register {
  value: string | null = null;
  index = 0;

  answer(request: V2Request): EtcdReply {
    if (request.op === "get") {
      return this.value === null ? this.error(100, "Key not found") : this.node("get");
    }
    if (request.op !== "put") throw new Error(`not a lock request: ${request.op}`);
    expect(request.key).toBe(KEY);
    if (request.prevExist === false && this.value !== null) {
      return this.error(105, "Key already exists");
    }
    if (request.prevIndex !== undefined && request.prevIndex !== this.index) {
      return this.error(101, "Compare failed");
    }
    this.index += 1;
    this.value = request.value ?? "";
    return this.node(request.prevIndex === undefined ? "create" : "compareAndSwap");
  }

  private node(action: "get" | "create" | "compareAndSwap"): EtcdReply {
    const node = {
      key: KEY,
      value: this.value ?? "",
      modifiedIndex: this.index,
      createdIndex: 1,
    };
    return { ok: true, status: 200, action, node, etcdIndex: this.index };
  }

  private error(errorCode: number, message: string): EtcdReply {
    return { ok: false, status: 404, errorCode, message, cause: KEY, index: this.index };
  }

  holders(): readonly string[] {
    const read = readSemaphore(this.node("get"));
    return read.ok ? (read.semaphore.holders ?? []) : [];
  }
}

/** A daemon whose requests wait until they are answered, and whose time is moved by hand. */
class Daemon {
  state: LocksmithState;
  now: Micros;
  calls: { id: number; request: V2Request }[] = [];
  timers = new Map<string, Micros>();
  facts: LocksmithFact[] = [];
  effects: LocksmithEffect[] = [];

  constructor(config: LocksmithConfig, now: Micros = 0) {
    this.state = locksmithd.create(config);
    this.now = now;
  }

  hear(stimulus: LocksmithStimulus): void {
    const outcome = stepInPlace(locksmithd, this.state, stimulus, this.now);
    this.facts.push(...outcome.facts);
    this.effects.push(...outcome.effects);
    for (const effect of outcome.effects) {
      if (effect.kind === "etcd-call") this.calls.push(effect);
      if (effect.kind === "arm-timer") this.timers.set(effect.timer, this.now + effect.delay);
      if (effect.kind === "cancel-timer") this.timers.delete(effect.timer);
    }
  }

  fire(): void {
    const [timer, at] = [...this.timers].sort((a, b) => a[1] - b[1])[0] ?? ["", 0];
    this.timers.delete(timer);
    this.now = Math.max(this.now, at);
    this.hear({ kind: "timer", timer });
  }

  answer(register: Register): void {
    const call = this.calls.shift();
    if (call === undefined) throw new Error("nothing was asked");
    this.hear({ kind: "etcd-reply", id: call.id, reply: register.answer(call.request) });
  }

  answerAll(register: Register): void {
    while (this.calls.length > 0) this.answer(register);
  }

  lose(reply: "timeout" | "refused"): void {
    const call = this.calls.shift();
    if (call === undefined) throw new Error("nothing was asked");
    this.hear({ kind: "etcd-reply", id: call.id, reply: { ok: false, unreachable: reply } });
  }

  did(kind: LocksmithEffect["kind"]): number {
    return this.effects.filter((effect) => effect.kind === kind).length;
  }
}

const needReboot: LocksmithStimulus = { kind: "update-status", status: "UPDATED_NEED_REBOOT" };
const started: LocksmithStimulus = { kind: "start", status: "IDLE" };

test("a host takes the lock, reboots, and gives the lock back five seconds after its daemon is up again", () => {
  const register = new Register();
  const daemon = new Daemon(configFor("a"));
  daemon.hear(started);
  daemon.hear(needReboot);
  daemon.answerAll(register);
  expect(register.value).toBe('{"semaphore":0,"max":1,"holders":["a"]}');
  expect(daemon.state.phase).toBe("rebooting");
  expect(daemon.did("reboot")).toBe(1);

  daemon.timers.clear();
  daemon.hear(started);
  expect([...daemon.timers]).toEqual([["release", 5 * SECOND]]);
  daemon.fire();
  daemon.answerAll(register);
  expect(register.value).toBe('{"semaphore":1,"max":1,"holders":[]}');
  expect(daemon.facts.map((fact) => fact.kind)).toEqual([
    "locksmith.state",
    "locksmith.state",
    "lock.semaphore",
    "lock.acquired",
    "locksmith.state",
    "locksmith.state",
    "lock.semaphore",
    "lock.released",
  ]);
});

test("a second host waits ten seconds, then twice as long each time, up to five minutes", () => {
  const register = new Register();
  const [first, second] = [new Daemon(configFor("a")), new Daemon(configFor("b"))];
  for (const daemon of [first, second]) {
    daemon.hear(started);
    daemon.hear(needReboot);
    daemon.answerAll(register);
  }
  const delays: Micros[] = [];
  for (let i = 0; i < 8; i++) {
    const before = second.now;
    second.fire();
    delays.push((second.now - before) / SECOND);
    second.answerAll(register);
  }
  expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
  expect(second.did("reboot")).toBe(0);
  expect(second.facts).toContainEqual({ kind: "lock.waiting", reason: "semaphore is at 0" });
});

test("a lock whose answer was lost is never noticed while the maximum is one: the holder waits for itself", () => {
  const register = new Register();
  const daemon = new Daemon(configFor("a"));
  daemon.hear(started);
  daemon.hear(needReboot);
  while (daemon.state.attempt?.step !== "set") daemon.answer(register);
  const write = daemon.calls[0];
  if (write === undefined) throw new Error("no write");
  register.answer(write.request);
  daemon.lose("timeout");
  for (let i = 0; i < 20; i++) {
    daemon.fire();
    daemon.answerAll(register);
  }
  expect(register.holders()).toEqual(["a"]);
  expect(daemon.did("reboot")).toBe(0);
});

test("with a permit to spare the same lost answer counts as success", () => {
  const register = new Register();
  register.value = '{"semaphore":2,"max":2,"holders":null}';
  const daemon = new Daemon(configFor("a"));
  daemon.hear(started);
  daemon.hear(needReboot);
  while (daemon.state.attempt?.step !== "set") daemon.answer(register);
  const write = daemon.calls[0];
  if (write === undefined) throw new Error("no write");
  register.answer(write.request);
  daemon.lose("timeout");
  daemon.fire();
  daemon.answerAll(register);
  expect(daemon.did("reboot")).toBe(1);
  expect(register.holders()).toEqual(["a"]);
});

test("without etcd the release retries for ever and a reboot that is due ends the daemon with 1", () => {
  const daemon = new Daemon(configFor("a"));
  daemon.hear(started);
  const delays: Micros[] = [];
  for (let i = 0; i < 8; i++) {
    const before = daemon.now;
    daemon.fire();
    delays.push((daemon.now - before) / SECOND);
    daemon.lose("refused");
  }
  expect(delays).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);
  daemon.hear(needReboot);
  daemon.lose("refused");
  expect(daemon.effects.at(-1)).toEqual({ kind: "exit", code: 1 });
  expect(daemon.state.phase).toBe("exited");
});

test("a reboot that is wanted during a release waits for that one request and no longer", () => {
  const register = new Register();
  const daemon = new Daemon(configFor("a"));
  daemon.hear(started);
  daemon.fire();
  daemon.hear(needReboot);
  expect(daemon.state.phase).toBe("running");
  daemon.lose("timeout");
  expect(daemon.state.phase).toBe("reboot-planned");
  daemon.answerAll(register);
  expect(daemon.state.phase).toBe("rebooting");
});

test("a lock still held when the next reboot is due stays held through the whole wait for the window", () => {
  const register = new Register();
  register.value = '{"semaphore":0,"max":1,"holders":["a"]}';
  const daemon = new Daemon(configFor("a", { windowStart: "Thu 04:00", windowLength: "1h" }));
  daemon.hear(started);
  daemon.hear(needReboot);
  expect(daemon.state.phase).toBe("waiting-for-window");
  expect(daemon.timers.get("window")).toBe(4 * 60 * MINUTE);
  expect(daemon.timers.has("release")).toBe(false);
  expect(register.holders()).toEqual(["a"]);
});

test("the window is looked at once, so a long wait for the lock ends in a reboot outside it", () => {
  const register = new Register();
  register.value = '{"semaphore":0,"max":1,"holders":["other"]}';
  const daemon = new Daemon(configFor("a", { windowStart: "00:00", windowLength: "10m" }));
  daemon.hear(started);
  daemon.hear(needReboot);
  daemon.answerAll(register);
  while (daemon.now < 60 * MINUTE) {
    daemon.fire();
    daemon.answerAll(register);
  }
  register.value = '{"semaphore":1,"max":1,"holders":[]}';
  daemon.fire();
  daemon.answerAll(register);
  expect(daemon.did("reboot")).toBe(1);
  expect(daemon.now).toBeGreaterThan(10 * MINUTE);
});

test("strategy off exits with 0, half a window and an unreadable one with 1, an unknown strategy only at the reboot", () => {
  const exits = (more: Partial<LocksmithConfig>) => {
    const daemon = new Daemon(configFor("a", more));
    daemon.hear(started);
    const atStart = daemon.effects.find((effect) => effect.kind === "exit") ?? null;
    daemon.hear(needReboot);
    return [atStart, daemon.effects.find((effect) => effect.kind === "exit") ?? null];
  };
  const zero = { kind: "exit", code: 0 };
  const one = { kind: "exit", code: 1 };
  expect(exits({ strategy: "off" })).toEqual([zero, zero]);
  expect(exits({ windowStart: "04:00" })).toEqual([one, one]);
  expect(exits({ windowStart: "04:00", windowLength: "1d" })).toEqual([one, one]);
  expect(exits({ strategy: "unknown" })).toEqual([null, one]);
  expect(exits({ strategy: "reboot" })).toEqual([null, null]);
});

test("best-effort takes the lock when etcd runs here and just reboots when it does not", () => {
  const reboots = (etcdActive: boolean) => {
    const daemon = new Daemon(configFor("a", { strategy: "best-effort", etcdActive }));
    daemon.hear(started);
    daemon.hear(needReboot);
    return [daemon.did("reboot"), daemon.calls.length];
  };
  expect(reboots(true)).toEqual([0, 1]);
  expect(reboots(false)).toEqual([1, 0]);
});

test("a host with somebody logged in reboots five minutes later", () => {
  const daemon = new Daemon(configFor("a", { strategy: "reboot", loginDelay: true }));
  daemon.hear(started);
  daemon.hear(needReboot);
  expect(daemon.did("reboot")).toBe(0);
  daemon.fire();
  expect([daemon.now, daemon.did("reboot")]).toEqual([5 * MINUTE, 1]);
});

test("a reboot that never happens is asked for twice with the lock held, then the daemon dies and the lock stays", () => {
  const register = new Register();
  const daemon = new Daemon(configFor("a"));
  daemon.hear(started);
  daemon.hear(needReboot);
  daemon.answerAll(register);
  daemon.fire();
  expect(daemon.did("reboot")).toBe(2);
  daemon.fire();
  expect(daemon.effects.at(-1)).toEqual({ kind: "exit", code: 1 });
  expect(register.holders()).toEqual(["a"]);
});

test("with the health gate a lock is kept until the host is healthy, however long that takes", () => {
  const register = new Register();
  register.value = '{"semaphore":0,"max":1,"holders":["a"]}';
  const daemon = new Daemon(configFor("a", { healthGate: true }));
  daemon.hear(started);
  expect(daemon.timers.size).toBe(0);
  daemon.hear(needReboot);
  expect(daemon.calls).toEqual([]);
  expect(register.holders()).toEqual(["a"]);
  daemon.hear({ kind: "healthy" });
  daemon.answerAll(register);
  expect(daemon.did("reboot")).toBe(1);
});

test("with the quorum gate no lock is taken until the quorum can spare this host", () => {
  const register = new Register();
  const daemon = new Daemon(configFor("a", { quorumGate: true }));
  daemon.hear(started);
  daemon.hear(needReboot);
  daemon.answerAll(register);
  expect([daemon.did("quorum-check"), register.holders()]).toEqual([1, []]);
  daemon.hear({ kind: "quorum-checked", ok: false });
  expect(daemon.facts).toContainEqual({ kind: "lock.waiting", reason: "quorum" });
  daemon.fire();
  daemon.hear({ kind: "quorum-checked", ok: true });
  daemon.answerAll(register);
  expect([daemon.did("quorum-check"), register.holders()]).toEqual([2, ["a"]]);
  expect(daemon.did("reboot")).toBe(1);
});

test("after SIGTERM the daemon hears nothing more and holds what it held", () => {
  const register = new Register();
  const daemon = new Daemon(configFor("a"));
  daemon.hear(started);
  daemon.hear(needReboot);
  daemon.hear({ kind: "stop" });
  expect(daemon.effects.at(-1)).toEqual({ kind: "exit", code: 0 });
  daemon.answerAll(register);
  expect(daemon.did("reboot")).toBe(0);
});

test("an operator can unlock a dead host's permit, and lowering the maximum drives the count below zero", () => {
  const register = new Register();
  register.value = '{"semaphore":0,"max":2,"holders":["a","dead"]}';
  const run = (command: Parameters<typeof locksmithctl>[0]) => {
    const step = locksmithctl(command, "", register.answer({ op: "get", key: KEY }));
    if (step.ok && step.request !== null) register.answer(step.request);
    return step;
  };
  expect(run({ command: "set-max", max: 1 })).toMatchObject({ output: "Old-Max: 2\nMax: 1\n" });
  expect(run({ command: "status" })).toMatchObject({
    output: "Available: -1\nMax: 1\n\nMACHINE ID\na\ndead\n",
  });
  expect(run({ command: "unlock", holder: "dead" }).ok).toBe(true);
  expect(run({ command: "lock", holder: "b" })).toEqual({ ok: false, error: "semaphore is at 0" });
  expect(run({ command: "unlock", holder: "dead" })).toEqual({
    ok: false,
    error: "holder does not exist",
  });
});

/** What may happen next to one of the daemons. */
type Move = readonly [daemon: number, what: "answer" | "lose" | "apply-and-lose" | "fire" | "need"];

const moves = (daemons: number): fc.Arbitrary<Move[]> =>
  fc.array(
    fc.tuple(
      fc.nat(daemons - 1),
      fc.constantFrom("answer", "answer", "answer", "lose", "apply-and-lose", "fire", "need"),
    ) as fc.Arbitrary<Move>,
    { minLength: 30, maxLength: 200, size: "max" },
  );

// Catches a write that is not compared with what was read: two hosts then hold the last permit.
test("never more hosts hold the lock than the semaphore allows, whatever the order of requests", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), moves(5), (max, run) => {
      const register = new Register();
      register.value = encodeSemaphore({ ...NEW_SEMAPHORE, semaphore: max, max });
      const daemons = Array.from({ length: 5 }, (_, i) => new Daemon(configFor(`host-${i}`)));
      for (const daemon of daemons) daemon.hear(started);
      for (const [index, what] of run) {
        const daemon = daemons[index];
        if (daemon === undefined) continue;
        const call = daemon.calls[0];
        if (what === "need") daemon.hear(needReboot);
        else if (what === "fire" && daemon.timers.size > 0) {
          const rebooted = daemon.state.phase === "rebooting";
          if (!rebooted) daemon.fire();
          else {
            daemon.timers.clear();
            daemon.hear(started);
          }
        } else if (call !== undefined) {
          if (what === "answer") daemon.answer(register);
          if (what === "apply-and-lose") register.answer(call.request);
          if (what !== "answer") daemon.lose("timeout");
        }
        const rebooting = daemons.filter((d) => d.state.phase === "rebooting");
        expect(register.holders().length).toBeLessThanOrEqual(max);
        for (const d of rebooting) expect(register.holders()).toContain(d.state.config.holder);
        expect(rebooting.length).toBeLessThanOrEqual(max);
      }
    }),
    { numRuns: 200 },
  );
});

// Catches a step that depends on identity or on a part of the state it was not given as a draft.
test("locksmithd behaves the same in place and under immer", () => {
  fc.assert(
    fc.property(moves(1), fc.boolean(), fc.boolean(), (run, healthGate, quorumGate) => {
      const register = new Register();
      const config = configFor("a", {
        healthGate,
        quorumGate,
        windowStart: "1:00",
        windowLength: "1h",
      });
      const daemon = new Daemon(config);
      let immutable = locksmithd.create(config);
      const both = (stimulus: LocksmithStimulus) => {
        const [facts, effects] = [daemon.facts.length, daemon.effects.length];
        const outcome = stepImmutable(locksmithd, immutable, stimulus, daemon.now);
        immutable = outcome.state;
        daemon.hear(stimulus);
        expect(outcome.facts).toEqual(daemon.facts.slice(facts));
        expect(outcome.effects).toEqual(daemon.effects.slice(effects));
        expect(immutable).toEqual(daemon.state);
      };
      both(started);
      for (const [, what] of run) {
        const call = daemon.calls.shift();
        if (what === "need") both(needReboot);
        else if (what === "fire") {
          for (const timer of [...daemon.timers.keys()]) both({ kind: "timer", timer });
          both({ kind: "healthy" });
          both({ kind: "quorum-checked", ok: quorumGate });
        } else if (call !== undefined) {
          const lost: EtcdReply = { ok: false, unreachable: "timeout" };
          const reply = what === "answer" ? register.answer(call.request) : lost;
          both({ kind: "etcd-reply", id: call.id, reply });
        }
      }
    }),
    { numRuns: 60 },
  );
});
