import { renameSync, rmSync, statSync } from "node:fs";
import { type Diagnostic, formatDiagnostic } from "../../core/kernel/index.js";
import { EXIT } from "./exit.js";

/**
 * What becomes of a command whose output nobody takes. A reader that went away (`head`, `less`) has had what it
 * wanted: a command that runs until it is told to stop is told so, and any other ends as it would have ended by
 * now. Output that cannot be written (a full disk) is lost, which is an error.
 */
export function endWithOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") {
      console.error(formatDiagnostic(cannotBeWritten("standard output", error)));
      process.exit(EXIT.badInput);
    }
    if (process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
    else process.exit();
  });
  // Nobody hears what could be said about that.
  process.stderr.on("error", () => {});
}

/**
 * False once what is printed goes nowhere. A command that prints much at once asks, since it hears of it only
 * when it has ended.
 */
export function outputIsTaken(): boolean {
  return process.stdout.errored === null;
}

/**
 * Has a file written beside the one that is named, and then puts it in its place: a failure leaves what was
 * there, and nothing else. Ends the program when the file cannot be written.
 *
 * @param input - the file that is read, which is never replaced
 * @param write - gives what is wrong with what it wrote, or null
 */
export function writeBeside(
  file: string,
  input: string,
  write: (partial: string) => Diagnostic | null,
): void {
  if (isSameFile(file, input)) end(isRead(file));
  const partial = `${file}.partial`;
  try {
    const wrong = write(partial);
    if (wrong === null) renameSync(partial, file);
    else {
      rmSync(partial);
      end(wrong);
    }
  } catch (error) {
    rmSync(partial, { force: true });
    if (!(error instanceof Error && "syscall" in error)) throw error;
    end(cannotBeWritten(file, error));
  }
}

/** Ends the program when its log would replace the scenario that it reads, whatever may be overwritten. */
export function keepScenario(scenario: string, out: string | undefined): void {
  if (out !== undefined && isSameFile(scenario, out)) end(isRead(out));
}

function isSameFile(left: string, right: string): boolean {
  try {
    const [one, other] = [statSync(left), statSync(right)];
    return one.dev === other.dev && one.ino === other.ino;
  } catch {
    // One of them is not there.
    return false;
  }
}

function isRead(file: string): Diagnostic {
  return problem(file, "the file that is read", "another one");
}

function cannotBeWritten(file: string, error: Error): Diagnostic {
  return problem(file, error.message, "a file that can be written");
}

function problem(file: string, found: string, expected: string): Diagnostic {
  const position = { file, line: 1, column: 1 };
  const advice = "Choose another file.";
  return { code: "E_LOG_WRITE", severity: "error", position, found, expected, advice };
}

function end(diagnostic: Diagnostic): never {
  console.error(formatDiagnostic(diagnostic));
  process.exit(EXIT.badInput);
}
