import type { CallName, CallRequest } from "../../../adapters/etcd/wire-calls.js";
import type { V3Failure, WatchMessage } from "../../../core/etcd/index.js";
import { agree, canonical, type Plain } from "./canonical.js";
import { ModelCluster } from "./model.js";
import { type Answer, ENDED, RealCluster, type Release } from "./real.js";
import { type CallDraft, type Known, resolve, type Step } from "./steps.js";
import { V2Pair } from "./v2.js";
import { WatchPair } from "./watches.js";

/** What the real side says and what the model says. */
export interface Apart {
  readonly expected: Plain;
  readonly actual: Plain;
}

/** The first step that the sides answer differently. */
export interface Difference extends Apart {
  readonly at: number;
}

/** How far steps were played: to the end, to a difference, or to where members on both sides ended. */
export interface Played {
  readonly steps: number;
  readonly difference: Difference | null;
}

/** Milliseconds in which a process that dropped its connection is gone, if it goes. */
const END_MS = 1_000;

/** Members look ten times a second for watches that begin in the past; what else is in the round matters. */
const SYNC_MS = 130;

/** Members with whom a leader has talked for so long count as healthy. */
const HEALTH_MS = 5_500;

/** The shortest lease runs 2 s; leaders look every 500 ms, and revoke through the log. */
const EXPIRE_MS = 4_000;

/** Who is added at the same URLs in the same second has the same id: that of a member, or of one gone for good. */
const ID_MS = 1_000;

const NAMES = ["one", "two", "three"];

export interface PairOptions {
  readonly members: number;
  /** Waits until membership may be changed. */
  readonly healthy?: boolean;
  /** The version that the model has; default: that of the release. */
  readonly modelled?: string;
}

/** A real cluster and its model, in step. */
export class Pair {
  readonly #streams = new Map<string, WatchPair>();
  readonly #realAliases = new Map<string, string>();
  readonly #modelAliases = new Map<string, string>();
  readonly #realNames = new Map<string, string>();
  readonly #modelNames = new Map<string, string>();

  readonly #v2: V2Pair;
  #ended = false;
  /**
   * How far apart times to live may be: any time once a member has asked its leader for a promotion over and
   * over until its time was up. Raft makes empty entries of some of these, for which leaders renew all leases.
   */
  #secondsApart: number | undefined = undefined;

  private constructor(
    readonly real: RealCluster,
    readonly model: ModelCluster,
  ) {
    this.#v2 = new V2Pair(real, model);
  }

  static async start(release: Release, options: PairOptions): Promise<Pair> {
    const { members, healthy = false, modelled = release.version } = options;
    const real = await RealCluster.start(release, NAMES.slice(0, members));
    try {
      const model = new ModelCluster(modelled, real);
      const pair = new Pair(real, model);
      for (const [i, id] of model.ids(real).entries()) pair.#name(`@self-${i}`, id, id);
      await pair.#alignLead();
      if (healthy) await pause(HEALTH_MS);
      return pair;
    } catch (error) {
      await real.remove();
      throw error;
    }
  }

  async end(): Promise<void> {
    for (const stream of this.#streams.values()) stream.close();
    this.#v2.end();
    await this.real.remove();
  }

  /** Takes steps up to the first that differs, or that ends a member. */
  async play(steps: readonly Step[]): Promise<Played> {
    for (const [at, step] of steps.entries()) {
      this.model.keepUp();
      const apart = (await this.#step(step)) ?? (this.#ended ? null : await this.#told());
      if (apart !== null) return { steps: at, difference: { at, ...apart } };
      if (this.#ended) return { steps: at + 1, difference: null };
    }
    await pause(SYNC_MS);
    const late = await this.#told();
    const difference = late === null ? null : { at: steps.length - 1, ...late };
    return { steps: steps.length, difference };
  }

  async #step(step: Step): Promise<Apart | null> {
    switch (step.kind) {
      case "call":
        return this.#call(step);
      case "watch":
        return this.#watch(step);
      case "expire":
        return this.#expire(step);
      case "v2":
        await this.real.catchUp(step.member);
        return this.#v2.step(step.member, step.step);
    }
  }

  async #call(step: Extract<Step, { readonly kind: "call" }>): Promise<Apart | null> {
    const { member } = step;
    const request = resolve<CallRequest<CallName>>(step.request, this.#known(this.#modelNames));
    const asked = resolve<CallRequest<CallName>>(step.request, this.#known(this.#realNames));
    const name = step.request.op;
    if (isLocal(request)) await this.real.catchUp(member);
    const model = this.model.call(member, name, request);
    const real = await this.#realCall(member, name, asked);
    this.#ended = real === ENDED;
    this.#learn(name, real, model);
    if (asked.op === "kv-compact" && real.ok) await this.#compactAll(asked);
    if ((name === "member-add" || name === "member-remove") && real.ok) await pause(ID_MS);
    const expected = canonical(name, real, this.#realAliases);
    const actual = canonical(name, model, this.#modelAliases);
    if (name === "member-promote" && !real.ok && /timed out/.test(real.message)) {
      this.#secondsApart = Number.POSITIVE_INFINITY;
    }
    return agree(expected, actual, this.#secondsApart) ? null : { expected, actual };
  }

  /** A lease is granted, gets keys and runs out, with nothing else in between. */
  async #expire(step: Extract<Step, { readonly kind: "expire" }>): Promise<Apart | null> {
    const { member, lease, keys } = step;
    const requests: CallDraft[] = [
      { op: "lease-grant", ttl: 1, id: lease },
      ...keys.map((key): CallDraft => ({ op: "kv-put", key, value: "leased", lease })),
    ];
    for (const request of requests) {
      const apart = await this.#call({ kind: "call", member, request });
      if (apart !== null) return apart;
    }
    await pause(EXPIRE_MS);
    this.model.keepUp();
    await this.#catchUpAll();
    return this.#call({ kind: "call", member, request: { op: "lease-time-to-live", id: lease } });
  }

  async #realCall(member: number, name: CallName, request: CallRequest<CallName>): Promise<Answer> {
    const answer = await this.real.call(member, name, request);
    if (answer.ok || !mayHaveEnded(answer)) return answer;
    return (await this.real.someEnded(END_MS)) ? ENDED : answer;
  }

  /** A compaction that is refused as done before still waits until its member is through with that. */
  async #compactAll(request: CallRequest<"kv-compact">): Promise<void> {
    await this.#catchUpAll();
    for (const member of this.real.servers.keys())
      await this.real.call(member, request.op, request);
  }

  async #catchUpAll(): Promise<void> {
    for (const member of this.real.servers.keys()) await this.real.catchUp(member);
  }

  async #watch(step: Extract<Step, { readonly kind: "watch" }>): Promise<null> {
    const { member, message } = step;
    await this.real.catchUp(member);
    const said = resolve<WatchMessage>(message, this.#known(this.#modelNames));
    this.#stream(member, step.stream).say(said);
    if (said.type === "create" && (said.startRevision ?? 0) !== 0) {
      await pause(SYNC_MS);
      this.model.keepUp();
    }
    return null;
  }

  #stream(member: number, number: number): WatchPair {
    const name = `${member}/${number}`;
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new WatchPair(name, member, this.real, this.model);
      this.#streams.set(name, stream);
    }
    return stream;
  }

  /** Compares what all watches have told since the last look. */
  async #told(): Promise<Apart | null> {
    for (const stream of this.#streams.values()) {
      const apart = await stream.told(this.#realAliases, this.#modelAliases);
      if (apart !== null) return { expected: apart.expected, actual: apart.actual };
    }
    return this.#v2.told();
  }

  #known(names: ReadonlyMap<string, string>): Known {
    const { revision, compactRevision } = this.model;
    return { revision, compactRevision, id: (name) => names.get(name) ?? "00000000000000aa" };
  }

  /** Gives the ids that the sides chose for the same thing the same name. */
  #learn(name: CallName, real: Answer, model: Answer): void {
    if (!real.ok || !model.ok) return;
    if (name === "member-add") {
      const added = [...this.#realNames.keys()].filter((known) =>
        known.startsWith("@added"),
      ).length;
      this.#alias(`@added-${added}`, idIn(real.message.member), idIn(model.message.member));
    }
    if (name === "lease-grant" && idIn(real.message) !== idIn(model.message)) {
      this.#alias(`@lease-${this.#realNames.size}`, idIn(real.message), idIn(model.message));
    }
  }

  #name(name: string, real: string, model: string): void {
    this.#realNames.set(name, real);
    this.#modelNames.set(name, model);
  }

  #alias(name: string, real: string, model: string): void {
    if (real === "0" || model === "0") return;
    this.#realAliases.set(real, name);
    this.#modelAliases.set(model, name);
    this.#name(name, hex(real), hex(model));
  }

  /** The model's lead goes where the real one is. */
  async #alignLead(): Promise<void> {
    const answer = await this.real.call(0, "status", { op: "status" });
    if (!answer.ok) throw new Error(`no status: ${answer.message}`);
    this.model.lead(hex(String(answer.message.leader)));
  }
}

function hex(decimal: string): string {
  return BigInt.asUintN(64, BigInt(decimal)).toString(16).padStart(16, "0");
}

function idIn(message: unknown): string {
  if (message === null || typeof message !== "object" || !("ID" in message)) return "0";
  return String(message.ID);
}

/** Whether an answer is none of etcd's own, or tells that others gave none. */
function mayHaveEnded({ code, message }: V3Failure): boolean {
  if (/^etcdserver: request timed out/.test(message)) return true;
  return code === "Unavailable" && !message.startsWith("etcdserver: ");
}

/** Whether the answer depends on how far its member has come. */
function isLocal(request: CallRequest<CallName>): boolean {
  switch (request.op) {
    case "kv-put":
    case "kv-delete-range":
    case "kv-compact":
      return false;
    case "kv-range":
      return request.serializable === true;
    default:
      return true;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
