import { hasReady, RaftPanic } from "../../core/raft/index.js";
import { type Command, runCommand } from "../conformance/raft/commands.js";
import { parseDirective } from "../conformance/raft/datadriven.js";
import { EndlessError, Environment, type Member } from "../conformance/raft/environment.js";

/** Directives of an interaction script, each with its input lines but without its output. */
export type Script = readonly string[];

/** What a script came to in our machine. */
export interface Played {
  /** One output per directive, up to a panic, whose output is `panic: ` and its text. */
  readonly outputs: readonly string[];
  /**
   * False if the script asks for what no answer is defined for: a node that is not there, a tick
   * that fires or not by the election timeout that the library drew, or a group that never rests.
   */
  readonly sound: boolean;
}

/** How one directive went. */
export interface Step {
  readonly output: string;
  /** True if the machine panicked or failed: what it holds now means nothing. */
  readonly dead: boolean;
  /** True if the original would go on for ever. */
  readonly endless: boolean;
}

/** Carries out a script. If traced, each output ends with the events that the directive caused. */
export function play(script: Script, traced = false): Played {
  const env = new Environment({ traced });
  const outputs: string[] = [];
  let sound = true;
  let pinned = "";
  for (const source of script) {
    const command = commandOf(source);
    const id = command.args[0]?.key ?? "";
    const member = env.members[Number(id) - 1];
    if (member !== undefined && mayFire(member, ticksOf(member, command)) && pinned !== id) {
      sound = false;
    }
    pinned = command.command === "set-randomized-election-timeout" ? id : "";
    const { output, dead, endless } = carryOut(env, source);
    if (endless || output.startsWith("error: Error: there is no node")) sound = false;
    outputs.push(traced ? comparable([output, ...env.trace.splice(0)].join("\n")) : output);
    if (dead) break;
  }
  return { outputs, sound };
}

/** Carries out one directive. An exception that is no panic of the library's is an output too, which differs. */
export function carryOut(env: Environment, source: string): Step {
  try {
    return { output: runCommand(env, commandOf(source)), dead: false, endless: false };
  } catch (error) {
    const text =
      error instanceof RaftPanic
        ? comparable(`panic: ${error.message}`)
        : `error: ${error instanceof Error ? error.stack : String(error)}`;
    return { output: text, dead: true, endless: error instanceof EndlessError };
  }
}

/** This panic goes on to print Go's memory addresses, other ones each time: its first line says it. */
const ADDRESS_PANIC = "panic: ConfStates not equivalent after sorting:";

/** An output as it is compared: without those, and without the trace that follows them. */
export function comparable(output: string): string {
  return output.startsWith(`${ADDRESS_PANIC}\n`) ? ADDRESS_PANIC : output;
}

function commandOf(source: string): Command {
  const [line = "", ...input] = source.split("\n");
  const parsed = parseDirective(line);
  if (parsed === null) throw new Error(`not a directive: ${source}`);
  return { ...parsed, input: input.join("\n").trim() };
}

function ticksOf({ node }: Member, { command }: Command): number {
  if (command === "tick-election") return node.config.electionTick;
  return command === "tick-heartbeat" ? node.config.heartbeatTick : 0;
}

/**
 * True if that many ticks can reach the election timeout, which is at least the configured one
 * unless set. A leader's ticks do not ask for it, and a timeout drawn amid a directive's ticks (at
 * most as many as the smallest timeout) is not reached in the same directive.
 */
export function mayFire({ node }: Member, ticks: number): boolean {
  return (
    ticks > 0 && node.role !== "leader" && node.electionElapsed + ticks >= node.config.electionTick
  );
}

/** True if the member has a Ready to handle. */
export function isDue({ node }: Member): boolean {
  return hasReady(node);
}

/** A script as datadriven reads it, with outputs if given. */
export function scriptText(script: Script, outputs: readonly string[] = []): string {
  const output = (at: number) => (outputs[at] ?? "").replace(/\n*$/, "\n").replace(/^\n$/, "");
  return script.map((source, at) => `${source}\n----\n${output(at)}`).join("\n");
}
