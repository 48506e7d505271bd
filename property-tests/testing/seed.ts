import fc from "fast-check";

/**
 * Properties draw the same inputs in every run of the tests, so that a change that passed for its
 * author passes for everybody. `ORRERY_TEST_SEED=N` draws others, `ORRERY_TEST_SEED=fresh` new ones.
 */
const asked = process.env.ORRERY_TEST_SEED ?? "20261121";
if (asked !== "fresh") {
  const seed = Number(asked);
  if (!Number.isSafeInteger(seed)) throw new Error(`ORRERY_TEST_SEED=${asked}: not an integer`);
  fc.configureGlobal({ seed });
}
