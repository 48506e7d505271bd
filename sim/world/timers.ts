import type { HostStimulus, TimerOwner } from "../../core/host/index.js";
import { without } from "../../core/kernel/index.js";

/** One named timer of a machine: its ready-made stimulus, and which arming of it counts. */
export interface TimerSlot {
  readonly stimulus: HostStimulus & { readonly kind: "timer" };
  /** Grows with each arming and cancelling; an event with an older value is stale. */
  generation: number;
}

/** The timers of one host. Re-arming replaces; power loss forgets all. */
export class Timers {
  readonly #slots: Record<TimerOwner, Map<string, TimerSlot>> = {
    host: new Map(),
    etcd: new Map(),
    systemd: new Map(),
    fleet: new Map(),
    update: new Map(),
    locksmith: new Map(),
    discovery: new Map(),
    container: new Map(),
    flannel: new Map(),
    confd: new Map(),
  };

  /** The slot of a timer, made when it is first armed. */
  slot(owner: TimerOwner, timer: string): TimerSlot {
    const slots = this.#slots[owner];
    let slot = slots.get(timer);
    if (slot === undefined) {
      slot = { stimulus: { kind: "timer", owner, timer }, generation: 0 };
      slots.set(timer, slot);
    }
    return slot;
  }

  cancel(owner: TimerOwner, timer: string): void {
    const slots = this.#slots[owner];
    const slot = slots.get(timer);
    if (slot === undefined) return;
    slot.generation++;
    this.#forget(owner, timer);
  }

  /** Takes note that a timer fires now. */
  fired(slot: TimerSlot): void {
    const { owner, timer } = slot.stimulus;
    this.#forget(owner, timer);
  }

  #forget(owner: TimerOwner, timer: string): void {
    // Timers of single calls have names of their own: kept, they would add up over a long run.
    if (owner !== "host" && owner !== "container") return;
    this.#slots[owner] = without(this.#slots[owner], timer);
  }

  /** Nothing that was armed so far will fire. */
  cancelAll(): void {
    for (const slots of Object.values(this.#slots)) {
      for (const slot of slots.values()) slot.generation++;
      slots.clear();
    }
  }
}
