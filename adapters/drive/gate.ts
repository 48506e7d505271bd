/**
 * Lets the first fleetds begin together. After a pause longer than the TTL no host is present in
 * etcd; if one registered before the others were reached, its engine would believe them gone and
 * take all their units.
 */
export class StartGate {
  readonly #awaited: Set<string>;
  readonly #open: Promise<void>;
  #release: () => void = () => {};

  /** @param hosts - those who begin together: each is reached, or fails for the first time */
  constructor(hosts: readonly string[]) {
    this.#awaited = new Set(hosts);
    this.#open = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** Says that a host was reached or failed; resolves when all of them were or did. */
  arrive(host: string): Promise<void> {
    this.#awaited.delete(host);
    if (this.#awaited.size === 0) this.#release();
    return this.#open;
  }
}
