import type { EtcdReply, V2Request } from "../etcd/client.js";
import {
  DAY,
  type Machine,
  MINUTE,
  type Micros,
  type Out,
  SECOND,
  unreachable,
} from "../kernel/index.js";
import type {
  LockAttempt,
  LocksmithConfig,
  LocksmithEffect,
  LocksmithFact,
  LocksmithPhase,
  LocksmithState,
  LocksmithStimulus,
} from "./locksmithd-state.js";
import {
  changeFor,
  createSemaphoreRequest,
  describeFailure,
  getSemaphoreRequest,
  readSemaphore,
  semaphoreCreated,
  setSemaphoreRequest,
} from "./reboot-lock.js";
import type { Semaphore } from "./semaphore.js";
import { durationToStartNs, parseWindow } from "./window.js";
import { zoneOf } from "./zone.js";

/** locksmithctl/daemon.go: initialInterval, maxInterval, loginsRebootDelay, and the sleep after a reboot call. */
const INITIAL_INTERVAL: Micros = 5 * SECOND;
const MAX_INTERVAL: Micros = 5 * MINUTE;
const LOGIN_DELAY: Micros = 5 * MINUTE;
const REBOOT_PATIENCE: Micros = 7 * DAY;

type Timer = "release" | "window" | "lock-retry" | "login" | "reboot-patience";
const TIMERS: readonly Timer[] = ["release", "window", "lock-retry", "login", "reboot-patience"];

type LocksmithOut = Out<LocksmithFact, LocksmithEffect>;

/**
 * locksmithd: waits for update_engine to want a reboot, then for the reboot window, then for the
 * lock, then reboots, and gives the lock back five seconds after it runs again.
 *
 * Three things are as in locksmith 0.6 and surprise people. The window is looked at once, before
 * the wait for the lock, so the reboot may fall outside it. An own lock that was not released when
 * the next reboot is wanted stays held through the window wait. And five seconds after start says
 * nothing about health: neither update_engine's mark-good nor an etcd member is done by then.
 *
 * Sources: locksmith locksmithctl/daemon.go, lock/etcd.go at v0.6.2.
 */
export const locksmithd: Machine<
  LocksmithConfig,
  LocksmithState,
  LocksmithStimulus,
  LocksmithFact,
  LocksmithEffect
> = {
  name: "locksmithd",

  create(config) {
    return {
      config,
      phase: "stopped",
      attempt: null,
      releasing: false,
      healthy: false,
      rebootNeeded: false,
      releaseInterval: INITIAL_INTERVAL,
      lockInterval: INITIAL_INTERVAL,
      nextCallId: 1,
      quorumAsked: false,
      rebootsSent: 0,
    };
  },

  step(state, stimulus, now, out) {
    switch (stimulus.kind) {
      case "start":
        start(state, out);
        if (stimulus.status === "UPDATED_NEED_REBOOT") rebootNeeded(state, now, out);
        return;
      case "stop":
        if (isAlive(state)) exit(state, 0, out);
        return;
      case "update-status":
        if (stimulus.status === "UPDATED_NEED_REBOOT") rebootNeeded(state, now, out);
        return;
      case "healthy":
        healthy(state, out);
        return;
      case "quorum-checked":
        quorumChecked(state, stimulus.ok, out);
        return;
      case "timer":
        timerFired(state, stimulus.timer, out);
        return;
      case "etcd-reply":
        if (isAlive(state) && state.attempt?.callId === stimulus.id) {
          replied(state, state.attempt, stimulus.reply, now, out);
        }
        return;
      default:
        unreachable(stimulus);
    }
  },
};

function isAlive(state: LocksmithState): boolean {
  return state.phase !== "stopped" && state.phase !== "exited";
}

function usesLock(config: LocksmithConfig): boolean {
  return (
    config.strategy === "etcd-lock" || (config.strategy === "best-effort" && config.etcdActive)
  );
}

function start(state: LocksmithState, out: LocksmithOut): void {
  const { config } = state;
  state.attempt = null;
  state.releasing = false;
  state.healthy = false;
  state.rebootNeeded = false;
  state.releaseInterval = INITIAL_INTERVAL;
  state.lockInterval = INITIAL_INTERVAL;
  state.quorumAsked = false;
  state.rebootsSent = 0;
  if (config.strategy === "off") {
    exit(state, 0, out);
    return;
  }
  const { windowStart, windowLength } = config;
  const halfSet = (windowStart === "") !== (windowLength === "");
  if (halfSet || (windowStart !== "" && !parseWindow(windowStart, windowLength).ok)) {
    exit(state, 1, out);
    return;
  }
  enter(state, "running", out);
  if (!usesLock(config)) return;
  state.releasing = true;
  if (config.healthGate) waiting("healthy", out);
  else arm("release", INITIAL_INTERVAL, out);
}

function healthy(state: LocksmithState, out: LocksmithOut): void {
  if (!isAlive(state) || state.healthy) return;
  state.healthy = true;
  if (state.config.healthGate && state.phase === "running" && state.releasing) {
    beginAttempt(state, "release", out);
  }
}

function timerFired(state: LocksmithState, timer: string, out: LocksmithOut): void {
  switch (timer) {
    case "release":
      if (state.phase === "running" && state.releasing) beginAttempt(state, "release", out);
      return;
    case "window":
      if (state.phase === "waiting-for-window") planReboot(state, out);
      return;
    case "lock-retry":
      if (state.phase === "reboot-planned") tryLock(state, out);
      return;
    case "login":
      if (state.phase === "login-delay") sendReboot(state, out);
      return;
    case "reboot-patience":
      if (state.phase === "rebooting") rebootDidNotHappen(state, out);
      return;
    default:
  }
}

/** The background release is told to stop; one that is under way is waited for. */
function rebootNeeded(state: LocksmithState, now: Micros, out: LocksmithOut): void {
  if (state.phase !== "running" || state.rebootNeeded) return;
  state.rebootNeeded = true;
  // With the gate on, an own lock covers the host until it is healthy; it is not cleared before.
  if (state.config.healthGate && !state.healthy && state.releasing) return;
  if (state.releasing) {
    state.releasing = false;
    cancel("release", out);
  }
  if (state.attempt === null) waitForWindow(state, now, out);
}

/** Looked at once. */
function waitForWindow(state: LocksmithState, now: Micros, out: LocksmithOut): void {
  const { config } = state;
  const parsed = parseWindow(config.windowStart, config.windowLength);
  const delayNs = parsed.ok
    ? durationToStartNs(parsed.window, config.epoch + now, zoneOf(config.zone))
    : 0;
  if (delayNs <= 0) {
    planReboot(state, out);
    return;
  }
  enter(state, "waiting-for-window", out);
  waiting("window", out);
  arm("window", Math.ceil(delayNs / 1_000), out);
}

function planReboot(state: LocksmithState, out: LocksmithOut): void {
  enter(state, "reboot-planned", out);
  const { config } = state;
  if (usesLock(config)) beginAttempt(state, "clear", out);
  else if (config.strategy === "reboot" || config.strategy === "best-effort") reboot(state, out);
  else exit(state, 1, out);
}

function tryLock(state: LocksmithState, out: LocksmithOut): void {
  if (!state.config.quorumGate) {
    beginAttempt(state, "lock", out);
    return;
  }
  state.quorumAsked = true;
  out.effects.push({ kind: "quorum-check" });
}

function quorumChecked(state: LocksmithState, ok: boolean, out: LocksmithOut): void {
  if (!state.quorumAsked || state.phase !== "reboot-planned") return;
  state.quorumAsked = false;
  if (ok) beginAttempt(state, "lock", out);
  else retryLock(state, "quorum", out);
}

function retryLock(state: LocksmithState, reason: string, out: LocksmithOut): void {
  state.lockInterval = doubled(state.lockInterval);
  waiting(reason, out);
  arm("lock-retry", state.lockInterval, out);
}

function beginAttempt(
  state: LocksmithState,
  purpose: LockAttempt["purpose"],
  out: LocksmithOut,
): void {
  const { group } = state.config;
  // The lock loop goes on with the client that cleared; the others make their own.
  const step = purpose === "lock" ? "get" : "create";
  const attempt: LockAttempt = { purpose, step, callId: 0, written: null, prevIndex: 0 };
  state.attempt = attempt;
  const request = step === "get" ? getSemaphoreRequest(group) : createSemaphoreRequest(group);
  attempt.callId = call(state, request, out);
}

function replied(
  state: LocksmithState,
  attempt: LockAttempt,
  reply: EtcdReply,
  now: Micros,
  out: LocksmithOut,
): void {
  const { group, holder } = state.config;
  switch (attempt.step) {
    case "create": {
      const error = semaphoreCreated(reply);
      if (error !== null) {
        attemptFailed(state, attempt, error, now, out);
        return;
      }
      attempt.step = "get";
      attempt.callId = call(state, getSemaphoreRequest(group), out);
      return;
    }
    case "get": {
      const read = readSemaphore(reply);
      if (!read.ok) {
        attemptFailed(state, attempt, read.error, now, out);
        return;
      }
      const purpose = attempt.purpose === "lock" ? "lock" : "unlock";
      const change = changeFor(purpose, read.semaphore, holder);
      if (change.change === "refused") attemptFailed(state, attempt, change.error, now, out);
      else if (change.change === "already") attemptDone(state, attempt, false, now, out);
      else {
        attempt.step = "set";
        attempt.written = change.semaphore;
        attempt.prevIndex = read.index;
        const request = setSemaphoreRequest(group, change.semaphore, read.index);
        attempt.callId = call(state, request, out);
      }
      return;
    }
    case "set":
      if (!reply.ok) {
        attemptFailed(state, attempt, describeFailure(reply), now, out);
        return;
      }
      if (attempt.written !== null) out.facts.push(semaphoreFact(attempt.written));
      attemptDone(state, attempt, true, now, out);
      return;
    default:
      unreachable(attempt.step);
  }
}

function attemptDone(
  state: LocksmithState,
  attempt: LockAttempt,
  wrote: boolean,
  now: Micros,
  out: LocksmithOut,
): void {
  const { purpose } = attempt;
  const { holder } = state.config;
  state.attempt = null;
  switch (purpose) {
    case "release":
      if (wrote) out.facts.push({ kind: "lock.released", holder });
      state.releasing = false;
      if (state.rebootNeeded) waitForWindow(state, now, out);
      return;
    case "clear":
      if (wrote) out.facts.push({ kind: "lock.released", holder });
      tryLock(state, out);
      return;
    case "lock":
      // Also when the semaphore had this holder already: a write whose answer was lost.
      out.facts.push({ kind: "lock.acquired", holder });
      reboot(state, out);
      return;
    default:
      unreachable(purpose);
  }
}

function attemptFailed(
  state: LocksmithState,
  attempt: LockAttempt,
  error: string,
  now: Micros,
  out: LocksmithOut,
): void {
  const { purpose } = attempt;
  state.attempt = null;
  switch (purpose) {
    case "release":
      if (state.rebootNeeded) {
        waitForWindow(state, now, out);
        return;
      }
      state.releaseInterval = doubled(state.releaseInterval);
      waiting(`release: ${error}`, out);
      arm("release", state.releaseInterval, out);
      return;
    case "clear":
      // The daemon dies; systemd restarts it, and with it the background release.
      exit(state, 1, out);
      return;
    case "lock":
      retryLock(state, error, out);
      return;
    default:
      unreachable(purpose);
  }
}

function reboot(state: LocksmithState, out: LocksmithOut): void {
  if (state.config.loginDelay) {
    enter(state, "login-delay", out);
    arm("login", LOGIN_DELAY, out);
  } else {
    sendReboot(state, out);
  }
}

function sendReboot(state: LocksmithState, out: LocksmithOut): void {
  state.rebootsSent += 1;
  out.effects.push({ kind: "reboot", reason: "update" });
  enter(state, "rebooting", out);
  arm("reboot-patience", REBOOT_PATIENCE, out);
}

/** With the lock held it asks once more, then dies; the lock stays held. */
function rebootDidNotHappen(state: LocksmithState, out: LocksmithOut): void {
  const asks = usesLock(state.config) ? 2 : 1;
  if (state.rebootsSent < asks) reboot(state, out);
  else exit(state, 1, out);
}

function call(state: LocksmithState, request: V2Request, out: LocksmithOut): number {
  const id = state.nextCallId;
  state.nextCallId = id + 1;
  out.effects.push({ kind: "etcd-call", id, request, timeout: state.config.etcdTimeout });
  return id;
}

function enter(state: LocksmithState, phase: LocksmithPhase, out: LocksmithOut): void {
  if (state.phase === phase) return;
  state.phase = phase;
  out.facts.push({ kind: "locksmith.state", state: phase });
}

function exit(state: LocksmithState, code: number, out: LocksmithOut): void {
  if (isAlive(state)) for (const timer of TIMERS) cancel(timer, out);
  state.attempt = null;
  state.releasing = false;
  enter(state, "exited", out);
  out.effects.push({ kind: "exit", code });
}

function waiting(reason: string, out: LocksmithOut): void {
  out.facts.push({ kind: "lock.waiting", reason });
}

function arm(timer: Timer, delay: Micros, out: LocksmithOut): void {
  out.effects.push({ kind: "arm-timer", timer, delay });
}

function cancel(timer: Timer, out: LocksmithOut): void {
  out.effects.push({ kind: "cancel-timer", timer });
}

function doubled(interval: Micros): Micros {
  return Math.min(2 * interval, MAX_INTERVAL);
}

function semaphoreFact(s: Semaphore): LocksmithFact {
  return {
    kind: "lock.semaphore",
    semaphore: s.semaphore,
    max: s.max,
    holders: [...(s.holders ?? [])],
  };
}
