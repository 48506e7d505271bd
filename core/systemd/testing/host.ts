import { type Micros, type Outcome, stepInPlace } from "../../kernel/index.js";
import type { JobMode, SystemdReply, SystemdRequest } from "../client.js";
import { systemd } from "../manager.js";
import type { ExecProcess } from "../process.js";
import type { SystemdState } from "../state.js";
import type { SystemdEffect, SystemdFact, SystemdStimulus } from "../types.js";

/** A booted systemd in a world that does only what a test tells it to. Times in seconds. */
export class TestHost {
  readonly state: SystemdState = systemd.create({
    hostname: "h1",
    machineId: "m",
    serviceWatchdogs: true,
    reloadForgetsLimits: true,
  });
  readonly facts: SystemdFact[] = [];
  readonly effects: SystemdEffect[] = [];
  now: Micros = 0;
  readonly #timers = new Map<string, Micros>();
  #call = 1;

  constructor(units: Readonly<Record<string, string>> = {}, defaultTarget = "multi-user.target") {
    const vendorUnits = Object.entries(units).map(([name, text]) => ({ name, text }));
    this.send({ kind: "boot", defaultTarget, bootId: "b", vendorUnits });
  }

  send(stimulus: SystemdStimulus): Outcome<SystemdFact, SystemdEffect> {
    const outcome = stepInPlace(systemd, this.state, stimulus, this.now);
    this.facts.push(...outcome.facts);
    this.effects.push(...outcome.effects);
    for (const effect of outcome.effects) {
      if (effect.kind === "arm-timer") this.#timers.set(effect.timer, this.now + effect.delay);
      else if (effect.kind === "cancel-timer") this.#timers.delete(effect.timer);
    }
    return outcome;
  }

  call(request: SystemdRequest): SystemdReply {
    const { effects } = this.send({ kind: "systemd-call", id: this.#call++, request });
    const reply = effects.find((effect) => effect.kind === "systemd-reply");
    if (reply?.kind !== "systemd-reply") throw new Error("systemd did not answer");
    return reply.reply;
  }

  start(unit: string, mode: JobMode = "replace"): SystemdReply {
    return this.call({ call: "start", unit, mode });
  }

  stop(unit: string): SystemdReply {
    return this.call({ call: "stop", unit, mode: "replace" });
  }

  restart(unit: string): SystemdReply {
    return this.call({ call: "restart", unit, mode: "replace" });
  }

  /** Lets time pass, timers firing in order. */
  wait(seconds: number): void {
    const end = this.now + seconds * 1_000_000;
    for (;;) {
      const due = [...this.#timers].filter(([, at]) => at <= end).sort((a, b) => a[1] - b[1])[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.now = Math.max(this.now, due[1]);
      this.send({ kind: "timer", timer: due[0] });
    }
    this.now = end;
  }

  /** Sets the clock; timers that are armed go on. */
  setClock(minutes: number): void {
    const by = minutes * 60_000_000;
    this.now += by;
    for (const [timer, at] of this.#timers) this.#timers.set(timer, at + by);
    this.send({ kind: "clock-changed" });
  }

  /** The process a unit started last in a role. */
  process(unit: string, role: ExecProcess["role"] = "main"): ExecProcess {
    const found = this.effects.findLast(
      (effect) => effect.kind === "exec" && effect.unit === unit && effect.role === role,
    );
    if (found?.kind !== "exec") throw new Error(`${unit} has started no ${role} process`);
    return found;
  }

  exit(unit: string, code: number | null, role: ExecProcess["role"] = "main"): void {
    const { pid } = this.process(unit, role);
    this.send({ kind: "process-exited", pid, code, signal: code === null ? "SIGTERM" : null });
  }

  kill(unit: string, signal: string): void {
    this.send({ kind: "process-exited", pid: this.process(unit).pid, code: null, signal });
  }

  ready(unit: string): void {
    this.send({ kind: "process-ready", pid: this.process(unit).pid });
  }

  say(unit: string, tag: string, role: ExecProcess["role"] = "main"): void {
    this.send({ kind: "process-notified", pid: this.process(unit, role).pid, tags: [tag] });
  }

  /** The unit's main process starts another. */
  fork(unit: string, child: number): void {
    this.send({ kind: "process-forked", pid: this.process(unit).pid, child });
  }

  /** `<active>/<sub>`, or `<active>/<sub>/<result>` when it failed. */
  is(unit: string): string {
    const reply = this.call({ call: "list-units", units: [unit] });
    if (!reply.ok || reply.call !== "units") throw new Error("systemd did not list");
    const row = reply.units[0];
    if (row === undefined) return "unloaded";
    const result = this.state.units.get(unit)?.service?.result;
    const state = `${row.activeState}/${row.subState}`;
    return row.activeState === "failed" && result !== undefined ? `${state}/${result}` : state;
  }

  /** How the unit's jobs ended, in order: `start done`. */
  jobs(unit: string): string[] {
    return this.facts.flatMap((fact) =>
      fact.kind === "systemd.job" && fact.unit === unit ? [`${fact.job} ${fact.result}`] : [],
    );
  }

  /** Which programs ran, in order, by argv[0]'s last part. */
  ran(): string[] {
    return this.effects.flatMap((effect) =>
      effect.kind === "exec" ? [effect.argv[0]?.split("/").at(-1) ?? ""] : [],
    );
  }

  signals(): string[] {
    return this.effects.flatMap((effect) => (effect.kind === "kill" ? [effect.signal] : []));
  }
}

/** A service file whose lines are given; ExecStart=/bin/NAME unless one is among them. */
export function service(name: string, ...lines: string[]): string {
  const unit = lines.filter((line) => UNIT_KEYS.test(line));
  const own = lines.filter((line) => !UNIT_KEYS.test(line));
  if (!own.some((line) => line.startsWith("ExecStart="))) own.push(`ExecStart=/bin/${name}`);
  return `[Unit]\n${unit.join("\n")}\n[Service]\n${own.join("\n")}\n`;
}

const UNIT_KEYS =
  /^(Requires|Requisite|Wants|BindsTo|PartOf|Conflicts|Before|After|On\w+|StartLimit\w+|Default\w+|Condition\w+|Assert\w+|Refuse\w+|Job\w+|Description|Propagates\w+|Upholds|Stop\w+From|StopWhenUnneeded)=/;
