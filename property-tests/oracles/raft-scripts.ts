import { createGenerator, type Generator, nextBetween, pick } from "../../core/kernel/index.js";
import { Environment } from "../conformance/raft/environment.js";
import { ACTIONS, type ActionName } from "./raft-actions.js";
import { addNodes } from "./raft-groups.js";
import { carryOut, type Script } from "./raft-play.js";

/** What a walk is about: how often it takes each action, relative to the others. */
type Profile = Readonly<Partial<Record<ActionName, number>>>;

/** Every profile does all of this now and then. */
const EVERYTHING: Readonly<Record<ActionName, number>> = {
  addNodes: 2,
  breakpoint: 1,
  campaign: 6,
  compact: 4,
  confChange: 5,
  deliver: 20,
  deliverType: 6,
  drop: 6,
  forgetLeader: 3,
  logLevel: 3,
  nonsense: 1,
  pin: 1,
  processAppend: 6,
  processApply: 5,
  processReady: 24,
  propose: 14,
  raftLog: 4,
  raftState: 4,
  reportUnreachable: 3,
  sendSnapshot: 2,
  stabilize: 8,
  stabilizeSome: 4,
  status: 5,
  tickElection: 4,
  tickHeartbeat: 5,
  transferLeadership: 4,
};

/** The kinds of walk, by name. */
export const PROFILES = {
  chaos: { nonsense: 5, drop: 14, campaign: 10, stabilize: 2, logLevel: 5 },
  conf: { confChange: 26, addNodes: 5, stabilize: 12, raftState: 6, compact: 6 },
  snapshot: { compact: 16, sendSnapshot: 10, drop: 14, tickHeartbeat: 12, propose: 18, status: 8 },
  async: {
    processAppend: 24,
    processApply: 12,
    stabilize: 3,
    propose: 18,
    compact: 6,
    campaign: 10,
  },
  election: { campaign: 18, tickElection: 20, forgetLeader: 10, transferLeadership: 14, pin: 3 },
  flow: {
    propose: 36,
    status: 12,
    tickHeartbeat: 14,
    reportUnreachable: 8,
    drop: 10,
    stabilize: 3,
  },
  learners: {
    confChange: 20,
    addNodes: 5,
    transferLeadership: 8,
    tickElection: 8,
    sendSnapshot: 5,
  },
  mixed: {},
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof PROFILES;

const PROFILE_NAMES = Object.keys(PROFILES).filter((name): name is ProfileName => name in PROFILES);

/** A script and what our machine answered. */
export interface Walk {
  readonly profile: ProfileName;
  readonly script: Script;
  readonly outputs: readonly string[];
}

/** What one walk leads to. */
export interface Generated {
  /** A script of the length asked for, without a panic. */
  readonly walk: Walk;
  /** Beginnings of it followed by a directive that panics. */
  readonly panics: readonly Walk[];
}

/**
 * Walks at random through what a group can be asked, looking at the group's state to prefer what
 * has an effect. The same seed and number always give the same script.
 *
 * @param length - directives, at least 10
 */
export function generateScript(seed: number, number: number, length: number): Generated {
  const generator = createGenerator(seed, `raft script ${number}`);
  const profile = pick(generator, PROFILE_NAMES);
  const walker = new Walker(generator, profile, length);
  walker.open();
  const weights = Object.entries({ ...EVERYTHING, ...PROFILES[profile] });
  while (!walker.ended) walker.take(weightedPick(generator, weights));
  return walker.generated();
}

function weightedPick(
  generator: Generator,
  weights: readonly (readonly [string, number])[],
): ActionName {
  const bag: ActionName[] = [];
  for (const [name, weight] of weights) {
    if (isAction(name)) for (let i = 0; i < weight; i++) bag.push(name);
  }
  return pick(generator, bag);
}

function isAction(name: string): name is ActionName {
  return Object.hasOwn(ACTIONS, name);
}

/** One or two leaders in turn lose their proposals but keep their own copies: the logs conflict. */
function tear({ members }: Environment, generator: Generator): string[] {
  const count = members.length;
  const directives: string[] = [];
  const leaders = Math.min(count - 1, nextBetween(generator, 1, 2));
  for (let leader = 1; leader <= leaders; leader++) {
    const proposals = nextBetween(generator, 1, 3);
    for (let i = 0; i < proposals; i++) directives.push(`propose ${leader} torn${leader}${i}`);
    const ready = `process-ready ${leader}`;
    const thread = members[leader - 1]?.node.config.asyncStorageWrites === true;
    directives.push(ready, ...(thread ? [`process-append-thread ${leader}`] : []));
    const others = Array.from({ length: count }, (_, i) => i + 1).filter((id) => id !== leader);
    directives.push(`deliver-msgs drop=(${others.join(",")})`);
    const rest = others.filter((id) => id > leader).join(" ");
    directives.push(`campaign ${leader + 1}`, `stabilize ${rest}`);
  }
  return directives;
}

/** Enough for rare ones to be met, and few enough for walks in a state that panics at once. */
const MAX_PANICS = 3;

class Walker {
  #env = new Environment();
  readonly #script: string[] = [];
  readonly #outputs: string[] = [];
  readonly #panics: Walk[] = [];
  readonly #generator: Generator;
  readonly #profile: ProfileName;
  readonly #length: number;

  constructor(generator: Generator, profile: ProfileName, length: number) {
    this.#generator = generator;
    this.#profile = profile;
    this.#length = length;
  }

  get ended(): boolean {
    return this.#script.length >= this.#length;
  }

  /** Starts a group: mostly with a leader, without a word or not, and then at times torn apart. */
  open(): void {
    const style = pick(this.#generator, ["bare", "led", "quiet", "torn"] as const);
    if (style === "quiet") this.#run("log-level none");
    // Options that are not for each other panic; others do not.
    while (this.#env.members.length === 0) {
      this.#run(addNodes(this.#env, this.#generator, this.#profile));
    }
    if (style === "bare") return;
    this.#run("campaign 1");
    this.#run("stabilize");
    if (style === "quiet") this.#run("log-level debug");
    if (style === "torn") for (const source of tear(this.#env, this.#generator)) this.#run(source);
  }

  /** Takes an action if it makes sense now and fits. */
  take(name: ActionName): void {
    const sources = ACTIONS[name](this.#env, this.#generator, this.#profile);
    if (this.#script.length + sources.length > this.#length) return;
    for (const source of sources) if (!this.#run(source)) return;
  }

  generated(): Generated {
    const walk = { profile: this.#profile, script: this.#script, outputs: this.#outputs };
    return { walk, panics: this.#panics };
  }

  /** False if the directive ended in a panic, or never ended; the walk then goes on as if it had not been asked. */
  #run(source: string): boolean {
    const { output, dead, endless } = carryOut(this.#env, source);
    if (!dead) {
      this.#script.push(source);
      this.#outputs.push(output);
      return true;
    }
    if (!endless && this.#panics.length < MAX_PANICS) {
      this.#panics.push({
        profile: this.#profile,
        script: [...this.#script, source],
        outputs: [...this.#outputs, output],
      });
    }
    this.#env = new Environment();
    for (const done of this.#script) carryOut(this.#env, done);
    return false;
  }
}
