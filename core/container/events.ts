import type { Bytes, TimerEffect, TimerFired } from "../kernel/index.js";
import type { Image } from "./image.js";

/** What reaches the container engines of a host. */
export type ContainerStimulus =
  /** systemd has started the docker daemon; `bip` is the subnet of its bridge, "" for docker's own choice. */
  | { readonly kind: "daemon-start"; readonly bip: string }
  /** The daemon gets a signal: SIGTERM stops its containers first, SIGKILL leaves them behind. */
  | { readonly kind: "daemon-signal"; readonly signal: string }
  /** A process runs `docker …`; argv without `docker`. */
  | {
      readonly kind: "docker";
      readonly pid: number;
      readonly unit: string;
      readonly args: readonly string[];
    }
  /** A process runs `rkt …`; argv without `rkt`. */
  | {
      readonly kind: "rkt";
      readonly pid: number;
      readonly unit: string;
      readonly args: readonly string[];
    }
  /** A process of `docker` or `rkt` gets a signal. */
  | { readonly kind: "signal"; readonly pid: number; readonly signal: string }
  /** What runs under a process of `docker run`, `docker start -a` or `rkt run` ends by itself. */
  | { readonly kind: "app-exit"; readonly pid: number; readonly code: number }
  /** Nobody listens on docker's socket. */
  | { readonly kind: "no-socket"; readonly pid: number }
  /** The registry's answer to `fetch-manifest`. */
  | { readonly kind: "manifest"; readonly id: number; readonly image: Image | null }
  /** A fetch is done, or its connection broke or was never made. */
  | { readonly kind: "fetched"; readonly id: number }
  | { readonly kind: "fetch-broken"; readonly id: number }
  | TimerFired;

/** What they ask of their world. */
export type ContainerEffect =
  /** A process of `docker` or `rkt` ends. */
  | {
      readonly kind: "client-exit";
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
    }
  /** A client wants to talk to a daemon that is not there; answered by `no-socket`, or the daemon is started. */
  | { readonly kind: "connect"; readonly pid: number }
  /** The daemon is ready for its clients; it has ended. */
  | { readonly kind: "daemon-ready" }
  | { readonly kind: "daemon-exit"; readonly code: number | null; readonly signal: string | null }
  /** Answered by `manifest` or `fetch-broken`. */
  | { readonly kind: "fetch-manifest"; readonly id: number; readonly image: string }
  /** Answered by `fetched` or `fetch-broken`. */
  | { readonly kind: "fetch-layer"; readonly id: number; readonly bytes: Bytes }
  /** Nothing more is to come of a fetch. */
  | { readonly kind: "cancel-fetch"; readonly id: number }
  | TimerEffect;

/** What they conclude. `unit` is the unit whose process asked for it. */
export type ContainerFact =
  | { readonly kind: "docker.up"; readonly bip: string }
  | { readonly kind: "docker.down"; readonly reason: "stopped" | "killed" }
  | {
      readonly kind: "container.started";
      readonly unit: string;
      readonly name: string;
      readonly image: string;
      readonly engine: "docker" | "rkt";
    }
  | {
      readonly kind: "container.exited";
      readonly unit: string;
      readonly name: string;
      readonly code: number;
      readonly engine: "docker" | "rkt";
    }
  /** Its client is gone and it goes on: no unit stands for it any more. */
  | { readonly kind: "container.orphaned"; readonly unit: string; readonly name: string }
  /** The daemon would not do it. */
  | {
      readonly kind: "container.refused";
      readonly unit: string;
      readonly name: string;
      readonly reason: "name-in-use" | "port-in-use" | "running" | "no-such-container";
    }
  | {
      readonly kind: "image.pulled";
      readonly image: string;
      readonly bytes: Bytes;
      readonly engine: "docker" | "rkt";
    }
  | {
      readonly kind: "image.pull-failed";
      readonly image: string;
      readonly reason: "not-found" | "unreachable" | "daemon-gone";
      readonly engine: "docker" | "rkt";
    }
  /** Given up because nobody waits for it: what was fetched is thrown away. */
  | {
      readonly kind: "image.pull-cancelled";
      readonly image: string;
      readonly engine: "docker" | "rkt";
    };
