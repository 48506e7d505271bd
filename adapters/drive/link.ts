import {
  type Machine,
  type Micros,
  SECOND,
  type TimerEffect,
  type TimerFired,
} from "../../core/kernel/index.js";

/** How a driven host is reached, and what to do when it is not. */
export interface LinkConfig {
  /** What people call the host's address. */
  readonly address: string;
  /** Pause after the first failure; doubles up to `retryMax`. */
  readonly retryMin: Micros;
  readonly retryMax: Micros;
}

export const LINK_DEFAULTS = { retryMin: SECOND, retryMax: 15 * SECOND } as const;

export type LinkStimulus =
  | { readonly kind: "start" }
  /** The host's systemd answers; `machine` is its /etc/machine-id, `boot` its boot id. */
  | { readonly kind: "reached"; readonly machine: string; readonly boot: string }
  /** An attempt came to nothing, or what was reached is gone. */
  | { readonly kind: "lost"; readonly reason: string }
  /** fleetd ended by itself. */
  | { readonly kind: "fleetd-exited"; readonly code: number }
  | { readonly kind: "stop"; readonly unload: boolean }
  | TimerFired;

export type LinkEffect =
  | { readonly kind: "connect" }
  | { readonly kind: "disconnect" }
  /** Starts a fleetd for this host, as the machine with that id. */
  | { readonly kind: "run-fleetd"; readonly machine: string }
  /** SIGKILL leaves units and keys as they are; SIGTERM unloads and purges. */
  | { readonly kind: "stop-fleetd"; readonly signal: "SIGTERM" | "SIGKILL" }
  /** The host is done with. */
  | { readonly kind: "closed" }
  | TimerEffect;

export type LinkFact =
  | { readonly kind: "link.up"; readonly machine: string; readonly rebooted: boolean }
  /** The host cannot be reached; told once for a row of failures. Its presence in etcd now runs out. */
  | { readonly kind: "link.down"; readonly reason: string }
  /** The address answers as another machine than before. */
  | { readonly kind: "link.replaced"; readonly was: string; readonly machine: string };

export interface LinkState {
  readonly config: LinkConfig;
  phase: "idle" | "connecting" | "up" | "waiting" | "stopping" | "closed";
  /** Of the last time it was reached; "" before. */
  machine: string;
  boot: string;
  failures: number;
}

/**
 * The link to one driven host: keeps connecting, runs a fleetd while the host is reached, and kills
 * it when it is not, so that nobody refreshes the presence of a host that may be gone.
 */
export const link: Machine<LinkConfig, LinkState, LinkStimulus, LinkFact, LinkEffect> = {
  name: "link",
  create: (config) => ({ config, phase: "idle", machine: "", boot: "", failures: 0 }),
  step: (state, stimulus, _now, { facts, effects }) => {
    if (state.phase === "closed") return;
    switch (stimulus.kind) {
      case "start":
        state.phase = "connecting";
        effects.push({ kind: "connect" });
        return;
      case "timer":
        if (state.phase !== "waiting") return;
        state.phase = "connecting";
        effects.push({ kind: "connect" });
        return;
      case "reached": {
        if (state.phase !== "connecting") return;
        const { machine, boot } = stimulus;
        const was = state.machine;
        if (was !== "" && was !== machine) facts.push({ kind: "link.replaced", was, machine });
        const rebooted = was === machine && state.boot !== boot;
        Object.assign(state, { phase: "up", machine, boot, failures: 0 });
        facts.push({ kind: "link.up", machine, rebooted });
        effects.push({ kind: "run-fleetd", machine });
        return;
      }
      case "lost": {
        if (state.phase === "stopping") {
          close(state, effects);
          return;
        }
        if (state.phase === "up") effects.push({ kind: "stop-fleetd", signal: "SIGKILL" });
        if (state.failures === 0) facts.push({ kind: "link.down", reason: stimulus.reason });
        retry(state, effects);
        return;
      }
      case "fleetd-exited":
        if (state.phase === "stopping") close(state, effects);
        else if (state.phase === "up") {
          facts.push({ kind: "link.down", reason: `fleetd exited with ${stimulus.code}` });
          effects.push({ kind: "disconnect" });
          retry(state, effects);
        }
        return;
      case "stop":
        stop(state, stimulus.unload, effects);
        return;
    }
  },
};

interface Effects {
  push(effect: LinkEffect): unknown;
}

function retry(state: LinkState, effects: Effects): void {
  const { retryMin, retryMax } = state.config;
  const delay = Math.min(retryMax, retryMin * 2 ** Math.min(state.failures, 20));
  state.failures++;
  state.phase = "waiting";
  effects.push({ kind: "arm-timer", timer: "reconnect", delay });
}

function stop(state: LinkState, unload: boolean, effects: Effects): void {
  if (state.phase === "up") {
    state.phase = "stopping";
    effects.push({ kind: "stop-fleetd", signal: unload ? "SIGTERM" : "SIGKILL" });
    return;
  }
  close(state, effects);
}

function close(state: LinkState, effects: Effects): void {
  state.phase = "closed";
  effects.push({ kind: "disconnect" });
  effects.push({ kind: "closed" });
}
