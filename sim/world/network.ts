import { chance, type Generator, type Micros, nextBelow } from "../../core/kernel/index.js";

/** How one direction of a link behaves. Probabilities in parts per million. */
export interface LinkModel {
  readonly latencyMin: Micros;
  readonly latencyMax: Micros;
  readonly lossPpm: number;
  readonly duplicatePpm: number;
  /** Bytes per second; null for no limit. */
  readonly bandwidth: number | null;
}

/** A disturbance of some links while a fault lasts. Delays add up; probabilities do too. */
export interface LinkDisturbance {
  /** Added to each packet's latency, drawn from this range. */
  readonly delayLow: Micros;
  readonly delayHigh: Micros;
  readonly lossPpm: number;
  readonly duplicatePpm: number;
  /** Packets do not overtake each other: a late one holds up those behind it. */
  readonly ordered: boolean;
}

/** A lost packet, as a delay. */
export const LOST = -1;

/**
 * The links between nodes, one model per direction. A link keeps the order of what is sent over it,
 * as the TCP streams between real peers do, except while a fault disturbs it that is not `ordered`:
 * then delays are drawn for each packet on its own and packets overtake each other. A cut link also
 * swallows what is under way on it.
 */
export class Network {
  readonly #nodes: number;
  readonly #models: readonly LinkModel[];
  readonly #cuts: Int32Array;
  readonly #disturbances: (readonly LinkDisturbance[] | undefined)[];
  readonly #busyUntil: Float64Array;
  readonly #lastArrival: Float64Array;
  /** Whether any link has ever been one that duplicates: of most runs none has. */
  #duplicating: boolean;
  readonly #generator: Generator;

  constructor(nodes: number, link: (from: number, to: number) => LinkModel, generator: Generator) {
    this.#nodes = nodes;
    this.#generator = generator;
    this.#cuts = new Int32Array(nodes * nodes);
    this.#busyUntil = new Float64Array(nodes * nodes);
    this.#lastArrival = new Float64Array(nodes * nodes);
    this.#disturbances = new Array<undefined>(nodes * nodes).fill(undefined);
    this.#models = Array.from({ length: nodes * nodes }, (_, i) =>
      link(Math.floor(i / nodes), i % nodes),
    );
    this.#duplicating = this.#models.some(({ duplicatePpm }) => duplicatePpm > 0);
  }

  /**
   * Delay of one packet sent now, or `LOST`.
   *
   * @param stream - it keeps its place even on a disturbed link, as what belongs to one TCP stream does
   */
  delay(from: number, to: number, bytes: number, at: Micros, stream = false): number {
    const index = from * this.#nodes + to;
    const model = this.#models[index];
    if (model === undefined) throw new RangeError(`no link ${from} -> ${to}`);
    if ((this.#cuts[index] as number) > 0) return LOST;
    const disturbances = this.#disturbances[index];
    if (disturbances !== undefined)
      return this.#disturbedDelay(index, model, disturbances, bytes, at, stream);
    if (chance(this.#generator, model.lossPpm)) return LOST;
    const arrival = at + this.#latency(model) + this.#queueing(index, model, bytes, at);
    return this.#inOrder(index, arrival) - at;
  }

  #disturbedDelay(
    index: number,
    model: LinkModel,
    disturbances: readonly LinkDisturbance[],
    bytes: number,
    at: Micros,
    stream: boolean,
  ): number {
    let loss = model.lossPpm;
    let extra = 0;
    let inOrder = true;
    for (const { lossPpm, delayLow, delayHigh, ordered } of disturbances) {
      if (!ordered && !stream) inOrder = false;
      loss += lossPpm;
      extra +=
        delayLow +
        (delayHigh > delayLow ? nextBelow(this.#generator, delayHigh - delayLow + 1) : 0);
    }
    if (chance(this.#generator, loss)) return LOST;
    const arrival = at + this.#latency(model) + extra + this.#queueing(index, model, bytes, at);
    return inOrder ? this.#inOrder(index, arrival) - at : arrival - at;
  }

  #inOrder(index: number, arrival: Micros): Micros {
    const inOrder = Math.max(arrival, this.#lastArrival[index] as number);
    this.#lastArrival[index] = inOrder;
    return inOrder;
  }

  #latency(model: LinkModel): Micros {
    const spread = model.latencyMax - model.latencyMin;
    return model.latencyMin + (spread > 0 ? nextBelow(this.#generator, spread + 1) : 0);
  }

  /** Whether a packet sent now arrives twice. */
  duplicates(from: number, to: number): boolean {
    if (!this.#duplicating) return false;
    const index = from * this.#nodes + to;
    let ppm = this.#models[index]?.duplicatePpm ?? 0;
    const disturbances = this.#disturbances[index];
    if (disturbances !== undefined)
      for (const { duplicatePpm } of disturbances) ppm += duplicatePpm;
    return chance(this.#generator, ppm);
  }

  isCut(from: number, to: number): boolean {
    return (this.#cuts[from * this.#nodes + to] as number) > 0;
  }

  /** Cuts (`by` 1) or mends (`by` -1) one direction; cuts count, so overlapping faults add up. */
  cut(from: number, to: number, by: 1 | -1): void {
    const index = from * this.#nodes + to;
    this.#cuts[index] = (this.#cuts[index] as number) + by;
    if ((this.#cuts[index] as number) < 0)
      throw new RangeError(`mended an uncut link ${from} -> ${to}`);
  }

  disturb(from: number, to: number, disturbance: LinkDisturbance): void {
    const index = from * this.#nodes + to;
    this.#disturbances[index] = [...(this.#disturbances[index] ?? []), disturbance];
    if (disturbance.duplicatePpm > 0) this.#duplicating = true;
  }

  calm(from: number, to: number, disturbance: LinkDisturbance): void {
    const index = from * this.#nodes + to;
    const left = this.#disturbances[index]?.filter((other) => other !== disturbance) ?? [];
    this.#disturbances[index] = left.length === 0 ? undefined : left;
  }

  /** Time a packet waits for the packets before it on a link of limited bandwidth, and takes itself. */
  #queueing(index: number, model: LinkModel, bytes: number, at: Micros): Micros {
    if (model.bandwidth === null) return 0;
    const start = Math.max(at, this.#busyUntil[index] as number);
    const end = start + Math.ceil((bytes * 1_000_000) / model.bandwidth);
    this.#busyUntil[index] = end;
    return end - at;
  }
}
