import type { Image } from "../../core/container/index.js";
import type { HostEffect } from "../../core/host/index.js";
import { MILLISECOND, type Micros, type NodeIndex, SECOND } from "../../core/kernel/index.js";
import type { ContainersSpec, ImageSpec } from "../scenario/containers.js";
import { LOST } from "./network.js";
import type { World } from "./world.js";

type FetchEffect = Extract<
  HostEffect,
  { readonly kind: "fetch-manifest" | "fetch-layer" | "cancel-fetch" }
>;

/** One layer on its way to a host. */
interface Flow {
  readonly node: NodeIndex;
  readonly id: number;
  readonly cause: number;
  /** Bytes to come. */
  left: number;
  /** Bytes a second, as of the last time anything changed. */
  rate: number;
}

const SERVICE_TIME: Micros = 5 * MILLISECOND;

/** How long docker waits for a registry that says nothing (registry/auth.go). */
const PATIENCE: Micros = 15 * SECOND;

/** After so long TCP sends again what was lost. */
const RESEND: Micros = SECOND;

/** A link that is cut or mended is noticed within this time. */
const LOOK_EVERY: Micros = SECOND;

/** What a manifest weighs, bytes. */
const MANIFEST = 2_000;

/**
 * The registry that images come from. What it sends is shared among all that is under way, and so is what
 * one host takes: no flow could have more without one having less that has no more itself (max-min).
 */
export class ImageRegistry {
  readonly #world: World;
  readonly #spec: ContainersSpec;
  #flows: Flow[] = [];
  #settledAt: Micros = 0;
  /** Grows when rates change: an end that was reckoned before does not count. */
  #reckoning = 0;
  #outages = 0;

  constructor(world: World, spec: ContainersSpec) {
    this.#world = world;
    this.#spec = spec;
  }

  /** What decides how the run goes on, for hashing. */
  state(): unknown {
    return { flows: this.#flows, outages: this.#outages };
  }

  /** Carries out what a host's engines ask for. */
  perform(node: NodeIndex, effect: FetchEffect, cause: number): void {
    switch (effect.kind) {
      case "fetch-manifest":
        this.#tellManifest(node, effect.id, effect.image, cause);
        return;
      case "fetch-layer":
        this.#begin({ node, id: effect.id, cause, left: effect.bytes, rate: 0 });
        return;
      case "cancel-fetch":
        this.#drop((flow) => flow.node === node && flow.id === effect.id);
    }
  }

  /** Ends or begins an outage: connections are refused, and those there are break. Outages may overlap. */
  setUp(up: boolean): void {
    this.#outages += up ? -1 : 1;
    if (!up) for (const flow of this.#drop(() => true)) this.#break(flow, 0);
  }

  /** A host lost power: nothing is sent to it any more. */
  forget(node: NodeIndex): void {
    if (this.#flows.some((flow) => flow.node === node)) this.#drop((flow) => flow.node === node);
  }

  #tellManifest(node: NodeIndex, id: number, name: string, cause: number): void {
    const there = this.#delay(node, this.#spec.node, 500);
    const back = this.#delay(this.#spec.node, node, MANIFEST);
    if (there === null || back === null) {
      this.#world.answer(node, PATIENCE, { kind: "fetch-broken", id }, cause);
      return;
    }
    const found = this.#spec.images.find((image) => image.name === name);
    const image = found === undefined ? null : imageOf(found);
    this.#world.whileAlive(node, there, () => {
      const stimulus =
        this.#outages > 0
          ? ({ kind: "fetch-broken", id } as const)
          : ({ kind: "manifest", id, image } as const);
      this.#world.answer(node, SERVICE_TIME + back, stimulus, cause);
    });
  }

  #begin(flow: Flow): void {
    const delay = this.#delay(flow.node, this.#spec.node, 500);
    if (delay === null) {
      this.#break(flow, PATIENCE);
      return;
    }
    if (this.#outages > 0) {
      this.#break(flow, 2 * delay);
      return;
    }
    this.#settle();
    this.#flows.push(flow);
    this.#reckon();
  }

  #break({ node, id, cause }: Flow, delay: Micros): void {
    this.#world.answer(node, delay, { kind: "fetch-broken", id }, cause);
  }

  /** Takes flows away, and hands the rest what they leave. */
  #drop(which: (flow: Flow) => boolean): Flow[] {
    this.#settle();
    const gone = this.#flows.filter(which);
    this.#flows = this.#flows.filter((flow) => !which(flow));
    this.#reckon();
    return gone;
  }

  /** What was sent since anything last changed. */
  #settle(): void {
    const elapsed = this.#world.at - this.#settledAt;
    this.#settledAt = this.#world.at;
    for (const flow of this.#flows) flow.left -= Math.floor((flow.rate * elapsed) / 1_000_000);
  }

  /** Gives each flow its rate and looks when the first of them ends. */
  #reckon(): void {
    const reckoning = ++this.#reckoning;
    const open = this.#flows.filter(({ node }) => !this.#isCut(node));
    for (const flow of this.#flows) flow.rate = 0;
    share(open, this.#spec);
    if (this.#flows.length === 0) return;
    const ends = open.map(({ left, rate }) => Math.ceil((left * 1_000_000) / Math.max(1, rate)));
    this.#world.schedule(this.#world.at + Math.max(0, Math.min(LOOK_EVERY, ...ends)), () => {
      if (this.#reckoning === reckoning) this.#goOn();
    });
  }

  #goOn(): void {
    this.#settle();
    const done = this.#flows.filter(({ left }) => left <= 0);
    this.#flows = this.#flows.filter(({ left }) => left > 0);
    for (const { node, id, cause } of done) {
      this.#world.answer(node, 0, { kind: "fetched", id }, cause);
    }
    this.#reckon();
  }

  #isCut(node: NodeIndex): boolean {
    const { network } = this.#world;
    return network.isCut(node, this.#spec.node) || network.isCut(this.#spec.node, node);
  }

  /** One way; null when nothing gets through. */
  #delay(from: NodeIndex, to: NodeIndex, bytes: number): Micros | null {
    const { network, at } = this.#world;
    if (network.isCut(from, to)) return null;
    const delay = network.delay(from, to, bytes, at, true);
    return delay === LOST ? RESEND : delay;
  }
}

/** Max-min fair rates: hosts that take less than an equal share leave the rest to the others. */
function share(flows: readonly Flow[], spec: ContainersSpec): void {
  const byHost = new Map<NodeIndex, Flow[]>();
  for (const flow of flows) byHost.set(flow.node, [...(byHost.get(flow.node) ?? []), flow]);
  // A host's share of each of its flows is the smaller the more it has.
  const hosts = [...byHost.values()].sort((left, right) => right.length - left.length);
  let capacity = spec.registryBandwidth;
  let waiting = flows.length;
  for (const own of hosts) {
    const rate = Math.max(
      1,
      Math.min(Math.floor(spec.hostBandwidth / own.length), Math.floor(capacity / waiting)),
    );
    for (const flow of own) flow.rate = rate;
    capacity -= rate * own.length;
    waiting -= own.length;
  }
}

/** An image as hosts are told of it. */
export function imageOf(spec: ImageSpec): Image {
  const range = ({ low, high }: { readonly low: number; readonly high: number }) =>
    [low, high] as const;
  return {
    layers: spec.layers,
    process: {
      readyAfter: range(spec.readyAfter),
      exits: spec.exits === null ? null : { after: range(spec.exits.after), code: spec.exits.code },
      stopTakes: spec.stopTakes === null ? null : range(spec.stopTakes),
      stopCode: spec.stopCode,
    },
    listens: spec.listens,
  };
}
