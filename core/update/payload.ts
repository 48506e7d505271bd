import { DAY, type Generator, HOUR, type Micros, nextBelow } from "../kernel/index.js";
import { ERROR_CODE, type OmahaManifest } from "./omaha.js";

/** Failed transfers of one URL before the next is tried, unless the server says otherwise. */
const FAILURES_PER_URL = 10;
const BACKOFF_CAP_DAYS = 16;
const BACKOFF_FUZZ: Micros = 6 * HOUR;

/** Progress over the URLs of one payload, kept in prefs. Source: update_engine payload_state.cc. */
export interface PayloadState {
  /** What makes two responses the same payload; a change resets everything. */
  signature: string;
  urlIndex: number;
  /** Failed transfers of the present URL since its last received byte. */
  urlFailures: number;
  /** Full passes: URL list exhausted, or a payload entirely downloaded. */
  attempts: number;
  /** No download before this time; 0: none. */
  backoffUntil: Micros;
}

export function createPayloadState(): PayloadState {
  return { signature: "", urlIndex: 0, urlFailures: 0, attempts: 0, backoffUntil: 0 };
}

/** Takes note of a response; another payload than before forgets failures, attempts and backoff. */
export function setResponse(state: PayloadState, manifest: OmahaManifest): void {
  const signature = [
    manifest.version,
    manifest.sha256,
    String(manifest.sizeBytes),
    String(manifest.isDelta),
    String(manifest.maxFailureCountPerUrl),
    String(manifest.disablePayloadBackoff),
    ...manifest.urls,
  ].join("\n");
  if (signature === state.signature) {
    if (state.urlIndex >= manifest.urls.length) state.urlIndex = 0;
    return;
  }
  Object.assign(state, createPayloadState());
  state.signature = signature;
}

/** Whether the download has to wait. Never for deltas, nor when the server disables backoff. */
export function shouldBackOff(state: PayloadState, manifest: OmahaManifest, now: Micros): boolean {
  if (manifest.isDelta || manifest.disablePayloadBackoff) return false;
  return state.backoffUntil > now;
}

/** Bytes arrived: the URL works, its failures are forgotten. */
export function downloadProgressed(state: PayloadState): void {
  state.urlFailures = 0;
}

/** The whole payload is here: the attempt counts, whatever comes of it. */
export function downloadCompleted(
  state: PayloadState,
  manifest: OmahaManifest,
  now: Micros,
  generator: Generator,
): void {
  countAttempt(state, manifest, now, generator);
}

/**
 * An update failed. What is wrong with the payload moves on to the next URL at once; what is wrong
 * with the connection is counted; the rest says nothing about the URL.
 */
export function updateFailed(
  state: PayloadState,
  manifest: OmahaManifest,
  code: number,
  now: Micros,
  generator: Generator,
): void {
  switch (code) {
    case ERROR_CODE.payloadHashMismatch:
    case ERROR_CODE.payloadSizeMismatch:
    case ERROR_CODE.payloadVerification:
      advanceUrl(state, manifest, now, generator);
      return;
    case ERROR_CODE.downloadTransfer:
      state.urlFailures += 1;
      if (state.urlFailures >= (manifest.maxFailureCountPerUrl ?? FAILURES_PER_URL)) {
        advanceUrl(state, manifest, now, generator);
      }
      return;
    default:
      return;
  }
}

function advanceUrl(
  state: PayloadState,
  manifest: OmahaManifest,
  now: Micros,
  generator: Generator,
): void {
  state.urlFailures = 0;
  state.urlIndex += 1;
  if (state.urlIndex < manifest.urls.length) return;
  state.urlIndex = 0;
  countAttempt(state, manifest, now, generator);
}

/** Attempt n puts the next one off by 2^(n-1) days, at most 16, give or take six hours. */
function countAttempt(
  state: PayloadState,
  manifest: OmahaManifest,
  now: Micros,
  generator: Generator,
): void {
  if (manifest.isDelta) return;
  state.attempts += 1;
  const days = state.attempts > 5 ? BACKOFF_CAP_DAYS : 2 ** (state.attempts - 1);
  const fuzzSeconds = (2 * BACKOFF_FUZZ) / 1_000_000;
  const fuzz = nextBelow(generator, fuzzSeconds + 1) * 1_000_000 - BACKOFF_FUZZ;
  state.backoffUntil = now + Math.min(days, BACKOFF_CAP_DAYS) * DAY + fuzz;
}
