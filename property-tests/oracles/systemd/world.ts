import type { ExecProcess, KillProcess, SystemdStimulus } from "../../../core/systemd/index.js";
import { type Behaviour, behaviourOf } from "./behaviour.js";

/** A program as the world knows it. */
interface Program {
  readonly pid: number;
  readonly unit: string;
  readonly behaviour: Behaviour | null;
  /** It has set up what it does on signals. */
  begun: boolean;
  /** It ends by SIGTERM in its own way already. */
  leaving: boolean;
}

/** How the world draws delays: the number of a kind of delay, in milliseconds. */
export type Delay = (kind: "begin" | "end" | "signal") => number;

/** Children get pids above any that systemd gives out. */
const CHILDREN = 1_000_000;

/**
 * The programs of a set, as `act.pl` runs them: what each tells systemd, and when. `schedule` calls
 * back after milliseconds.
 */
export class Programs {
  readonly #programs = new Map<number, Program>();
  readonly #schedule: (delay: number, action: () => void) => void;
  readonly #tell: (stimulus: SystemdStimulus) => void;
  readonly #delay: Delay;
  #children = CHILDREN;

  constructor(
    schedule: (delay: number, action: () => void) => void,
    tell: (stimulus: SystemdStimulus) => void,
    delay: Delay,
  ) {
    this.#schedule = schedule;
    this.#tell = tell;
    this.#delay = delay;
  }

  exec({ pid, unit, argv }: ExecProcess): void {
    const behaviour = behaviourOf(argv);
    this.#add(pid, unit, behaviour);
    this.#schedule(this.#delay("begin"), () => {
      if (behaviour !== null) this.#begin(pid, behaviour);
      // mount(8) and umount(8), of which the first knows no nosuchfs.
      else this.#end(pid, argv.includes("nosuchfs") ? 32 : 0);
    });
  }

  kill({ pid, signal }: KillProcess): void {
    this.#schedule(this.#delay("signal"), () => {
      const program = this.#programs.get(pid);
      if (program === undefined) return;
      const term = program.begun ? (program.behaviour?.term ?? null) : null;
      const handled = signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGHUP";
      if (!handled || term === null) {
        this.#die(pid, signal);
        return;
      }
      if (term.takes === null || program.leaving) return;
      program.leaving = true;
      this.#schedule(term.takes + this.#delay("end"), () => this.#end(pid, term.code));
    });
  }

  #add(pid: number, unit: string, behaviour: Behaviour | null): Program {
    const program = { pid, unit, behaviour, begun: false, leaving: false };
    this.#programs.set(pid, program);
    return program;
  }

  #begin(pid: number, behaviour: Behaviour): void {
    const program = this.#programs.get(pid);
    if (program === undefined) return;
    if (behaviour.child !== null) {
      const term = behaviour.deaf ? { takes: null, code: 0 } : null;
      this.#fork(program, { ...QUIET, run: behaviour.child, term });
    }
    if (behaviour.fork === null) this.#carryOn(program, behaviour);
    else {
      this.#fork(program, { ...behaviour, fork: null, child: null });
      this.#schedule(behaviour.fork + this.#delay("end"), () => this.#end(pid, behaviour.forkexit));
    }
  }

  #fork({ pid, unit }: Program, behaviour: Behaviour): void {
    const child = this.#children++;
    this.#tell({ kind: "process-forked", pid, child });
    this.#carryOn(this.#add(child, unit, behaviour), behaviour);
  }

  #carryOn(program: Program, behaviour: Behaviour): void {
    const { pid } = program;
    program.begun = true;
    const { touch, rm, ready, run } = behaviour;
    if (behaviour.drain) this.#tell({ kind: "socket-drained", service: program.unit });
    if (touch !== null) this.#tell({ kind: "file-changed", path: touch, text: "" });
    if (rm !== null) this.#tell({ kind: "file-changed", path: rm, text: null });
    if (ready !== null) {
      this.#schedule(ready + this.#delay("end"), () => {
        if (this.#programs.has(pid) && !program.leaving) this.#tell({ kind: "process-ready", pid });
      });
    }
    if (run === null) return;
    this.#schedule(Math.max(run, ready ?? 0) + this.#delay("end"), () => {
      if (program.leaving) return;
      if (behaviour.die === null) this.#end(pid, behaviour.exit);
      else this.#die(pid, `SIG${behaviour.die}`);
    });
  }

  #end(pid: number, code: number): void {
    if (this.#programs.delete(pid)) {
      this.#tell({ kind: "process-exited", pid, code, signal: null });
    }
  }

  #die(pid: number, signal: string): void {
    if (this.#programs.delete(pid)) {
      this.#tell({ kind: "process-exited", pid, code: null, signal });
    }
  }
}

const QUIET: Behaviour = {
  run: null,
  exit: 0,
  die: null,
  ready: null,
  term: null,
  fork: null,
  forkexit: 0,
  child: null,
  deaf: false,
  touch: null,
  rm: null,
  drain: false,
};
