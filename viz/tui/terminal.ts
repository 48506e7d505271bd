const ENTER = "\u001b[?1049h\u001b[2J\u001b[H\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[0m\u001b[?1049l";

/** Signals that end the process and must find the terminal as it was. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface AlternateScreen {
  /** Back to what the terminal showed before; once is enough, more do no harm. */
  leave(): void;
}

/**
 * Enters the terminal's alternate screen and sees to it that it is left again: by `leave`, at the
 * process's exit, at a crash, and at SIGINT, SIGTERM and SIGHUP, which then end the process with
 * the exit code shells expect (128 + signal).
 *
 * @param before - called once before leaving on a signal or crash, to stop drawing
 */
export function enterAlternateScreen(
  stdout: NodeJS.WriteStream,
  before: () => void,
): AlternateScreen {
  let left = false;
  const leave = (): void => {
    if (left) return;
    left = true;
    stdout.write(LEAVE);
    process.off("exit", leave);
    process.off("uncaughtExceptionMonitor", crash);
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
  const crash = (): void => {
    before();
    leave();
  };
  const handlers = SIGNALS.map((signal) => {
    const handler = (): void => {
      crash();
      // With our handler gone the signal does what it does by default.
      process.kill(process.pid, signal);
    };
    return [signal, handler] as const;
  });
  process.on("exit", leave);
  process.on("uncaughtExceptionMonitor", crash);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  stdout.write(ENTER);
  return { leave };
}
