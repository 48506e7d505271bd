import type { Machine, TimerEffect, TimerFired } from "../../core/kernel/index.js";
import type { LiveClock } from "./clock.js";
import { type Kinded, type Recorder, tell, WORLD_CREATED, WORLD_STARTED } from "./record.js";

/** Carries out one effect. What comes of it is delivered with `cause`, the seq of the effect. */
export type Perform<Effect> = (effect: Effect, cause: number) => void;

/** A machine in a live world. */
export interface Seat<Stimulus> {
  readonly host: string;
  /** Hands over a stimulus; it is taken when those before it are done. */
  deliver(stimulus: Stimulus, cause: number | null): void;
  /** Ends the machine: its timers go, and nothing reaches it any more. */
  leave(): void;
}

/** What a live world needs of a machine it runs. */
export type LiveMachine<
  Config,
  State,
  Stimulus extends Kinded,
  Fact extends Kinded,
  Effect extends Kinded,
> = Machine<Config, State, Stimulus | TimerFired, Fact, Effect | TimerEffect>;

/**
 * The world in which machines meet reality: real timers, one queue, and a log that keeps every
 * stimulus, fact and effect. Effects are recorded before they are performed, so a log never lacks
 * what was done. Arming and cancelling timers is done here; the rest is for performers.
 */
export class LiveWorld {
  readonly clock: LiveClock;
  readonly #recorder: Recorder;
  readonly #fail: (error: unknown) => void;
  readonly #queue: (() => void)[] = [];
  /** Of every seat, how to take its timers back. */
  readonly #timers = new Set<() => void>();
  #draining = false;
  #stopped = false;

  /**
   * @param fail - hears of an error that ends the world: a log that cannot be written, a machine
   *   or performer that throws. Nothing is stepped afterwards.
   */
  constructor(recorder: Recorder, clock: LiveClock, fail: (error: unknown) => void) {
    this.clock = clock;
    this.#recorder = recorder;
    this.#fail = fail;
  }

  /** Records that the program was started: machines of an earlier start are gone. */
  started(program: string, time: Date): void {
    this.#recorder.advance(this.clock.now());
    const data = { program, time: time.toISOString() };
    this.#recorder.write({ type: "stimulus", kind: WORLD_STARTED, data }, "", null);
  }

  /** Puts a fresh machine on a host. A host has at most one machine of a name; a new one replaces it. */
  seat<Config, State, Stimulus extends Kinded, Fact extends Kinded, Effect extends Kinded>(
    host: string,
    machine: LiveMachine<Config, State, Stimulus, Fact, Effect>,
    config: Config,
    perform: Perform<Effect>,
    /** Sees every fact, after it was recorded. */
    heard: (fact: Fact, seq: number) => void = () => {},
  ): Seat<Stimulus | TimerFired> {
    this.#enqueue(() => {
      this.#recorder.advance(this.clock.now());
      const data = { machine: machine.name, config };
      this.#recorder.write({ type: "stimulus", kind: WORLD_CREATED, data }, host, null);
    });
    return this.#sit(host, machine, machine.create(config), perform, heard);
  }

  /**
   * Goes on with a machine of a recording that was cut short. `state` is what the recording leads
   * to; what the last stimulus led to, and the cut lost, must have been recorded.
   */
  resume<Config, State, Stimulus extends Kinded, Fact extends Kinded, Effect extends Kinded>(
    host: string,
    machine: LiveMachine<Config, State, Stimulus, Fact, Effect>,
    state: State,
    perform: Perform<Effect>,
    heard: (fact: Fact, seq: number) => void = () => {},
  ): Seat<Stimulus | TimerFired> {
    return this.#sit(host, machine, state, perform, heard);
  }

  #sit<Config, State, Stimulus extends Kinded, Fact extends Kinded, Effect extends Kinded>(
    host: string,
    machine: LiveMachine<Config, State, Stimulus, Fact, Effect>,
    state: State,
    perform: Perform<Effect>,
    heard: (fact: Fact, seq: number) => void,
  ): Seat<Stimulus | TimerFired> {
    const timers = new Map<string, () => void>();
    const cancelAll = (): void => {
      for (const cancel of timers.values()) cancel();
      timers.clear();
    };
    this.#timers.add(cancelAll);
    let left = false;
    const deliver = (stimulus: Stimulus | TimerFired, cause: number | null): void => {
      this.#enqueue(() => {
        if (!left) step(stimulus, cause);
      });
    };
    const timer = (effect: TimerEffect, seq: number): void => {
      timers.get(effect.timer)?.();
      timers.delete(effect.timer);
      if (effect.kind === "cancel-timer" || this.#stopped) return;
      const due = (): void => {
        timers.delete(effect.timer);
        deliver({ kind: "timer", timer: effect.timer }, seq);
      };
      timers.set(effect.timer, this.clock.after(effect.delay, due));
    };
    const step = (stimulus: Stimulus | TimerFired, cause: number | null): void => {
      const now = this.#recorder.advance(this.clock.now());
      const seq = this.#recorder.write(tell("stimulus", machine.name, stimulus), host, cause);
      const told: ({ fact: Fact } | { effect: Effect | TimerEffect })[] = [];
      machine.step(state, stimulus, now, {
        facts: { push: (fact) => told.push({ fact }) },
        effects: { push: (effect) => told.push({ effect }) },
      });
      const seqs = told.map((item) =>
        "fact" in item
          ? this.#recorder.write(tell("fact", machine.name, item.fact), host, seq)
          : this.#recorder.write(tell("effect", machine.name, item.effect), host, seq),
      );
      this.#recorder.flush();
      told.forEach((item, index) => {
        const at = seqs[index] ?? seq;
        if ("fact" in item) heard(item.fact, at);
        else if (isTimer(item.effect)) timer(item.effect, at);
        else perform(item.effect, at);
      });
    };
    return {
      host,
      deliver,
      leave: () => {
        left = true;
        cancelAll();
        this.#timers.delete(cancelAll);
      },
    };
  }

  /** Stops stepping: what is in the queue or comes later is dropped, and no timer is left. */
  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
    for (const cancelAll of this.#timers) cancelAll();
    this.#timers.clear();
  }

  #enqueue(task: () => void): void {
    if (this.#stopped) return;
    this.#queue.push(task);
    if (this.#draining) return;
    this.#draining = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
    } catch (error) {
      this.stop();
      this.#fail(error);
    } finally {
      this.#draining = false;
    }
  }
}

function isTimer<Effect extends Kinded>(effect: Effect | TimerEffect): effect is TimerEffect {
  return effect.kind === "arm-timer" || effect.kind === "cancel-timer";
}
