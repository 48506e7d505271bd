import type { ArmTimer, CancelTimer, Generator, TimerFired } from "../kernel/index.js";
import type { OmahaManifest, OmahaReply, OmahaRequest } from "./omaha.js";
import type { PayloadState } from "./payload.js";
import type { CheckSchedule, CheckTimes } from "./schedule.js";
import type { SlotFlagsChange, SlotName, Slots, SlotVariant, SlotView } from "./slots.js";

/** update_engine's D-Bus status (update_attempter.h). VERIFYING is declared there and never set. */
export type UpdateStatus =
  | "IDLE"
  | "CHECKING_FOR_UPDATE"
  | "UPDATE_AVAILABLE"
  | "DOWNLOADING"
  | "VERIFYING"
  | "FINALIZING"
  | "UPDATED_NEED_REBOOT"
  | "REPORTING_ERROR_EVENT";

export interface UpdateConfig {
  readonly appId: string;
  readonly machineId: string;
  /** The group the host asks for. */
  readonly track: string;
  /** SERVER=disabled: never checks. */
  readonly enabled: boolean;
  /** False: some other server than the vendor's; reported codes then carry a flag. */
  readonly officialServer: boolean;
  /**
   * Newer trees: coming back on the version updated from is reported as 3/0 with code 44. The old
   * tree reports 3/2 with `previousversion`, which makes a rollback look like success.
   */
  readonly rollbackDetection: boolean;
  readonly slots: SlotVariant;
  /**
   * A safeguard the real engine lacks: a check does not mark a new slot good, and none is made
   * until the `mark-good` timer has; whoever delivers that timer decides whether to. Absent: false.
   */
  readonly markGoodGate?: boolean;
  /** When it asks, each end included; absent: CoreOS's own 7 ± 5 and 45 ± 5 minutes. */
  readonly checks?: CheckTimes;
  /** Of the fuzz of its timers. */
  readonly seed: number;
}

/** What update_engine is waiting for. One pipeline runs at a time. */
export type Stage =
  | "none"
  | "check"
  | "ping"
  | "report-download-started"
  | "download"
  | "download-pause"
  | "report-download-finished"
  | "write"
  | "report-complete"
  | "report-error";

/** Prefs: kept on the ROOT partition, so they outlive reboots and rollbacks alike. */
export interface Preferences {
  /** Version that was running when an update was installed; "" once reported; null before the first. */
  previousVersion: string | null;
  payload: PayloadState;
}

export interface UpdateState {
  readonly config: UpdateConfig;
  /** Null until started. */
  running: SlotName | null;
  /** The disk's slots as this engine knows them. */
  slots: Slots;
  bootId: string;
  status: UpdateStatus;
  stage: Stage;
  /** What is being installed; after that, what waits for the reboot. */
  manifest: OmahaManifest | null;
  /** First bytes of the payload have reached the inactive slot. */
  writing: boolean;
  /** Resumes of the present download. */
  resumes: number;
  /** Why the update failed, while that is being reported; 0 otherwise. */
  failure: number;
  /** Bytes of the payload received. */
  received: number;
  /** Id of the outstanding request, download or write; 0: none. */
  awaiting: number;
  nextId: number;
  schedule: CheckSchedule;
  /** The boot flags of the running slot were brought up to date in this boot. */
  markedGood: boolean;
  prefs: Preferences;
  generator: Generator;
}

/** What a download's payload turned out to be; checked over the whole file. */
export type PayloadVerdict = "good" | "hash-mismatch" | "size-mismatch" | "bad-signature";

/** What reading the written slot back and running its postinst gave. */
export type WriteVerdict =
  | "good"
  | "bad-root-hash"
  | "bad-kernel-hash"
  /** /boot full, or the script failed. */
  | "postinst-failed";

export type UpdateStimulus =
  /**
   * The daemon starts. Another `bootId` than before means the host was rebooted: what lived in
   * /var/run is gone. Prefs survive in this state.
   */
  | {
      readonly kind: "start";
      readonly running: SlotName;
      readonly slots: Slots;
      readonly bootId: string;
    }
  | TimerFired
  | { readonly kind: "omaha-reply"; readonly id: number; readonly reply: OmahaReply }
  | { readonly kind: "download-progress"; readonly id: number; readonly receivedBytes: number }
  | { readonly kind: "download-done"; readonly id: number; readonly verdict: PayloadVerdict }
  | { readonly kind: "download-failed"; readonly id: number }
  /** The answer to a `slot-write` with step `finish`. */
  | { readonly kind: "slot-written"; readonly id: number; readonly verdict: WriteVerdict }
  /** D-Bus AttemptUpdate: an operator asks for a check now. */
  | { readonly kind: "attempt-update" }
  /** D-Bus ResetStatus: the installed update is called off; its boot flags stay. */
  | { readonly kind: "reset-status" };

export type UpdateEffect =
  /** Answered by one `omaha-reply`. */
  | { readonly kind: "omaha"; readonly id: number; readonly request: OmahaRequest }
  /** Fetches from `offset`; answered by progress and by one `download-done` or `download-failed`. */
  | {
      readonly kind: "download";
      readonly id: number;
      readonly url: string;
      readonly sizeBytes: number;
      readonly offsetBytes: number;
    }
  /**
   * `begin`: the first bytes go to the slot, its image is no longer whole. `finish`: the rest is
   * there; read it back, write the kernel, run postinst; answered by `slot-written`.
   */
  | {
      readonly kind: "slot-write";
      readonly id: number;
      readonly slot: SlotName;
      readonly step: "begin" | "finish";
      readonly version: string;
      readonly sizeBytes: number;
    }
  /** One atomic write of the partition table. */
  | {
      readonly kind: "slot-flags";
      readonly reason: "invalidate" | "install" | "prioritize" | "mark-good";
      readonly changes: readonly SlotFlagsChange[];
    }
  /** D-Bus StatusUpdate; locksmith listens for UPDATED_NEED_REBOOT. */
  | { readonly kind: "status-signal"; readonly status: UpdateStatus; readonly version: string }
  | ArmTimer
  | CancelTimer;

export type UpdateFact =
  /** Each change of status; `version` is the one being installed, or the running one. */
  | { readonly kind: "update.status"; readonly status: UpdateStatus; readonly version: string }
  | {
      readonly kind: "update.slots";
      readonly running: SlotName;
      readonly slots: readonly SlotView[];
    }
  | {
      readonly kind: "update.checked";
      readonly result: "update" | "noupdate" | "deferred" | "invalid" | "http-error" | "no-answer";
    }
  | { readonly kind: "update.marked-good"; readonly slot: SlotName }
  | { readonly kind: "update.failed"; readonly code: number };

/** Names of this machine's timers. */
export type UpdateTimer = "check" | "mark-good" | "download-resume";
