import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { controlHelp } from "./control-help.js";
import { CONTROL_FOLDER, CONTROL_SOCKET, sendControl } from "./control-socket.js";
import { EXIT } from "./exit.js";

/** `orrery ctl WORDS…`: tells a served cluster what happens to it. */
export function ctlCommand(): Command {
  return new Command("ctl")
    .description("change a cluster that orrery serve serves: partitions, crashes, speed, …")
    .argument("<words...>", "a command; help lists them")
    .option("--socket <path>", "control socket that orrery serve printed (or $ORRERY_CONTROL)")
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText(
      "after",
      `
Examples:
  orrery ctl help
  orrery ctl status
  orrery ctl partition core-1 --for 30s
  orrery ctl partition core-1,core-2 '|' core-3
  orrery ctl heal
  orrery ctl crash core-2 && orrery ctl start core-2`,
    )
    .action(ctl);
}

async function ctl(words: readonly string[], flags: { readonly socket?: string }): Promise<void> {
  if (words[0] === "help") {
    console.log(controlHelp());
    return;
  }
  if (words.some((word) => word.startsWith("--socket"))) {
    console.error("--socket goes before the command: orrery ctl --socket PATH status");
    process.exitCode = EXIT.badInput;
    return;
  }
  const path = flags.socket ?? process.env.ORRERY_CONTROL ?? (await onlySocket());
  try {
    const { ok, text } = await sendControl(path, words);
    if (ok) console.log(text);
    else console.error(text);
    process.exitCode = ok ? EXIT.held : EXIT.badInput;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.error(`${path}: ${why}`);
    console.error("Is orrery serve running? It prints its control socket; give it with --socket.");
    process.exitCode = EXIT.badInput;
  }
}

/** The socket of the one cluster that is served here. Those of runs that were killed answer nothing. */
async function onlySocket(): Promise<string> {
  const found: string[] = [];
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(CONTROL_FOLDER)) continue;
    const path = join(tmpdir(), name, CONTROL_SOCKET);
    const answer = await sendControl(path, ["help"]).catch(() => null);
    if (answer !== null) found.push(path);
  }
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  if (found.length === 0) console.error("no cluster is served: orrery serve prints its socket");
  else {
    console.error(
      `several clusters are served; choose one with --socket:\n  ${found.join("\n  ")}`,
    );
  }
  process.exit(EXIT.badInput);
}
