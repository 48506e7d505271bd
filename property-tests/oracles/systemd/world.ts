import type { ExecProcess, KillProcess, SystemdStimulus } from "../../../core/systemd/index.js";
import { type Behaviour, behaviourOf, endOf } from "./behaviour.js";

/** A program as the world knows it. */
interface Program {
  readonly pid: number;
  readonly unit: string;
  readonly behaviour: Behaviour | null;
  /** Whether it was told where to reach systemd with sd_notify. */
  readonly notifies: boolean;
  /** It has set up what it does on signals. */
  begun: boolean;
  /** It ends by SIGTERM in its own way already. */
  leaving: boolean;
}

/** How the world draws delays: the number of a kind of delay, in milliseconds. */
export type Delay = (kind: "begin" | "end" | "signal") => number;

/** The signals of which `term=` says what comes of them. */
const HANDLED: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGHUP", "SIGABRT"]);

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

  exec({ pid, unit, argv, environment }: ExecProcess): void {
    const behaviour = behaviourOf(argv);
    this.#add(pid, unit, behaviour, "NOTIFY_SOCKET" in environment);
    this.#schedule(this.#delay("begin"), () => {
      if (behaviour !== null) {
        this.#begin(pid, behaviour);
        return;
      }
      const { run, exit } = endOf(argv);
      if (run === 0) this.#end(pid, exit);
      else this.#schedule(run + this.#delay("end"), () => this.#end(pid, exit));
    });
  }

  kill({ pid, signal }: KillProcess): void {
    this.#schedule(this.#delay("signal"), () => {
      const program = this.#programs.get(pid);
      if (program === undefined) return;
      const term = program.begun ? (program.behaviour?.term ?? null) : null;
      if (!HANDLED.has(signal) || term === null) {
        this.#die(pid, signal);
        return;
      }
      if (term.takes === null || program.leaving) return;
      program.leaving = true;
      this.#schedule(term.takes + this.#delay("end"), () => this.#end(pid, term.code));
    });
  }

  #add(pid: number, unit: string, behaviour: Behaviour | null, notifies: boolean): Program {
    const program = { pid, unit, behaviour, notifies, begun: false, leaving: false };
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

  #fork({ pid, unit, notifies }: Program, behaviour: Behaviour): void {
    const child = this.#children++;
    this.#tell({ kind: "process-forked", pid, child });
    this.#carryOn(this.#add(child, unit, behaviour, notifies), behaviour);
  }

  #carryOn(program: Program, behaviour: Behaviour): void {
    const { pid } = program;
    program.begun = true;
    const { touch, rm, ready, run } = behaviour;
    if (behaviour.drain) this.#tell({ kind: "socket-drained", service: program.unit });
    if (touch !== null) this.#tell({ kind: "file-changed", path: touch, text: "" });
    if (rm !== null) this.#tell({ kind: "file-changed", path: rm, text: null });
    this.#say(program, ready, "READY=1");
    for (const { at, tag } of behaviour.says) {
      if (run === null || at <= run) this.#say(program, at, tag);
    }
    const { pidFile } = behaviour;
    if (pidFile !== null && (run === null || pidFile.at <= run)) {
      const text = `${pid}\n`;
      this.#later(program, pidFile.at, { kind: "file-changed", path: pidFile.path, text });
    }
    if (run === null) return;
    this.#schedule(Math.max(run, ready ?? 0) + this.#delay("end"), () => {
      if (program.leaving) return;
      if (behaviour.die === null) this.#end(pid, behaviour.exit);
      else this.#die(pid, `SIG${behaviour.die}`);
    });
  }

  #say(program: Program, at: number | null, tag: string): void {
    const { pid, notifies } = program;
    if (at === null || !notifies) return;
    this.#later(program, at, { kind: "process-notified", pid, tags: [tag] });
  }

  /** Something it does unless it has gone by then, or is about to. */
  #later(program: Program, at: number, stimulus: SystemdStimulus): void {
    this.#schedule(at + this.#delay("end"), () => {
      if (this.#programs.has(program.pid) && !program.leaving) this.#tell(stimulus);
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
  says: [],
  pidFile: null,
  term: null,
  fork: null,
  forkexit: 0,
  child: null,
  deaf: false,
  touch: null,
  rm: null,
  drain: false,
};
