/** How many runs a property gets: `ORRERY_RUNS` for long campaigns, else `usual`. */
export function runs(usual: number): number {
  const asked = Number(process.env.ORRERY_RUNS ?? usual);
  return Number.isSafeInteger(asked) && asked > 0 ? asked : usual;
}
