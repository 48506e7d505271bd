import { unreachable } from "../kernel/index.js";
import {
  applySlotFlags,
  copySlots,
  type UpdateEffect,
  type UpdateStimulus,
  updateEngine,
} from "../update/index.js";
import { armTimer, type HostStep } from "./context.js";
import { isProven } from "./health.js";
import { packetBytes } from "./packet.js";
import type { HostState } from "./state.js";

/** update_engine starts, with the partition table as it is and the preferences it left. */
export function startUpdateEngine(step: HostStep): void {
  const { host } = step;
  if (host.running === null) return;
  host.updateRunning = true;
  stepUpdate(step, {
    kind: "start",
    running: host.running,
    slots: copySlots(host.slots),
    bootId: bootId(step),
  });
}

export function stopUpdateEngine(step: HostStep): void {
  step.host.updateRunning = false;
}

export function stepUpdate(step: HostStep, stimulus: UpdateStimulus): void {
  const { host } = step;
  if (!host.updateRunning) return;
  const effects: UpdateEffect[] = [];
  updateEngine.step(host.update, stimulus, step.now, { facts: step.out.facts, effects });
  for (const effect of effects) performUpdate(step, effect);
}

/** Names the boot, so that update_engine can tell a reboot from a restart. */
export function bootId(step: HostStep): string {
  return `${step.host.config.machineId.slice(0, 24)}${String(step.host.boots).padStart(8, "0")}`;
}

function performUpdate(step: HostStep, effect: UpdateEffect): void {
  const { out } = step;
  switch (effect.kind) {
    case "omaha":
      sendOmaha(step, effect);
      return;
    case "download":
      out.effects.push({
        kind: "download",
        id: effect.id,
        sizeBytes: effect.sizeBytes,
        offsetBytes: effect.offsetBytes,
      });
      return;
    case "slot-write":
      writeSlot(step, effect);
      return;
    case "slot-flags":
      applySlotFlags(step.host.slots, effect.changes);
      return;
    case "status-signal":
      step.inbox.push({
        to: "locksmith",
        stimulus: { kind: "update-status", status: effect.status },
      });
      return;
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "update", effect);
      return;
    default:
      unreachable(effect);
  }
}

function sendOmaha(step: HostStep, effect: Extract<UpdateEffect, { kind: "omaha" }>): void {
  const { updateNode } = step.host.config;
  if (updateNode === null) {
    const reply = { ok: false, status: null } as const;
    step.inbox.push({ to: "update", stimulus: { kind: "omaha-reply", id: effect.id, reply } });
    return;
  }
  const packet = { kind: "omaha-request", id: effect.id, request: effect.request } as const;
  step.out.effects.push({ kind: "send", to: updateNode, packet, bytes: packetBytes(packet) });
  const timer = `omaha:${effect.id}`;
  armTimer(step, "host", { kind: "arm-timer", timer, delay: OMAHA_TIMEOUT });
}

/** The service's answer, or null when it did not come. */
export function omahaAnswered(
  step: HostStep,
  id: number,
  reply: Extract<UpdateStimulus, { kind: "omaha-reply" }>["reply"] | null,
): void {
  armTimer(step, "host", { kind: "cancel-timer", timer: `omaha:${id}` });
  stepUpdate(step, { kind: "omaha-reply", id, reply: reply ?? { ok: false, status: null } });
}

/** The image behind a slot changes on disk; the running slot is never written. */
function writeSlot(step: HostStep, effect: Extract<UpdateEffect, { kind: "slot-write" }>): void {
  const { host, out } = step;
  if (effect.slot === host.running) throw new Error(`${host.config.name} writes its running slot`);
  const slot = host.slots[effect.slot];
  slot.complete = false;
  slot.version = effect.version;
  if (effect.step === "begin") return;
  const { id, slot: name, version, sizeBytes } = effect;
  out.effects.push({ kind: "slot-write", id, slot: name, version, sizeBytes });
}

/** The rest of the image is on disk and was read back. */
export function slotWritten(
  step: HostStep,
  stimulus: Extract<UpdateStimulus, { kind: "slot-written" }>,
): void {
  const { host } = step;
  if (host.running !== null && stimulus.verdict === "good") {
    host.slots[host.running === "USR-A" ? "USR-B" : "USR-A"].complete = true;
  }
  stepUpdate(step, stimulus);
}

/**
 * Whether the running slot may be marked good. One that may not keeps its spent tries, so a reset
 * brings the other one back; one that was marked before has none to spend and is left alone.
 */
export function mayMarkGood(host: HostState): boolean {
  if (!host.config.safeguards.markGoodGate || host.running === null) return true;
  return host.slots[host.running].successful || isProven(host);
}

/** update_engine's connect timeout and its patience with a silent server. */
const OMAHA_TIMEOUT = 30_000_000;
