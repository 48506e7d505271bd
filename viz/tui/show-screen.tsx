import { render } from "ink";
import type { Timeline } from "../timeline/index.js";
import { frameWriter } from "./frame-writer.js";
import { Player } from "./player.js";
import { Screen } from "./screen.js";
import type { UiState } from "./state.js";
import { enterAlternateScreen } from "./terminal.js";

/** Frames per second while time passes. */
const FPS = 15;

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
  const terminal = enterAlternateScreen(stdout, () => app.unmount());
  const writer = frameWriter(stdout);
  // Debug mode hands every frame over whole and at once; the player sets the pace.
  const app = render(<Screen player={player} size={size} colour={colour} />, {
    stdin,
    stdout: writer.stdout,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  const resized = (): void => {
    writer.reset();
    player.changed();
  };
  stdout.prependListener("resize", resized);
  const stop = passTime(player);
  try {
    await app.waitUntilExit();
  } finally {
    stop();
    stdout.off("resize", resized);
    app.unmount();
    terminal.leave();
  }
  return player.ui;
}

/** Lets real time pass for a player while it is busy; between, no timer runs. */
function passTime(player: Player): () => void {
  let timer: NodeJS.Timeout | null = null;
  let last = 0;
  const tick = (): void => {
    const now = performance.now();
    const elapsed = Math.round((now - last) * 1000);
    last = now;
    player.pass(elapsed);
    if (!player.busy && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
  const wake = (): void => {
    if (timer !== null || !player.busy) return;
    last = performance.now();
    timer = setInterval(tick, 1000 / FPS);
  };
  const unsubscribe = player.subscribe(wake);
  wake();
  return () => {
    unsubscribe();
    if (timer !== null) clearInterval(timer);
  };
}
