import { type Instance, render } from "ink";
import type { Timeline } from "../timeline/index.js";
import { frameWriter } from "./frame-writer.js";
import { Player } from "./player.js";
import { Screen } from "./screen.js";
import type { UiState } from "./state.js";
import { enterAlternateScreen } from "./terminal.js";

/**
 * Frames per second while time passes. Ink takes about 3 µs a cell for a frame, whatever changed:
 * large screens are drawn less often, so that a replay leaves half of one core alone.
 */
const FPS = 15;
const FPS_LARGE = 13;
const LARGE_CELLS = 5_000;

export interface ShowOptions {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly colour: boolean;
  readonly start: string | null;
}

/**
 * Shows the replay screen until it is left, and resolves to what was chosen last. Load this module
 * only once `NODE_ENV` is set: it brings react with it.
 */
export async function showScreen(
  timeline: Timeline,
  initial: UiState,
  options: ShowOptions,
): Promise<UiState> {
  const { stdin, stdout, colour, start } = options;
  const player = new Player(timeline, initial);
  if (start !== null) player.dispatch({ kind: "go", to: start });
  // One row stays free: a newline in the last one would scroll the screen.
  const size = () => ({
    columns: stdout.columns ?? 80,
    rows: Math.max(1, (stdout.rows ?? 24) - 1),
  });
  // A crash may come before there is anything to unmount.
  let app: Instance | null = null;
  const terminal = enterAlternateScreen(stdout, () => app?.unmount());
  const writer = frameWriter(stdout);
  const resized = (): void => {
    writer.reset();
    player.changed();
  };
  const stop = passTime(player, () => {
    const { columns, rows } = size();
    return 1000 / (columns * rows > LARGE_CELLS ? FPS_LARGE : FPS);
  });
  try {
    // Debug mode hands every frame over whole and at once; the player sets the pace.
    app = render(<Screen player={player} size={size} colour={colour} />, {
      stdin,
      stdout: writer.stdout,
      debug: true,
      exitOnCtrlC: false,
      patchConsole: false,
    });
    stdout.prependListener("resize", resized);
    await app.waitUntilExit();
  } finally {
    stop();
    stdout.off("resize", resized);
    app?.unmount();
    terminal.leave();
  }
  return player.ui;
}

/** Lets real time pass for a player while it is busy; between, no timer runs. */
function passTime(player: Player, periodMs: () => number): () => void {
  let timer: NodeJS.Timeout | null = null;
  let last = 0;
  const tick = (): void => {
    const now = performance.now();
    const elapsed = Math.round((now - last) * 1000);
    last = now;
    // `timer` stays set meanwhile, so that the news of this change does not arm a second one.
    player.pass(elapsed);
    // What drawing took counts as part of the period.
    const rest = Math.max(1, periodMs() - (performance.now() - now));
    timer = player.busy ? setTimeout(tick, rest) : null;
  };
  const wake = (): void => {
    if (timer !== null || !player.busy) return;
    last = performance.now();
    timer = setTimeout(tick, periodMs());
  };
  const unsubscribe = player.subscribe(wake);
  wake();
  return () => {
    unsubscribe();
    if (timer !== null) clearTimeout(timer);
  };
}
