const asked = Number(process.env.ORRERY_RUNS ?? 0);
const campaign = Number.isSafeInteger(asked) && asked > 0;

/** How many runs a property gets: `ORRERY_RUNS` for long campaigns, else `usual`. */
export function runs(usual: number): number {
  return campaign ? asked : usual;
}

/** How long a property may take, ms: a minute, or a day in a campaign. */
export const PATIENCE_MS = campaign ? 86_400_000 : 60_000;
