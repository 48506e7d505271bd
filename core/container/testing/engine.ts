import { SECOND } from "../../kernel/index.js";
import { containerEngine } from "../engine.js";
import type { ContainerEffect, ContainerFact, ContainerStimulus } from "../events.js";
import type { Image } from "../image.js";
import type { ContainerConfig, ContainerState } from "../state.js";

/** An image of two layers of 100 bytes that listens on port 80 after 1 s and stops within 1 s. */
export const APP: Image = {
  layers: [
    { id: "base", bytes: 100 },
    { id: "app", bytes: 100 },
  ],
  process: { readyAfter: [SECOND, SECOND], exits: null, stopTakes: [SECOND, SECOND], stopCode: 0 },
  listens: [80],
};

/**
 * The engines of one host, and the least world they can live in: timers, and a registry that tests
 * answer for by hand. Time passes with `run`.
 */
export class TestEngine {
  readonly state: ContainerState;
  readonly facts: ContainerFact[] = [];
  readonly effects: ContainerEffect[] = [];
  readonly #timers = new Map<string, number>();
  at = 0;

  constructor(changes: Partial<ContainerConfig> = {}) {
    this.state = containerEngine.create({
      version: [1, 12],
      liveRestore: false,
      startTakes: [SECOND, SECOND],
      images: { "app:1": APP },
      seed: 1,
      ...changes,
    });
  }

  /** Starts the daemon and lets it come up. */
  up(): this {
    return this.tell({ kind: "daemon-start", bip: "" }).run(1);
  }

  tell(stimulus: ContainerStimulus): this {
    const effects: ContainerEffect[] = [];
    containerEngine.step(this.state, stimulus, this.at, { facts: this.facts, effects });
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.kind === "arm-timer") this.#timers.set(effect.timer, this.at + effect.delay);
      if (effect.kind === "cancel-timer") this.#timers.delete(effect.timer);
    }
    return this;
  }

  /** A process with this pid runs a command line of docker or rkt. */
  command(pid: number, line: string): this {
    const [program, ...args] = line.split(" ");
    const kind = program === "rkt" ? "rkt" : "docker";
    return this.tell({ kind, pid, unit: "app.service", args });
  }

  run(seconds: number): this {
    const end = this.at + seconds * SECOND;
    for (;;) {
      const due = [...this.#timers].filter(([, at]) => at <= end).sort((a, b) => a[1] - b[1])[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.at = due[1];
      this.tell({ kind: "timer", timer: due[0] });
    }
    this.at = end;
    return this;
  }

  /** What ended a process; undefined while it runs. */
  exitOf(pid: number): number | string | null | undefined {
    for (const effect of this.effects) {
      if (effect.kind === "client-exit" && effect.pid === pid) return effect.signal ?? effect.code;
    }
    return undefined;
  }

  /** Ids of fetches that are under way, of manifests or of layers. */
  under(kind: "fetch-manifest" | "fetch-layer"): number[] {
    return this.effects.flatMap((effect) =>
      effect.kind === kind && this.state.fetches.has(effect.id) ? [effect.id] : [],
    );
  }

  /** Reasons for which the daemon refused something. */
  refusals(): string[] {
    return this.facts.flatMap((fact) => (fact.kind === "container.refused" ? [fact.reason] : []));
  }
}
