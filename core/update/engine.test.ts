import fc from "fast-check";
import { expect, test } from "vitest";
import {
  DAY,
  HOUR,
  MINUTE,
  type Micros,
  SECOND,
  stepImmutable,
  stepInPlace,
} from "../kernel/index.js";
import {
  applySlotFlags,
  beginSlotWrite,
  copySlots,
  finishSlotWrite,
  installedSlots,
  isEligible,
  nextBoot,
  type OmahaManifest,
  type OmahaReply,
  type OmahaRequest,
  prioritize,
  SLOT_ORDER,
  type SlotName,
  type Slots,
  UPDATE_ENGINE_SLOTS,
  type UpdateConfig,
  type UpdateEffect,
  type UpdateFact,
  type UpdateState,
  type UpdateStimulus,
  updateEngine,
} from "./index.js";
import { engineConfig } from "./testing/world.js";

const MANIFEST: OmahaManifest = {
  version: "2.0.0",
  urls: ["https://a.test/", "https://b.test/"],
  packageName: "update.gz",
  sizeBytes: 1_000,
  sha256: "x",
  isDelta: false,
  disablePayloadBackoff: true,
  maxFailureCountPerUrl: null,
};

function offer(manifest: Partial<OmahaManifest> = {}): OmahaReply {
  const updateCheck = { status: "ok", manifest: { ...MANIFEST, ...manifest } } as const;
  return {
    ok: true,
    response: { appId: "", appStatus: "ok", updateCheck, pollIntervalSeconds: null },
  };
}

const EMPTY: OmahaReply = {
  ok: true,
  response: { appId: "", appStatus: "ok", updateCheck: null, pollIntervalSeconds: null },
};

/** An engine whose effects are looked at by hand; its disk does as told unless the power is cut. */
class Bench {
  readonly state: UpdateState;
  readonly disk: Slots;
  now: Micros = 0;
  facts: UpdateFact[] = [];
  effects: UpdateEffect[] = [];
  /** Writes the disk has seen; at `cutAt` the power goes, before the write. */
  writes = 0;
  cutAt = Number.POSITIVE_INFINITY;

  constructor(
    more: Partial<UpdateConfig> = {},
    disk: Slots = installedSlots("1.0.0"),
    readonly running: SlotName = "USR-A",
  ) {
    this.state = updateEngine.create(engineConfig("m", more));
    this.disk = disk;
    this.hear({ kind: "start", running, slots: copySlots(disk), bootId: "boot-1" });
  }

  hear(stimulus: UpdateStimulus): void {
    const { facts, effects } = stepInPlace(updateEngine, this.state, stimulus, this.now);
    this.facts.push(...facts);
    this.effects.push(...effects);
    for (const effect of effects) this.write(effect);
  }

  private write(effect: UpdateEffect): void {
    if (effect.kind !== "slot-flags" && effect.kind !== "slot-write") return;
    this.writes += 1;
    if (this.writes > this.cutAt) return;
    if (effect.kind === "slot-flags") applySlotFlags(this.disk, effect.changes);
    else if (effect.step === "begin") {
      beginSlotWrite(this.disk, this.running, effect.slot, effect.version);
    } else finishSlotWrite(this.disk, this.running, effect.slot);
  }

  last<K extends UpdateEffect["kind"]>(kind: K): Extract<UpdateEffect, { kind: K }> {
    const found = this.effects.findLast((effect) => effect.kind === kind);
    if (found === undefined) throw new Error(`no ${kind}`);
    return found as Extract<UpdateEffect, { kind: K }>;
  }

  reply(reply: OmahaReply): void {
    this.hear({ kind: "omaha-reply", id: this.last("omaha").id, reply });
  }

  get request(): OmahaRequest {
    return this.last("omaha").request;
  }

  check(reply: OmahaReply): void {
    this.hear({ kind: "timer", timer: "check" });
    this.reply(reply);
  }

  /** Checks, and goes as far as a finished download. */
  download(manifest: Partial<OmahaManifest> = {}): void {
    this.check(offer(manifest));
    this.reply(EMPTY);
    const { id } = this.last("download");
    this.hear({ kind: "download-progress", id, receivedBytes: 10 });
    this.hear({ kind: "download-done", id, verdict: "good" });
  }

  /** A whole update, until the host has to reboot. */
  install(manifest: Partial<OmahaManifest> = {}): void {
    this.download(manifest);
    this.reply(EMPTY);
    this.hear({ kind: "slot-written", id: this.last("slot-write").id, verdict: "good" });
    this.reply(EMPTY);
  }
}

/** The slot that boots next, and whether its image is whole. */
function boots(disk: Slots): { slot: SlotName; whole: boolean } | null {
  const choice = nextBoot(disk);
  return choice === null ? null : { slot: choice.slot, whole: disk[choice.slot].complete };
}

/** A disk whose host has gone through an update before: both slots were good once. */
function usedDisk(): Slots {
  const good = { tries: 0, successful: true, complete: true };
  return {
    "USR-A": { version: "1.0.0", priority: 2, ...good },
    "USR-B": { version: "0.9.0", priority: 1, ...good },
  };
}

const WRITES = 8;
const INVALIDATING = { ...UPDATE_ENGINE_SLOTS, invalidateBeforeWrite: true };

// Catches boot flags that are set before the image is whole.
test("power loss at every write of an update leaves a slot that boots, whole", () => {
  fc.assert(
    fc.property(fc.nat(WRITES), fc.boolean(), fc.boolean(), (cutAt, used, invalidate) => {
      const slots = invalidate ? INVALIDATING : UPDATE_ENGINE_SLOTS;
      const bench = new Bench({ slots }, used ? usedDisk() : installedSlots("1.0.0"));
      bench.cutAt = cutAt;
      bench.install();
      expect(boots(bench.disk)?.whole).toBe(true);
      expect(bench.disk["USR-A"].complete).toBe(true);
    }),
  );
});

test("update_engine leaves a half-written slot eligible: an operator's prioritize then boots garbage", () => {
  const bench = new Bench({}, usedDisk());
  bench.cutAt = 3;
  bench.install();
  expect(bench.disk["USR-B"]).toMatchObject({ version: "2.0.0", complete: false });
  expect(isEligible(bench.disk["USR-B"])).toBe(true);
  applySlotFlags(bench.disk, prioritize(bench.disk, "USR-B"));
  expect(boots(bench.disk)).toEqual({ slot: "USR-B", whole: false });
});

// Catches an invalidation that comes after the first byte, or that the install undoes too early.
test("with invalidate-before-write every eligible slot is whole, wherever the power is cut", () => {
  fc.assert(
    fc.property(fc.nat(2 * WRITES), fc.boolean(), fc.boolean(), (cutAt, used, twice) => {
      const disk = used ? usedDisk() : installedSlots("1.0.0");
      const bench = new Bench({ slots: INVALIDATING }, disk);
      bench.cutAt = cutAt;
      bench.install();
      if (twice) {
        bench.hear({ kind: "reset-status" });
        bench.install({ version: "3.0.0", sha256: "y" });
      }
      for (const name of SLOT_ORDER) {
        if (isEligible(bench.disk[name])) expect(bench.disk[name].complete).toBe(true);
      }
      expect(boots(bench.disk)?.whole).toBe(true);
    }),
  );
});

test("after ResetStatus a second update overwrites the slot that boots next; power loss then boots half an image once", () => {
  const bench = new Bench({}, usedDisk());
  bench.install();
  bench.hear({ kind: "reset-status" });
  bench.cutAt = bench.writes + 1;
  bench.install({ version: "3.0.0", sha256: "y" });
  expect(boots(bench.disk)).toEqual({ slot: "USR-B", whole: false });
  const choice = nextBoot(bench.disk);
  applySlotFlags(bench.disk, choice?.changes ?? []);
  expect(boots(bench.disk)).toEqual({ slot: "USR-A", whole: true });
});

test("power loss between the flags and prioritize loses the update silently", () => {
  const bench = new Bench({}, usedDisk());
  bench.install();
  const writes = bench.writes;
  const cut = new Bench({}, usedDisk());
  cut.cutAt = writes - 1;
  cut.install();
  expect(cut.disk["USR-B"]).toMatchObject({ complete: true, tries: 1, priority: 1 });
  expect(boots(cut.disk)?.slot).toBe("USR-A");
});

test("power loss before the kernel is written boots the old slot: no flag was set", () => {
  const bench = new Bench();
  bench.download();
  expect(bench.disk["USR-B"]).toMatchObject({ complete: false, priority: 0, tries: 0 });
  expect(boots(bench.disk)).toEqual({ slot: "USR-A", whole: true });
});

// Catches a target computed from anything but the running slot.
test("the running slot is never written, nor flagged, except to mark it good", () => {
  fc.assert(
    fc.property(fc.constantFrom(...SLOT_ORDER), fc.boolean(), (running, invalidateBeforeWrite) => {
      const slots = { ...UPDATE_ENGINE_SLOTS, invalidateBeforeWrite };
      const disk = usedDisk();
      const bench = new Bench({ slots }, disk, running);
      bench.install();
      for (const effect of bench.effects) {
        if (effect.kind === "slot-write") expect(effect.slot).not.toBe(running);
        if (effect.kind === "slot-flags" && effect.reason !== "mark-good") {
          const own = effect.changes.find((change) => change.slot === running);
          if (own !== undefined) expect([own.tries, own.successful]).toEqual([0, true]);
        }
      }
    }),
  );
});

test("the first check comes 2 to 12 minutes after start, later ones every 40 to 50", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const bench = new Bench({ seed });
      const armed = () =>
        bench.effects.flatMap((e) =>
          e.kind === "arm-timer" && e.timer === "check" ? [e.delay] : [],
        );
      const noupdate: OmahaReply = {
        ok: true,
        response: {
          appId: "",
          appStatus: "ok",
          updateCheck: { status: "noupdate" },
          pollIntervalSeconds: null,
        },
      };
      for (let i = 0; i < 3; i++) bench.check(noupdate);
      const [first, ...rest] = armed();
      expect(first).toBeGreaterThanOrEqual(2 * MINUTE);
      expect(first).toBeLessThanOrEqual(12 * MINUTE);
      expect(rest).toHaveLength(3);
      for (const delay of rest) {
        expect(delay).toBeGreaterThanOrEqual(40 * MINUTE);
        expect(delay).toBeLessThanOrEqual(50 * MINUTE);
      }
    }),
  );
});

test("a server's poll interval is kept within 45 minutes and 4 hours, and used once", () => {
  const interval = (seconds: number) => {
    const bench = new Bench();
    const updateCheck = { status: "noupdate" } as const;
    bench.check({
      ok: true,
      response: { appId: "", appStatus: "ok", updateCheck, pollIntervalSeconds: seconds },
    });
    return bench.state.schedule.lastIntervalSeconds;
  };
  expect([60, 7_200, 86_400].map(interval)).toEqual([45 * 60, 7_200, 4 * 3_600]);
});

test("an interval out of the ordinary is spread by half of itself to either side", () => {
  const updateCheck = { status: "noupdate" } as const;
  const delays = Array.from({ length: 200 }, (_, seed) => {
    const bench = new Bench({ seed });
    bench.check({
      ok: true,
      response: { appId: "", appStatus: "ok", updateCheck, pollIntervalSeconds: 7_200 },
    });
    return bench.last("arm-timer").delay;
  });
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(HOUR);
  expect(Math.min(...delays)).toBeLessThan(HOUR + 5 * MINUTE);
  expect(Math.max(...delays)).toBeLessThanOrEqual(3 * HOUR);
  expect(Math.max(...delays)).toBeGreaterThan(3 * HOUR - 5 * MINUTE);
});

test("an operator's check does not move the timer that is armed", () => {
  const bench = new Bench();
  const before = bench.effects.filter((e) => e.kind === "arm-timer" && e.timer === "check").length;
  bench.hear({ kind: "attempt-update" });
  bench.reply({ ok: false, status: null });
  bench.reply({ ok: false, status: null });
  const after = bench.effects.filter((e) => e.kind === "arm-timer" && e.timer === "check").length;
  expect([before, after, bench.state.status]).toEqual([1, 1, "IDLE"]);
});

test("the first check after an update names the version it came from, once, even if the request is lost", () => {
  const bench = new Bench();
  bench.install();
  const disk = copySlots(bench.disk);
  bench.hear({ kind: "start", running: "USR-B", slots: disk, bootId: "boot-2" });
  bench.hear({ kind: "timer", timer: "check" });
  expect(bench.request.events).toEqual([{ type: 3, result: 2, previousVersion: "1.0.0" }]);
  bench.reply({ ok: false, status: null });
  bench.reply({ ok: false, status: null });
  bench.hear({ kind: "timer", timer: "check" });
  expect(bench.request.events).toEqual([{ type: 3, result: 2, previousVersion: "" }]);
});

test("a restart of the daemon keeps the finished update, a reboot forgets it", () => {
  const bench = new Bench();
  bench.install();
  const start = (bootId: string) =>
    bench.hear({ kind: "start", running: "USR-A", slots: copySlots(bench.disk), bootId });
  start("boot-1");
  expect(bench.state.status).toBe("UPDATED_NEED_REBOOT");
  start("boot-2");
  expect(bench.state.status).toBe("IDLE");
});

test("a broken download resumes where it stopped, twenty times, twenty seconds apart, and then fails with 9", () => {
  const bench = new Bench();
  bench.check(offer());
  bench.reply(EMPTY);
  bench.hear({ kind: "download-progress", id: bench.last("download").id, receivedBytes: 700 });
  for (let i = 0; i < 20; i++) {
    bench.hear({ kind: "download-failed", id: bench.last("download").id });
    expect(bench.last("arm-timer")).toMatchObject({ timer: "download-resume", delay: 20 * SECOND });
    bench.hear({ kind: "timer", timer: "download-resume" });
    expect(bench.last("download").offsetBytes).toBe(700);
  }
  bench.hear({ kind: "download-failed", id: bench.last("download").id });
  expect(bench.facts).toContainEqual({ kind: "update.failed", code: 9 });
  // Resumed, and not the vendor's server: bits 30 and 28.
  expect(bench.request.events[0]?.errorCode).toBe(9 | (1 << 30) | (1 << 28));
  expect(boots(bench.disk)).toEqual({ slot: "USR-A", whole: true });
});

test("a bad payload moves on to the next URL at once, and a full pass backs off by days unless the server forbids it", () => {
  const backedOff = (disablePayloadBackoff: boolean) => {
    const bench = new Bench();
    const urls: string[] = [];
    for (let i = 0; i < 3; i++) {
      bench.check(offer({ disablePayloadBackoff }));
      if (bench.request.events[0]?.result === 9) break;
      bench.reply(EMPTY);
      const { id, url } = bench.last("download");
      urls.push(url);
      bench.hear({ kind: "download-done", id, verdict: "hash-mismatch" });
      bench.reply(EMPTY);
    }
    return { urls, until: bench.state.prefs.payload.backoffUntil, event: bench.request.events[0] };
  };
  const [a, b] = MANIFEST.urls;
  const patient = backedOff(false);
  expect(patient.urls).toEqual([a, b]);
  expect(patient.event).toEqual({ type: 3, result: 9, errorCode: 40 | (1 << 28) });
  expect(patient.until).toBeGreaterThanOrEqual(DAY - 6 * HOUR);
  expect(patient.until).toBeLessThanOrEqual(DAY + 6 * HOUR);
  expect(backedOff(true).urls).toEqual([a, b, a]);
});

test("ten failed transfers of one URL lead to the next", () => {
  const bench = new Bench();
  for (let i = 0; i < 10; i++) {
    bench.check(offer());
    bench.reply(EMPTY);
    expect(bench.last("download").url).toBe(MANIFEST.urls[0]);
    for (let resume = 0; resume <= 20; resume++) {
      bench.hear({ kind: "download-failed", id: bench.last("download").id });
      bench.hear({ kind: "timer", timer: "download-resume" });
    }
    bench.reply(EMPTY);
  }
  bench.check(offer());
  bench.reply(EMPTY);
  expect(bench.last("download").url).toBe(MANIFEST.urls[1]);
  expect(bench.state.prefs.payload).toMatchObject({ urlFailures: 0, attempts: 0 });
});

test("what the engine believes of its slots is what the disk holds", () => {
  const bench = new Bench();
  bench.install();
  expect(bench.state.slots).toEqual(bench.disk);
  expect(bench.disk["USR-B"]).toEqual({
    version: "2.0.0",
    priority: 2,
    tries: 1,
    successful: false,
    complete: true,
  });
});

test("a masked updater never marks its slot good, so the next reboot goes back", () => {
  const bench = new Bench();
  bench.install();
  applySlotFlags(bench.disk, nextBoot(bench.disk)?.changes ?? []);
  expect(bench.disk["USR-B"].tries).toBe(0);
  expect(boots(bench.disk)?.slot).toBe("USR-A");
});

test("a slot is marked good 45 seconds after start, or before the first check, once a boot", () => {
  const bench = new Bench();
  expect(bench.effects).toContainEqual({
    kind: "arm-timer",
    timer: "mark-good",
    delay: 45 * SECOND,
  });
  bench.hear({ kind: "attempt-update" });
  bench.hear({ kind: "timer", timer: "mark-good" });
  const marks = bench.facts.filter((fact) => fact.kind === "update.marked-good");
  expect(marks).toEqual([{ kind: "update.marked-good", slot: "USR-A" }]);
});

const stimulus: fc.Arbitrary<(bench: UpdateState) => UpdateStimulus> = fc.oneof(
  fc
    .constantFrom("check", "mark-good", "download-resume")
    .map((timer) => () => ({ kind: "timer", timer }) as const),
  fc.constant(() => ({ kind: "attempt-update" }) as const),
  fc.constant(() => ({ kind: "reset-status" }) as const),
  fc
    .constantFrom<OmahaReply>(
      offer(),
      offer({ version: "3.0.0", disablePayloadBackoff: false }),
      EMPTY,
      { ok: false, status: 500 },
      { ok: false, status: null },
    )
    .map((reply) => (s: UpdateState) => ({ kind: "omaha-reply", id: s.awaiting, reply }) as const),
  fc
    .nat(1_000)
    .map(
      (receivedBytes) => (s: UpdateState) =>
        ({ kind: "download-progress", id: s.awaiting, receivedBytes }) as const,
    ),
  fc
    .constantFrom("good", "bad-signature")
    .map(
      (verdict) => (s: UpdateState) =>
        ({ kind: "download-done", id: s.awaiting, verdict }) as const,
    ),
  fc.constant((s: UpdateState) => ({ kind: "download-failed", id: s.awaiting }) as const),
  fc
    .constantFrom("good", "postinst-failed")
    .map(
      (verdict) => (s: UpdateState) => ({ kind: "slot-written", id: s.awaiting, verdict }) as const,
    ),
  fc.tuple(fc.constantFrom(...SLOT_ORDER), fc.constantFrom("boot-1", "boot-2")).map(
    ([running, bootId]) =>
      () =>
        ({ kind: "start", running, bootId, slots: usedDisk() }) as const,
  ),
);

// Catches a step that depends on identity or on a part of the state it was not given as a draft.
test("update_engine behaves the same in place and under immer, whatever it hears", () => {
  fc.assert(
    fc.property(
      fc.array(stimulus, { maxLength: 60, size: "max" }),
      fc.boolean(),
      (script, invalidate) => {
        const slots = invalidate ? INVALIDATING : UPDATE_ENGINE_SLOTS;
        const owned = updateEngine.create(engineConfig("m", { slots }));
        let immutable = updateEngine.create(engineConfig("m", { slots }));
        const start = { kind: "start", running: "USR-A", slots: usedDisk(), bootId: "b" } as const;
        for (const [i, make] of [() => start, ...script].entries()) {
          const next = make(owned);
          const a = stepInPlace(updateEngine, owned, next, i * MINUTE);
          const b = stepImmutable(updateEngine, immutable, next, i * MINUTE);
          immutable = b.state;
          expect(b.facts).toEqual(a.facts);
          expect(b.effects).toEqual(a.effects);
          expect(immutable).toEqual(owned);
        }
      },
    ),
    { numRuns: 200 },
  );
});
