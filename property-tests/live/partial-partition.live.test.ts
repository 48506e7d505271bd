import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import type { CutResult } from "./cut-cluster.js";
import { whyNot } from "./needs.js";

const reason = whyNot("lab");

const SECONDS = 12;

/** What real members do while their links are cut, by topology. */
function cutFor(preVote: boolean): Readonly<Record<string, CutResult>> {
  const program = new URL("./cut-cluster.ts", import.meta.url).pathname;
  const text = execFileSync(
    "unshare",
    ["--net", process.execPath, "--import", "tsx", program, String(preVote), String(SECONDS)],
    { encoding: "utf8" },
  );
  const results = text
    .trim()
    .split("\n")
    .map((line): CutResult => JSON.parse(line));
  return Object.fromEntries(results.map((result) => [result.topology, result]));
}

// The scenarios of partial-partition say the same of the model; a minute has 40 to 51 lonely terms there.
test.skipIf(reason !== null)("real members with CheckQuorum do what the scenarios say", () => {
  const { chained, "quorum-loss": loss, "constrained-election": constrained } = cutFor(false);
  expect(chained?.terms).toBeGreaterThan(5);
  expect(chained?.outageMs).toBeLessThan(3_000);
  // How long it takes is luck: up to 35 s in a hundred seeds.
  expect(loss?.terms).toBeGreaterThan(0);
  expect(constrained?.terms).toBeGreaterThan(5);
  expect(constrained?.writes).toBe(0);
});

test.skipIf(reason !== null)("real members with PreVote as well raise no term in vain", () => {
  const { chained, "quorum-loss": loss, "constrained-election": constrained } = cutFor(true);
  expect(chained).toMatchObject({ terms: 0 });
  expect(chained?.outageMs).toBeLessThan(3_000);
  expect(loss?.terms).toBeLessThan(4);
  expect(loss?.writes).toBeGreaterThan(0);
  expect(constrained?.terms).toBeLessThan(2);
  expect(constrained?.writes).toBe(0);
});
