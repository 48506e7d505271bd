import fc from "fast-check";
import { expect, test } from "vitest";
import { createProgress } from "./progress.js";
import { jointCommitted } from "./quorum.js";
import { committedIndex, createTracker } from "./tracker.js";

test("a leader's commit index, counted in place, is what the plain reckoning of both quorums gives", () => {
  // Catches a count that takes learners for voters, or one half of a joint configuration for both.
  const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 });
  const sorted = ids.map((list) => list.sort((left, right) => left - right));
  const matches = fc.array(fc.nat(6), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(sorted, sorted, sorted, matches, (incoming, outgoing, learners, match) => {
      const tracker = createTracker(1, 0);
      tracker.config.incoming = incoming;
      tracker.config.outgoing = outgoing;
      const members = new Set([...incoming, ...outgoing, ...learners]);
      for (const id of [...members].sort((left, right) => left - right)) {
        const progress = createProgress(id, 1, false, 1, 0);
        progress.match = match[id] ?? 0;
        tracker.progress.push(progress);
      }
      const acked = (id: number) => match[id] ?? 0;
      expect(committedIndex(tracker)).toBe(jointCommitted(incoming, outgoing, acked));
    }),
    { numRuns: 500 },
  );
});
