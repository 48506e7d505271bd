import {
  createGenerator,
  type Generator,
  MILLISECOND,
  type Micros,
  nextBetween,
  type Outcome,
  stepImmutable,
  stepInPlace,
} from "../../kernel/index.js";
import type { EtcdConfig } from "../config.js";
import { pendingWrites } from "../disk.js";
import type { ClientReply, ClientRequest, EtcdEffect, EtcdFact, EtcdStimulus } from "../events.js";
import { etcd } from "../member.js";
import { memberIdOf, raftIdOf } from "../membership.js";
import type { EtcdState } from "../state.js";

/** Something that is going to happen to a member. `life` drops what was meant for an earlier process. */
interface Coming {
  readonly at: Micros;
  readonly seq: number;
  readonly member: string;
  readonly life: number;
  readonly stimulus: EtcdStimulus;
}

interface Host {
  readonly name: string;
  state: EtcdState;
  life: number;
  /** What is planned for each of its timers. */
  readonly timers: Map<string, number>;
}

/** How a test cluster runs. */
export interface ClusterOptions {
  readonly names: readonly string[];
  readonly seed?: number;
  readonly mode?: "in-place" | "immutable";
  readonly config?: Partial<EtcdConfig>;
  /** Default: `http://NAME:2380`. */
  readonly peerUrls?: Readonly<Record<string, string>>;
  readonly clientUrls?: Readonly<Record<string, readonly string[]>>;
  /** What the clocks of all members show in the beginning; default 0. */
  readonly epoch?: Micros;
  /** Least and most that a message and a sync take; default 1 to 3 and 1 to 5 ms. */
  readonly delays?: {
    readonly network: readonly [Micros, Micros];
    readonly disk: readonly [Micros, Micros];
  };
}

/** One fact, where and when. */
export interface Told {
  readonly at: Micros;
  readonly member: string;
  readonly fact: EtcdFact;
}

/** Members joined by a seeded network of 1 to 3 ms, over disks that sync in 1 to 5 ms. For tests. */
export interface TestCluster {
  readonly options: ClusterOptions;
  now: Micros;
  readonly hosts: Map<string, Host>;
  readonly byRaftId: Map<number, string>;
  readonly queue: Coming[];
  readonly facts: Told[];
  readonly replies: Map<number, ClientReply[]>;
  /** Links that lose everything, as `from>to`. */
  readonly cut: Set<string>;
  readonly generator: Generator;
  seq: number;
  nextId: number;
}

export function peerUrl(name: string): string {
  return `http://${name}:2380`;
}

function peerUrlOf(options: ClusterOptions, name: string): string {
  return options.peerUrls?.[name] ?? peerUrl(name);
}

/** A cluster whose members are all started. */
export function startCluster(options: ClusterOptions): TestCluster {
  const cluster: TestCluster = {
    options,
    now: options.epoch ?? 0,
    hosts: new Map(),
    byRaftId: new Map(),
    queue: [],
    facts: [],
    replies: new Map(),
    cut: new Set(),
    generator: createGenerator(options.seed ?? 1, "test-cluster"),
    seq: 0,
    nextId: 1,
  };
  const initialCluster = options.names.map((name) => ({
    name,
    peerUrls: [peerUrlOf(options, name)],
  }));
  for (const name of options.names) {
    addHost(cluster, {
      name,
      seed: options.seed ?? 1,
      clusterState: "new",
      initialCluster,
      ...(options.clientUrls?.[name] === undefined ? {} : { clientUrls: options.clientUrls[name] }),
      ...options.config,
    });
  }
  for (const name of options.names) hear(cluster, name, { kind: "start" });
  return cluster;
}

/** Adds a host without starting its member. */
export function addHost(cluster: TestCluster, config: EtcdConfig): void {
  const { name } = config;
  const id =
    config.existing?.memberId ??
    memberIdOf([peerUrlOf(cluster.options, name)], config.clusterToken ?? "etcd-cluster", null);
  cluster.byRaftId.set(raftIdOf(id), name);
  cluster.hosts.set(name, { name, state: etcd.create(config), life: 0, timers: new Map() });
}

/** The state of a member. */
export function stateOf(cluster: TestCluster, name: string): EtcdState {
  return hostOf(cluster, name).state;
}

function hostOf(cluster: TestCluster, name: string): Host {
  const host = cluster.hosts.get(name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
}

/** Gives a member a stimulus now. */
export function hear(cluster: TestCluster, name: string, stimulus: EtcdStimulus): void {
  const host = hostOf(cluster, name);
  const outcome = stepHost(cluster, host, stimulus);
  for (const fact of outcome.facts) cluster.facts.push({ at: cluster.now, member: name, fact });
  for (const effect of outcome.effects) perform(cluster, host, effect);
}

function stepHost(
  cluster: TestCluster,
  host: Host,
  stimulus: EtcdStimulus,
): Outcome<EtcdFact, EtcdEffect> {
  if (cluster.options.mode !== "immutable") {
    return stepInPlace(etcd, host.state, stimulus, cluster.now);
  }
  const outcome = stepImmutable(etcd, host.state, stimulus, cluster.now);
  host.state = outcome.state;
  return outcome;
}

function perform(cluster: TestCluster, host: Host, effect: EtcdEffect): void {
  switch (effect.kind) {
    case "arm-timer":
      host.timers.set(
        effect.timer,
        plan(cluster, host, effect.delay, { kind: "timer", timer: effect.timer }),
      );
      return;
    case "cancel-timer":
      host.timers.delete(effect.timer);
      return;
    case "fsync": {
      const delay = nextBetween(cluster.generator, ...delaysOf(cluster).disk);
      plan(cluster, host, delay, { kind: "disk-synced", token: effect.token });
      return;
    }
    case "disk-write":
      return;
    case "client-reply": {
      const replies = cluster.replies.get(effect.id) ?? [];
      replies.push(effect.reply);
      cluster.replies.set(effect.id, replies);
      return;
    }
    case "send": {
      const target = cluster.byRaftId.get(effect.to);
      if (target === undefined || cluster.cut.has(`${host.name}>${target}`)) return;
      const run = host.state.run;
      const from = run?.id ?? 0;
      const delay = nextBetween(cluster.generator, ...delaysOf(cluster).network);
      const to = hostOf(cluster, target);
      plan(cluster, to, delay, { kind: "peer-message", from, message: effect.message });
      return;
    }
    case "exit":
      host.life++;
  }
}

const DELAYS = {
  network: [MILLISECOND, 3 * MILLISECOND],
  disk: [MILLISECOND, 5 * MILLISECOND],
} as const;

function delaysOf({ options }: TestCluster): NonNullable<ClusterOptions["delays"]> {
  return options.delays ?? DELAYS;
}

function plan(cluster: TestCluster, host: Host, delay: Micros, stimulus: EtcdStimulus): number {
  const { queue } = cluster;
  cluster.seq++;
  const coming: Coming = {
    at: cluster.now + delay,
    seq: cluster.seq,
    member: host.name,
    life: host.life,
    stimulus,
  };
  let place = queue.length;
  while (place > 0 && (queue[place - 1]?.at ?? 0) > coming.at) place--;
  queue.splice(place, 0, coming);
  return cluster.seq;
}

/** Lets time pass until `until` holds, or for `limit`; whether it came to hold. */
export function runUntil(
  cluster: TestCluster,
  until: () => boolean,
  limit: Micros = 30_000_000,
): boolean {
  const end = cluster.now + limit;
  while (!until()) {
    const next = cluster.queue[0];
    if (next === undefined || next.at > end) {
      cluster.now = end;
      return until();
    }
    cluster.queue.shift();
    cluster.now = next.at;
    const host = hostOf(cluster, next.member);
    if (next.life !== host.life) continue;
    if (next.stimulus.kind === "timer") {
      const { timer } = next.stimulus;
      if (next.seq !== host.timers.get(timer)) continue;
      host.timers.delete(timer);
    }
    hear(cluster, next.member, next.stimulus);
  }
  return true;
}

/** Lets time pass. */
export function runFor(cluster: TestCluster, duration: Micros): void {
  runUntil(cluster, () => false, duration);
}

/** The process of a member is gone, and with it all but the first `surviving` unsynced writes. */
export function crash(cluster: TestCluster, name: string, surviving = 0): void {
  const host = hostOf(cluster, name);
  host.life++;
  host.timers.clear();
  hear(cluster, name, { kind: "crash", surviving });
}

/** How many single writes a crash of the member could lose. */
export function unsynced(cluster: TestCluster, name: string): number {
  return pendingWrites(stateOf(cluster, name).disk);
}

/** Asks a member something, as whoever the token stands for; the id under which the replies come. */
export function ask(
  cluster: TestCluster,
  name: string,
  request: ClientRequest,
  token = "",
): number {
  const id = cluster.nextId++;
  hear(cluster, name, { kind: "client-request", id, from: "test", request, token });
  return id;
}

/** Asks and waits for the first reply; null if none comes in time. */
export function call(
  cluster: TestCluster,
  name: string,
  request: ClientRequest,
  token = "",
): ClientReply | null {
  const id = ask(cluster, name, request, token);
  runUntil(cluster, () => cluster.replies.has(id), 20_000_000);
  return cluster.replies.get(id)?.[0] ?? null;
}

/** The leader the running members agree on, or null. */
export function leaderOf(cluster: TestCluster): string | null {
  for (const host of cluster.hosts.values()) {
    const { run } = host.state;
    if (run === null || run.node.role !== "leader") continue;
    const term = run.node.term;
    const newer = [...cluster.hosts.values()].some(
      (other) => other.state.run !== null && other.state.run.node.term > term,
    );
    if (!newer) return host.name;
  }
  return null;
}

/** Waits until there is a leader and every running member serves clients. */
export function settleCluster(cluster: TestCluster): string {
  const ready = (): boolean =>
    leaderOf(cluster) !== null &&
    [...cluster.hosts.values()].every((host) => host.state.run === null || host.state.run.ready);
  if (!runUntil(cluster, ready)) throw new Error("the cluster did not come up");
  const leader = leaderOf(cluster);
  if (leader === null) throw new Error("no leader");
  return leader;
}
