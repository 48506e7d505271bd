import { DiscoveryFront, type Registry } from "../../adapters/discovery/index.js";
import { FleetFront } from "../../adapters/fleet/index.js";
import { MemberFront } from "../../adapters/serve/index.js";
import type { NodeIndex } from "../../core/kernel/index.js";
import { DURATION_MAX, type FaultPlan, type RunObserver, type Scenario } from "../../sim/index.js";
import { besideTheApi } from "./serve-fleet.js";
import { ServedWorld } from "./serve-world.js";
import { clockOf, UnitJournal } from "./unit-journal.js";

export interface ServedClusterOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly plan: FaultPlan;
  readonly speed: number;
  /** Of each host's member, by its index. */
  readonly ports: readonly number[];
  /** First host's fleet API, the next `PORT_STEP` further; 0 for any. By default any that is free will do. */
  readonly fleetPort?: number;
  /** A port that was asked for by number, of a fleet API or the discovery service, is taken. */
  readonly portFailed?: (error: unknown) => void;
  /** A host's fleet API can be reached for the first time. */
  readonly fleetOpened?: (node: NodeIndex, address: string) => void;
  /** Of the discovery service, where the scenario has one; 0 for any. By default any that is free will do. */
  readonly discoveryPort?: number;
  /** The discovery service can be reached for the first time. */
  readonly discoveryOpened?: (address: string) => void;
  readonly observer?: RunObserver;
  readonly failed: (error: unknown) => void;
}

/** A served run goes on until it is stopped. */
export function withoutEnd(scenario: Scenario): Scenario {
  return { ...scenario, duration: DURATION_MAX };
}

/** A world with a port for each member, which is open while the member's process is there. */
export class ServedCluster {
  readonly world: ServedWorld;
  readonly #ports: readonly number[];
  readonly #doors: readonly Door[];
  readonly #fleets: readonly FleetFront[];
  readonly #fleetDoors: readonly Door[];
  readonly #discovery: DiscoveryFront | null;
  readonly #discoveryDoor: Door | null;

  constructor(options: ServedClusterOptions) {
    const { ports, scenario } = options;
    this.#ports = ports;
    const journal = new UnitJournal((host) => clockOf(this.world.simulation, host));
    this.world = new ServedWorld({
      ...options,
      observer: {
        ...options.observer,
        record: (record) => {
          journal.note(record);
          options.observer?.record(record);
        },
      },
      urlOf: (node) => `http://${this.addressOf(node)}`,
      changed: (node, serving) => void this.#doors[node]?.set(serving),
      fleetChanged: (node, running) => void fleetDoors[node]?.set(running),
      discoveryChanged: (up) => void this.#discoveryDoor?.set(up),
    });
    const registry = this.world.registry();
    this.#discovery = registry === null ? null : discoveryFront(registry, options.discoveryPort);
    this.#discoveryDoor =
      this.#discovery === null
        ? null
        : new Door(
            announced(this.#discovery, options.discoveryOpened),
            options.portFailed ?? options.failed,
          );
    this.#fleets = scenario.hosts.map(({ index }) => {
      const { fleetPort } = options;
      const first = fleetPort ?? FLEET_PORT;
      const port = {
        ask: this.world.askFleet.bind(this.world, index),
        extension: besideTheApi.bind(null, this.world.simulation.hosts, journal),
      };
      const wanted = first === 0 ? 0 : first + index * PORT_STEP;
      return new FleetFront(port, { port: wanted, orAny: fleetPort === undefined });
    });
    const fleetDoors = this.#fleets.map(
      (front, index) =>
        new Door(
          announced(front, (address) => options.fleetOpened?.(index, address)),
          options.portFailed ?? options.failed,
        ),
    );
    this.#fleetDoors = fleetDoors;
    this.#doors = scenario.hosts.map(({ index }) => {
      const front = new MemberFront(this.world.member(index), ports[index] ?? 0);
      return new Door(front, options.failed);
    });
  }

  /** Where clients of a host's member connect. */
  addressOf(node: NodeIndex): string {
    return `127.0.0.1:${this.#ports[node] ?? 0}`;
  }

  /** Where a host's fleet API is, or was while its fleetd ran; null if it never did. */
  fleetAddressOf(node: NodeIndex): string | null {
    return this.#fleets[node]?.address ?? null;
  }

  /** Where the discovery service is; null where the scenario has none, and before it was reached. */
  get discoveryAddress(): string | null {
    return this.#discovery?.address ?? null;
  }

  start(): void {
    this.world.start();
  }

  /** Time stands still, and every port is closed. */
  async stop(): Promise<void> {
    this.world.stop();
    const doors = [...this.#doors, ...this.#fleetDoors, this.#discoveryDoor];
    await Promise.all(doors.map((door) => door?.set(false)));
  }
}

/** Hosts' ports are so far apart, as 2380 is where one expects peers. */
export const PORT_STEP = 10;

/** The port that fleet's documents open for its API. */
const FLEET_PORT = 49_153;

/** What a door opens and closes. */
interface Front {
  open(): Promise<void>;
  close(): Promise<void>;
}

/** The port that the discovery service's own program listens on. */
const DISCOVERY_PORT = 8087;

function discoveryFront(registry: Registry, port: number | undefined): DiscoveryFront {
  const wanted = { port: port ?? DISCOVERY_PORT, orAny: port === undefined };
  return new DiscoveryFront(registry, wanted, true);
}

/** Says where a front is when it opens for the first time. */
function announced(
  front: Front & { readonly address: string | null },
  opened: ((address: string) => void) | undefined,
): Front {
  return {
    close: () => front.close(),
    open: async () => {
      const known = front.address !== null;
      await front.open();
      if (!known && front.address !== null) opened?.(front.address);
    },
  };
}

/** A port that opens and closes, one change after the other. */
class Door {
  readonly #front: Front;
  readonly #failed: (error: unknown) => void;
  #turn: Promise<void> = Promise.resolve();

  constructor(front: Front, failed: (error: unknown) => void) {
    this.#front = front;
    this.#failed = failed;
  }

  set(open: boolean): Promise<void> {
    this.#turn = this.#turn
      .then(() => (open ? this.#front.open() : this.#front.close()))
      .catch(this.#failed);
    return this.#turn;
  }
}
