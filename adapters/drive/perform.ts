import { randomInt } from "node:crypto";
import type { FleetEffect, FleetStimulus } from "../../core/fleet/index.js";
import { type TimerEffect, unreachable } from "../../core/kernel/index.js";
import type { V2Call } from "../etcd/index.js";
import type { EtcdPort, SystemdPort } from "./ports.js";

/** What a fleetd asks of its world, but for timers. */
export type FleetWorldEffect = Exclude<FleetEffect, TimerEffect>;

/** Performs the effects of one fleetd. Calls that are under way when it is closed find nobody. */
export class FleetPerformer {
  readonly #etcd: EtcdPort;
  readonly #systemd: SystemdPort;
  readonly #exited: (code: number) => void;
  readonly #calls = new Map<number, V2Call>();
  #closed = false;

  constructor(etcd: EtcdPort, systemd: SystemdPort, exited: (code: number) => void) {
    this.#etcd = etcd;
    this.#systemd = systemd;
    this.#exited = exited;
  }

  perform(effect: FleetWorldEffect, answer: (stimulus: FleetStimulus) => void): void {
    switch (effect.kind) {
      case "etcd-call": {
        const { id, request, timeout } = effect;
        const call = this.#etcd.call(request, timeout, (reply) => {
          this.#calls.delete(id);
          if (!this.#closed) answer({ kind: "etcd-reply", id, reply });
        });
        this.#calls.set(id, call);
        return;
      }
      case "etcd-cancel":
        this.#calls.get(effect.id)?.cancel();
        this.#calls.delete(effect.id);
        return;
      case "systemd-call": {
        const { id, request } = effect;
        void this.#systemd.request(request).then((reply) => {
          if (!this.#closed) answer({ kind: "systemd-reply", id, reply });
        });
        return;
      }
      case "order":
        // Go walks its maps in an order nobody chose; a recording keeps the one drawn here.
        answer({ kind: "ordered", id: effect.id, orders: effect.counts.map(shuffled) });
        return;
      case "http-response":
        // Nobody asks a driven fleetd: it opens no port.
        return;
      case "rpc-call":
      case "rpc-response":
      case "rpc-hangup":
        throw new Error("a driven fleetd has its registry in etcd");
      case "exit":
        this.#exited(effect.code);
        return;
      default:
        unreachable(effect);
    }
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#calls.values()) call.cancel();
    this.#calls.clear();
  }
}

/** 0 … count-1 in random order (Fisher-Yates). */
function shuffled(count: number): number[] {
  const order: number[] = [];
  for (let i = 0; i < count; i++) {
    const at = randomInt(i + 1);
    order.push(order[at] ?? i);
    order[at] = i;
  }
  return order;
}
