/** The whole number that follows a flag; throws with the reason if it is none, or less than `least`. */
export function integer(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${flag} takes a whole number from ${least}: ${text}`);
}

/**
 * Runs a command over what its command line says.
 *
 * @param read - throws with the reason if the command line makes no sense
 * @returns the exit code: 2 when it makes none, else the command's
 */
export async function runCommand<Options>(
  usage: string,
  read: () => Options,
  run: (options: Options) => Promise<number>,
): Promise<number> {
  let options: Options;
  try {
    options = read();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    return 2;
  }
  return run(options);
}
