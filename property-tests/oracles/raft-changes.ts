import { type Generator, nextBelow, nextBetween, pick } from "../../core/kernel/index.js";
import type { Environment } from "../conformance/raft/environment.js";
import { percent } from "./raft-groups.js";

/** A conf change to propose, with the arguments that say of which kind; the input may be empty. */
export function changesText(
  env: Environment,
  generator: Generator,
  profile: string,
  maxId: number,
): { args: string; input: string } {
  const joint = env.members.some(({ node }) => node.tracker.config.outgoing.length > 0);
  if (percent(generator, joint ? 35 : 8)) {
    return { args: percent(generator, 15) ? transition(generator) : "", input: "" };
  }
  if (percent(generator, 25)) {
    const args = ` v1=${pick(generator, ["true", "true", "t", "1"])}`;
    // The older form knows neither several changes nor transitions.
    if (percent(generator, 4)) return { args, input: "v1 v2" };
    if (percent(generator, 4)) return { args: args + transition(generator), input: "v1" };
    return { args, input: change(env, generator, profile, maxId) };
  }
  const count = pick(generator, [1, 1, 1, 2, 2, 3, 4]);
  const changes = Array.from({ length: count }, () => change(env, generator, profile, maxId));
  const args = percent(generator, 50) ? transition(generator) : "";
  return { args: percent(generator, 4) ? `${args} v1=false` : args, input: changes.join(" ") };
}

function transition(generator: Generator): string {
  return ` transition=${pick(generator, ["auto", "implicit", "explicit"])}`;
}

/** One change: of a node that is there, or one more than there are, or at times any id. */
function change(env: Environment, generator: Generator, profile: string, maxId: number): string {
  const letters = profile === "learners" ? "vvlllru" : "vvvlrrru";
  const letter = letters[nextBelow(generator, letters.length)] ?? "v";
  const near = Math.min(env.members.length + 1, maxId);
  const id = percent(generator, 5)
    ? nextBelow(generator, maxId + 1)
    : nextBetween(generator, 1, near);
  return `${letter}${id}`;
}
