import type { Instruction } from "./parse.js";

/** A shell that runs a script: plain data. */
export interface ShellState {
  readonly code: readonly Instruction[];
  /** The next instruction. */
  at: number;
  /** Of the last command. */
  status: number;
  /** `set -e` */
  exits: boolean;
}

/** What a shell does next. */
export type ShellMove =
  /** It runs a program and waits for it; `replaces`: it becomes that program (`exec`). */
  | { readonly move: "run"; readonly argv: readonly string[]; readonly replaces: boolean }
  | { readonly move: "exit"; readonly code: number }
  /** It runs in a circle without ever starting a program. */
  | { readonly move: "spin" };

/** Instructions without a program after which a shell counts as running in a circle. */
const SPIN_MAX = 10_000;

/** A shell at the first command of a script. */
export function startShell(code: readonly Instruction[]): ShellState {
  return { code, at: 0, status: 0, exits: false };
}

/**
 * Goes on to the next program that the shell starts, or to its end. `ended` is the status of the
 * program it waited for; null at the start.
 */
export function continueShell(shell: ShellState, ended: number | null): ShellMove {
  if (ended !== null) {
    shell.status = ended;
    const ran = shell.code[shell.at - 1];
    const unseen = ran?.op === "run" && !ran.checked;
    if (unseen && shell.exits && ended !== 0) return { move: "exit", code: ended };
  }
  for (let steps = 0; steps < SPIN_MAX; steps++) {
    const instruction = shell.code[shell.at];
    if (instruction === undefined) return { move: "exit", code: shell.status };
    shell.at++;
    switch (instruction.op) {
      case "jump":
        shell.at = instruction.to;
        break;
      case "unless":
        if (shell.status !== 0) shell.at = instruction.to;
        break;
      case "when":
        if (shell.status === 0) shell.at = instruction.to;
        break;
      case "not":
        shell.status = shell.status === 0 ? 1 : 0;
        break;
      case "well":
        shell.status = 0;
        break;
      case "run": {
        const move = builtin(shell, instruction);
        if (move !== null) return move;
        if (shell.status !== 0 && shell.exits && !instruction.checked) {
          return { move: "exit", code: shell.status };
        }
      }
    }
  }
  return { move: "spin" };
}

/** A command of the shell's own is done at once: null. Everything else is a program. */
function builtin(
  shell: ShellState,
  { argv }: Extract<Instruction, { readonly op: "run" }>,
): ShellMove | null {
  const [name, ...args] = argv;
  switch (name) {
    case undefined:
    case "true":
    case ":":
    case "echo":
    case "printf":
    case "cd":
    case "umask":
      shell.status = 0;
      return null;
    case "false":
      shell.status = 1;
      return null;
    case "set":
      for (const arg of args) {
        if (/^-\w*e/.test(arg)) shell.exits = true;
        if (/^\+\w*e/.test(arg)) shell.exits = false;
      }
      shell.status = 0;
      return null;
    case "exit":
      return { move: "exit", code: Number(args[0] ?? shell.status) & 255 };
    case "exec":
      return { move: "run", argv: args, replaces: true };
    default:
      return { move: "run", argv, replaces: false };
  }
}
