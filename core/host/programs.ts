import { isModelled } from "../container/index.js";
import type { EtcdReply } from "../etcd/client.js";
import { MILLISECOND, type Micros, SECOND } from "../kernel/index.js";
import { continueShell, parseScript, type Script, startShell } from "../shell/index.js";
import type { ExecProcess } from "../systemd/process.js";
import type { ContainerHost, Program } from "./container-state.js";
import { armTimer, type HostStep } from "./context.js";
import { etcdctlRequest, isEtcdctlModelled } from "./etcdctl.js";
import { callEtcd, cancelEtcd } from "./etcdlink.js";

/** Pids of children, which systemd did not give out. */
const FIRST_CHILD = 1_000_000;

/** etcdctl's `--total-timeout`. */
const ETCDCTL_PATIENCE: Micros = 5 * SECOND;

/** A shell's time between the end of one command and the start of the next. */
const SHELL_PACE: Micros = MILLISECOND;

const TIMER = "program:";

/** The pid in a timer's name, or null when it is another timer. */
export function programOfTimer(timer: string): number | null {
  return timer.startsWith(TIMER) ? Number(timer.slice(TIMER.length)) : null;
}

/**
 * Runs a process of a unit whose program is known by its command line: docker, rkt, etcdctl, sleep, or a
 * shell with nothing but these in its script.
 *
 * @returns false: the world has to say what it does
 */
export function runProgram(step: HostStep, child: ExecProcess): boolean {
  const { pid, unit, argv, environment } = child;
  return start(step, { pid, unit, environment, parent: null }, argv);
}

type Seat = Pick<Program, "pid" | "unit" | "environment" | "parent">;

function start(step: HostStep, seat: Seat, argv: readonly string[]): boolean {
  const containers = step.host.containers;
  const [path = "", ...args] = argv;
  if (containers === undefined) return false;
  const { pid, unit } = seat;
  const run = (does: Program["does"]) =>
    containers.programs.set(pid, { ...seat, does, child: 0, ended: 0 });
  switch (programName(path)) {
    case "sh":
    case "bash": {
      const script = scriptOf(args, seat.environment);
      if (script === null || !script.ok || !script.code.every(isKnown)) return false;
      run({ kind: "shell", shell: startShell(script.code) });
      continueProgram(step, pid, null);
      return true;
    }
    case "sleep": {
      run({ kind: "sleep" });
      const delay = sleepTime(args);
      if (delay !== null)
        armTimer(step, "host", { kind: "arm-timer", timer: `${TIMER}${pid}`, delay });
      return true;
    }
    case "etcdctl": {
      if (!isEtcdctlModelled(args)) return false;
      run({ kind: "etcdctl" });
      const request = etcdctlRequest(args);
      if (request === null) endProgram(step, pid, 1, null);
      else {
        const call = { kind: "etcd-call", id: pid, request, timeout: ETCDCTL_PATIENCE } as const;
        callEtcd(step, "program", call);
      }
      return true;
    }
    case "docker":
      if (!isModelled(args)) return false;
      run({ kind: "docker" });
      step.inbox.push({ to: "containers", stimulus: { kind: "docker", pid, unit, args } });
      return true;
    case "rkt":
      run({ kind: "rkt" });
      step.inbox.push({ to: "containers", stimulus: { kind: "rkt", pid, unit, args } });
      return true;
    default:
      return false;
  }
}

function programName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The script of `sh -c SCRIPT`; null when the shell is called in another way. */
function scriptOf(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Script | null {
  const [flags = "", text] = args;
  if (text === undefined || !/^-[elux]*c$/.test(flags)) return null;
  return parseScript(flags.includes("e") ? `set -e; ${text}` : text, environment);
}

const BUILTINS = new Set("true false : echo printf cd umask set exit exec".split(" "));

/** Whether an instruction starts a program that is modelled, or none. */
function isKnown(instruction: { readonly op: string; readonly argv?: readonly string[] }): boolean {
  if (instruction.op !== "run" || instruction.argv === undefined) return true;
  const [first = "", ...args] = instruction.argv;
  if (first === "exec") return isKnown({ op: "run", argv: args });
  if (BUILTINS.has(first)) return true;
  switch (programName(first)) {
    case "sleep":
    case "rkt":
      return true;
    case "docker":
      return isModelled(args);
    case "etcdctl":
      return isEtcdctlModelled(args);
    default:
      return false;
  }
}

/** `sleep 45`, `sleep 1.5m`, several add up; null: for ever. */
function sleepTime(args: readonly string[]): Micros | null {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
  let total = 0;
  for (const arg of args) {
    const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(arg);
    if (match === null) return null;
    total += Number(match[1]) * (units[match[2] || "s"] ?? 1) * SECOND;
  }
  return Math.round(total);
}

/** A timer of a program: sleep is over, or a shell goes on. */
export function programTimer(step: HostStep, pid: number): void {
  const program = step.host.containers?.programs.get(pid);
  if (program === undefined) return;
  if (program.does.kind === "shell") continueProgram(step, pid, program.ended);
  else endProgram(step, pid, 0, null);
}

/** etcd has answered an etcdctl: 4 is its status for an error of the server, or none to be had. */
export function etcdctlAnswered(step: HostStep, pid: number, reply: EtcdReply): void {
  endProgram(step, pid, reply.ok ? 0 : 4, null);
}

/** A signal for a program; false when there is none of this pid. */
export function signalProgram(step: HostStep, pid: number, signal: string): boolean {
  const programs = step.host.containers?.programs;
  const program = programs?.get(pid);
  if (programs === undefined || program === undefined) return false;
  switch (program.does.kind) {
    case "docker":
    case "rkt":
      step.inbox.push({ to: "containers", stimulus: { kind: "signal", pid, signal } });
      return true;
    case "etcdctl":
      cancelEtcd(step, "program", { kind: "etcd-cancel", id: pid });
      break;
    case "shell": {
      // The signal goes to all of the unit's control group.
      const { child } = program;
      program.child = 0;
      endProgram(step, pid, null, signal);
      if (child !== 0) signalProgram(step, child, signal);
      return true;
    }
    case "sleep":
      break;
  }
  endProgram(step, pid, null, signal);
  return true;
}

/** A program ends by itself, as a defect has it; false when there is none of this pid. */
export function exitProgram(step: HostStep, pid: number, code: number): boolean {
  const program = step.host.containers?.programs.get(pid);
  if (program === undefined) return false;
  const { does, child } = program;
  if (does.kind === "docker" || does.kind === "rkt") {
    step.inbox.push({ to: "containers", stimulus: { kind: "app-exit", pid, code } });
    return true;
  }
  program.child = 0;
  if (does.kind === "etcdctl") cancelEtcd(step, "program", { kind: "etcd-cancel", id: pid });
  endProgram(step, pid, code, null);
  // Nothing of the unit's control group is left when its main process is gone.
  if (child !== 0) signalProgram(step, child, "SIGTERM");
  return true;
}

/** A program has ended: systemd hears of it, or the shell that waits for it goes on. */
export function endProgram(
  step: HostStep,
  pid: number,
  code: number | null,
  signal: string | null,
): void {
  const programs = step.host.containers?.programs;
  const program = programs?.get(pid);
  if (programs === undefined || program === undefined) return;
  programs.delete(pid);
  armTimer(step, "host", { kind: "cancel-timer", timer: `${TIMER}${pid}` });
  if (program.parent === null) {
    step.inbox.push({ to: "reaper", pid, code, signal });
    return;
  }
  const parent = programs.get(program.parent);
  if (parent?.child !== pid) return;
  parent.child = 0;
  parent.ended = code ?? (signal === "SIGKILL" ? 137 : 143);
  const timer = `${TIMER}${parent.pid}`;
  armTimer(step, "host", { kind: "arm-timer", timer, delay: SHELL_PACE });
}

/** A shell starts its next command, or ends. */
function continueProgram(step: HostStep, pid: number, ended: number | null): void {
  const containers: ContainerHost | undefined = step.host.containers;
  const program = containers?.programs.get(pid);
  if (containers === undefined || program === undefined || program.does.kind !== "shell") return;
  const move = continueShell(program.does.shell, ended);
  if (move.move === "exit") endProgram(step, pid, move.code, null);
  if (move.move !== "run") return;
  const { unit, environment, parent } = program;
  if (move.replaces) {
    containers.programs.delete(pid);
    start(step, { pid, unit, environment, parent }, move.argv);
    return;
  }
  const child = FIRST_CHILD + containers.nextChild++;
  program.child = child;
  start(step, { pid: child, unit, environment, parent: pid }, move.argv);
}
