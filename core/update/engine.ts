import {
  createGenerator,
  type Machine,
  type Micros,
  type Out,
  SECOND,
  unreachable,
} from "../kernel/index.js";
import type {
  PayloadVerdict,
  UpdateConfig,
  UpdateEffect,
  UpdateFact,
  UpdateState,
  UpdateStatus,
  UpdateStimulus,
  UpdateTimer,
  WriteVerdict,
} from "./engine-state.js";
import {
  ERROR_CODE,
  ERROR_FLAG_RESUMED,
  ERROR_FLAG_TEST_SERVER,
  EVENT_RESULT,
  EVENT_TYPE,
  type OmahaEvent,
  type OmahaManifest,
  type OmahaReply,
} from "./omaha.js";
import {
  createPayloadState,
  downloadCompleted,
  downloadProgressed,
  setResponse,
  shouldBackOff,
  updateFailed,
} from "./payload.js";
import { firstCheckDelay, nextCheckDelay } from "./schedule.js";
import {
  addFlags,
  applySlotFlags,
  beginSlotWrite,
  clearFlags,
  copySlots,
  finishSlotWrite,
  installedSlots,
  otherSlot,
  prioritize,
  type SlotFlagsChange,
  type SlotName,
  viewSlots,
} from "./slots.js";

/** libcurl_http_fetcher: a download that broke off is resumed 20 times, 20 s apart. */
const RESUMES_MAX = 20;
const RESUME_DELAY: Micros = 20 * SECOND;

type UpdateOut = Out<UpdateFact, UpdateEffect>;

/**
 * update_engine, CoreOS's: asks the update service, downloads into the slot that is not running,
 * makes it the next to boot, and marks the running slot good when it has been up for a while.
 *
 * Events to the service are sent once and believed delivered; a lost one never fails an update.
 * The inactive slot keeps its flags while it is overwritten, unless the variant says otherwise.
 * Not modelled: resuming a download after the daemon died, delta payloads' source slot, PCR policy.
 *
 * Source: flatcar/update_engine 0.4.2, update_attempter.cc and the files named in this folder.
 */
export const updateEngine: Machine<
  UpdateConfig,
  UpdateState,
  UpdateStimulus,
  UpdateFact,
  UpdateEffect
> = {
  name: "update",

  create(config) {
    return {
      config,
      running: null,
      slots: installedSlots("0.0.0"),
      bootId: "",
      status: "IDLE",
      stage: "none",
      manifest: null,
      writing: false,
      resumes: 0,
      failure: 0,
      received: 0,
      awaiting: 0,
      nextId: 1,
      schedule: { lastIntervalSeconds: 0, pollIntervalSeconds: 0, httpStatus: 0, scheduled: false },
      markedGood: false,
      prefs: { previousVersion: null, payload: createPayloadState() },
      generator: createGenerator(config.seed, `update/${config.machineId}`),
    };
  },

  step(state, stimulus, now, out) {
    if (stimulus.kind === "start") {
      start(state, stimulus.running, stimulus, out);
      return;
    }
    const { running } = state;
    if (running === null) return;
    switch (stimulus.kind) {
      case "timer":
        timerFired(state, running, stimulus.timer, out);
        return;
      case "attempt-update":
        beginCheck(state, running, out);
        return;
      case "reset-status":
        resetStatus(state, running, out);
        return;
      case "omaha-reply":
        if (take(state, stimulus.id)) replied(state, running, stimulus.reply, now, out);
        return;
      case "download-progress":
        if (state.stage !== "download" || stimulus.id !== state.awaiting) return;
        if (stimulus.receivedBytes > state.received) {
          bytesReceived(state, running, stimulus.receivedBytes, out);
        }
        return;
      case "download-done":
        if (state.stage === "download" && take(state, stimulus.id)) {
          downloaded(state, running, stimulus.verdict, now, out);
        }
        return;
      case "download-failed":
        if (state.stage === "download" && take(state, stimulus.id)) {
          downloadFailed(state, running, now, out);
        }
        return;
      case "slot-written":
        if (state.stage === "write" && take(state, stimulus.id)) {
          written(state, running, stimulus.verdict, now, out);
        }
        return;
      default:
        unreachable(stimulus);
    }
  },
};

function start(
  state: UpdateState,
  running: SlotName,
  { slots, bootId }: Extract<UpdateStimulus, { kind: "start" }>,
  out: UpdateOut,
): void {
  // The marker of a finished update is in /var/run: it outlives the daemon, not the boot.
  const installed = bootId === state.bootId && state.status === "UPDATED_NEED_REBOOT";
  if (bootId !== state.bootId) state.markedGood = false;
  state.running = running;
  state.slots = copySlots(slots);
  state.bootId = bootId;
  state.stage = "none";
  state.awaiting = 0;
  state.writing = false;
  state.failure = 0;
  if (!installed) state.manifest = null;
  state.status = installed ? "UPDATED_NEED_REBOOT" : "IDLE";
  out.facts.push(slotsFact(state, running));
  out.facts.push(statusFact(state, running));
  if (state.config.enabled) {
    state.schedule.httpStatus = 0;
    state.schedule.pollIntervalSeconds = 0;
    state.schedule.scheduled = true;
    arm("check", firstCheckDelay(state.schedule, state.generator, state.config.checks), out);
  }
  arm("mark-good", state.config.slots.markGoodDelay, out);
}

function timerFired(state: UpdateState, running: SlotName, timer: string, out: UpdateOut): void {
  switch (timer) {
    case "check":
      state.schedule.scheduled = false;
      beginCheck(state, running, out);
      return;
    case "mark-good":
      markGood(state, running, out);
      return;
    case "download-resume":
      if (state.stage === "download-pause") beginDownload(state, running, out);
      return;
    default:
  }
}

/** Once a boot; not while an installed update waits, whose priority it would take away. */
function markGood(state: UpdateState, running: SlotName, out: UpdateOut): void {
  if (state.markedGood || state.status === "UPDATED_NEED_REBOOT") return;
  state.markedGood = true;
  const good = addFlags(state.slots, running, { successful: true, tries: 0 });
  writeFlags(state, "mark-good", good, out);
  writeFlags(state, "prioritize", prioritize(state.slots, running), out);
  out.facts.push({ kind: "update.marked-good", slot: running });
  out.facts.push(slotsFact(state, running));
}

function isMarkedGood(state: UpdateState, running: SlotName): boolean {
  return state.markedGood || state.slots[running].successful;
}

function beginCheck(state: UpdateState, running: SlotName, out: UpdateOut): void {
  if (state.stage !== "none") return;
  if (state.status === "UPDATED_NEED_REBOOT") {
    state.stage = "ping";
    sendOmaha(state, running, { events: [], updateCheck: false }, out);
    return;
  }
  if (state.config.markGoodGate === true && !isMarkedGood(state, running)) {
    scheduleNext(state, out);
    return;
  }
  markGood(state, running, out);
  setStatus(state, running, "CHECKING_FOR_UPDATE", out);
  state.stage = "check";
  sendOmaha(state, running, { events: [bootEvent(state, running)], updateCheck: true }, out);
}

/**
 * Every check says that the last update completed, and from which version. The pref is cleared
 * when the request is built, so a request that fails loses the news.
 */
function bootEvent(state: UpdateState, running: SlotName): OmahaEvent {
  const previousVersion = state.prefs.previousVersion ?? "0.0.0.0";
  state.prefs.previousVersion = "";
  const type = EVENT_TYPE.updateComplete;
  if (state.config.rollbackDetection && previousVersion === state.slots[running].version) {
    return { type, result: EVENT_RESULT.error, errorCode: ERROR_CODE.rolledBack, previousVersion };
  }
  return { type, result: EVENT_RESULT.successReboot, previousVersion };
}

function replied(
  state: UpdateState,
  running: SlotName,
  reply: OmahaReply,
  now: Micros,
  out: UpdateOut,
): void {
  switch (state.stage) {
    case "check":
      checked(state, running, reply, now, out);
      return;
    case "report-download-started":
      state.resumes = 0;
      state.received = 0;
      beginDownload(state, running, out);
      return;
    case "report-download-finished":
      finishWrite(state, running, out);
      return;
    case "report-complete":
      state.stage = "none";
      setStatus(state, running, "UPDATED_NEED_REBOOT", out);
      scheduleNext(state, out);
      return;
    case "report-error":
      state.failure = 0;
      idle(state, running, out);
      return;
    case "ping":
      state.stage = "none";
      scheduleNext(state, out);
      return;
    case "none":
    case "download":
    case "download-pause":
    case "write":
      return;
    default:
      unreachable(state.stage);
  }
}

/** The answer to a check; the response handler decides whether to follow it. */
function checked(
  state: UpdateState,
  running: SlotName,
  reply: OmahaReply,
  now: Micros,
  out: UpdateOut,
): void {
  if (!reply.ok) {
    state.schedule.httpStatus = reply.status ?? 0;
    const result = reply.status === null ? "no-answer" : "http-error";
    out.facts.push({ kind: "update.checked", result });
    fail(state, running, ERROR_CODE.httpBase + (reply.status ?? 0), now, out);
    return;
  }
  state.schedule.httpStatus = 200;
  state.schedule.pollIntervalSeconds = reply.response.pollIntervalSeconds ?? 0;
  const { updateCheck } = reply.response;
  if (updateCheck?.status === "noupdate") {
    out.facts.push({ kind: "update.checked", result: "noupdate" });
    idle(state, running, out);
    return;
  }
  if (updateCheck?.status !== "ok" || updateCheck.manifest.urls.length === 0) {
    out.facts.push({ kind: "update.checked", result: "invalid" });
    fail(state, running, ERROR_CODE.omahaResponseInvalid, now, out);
    return;
  }
  const { manifest } = updateCheck;
  setResponse(state.prefs.payload, manifest);
  if (shouldBackOff(state.prefs.payload, manifest, now)) {
    out.facts.push({ kind: "update.checked", result: "deferred" });
    fail(state, running, ERROR_CODE.omahaUpdateDeferredForBackoff, now, out);
    return;
  }
  out.facts.push({ kind: "update.checked", result: "update" });
  state.manifest = manifest;
  setStatus(state, running, "UPDATE_AVAILABLE", out);
  state.stage = "report-download-started";
  sendEvent(state, running, EVENT_TYPE.downloadStarted, out);
}

function beginDownload(state: UpdateState, running: SlotName, out: UpdateOut): void {
  const { sizeBytes, urls } = manifestOf(state);
  const url = urls[state.prefs.payload.urlIndex] ?? urls[0] ?? "";
  state.stage = "download";
  const id = awaitAnswer(state);
  out.effects.push({ kind: "download", id, url, sizeBytes, offsetBytes: state.received });
  if (state.received > 0) setStatus(state, running, "DOWNLOADING", out);
}

function bytesReceived(
  state: UpdateState,
  running: SlotName,
  receivedBytes: number,
  out: UpdateOut,
): void {
  state.received = receivedBytes;
  downloadProgressed(state.prefs.payload);
  if (!state.writing) beginWrite(state, running, out);
}

/** Payload operations are applied as they stream in: the first byte already spoils the old image. */
function beginWrite(state: UpdateState, running: SlotName, out: UpdateOut): void {
  const slot = otherSlot(running);
  const { sizeBytes, version } = manifestOf(state);
  state.writing = true;
  setStatus(state, running, "DOWNLOADING", out);
  if (state.config.slots.invalidateBeforeWrite) {
    writeFlags(state, "invalidate", clearFlags(slot), out);
  }
  beginSlotWrite(state.slots, running, slot, version);
  out.effects.push({ kind: "slot-write", id: 0, slot, step: "begin", version, sizeBytes });
  out.facts.push(slotsFact(state, running));
}

function downloaded(
  state: UpdateState,
  running: SlotName,
  verdict: PayloadVerdict,
  now: Micros,
  out: UpdateOut,
): void {
  const manifest = manifestOf(state);
  bytesReceived(state, running, manifest.sizeBytes, out);
  if (verdict !== "good") {
    fail(state, running, payloadError(verdict), now, out);
    return;
  }
  downloadCompleted(state.prefs.payload, manifest, now, state.generator);
  setStatus(state, running, "FINALIZING", out);
  state.stage = "report-download-finished";
  sendEvent(state, running, EVENT_TYPE.downloadFinished, out);
}

function downloadFailed(state: UpdateState, running: SlotName, now: Micros, out: UpdateOut): void {
  if (state.resumes >= RESUMES_MAX) {
    fail(state, running, ERROR_CODE.downloadTransfer, now, out);
    return;
  }
  state.resumes += 1;
  state.stage = "download-pause";
  arm("download-resume", RESUME_DELAY, out);
}

function finishWrite(state: UpdateState, running: SlotName, out: UpdateOut): void {
  const slot = otherSlot(running);
  const { sizeBytes, version } = manifestOf(state);
  state.stage = "write";
  const id = awaitAnswer(state);
  out.effects.push({ kind: "slot-write", id, slot, step: "finish", version, sizeBytes });
}

function written(
  state: UpdateState,
  running: SlotName,
  verdict: WriteVerdict,
  now: Micros,
  out: UpdateOut,
): void {
  state.writing = false;
  if (verdict !== "good") {
    fail(state, running, writeError(verdict), now, out);
    return;
  }
  const slot = otherSlot(running);
  finishSlotWrite(state.slots, running, slot);
  // Two writes of the partition table, as postinst makes them; power may go in between.
  const { tries } = state.config.slots;
  writeFlags(state, "install", addFlags(state.slots, slot, { successful: false, tries }), out);
  writeFlags(state, "prioritize", prioritize(state.slots, slot), out);
  out.facts.push(slotsFact(state, running));
  state.prefs.previousVersion = state.slots[running].version;
  state.stage = "report-complete";
  sendEvent(state, running, EVENT_TYPE.updateComplete, out);
}

/** Ends the pipeline with an error event, which is sent once and best effort. */
function fail(
  state: UpdateState,
  running: SlotName,
  code: number,
  now: Micros,
  out: UpdateOut,
): void {
  if (state.manifest !== null) {
    updateFailed(state.prefs.payload, state.manifest, code, now, state.generator);
  }
  state.failure = code;
  state.writing = false;
  setStatus(state, running, "REPORTING_ERROR_EVENT", out);
  out.facts.push({ kind: "update.failed", code });
  state.stage = "report-error";
  const deferred =
    code === ERROR_CODE.omahaUpdateIgnoredPerPolicy ||
    code === ERROR_CODE.omahaUpdateDeferredPerPolicy ||
    code === ERROR_CODE.omahaUpdateDeferredForBackoff;
  const event: OmahaEvent = {
    type: EVENT_TYPE.updateComplete,
    result: deferred ? EVENT_RESULT.deferred : EVENT_RESULT.error,
    errorCode: code | errorFlags(state),
  };
  sendOmaha(state, running, { events: [event], updateCheck: false }, out);
}

function errorFlags(state: UpdateState): number {
  const server = state.config.officialServer ? 0 : ERROR_FLAG_TEST_SERVER;
  return state.resumes > 0 && state.manifest !== null ? server | ERROR_FLAG_RESUMED : server;
}

/** The flags stay: the host still boots the new slot next time, and the next update overwrites it. */
function resetStatus(state: UpdateState, running: SlotName, out: UpdateOut): void {
  if (state.status !== "UPDATED_NEED_REBOOT") return;
  state.stage = "none";
  state.awaiting = 0;
  idle(state, running, out);
}

function idle(state: UpdateState, running: SlotName, out: UpdateOut): void {
  state.stage = "none";
  state.manifest = null;
  setStatus(state, running, "IDLE", out);
  scheduleNext(state, out);
}

function scheduleNext(state: UpdateState, out: UpdateOut): void {
  if (state.schedule.scheduled || !state.config.enabled) return;
  state.schedule.scheduled = true;
  arm("check", nextCheckDelay(state.schedule, state.generator, state.config.checks), out);
}

function setStatus(
  state: UpdateState,
  running: SlotName,
  status: UpdateStatus,
  out: UpdateOut,
): void {
  if (state.status === status) return;
  state.status = status;
  const fact = statusFact(state, running);
  out.facts.push(fact);
  out.effects.push({ kind: "status-signal", status, version: fact.version });
}

function statusFact(
  state: UpdateState,
  running: SlotName,
): Extract<UpdateFact, { kind: "update.status" }> {
  const version = state.manifest?.version ?? state.slots[running].version ?? "";
  return { kind: "update.status", status: state.status, version };
}

function slotsFact(state: UpdateState, running: SlotName): UpdateFact {
  return { kind: "update.slots", running, slots: viewSlots(state.slots) };
}

function writeFlags(
  state: UpdateState,
  reason: Extract<UpdateEffect, { kind: "slot-flags" }>["reason"],
  changes: readonly SlotFlagsChange[],
  out: UpdateOut,
): void {
  applySlotFlags(state.slots, changes);
  out.effects.push({ kind: "slot-flags", reason, changes });
}

function sendEvent(state: UpdateState, running: SlotName, type: number, out: UpdateOut): void {
  const events = [{ type, result: EVENT_RESULT.success }];
  sendOmaha(state, running, { events, updateCheck: false }, out);
}

function sendOmaha(
  state: UpdateState,
  running: SlotName,
  what: { readonly events: readonly OmahaEvent[]; readonly updateCheck: boolean },
  out: UpdateOut,
): void {
  const { appId, machineId, track } = state.config;
  const version = state.slots[running].version ?? "";
  // Checks and the ping of a host that waits for its reboot carry a ping; events go alone.
  const ping = what.events.length === 0 || what.updateCheck;
  const request = { appId, machineId, track, version, bootId: state.bootId, ping, ...what };
  out.effects.push({ kind: "omaha", id: awaitAnswer(state), request });
}

/** A new id, and the note that its answer is awaited. */
function awaitAnswer(state: UpdateState): number {
  const id = state.nextId;
  state.nextId = id + 1;
  state.awaiting = id;
  return id;
}

/** Whether this answer is the awaited one; then none is any more. */
function take(state: UpdateState, id: number): boolean {
  if (state.awaiting !== id) return false;
  state.awaiting = 0;
  return true;
}

function arm(timer: UpdateTimer, delay: Micros, out: UpdateOut): void {
  out.effects.push({ kind: "arm-timer", timer, delay });
}

function manifestOf(state: UpdateState): OmahaManifest {
  if (state.manifest === null) throw new Error(`no manifest in stage ${state.stage}`);
  return state.manifest;
}

function payloadError(verdict: Exclude<PayloadVerdict, "good">): number {
  switch (verdict) {
    case "hash-mismatch":
      return ERROR_CODE.payloadHashMismatch;
    case "size-mismatch":
      return ERROR_CODE.payloadSizeMismatch;
    case "bad-signature":
      return ERROR_CODE.payloadVerification;
    default:
      return unreachable(verdict);
  }
}

function writeError(verdict: Exclude<WriteVerdict, "good">): number {
  switch (verdict) {
    case "bad-root-hash":
      return ERROR_CODE.newRootfsVerification;
    case "bad-kernel-hash":
      return ERROR_CODE.newKernelVerification;
    case "postinst-failed":
      return ERROR_CODE.postinstallRunner;
    default:
      return unreachable(verdict);
  }
}
