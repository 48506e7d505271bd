/**
 * Omaha 3.0 as CoreOS hosts speak it, as typed values. Attribute names are those of the XML; an
 * adapter encodes and decodes. Sources: go-omaha codes.go and packages.go, update_engine
 * omaha_request_action.cc.
 */

/** Event types that a CoreOS host sends (eventtype). */
export const EVENT_TYPE = {
  updateComplete: 3,
  downloadStarted: 13,
  downloadFinished: 14,
  installed: 800,
} as const;

/** Event results (eventresult). */
export const EVENT_RESULT = {
  error: 0,
  success: 1,
  successReboot: 2,
  deferred: 9,
} as const;

/** update_engine's exit codes (action_processor.h) that the model produces. */
export const ERROR_CODE = {
  success: 0,
  postinstallRunner: 5,
  downloadTransfer: 9,
  payloadHashMismatch: 10,
  payloadSizeMismatch: 11,
  payloadVerification: 12,
  newRootfsVerification: 15,
  newKernelVerification: 16,
  omahaResponseInvalid: 34,
  omahaUpdateIgnoredPerPolicy: 35,
  omahaUpdateDeferredPerPolicy: 36,
  omahaUpdateDeferredForBackoff: 40,
  /** Newer trees only: the host came back on the version it had updated from. */
  rolledBack: 44,
  /** 2000 + HTTP status. */
  httpBase: 2000,
} as const;

/** OR-ed into reported codes when the host asks a server other than the vendor's. */
export const ERROR_FLAG_TEST_SERVER = 1 << 28;

/** OR-ed into reported codes when the download had been resumed. */
export const ERROR_FLAG_RESUMED = 1 << 30;

export interface OmahaEvent {
  readonly type: number;
  readonly result: number;
  readonly errorCode?: number;
  readonly previousVersion?: string;
}

/** One `<app>` of a request. */
export interface OmahaRequest {
  readonly appId: string;
  readonly version: string;
  /** The group, by name. */
  readonly track: string;
  readonly machineId: string;
  readonly bootId: string;
  readonly events: readonly OmahaEvent[];
  readonly ping: boolean;
  readonly updateCheck: boolean;
}

export interface OmahaManifest {
  readonly version: string;
  /** Where the payload can be had, best first. */
  readonly urls: readonly string[];
  readonly packageName: string;
  readonly sizeBytes: number;
  /** Of the payload, base64. */
  readonly sha256: string;
  readonly isDelta: boolean;
  readonly disablePayloadBackoff: boolean;
  /** Failed downloads of one URL before the next is taken; 10 unless the server says otherwise. */
  readonly maxFailureCountPerUrl: number | null;
}

export type OmahaUpdateCheck =
  | { readonly status: "noupdate" }
  | { readonly status: "ok"; readonly manifest: OmahaManifest }
  /** `error-internal` and its kin: the host calls such an answer invalid. */
  | { readonly status: "error-internal" };

/** One `<app>` of a response. */
export interface OmahaResponse {
  readonly appId: string;
  /** `ok`, or `error-…`. */
  readonly appStatus: string;
  /** Null when the request asked for none. */
  readonly updateCheck: OmahaUpdateCheck | null;
  /** Seconds until the next check, when the server wants to say. */
  readonly pollIntervalSeconds: number | null;
}

/** What became of a request: an answer, an HTTP error, or nothing at all. */
export type OmahaReply =
  | { readonly ok: true; readonly response: OmahaResponse }
  /** `status` is null when no HTTP answer came. */
  | { readonly ok: false; readonly status: number | null };
