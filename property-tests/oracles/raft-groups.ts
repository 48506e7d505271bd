import {
  chance,
  type Generator,
  nextBelow,
  nextBetween,
  permutation,
  pick,
} from "../../core/kernel/index.js";
import type { Environment } from "../conformance/raft/environment.js";

/** Ids that conf changes and messages name; some of them are nodes only later, or never. */
export const MAX_ID = 7;

const PERCENT = 10_000;

/** True in so many of a hundred cases. */
export function percent(generator: Generator, share: number): boolean {
  return chance(generator, share * PERCENT);
}

/** A directive that adds nodes: a group with a snapshot at first, mostly bare joiners later. */
export function addNodes(env: Environment, generator: Generator, profile: string): string {
  const first = env.members.length === 0;
  const count = first ? groupSize(generator) : nextBetween(generator, 1, 2);
  let line = `add-nodes ${count}`;
  if (first || percent(generator, 15)) line += membership(generator, count, profile);
  return line + options(generator, profile);
}

function groupSize(generator: Generator): number {
  return pick(generator, [1, 2, 3, 3, 3, 3, 4, 5]);
}

function membership(generator: Generator, count: number, profile: string): string {
  const ids = permutation(generator, count).map((id) => id + 1);
  const wantLearners = percent(generator, profile === "learners" ? 75 : 15);
  const learners = wantLearners && count > 1 ? nextBetween(generator, 1, Math.ceil(count / 3)) : 0;
  const voters = ids.slice(learners).sort();
  // A voter that is only added later, or never; or one that is listed as a learner too.
  if (percent(generator, 6)) voters.push(count + 1);
  let text = ` voters=(${voters.join(",")})`;
  const others = ids.slice(0, learners).sort();
  if (percent(generator, 1)) others.push(1);
  if (others.length > 0) text += ` learners=(${others.join(percent(generator, 50) ? "," : ", ")})`;
  const index = percent(generator, 2) ? nextBelow(generator, 2) : nextBetween(generator, 2, 12);
  return percent(generator, 1) ? text : `${text} index=${index}`;
}

function options(generator: Generator, profile: string): string {
  let text = "";
  const maybe = (share: number, option: () => string) => {
    if (percent(generator, share)) text += ` ${option()}`;
  };
  maybe(profile === "async" ? 90 : 30, () => "async-storage-writes=true");
  maybe(profile === "election" ? 50 : 30, () => `prevote=${pick(generator, ["true", "1", "t"])}`);
  const quorum = percent(generator, profile === "election" ? 50 : 30);
  if (quorum) text += " checkquorum=true";
  maybe(profile === "flow" ? 70 : 15, () => `inflight=${nextBetween(generator, 1, 4)}`);
  maybe(profile === "flow" || profile === "async" ? 50 : 10, () => {
    // Half of the time just what one of the usual entries takes.
    const size = percent(generator, 50)
      ? nextBetween(generator, 4, 13)
      : nextBetween(generator, 1, 60);
    return `max-committed-size-per-ready=${size}`;
  });
  maybe(profile === "conf" || profile === "learners" ? 25 : 8, () => {
    return "disable-conf-change-validation=true";
  });
  maybe(15, () => `step-down-on-removal=${pick(generator, ["true", "T", "false"])}`);
  maybe(8, () => "read-only=safe");
  maybe(quorum ? 8 : 1, () => "read-only=lease-based");
  maybe(1, () => "read-only=foo");
  return text;
}
