import type { ConfdStimulus } from "../balancer/index.js";
import type { ContainerStimulus } from "../container/index.js";
import type { DiscoveryStimulus } from "../discovery/index.js";
import type { EtcdReplied } from "../etcd/client.js";
import type { EtcdStimulus } from "../etcd/index.js";
import type { FlannelStimulus } from "../flannel/index.js";
import type { FleetStimulus } from "../fleet/index.js";
import type { Micros, Out, Sink } from "../kernel/index.js";
import type { HostAction, SystemdReplied, SystemdStimulus } from "../systemd/index.js";
import type { LocksmithStimulus, UpdateStimulus } from "../update/index.js";
import type { HostEffect, HostFact, TimerOwner } from "./events.js";
import type { HostState } from "./state.js";

/** Something one machine of the host has for another; taken in the order it came. */
export type Inner =
  | { readonly to: "systemd"; readonly stimulus: SystemdStimulus }
  | { readonly to: "etcd"; readonly stimulus: EtcdStimulus }
  | { readonly to: "fleet"; readonly stimulus: FleetStimulus }
  | { readonly to: "update"; readonly stimulus: UpdateStimulus }
  | { readonly to: "locksmith"; readonly stimulus: LocksmithStimulus }
  | { readonly to: "cloud-init"; readonly reply: SystemdReplied }
  | { readonly to: "discovery"; readonly stimulus: DiscoveryStimulus }
  | { readonly to: "containers"; readonly stimulus: ContainerStimulus }
  | { readonly to: "flannel"; readonly stimulus: FlannelStimulus }
  | { readonly to: "confd"; readonly stimulus: ConfdStimulus }
  /** etcd's answer to an etcdctl. */
  | { readonly to: "program"; readonly stimulus: EtcdReplied }
  /** A modelled daemon gives up. */
  | { readonly to: "exit"; readonly pid: number; readonly code: number }
  /** Someone wants this host to reboot in order. */
  | { readonly to: "reboot"; readonly reason: string }
  /** A unit wants the host to go down. */
  | { readonly to: "host"; readonly stimulus: HostAction }
  /** A process of this host has ended. */
  | {
      readonly to: "reaper";
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
    };

/** One step of a host under way. */
export interface HostStep {
  readonly host: HostState;
  readonly now: Micros;
  readonly out: Out<HostFact, HostEffect>;
  /** What is still to be handed on within this step. */
  readonly inbox: Inner[];
  /** Calls made in this step; those still unanswered at its end get a timer. */
  readonly called: { readonly call: number; readonly timeout: Micros }[];
}

/** A step whose lists are made when something comes into them: of most steps nothing does. */
export class LazyStep implements HostStep {
  readonly host: HostState;
  readonly now: Micros;
  readonly out: Out<HostFact, HostEffect>;
  #inbox: HostStep["inbox"] | null = null;
  #called: HostStep["called"] | null = null;

  constructor(host: HostState, now: Micros, out: Out<HostFact, HostEffect>) {
    this.host = host;
    this.now = now;
    this.out = out;
  }

  get inbox(): HostStep["inbox"] {
    this.#inbox ??= [];
    return this.#inbox;
  }

  get called(): HostStep["called"] {
    this.#called ??= [];
    return this.#called;
  }

  /** Whether nothing has come into either list. */
  get isAtRest(): boolean {
    return this.#inbox === null && this.#called === null;
  }
}

/** Collects what a step produces of which most have one effect: a list would reserve room for many. */
export class FewEffects<Fact, Effect> implements Out<Fact, Effect>, Sink<Effect> {
  readonly facts: Fact[] = [];
  first: Effect | null = null;
  rest: Effect[] | null = null;

  get effects(): Sink<Effect> {
    return this;
  }

  push(effect: Effect): void {
    if (this.first === null) this.first = effect;
    else if (this.rest === null) this.rest = [effect];
    else this.rest.push(effect);
  }
}

/** Hands a timer effect of one machine to the world under that machine's name. */
export function armTimer(
  step: HostStep,
  owner: TimerOwner,
  effect:
    | { readonly kind: "arm-timer"; readonly timer: string; readonly delay: Micros }
    | { readonly kind: "cancel-timer"; readonly timer: string },
): void {
  if (effect.kind === "arm-timer") {
    const { timer, delay } = effect;
    step.out.effects.push({ kind: "arm-timer", owner, timer, delay });
  } else {
    step.out.effects.push({ kind: "cancel-timer", owner, timer: effect.timer });
  }
}
