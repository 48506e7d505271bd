import type { NodeIndex } from "../../core/kernel/index.js";

/**
 * What brings power to the hosts: each has a switch that operators turn, and outages, which last as
 * long as the faults that made them and may overlap.
 */
export class PowerSupply {
  readonly #switchedOn: Uint8Array;
  readonly #outages: Int32Array;

  constructor(hosts: number) {
    this.#switchedOn = new Uint8Array(hosts);
    this.#outages = new Int32Array(hosts);
  }

  /** Turns a host's switch. */
  turn(node: NodeIndex, on: boolean): void {
    this.#switchedOn[node] = on ? 1 : 0;
  }

  beginOutage(node: NodeIndex): void {
    this.#outages[node] = (this.#outages[node] as number) + 1;
  }

  endOutage(node: NodeIndex): void {
    this.#outages[node] = (this.#outages[node] as number) - 1;
  }

  /** Whether power reaches a host: it is switched on and no outage lasts. */
  reaches(node: NodeIndex): boolean {
    return this.#switchedOn[node] === 1 && this.#outages[node] === 0;
  }
}
