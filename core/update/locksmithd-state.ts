import type { EtcdCall, EtcdReplied, Revision } from "../etcd/client.js";
import type { ArmTimer, CancelTimer, Micros, TimerFired } from "../kernel/index.js";
import type { UpdateStatus } from "./engine-state.js";
import type { Semaphore } from "./semaphore.js";
import type { ZoneTable } from "./zone.js";

/**
 * REBOOT_STRATEGY. `best-effort` takes the lock when etcd is running and else just reboots; it was
 * removed in 0.6. Any other text is only noticed at the time to reboot, by exiting with 1.
 */
export type RebootStrategy = "reboot" | "etcd-lock" | "off" | "best-effort" | "unknown";

export interface LocksmithConfig {
  readonly strategy: RebootStrategy;
  /** Machine id; what the daemon writes into the semaphore. */
  readonly holder: string;
  /** Hosts of one group share a semaphore; "": the default one. */
  readonly group: string;
  /** Both "" for none; one alone, or an unreadable one, makes the daemon exit with 1. */
  readonly windowStart: string;
  readonly windowLength: string;
  readonly zone: ZoneTable;
  /** UTC time at which this machine's clock showed 0, in µs since 1970. */
  readonly epoch: Micros;
  /** Wait of five minutes before the reboot, because somebody is logged in. */
  readonly loginDelay: boolean;
  /** best-effort only: etcd runs on this host. */
  readonly etcdActive: boolean;
  /** Per request to etcd. */
  readonly etcdTimeout: Micros;
  /** Ours: an own lock is released only after `healthy`, not merely 5 s after the daemon started. */
  readonly healthGate: boolean;
  /**
   * Ours: before each try for the lock the host asks whether the quorum can spare it. Asking comes
   * before locking, so with more than one permit two hosts may hear yes for the same spare member.
   */
  readonly quorumGate: boolean;
}

/** STATE of the coordinator file, and what comes after it. */
export type LocksmithPhase =
  | "stopped"
  /** Waits for update_engine; meanwhile an own lock is being released. */
  | "running"
  /** Sleeps until the window opens. */
  | "waiting-for-window"
  | "reboot-planned"
  | "login-delay"
  | "rebooting"
  | "exited";

/**
 * One use of the semaphore in etcd, which is up to three requests: create it if absent, read it,
 * write it back if nobody else did. The daemon has at most one under way.
 */
export interface LockAttempt {
  /** `release`: in the background after start. `clear`: unlock if held, before locking. */
  readonly purpose: "release" | "clear" | "lock";
  step: "create" | "get" | "set";
  callId: number;
  /** Sent with step `set`. */
  written: Semaphore | null;
  prevIndex: Revision;
}

export interface LocksmithState {
  readonly config: LocksmithConfig;
  phase: LocksmithPhase;
  attempt: LockAttempt | null;
  /** Release is wanted and not confirmed. */
  releasing: boolean;
  /** With a health gate: the host was reported healthy since start. */
  healthy: boolean;
  /** update_engine asked for a reboot. */
  rebootNeeded: boolean;
  /** The next failure waits twice this. */
  releaseInterval: Micros;
  lockInterval: Micros;
  nextCallId: number;
  /** A quorum check was asked for and not answered. */
  quorumAsked: boolean;
  /** Reboots asked for in this run; the daemon gives up after the last one did not happen. */
  rebootsSent: number;
}

export type LocksmithStimulus =
  /** `status` is what GetStatus answers. */
  | { readonly kind: "start"; readonly status: UpdateStatus }
  /** SIGTERM: exits with 0, holding what it holds. */
  | { readonly kind: "stop" }
  | TimerFired
  | EtcdReplied
  | { readonly kind: "update-status"; readonly status: UpdateStatus }
  | { readonly kind: "healthy" }
  | { readonly kind: "quorum-checked"; readonly ok: boolean };

export type LocksmithEffect =
  | EtcdCall
  | ArmTimer
  | CancelTimer
  | { readonly kind: "reboot"; readonly reason: string }
  /** Answered by `quorum-checked`: may this host's etcd member go down now? */
  | { readonly kind: "quorum-check" }
  | { readonly kind: "exit"; readonly code: number };

export type LocksmithFact =
  | { readonly kind: "lock.acquired"; readonly holder: string }
  | { readonly kind: "lock.released"; readonly holder: string }
  | {
      readonly kind: "lock.semaphore";
      readonly semaphore: number;
      readonly max: number;
      readonly holders: readonly string[];
    }
  | { readonly kind: "lock.waiting"; readonly reason: string }
  | { readonly kind: "locksmith.state"; readonly state: LocksmithPhase };
