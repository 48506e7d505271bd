import { discoveryRegistry, type RegistryEffect } from "../../discovery/index.js";
import {
  type Machine,
  MILLISECOND,
  type Micros,
  type NodeIndex,
  SECOND,
  stepInPlace,
} from "../../kernel/index.js";
import {
  createHost,
  type HostConfig,
  type HostEffect,
  type HostFact,
  type HostState,
  type HostStimulus,
  hostMachine,
  type Packet,
} from "../index.js";

/** The node of the discovery service in these clusters, where there is one. */
export const DISCOVERY: NodeIndex = 90;

const TOKEN = "00112233445566778899aabbccddeeff";

export const DISCOVERY_URL = `https://discovery.etcd.io/${TOKEN}`;

/** A host's address by its index. */
export const addressOf = (index: NodeIndex): string => `10.0.0.${index + 10}`;

/** `h0=http://10.0.0.10:2380,…` for these hosts. */
export const initialCluster = (hosts: readonly NodeIndex[]): string =>
  hosts.map((index) => `h${index}=http://${addressOf(index)}:2380`).join(",");

/** A cloud-config that starts etcd2 with these settings, and whatever `more` says under `coreos:`. */
export function etcdConfig(settings: Readonly<Record<string, string>>, more = ""): string {
  const lines = Object.entries(settings).map(([key, value]) => `    ${key}: ${value}\n`);
  return `#cloud-config
coreos:
  etcd2:
    initial-advertise-peer-urls: http://$private_ipv4:2380
${lines.join("")}${more.includes("units:") ? more : `${more}  units:\n    - name: etcd2.service\n      command: start\n`}`;
}

/** A host's config: healthy hardware, version 1.0.0, no services, unless `changes` says otherwise. */
export function hostConfigOf(index: NodeIndex, changes: Partial<HostConfig> = {}): HostConfig {
  return {
    index,
    name: `h${index}`,
    machineId: String(index).padStart(32, "a"),
    address: addressOf(index),
    osVersion: "1.0.0",
    cloudConfig: "",
    metadata: {},
    directory: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [addressOf(i), i])),
    updateNode: null,
    discoveryNode: null,
    etcd: {
      heartbeat: 100 * MILLISECOND,
      election: SECOND,
      snapshotCount: 10_000,
      preVote: false,
      checkQuorum: true,
      strictReconfigCheck: false,
      version: "3.4.23",
      bugs: {
        voteNotPersisted: false,
        ackBeforeSync: false,
        indexBeforeData: false,
        defragLosesData: false,
        compactionUnfinished: false,
        permissionsNotRestored: false,
        staleReads: false,
        lostEvents: false,
      },
    },
    fleet: {
      agentTtl: 30 * SECOND,
      engineReconcile: 2 * SECOND,
      etcdRequestTimeout: SECOND,
      enableGrpc: false,
      profile: "faithful",
    },
    update: { track: "stable", firstCheck: [SECOND, SECOND], period: [60 * SECOND, 60 * SECOND] },
    safeguards: { rebootHealthGate: false, quorumGate: false, markGoodGate: false },
    defects: {},
    seed: 7 + index,
    ...changes,
  };
}

interface Due {
  readonly at: Micros;
  readonly node: NodeIndex;
  /** Null once it was cancelled. */
  stimulus: HostStimulus | null;
}

/**
 * The least world that hosts can live in: a packet takes 1 ms, a sync 2 ms, a boot 3 s; programs are
 * ready at once, run for ever and end on any signal. Time passes with `run`.
 */
export class TestCluster {
  readonly hosts: HostState[];
  readonly facts: { readonly at: Micros; readonly node: NodeIndex; readonly fact: HostFact }[] = [];
  readonly sent: {
    readonly at: Micros;
    readonly from: NodeIndex;
    readonly to: NodeIndex;
    readonly packet: Packet;
  }[] = [];
  /** What each host was told, in order. */
  readonly told: {
    readonly node: NodeIndex;
    readonly stimulus: HostStimulus;
    readonly at: Micros;
  }[] = [];
  readonly effects: { readonly node: NodeIndex; readonly effect: HostEffect }[] = [];
  /** Nodes that nothing reaches and that reach nobody. */
  readonly isolated = new Set<NodeIndex>();
  /** How often each packet arrives. */
  copies = 1;
  at: Micros = 0;

  #queue: Due[] = [];
  readonly #timers = new Map<string, Due>();
  readonly #machine: Machine<HostConfig, HostState, HostStimulus, HostFact, HostEffect>;
  readonly #registry = discoveryRegistry.create({ host: "https://discovery.etcd.io", seed: 0 });

  constructor(configs: readonly HostConfig[], machine = hostMachine) {
    this.#machine = machine;
    this.hosts = configs.map((config) => createHost(config));
  }

  /** Makes the discovery token, for a cluster of `size`. */
  openToken(size: number): void {
    const key = `/${TOKEN}/_config/size`;
    const request = { op: "put", key, value: String(size) } as const;
    discoveryRegistry.step(this.#registry, { kind: "registry-request", id: 0, request }, 0, {
      facts: [],
      effects: [],
    });
  }

  host(node: NodeIndex): HostState {
    const host = this.hosts[node];
    if (host === undefined) throw new RangeError(`no host ${node}`);
    return host;
  }

  /** Switches hosts on: these, or all. */
  powerOn(...nodes: NodeIndex[]): this {
    for (const node of nodes.length > 0 ? nodes : this.hosts.keys()) {
      this.tell(node, { kind: "power-on" });
    }
    return this;
  }

  /** Cuts a host's power; `surviving` unsynced writes stay. */
  powerOff(node: NodeIndex, surviving = 0, diskLost = false): this {
    this.#forget(node);
    this.tell(node, { kind: "power-loss", survivingWrites: surviving, diskLost });
    return this;
  }

  /** Hands a host a stimulus now. */
  tell(node: NodeIndex, stimulus: HostStimulus): this {
    this.told.push({ node, stimulus, at: this.at });
    const { facts, effects } = stepInPlace(this.#machine, this.host(node), stimulus, this.at);
    for (const fact of facts) this.facts.push({ at: this.at, node, fact });
    for (const effect of effects) this.#perform(node, effect);
    return this;
  }

  /** Lets `seconds` pass. */
  run(seconds: number): this {
    const end = this.at + seconds * SECOND;
    for (;;) {
      const due = this.#takeFirst(end);
      if (due === null) break;
      this.at = due.at;
      if (due.stimulus !== null) this.tell(due.node, due.stimulus);
    }
    this.at = end;
    return this;
  }

  /** Facts of one kind, of one host or of all. */
  factsOf<K extends HostFact["kind"]>(
    kind: K,
    node?: NodeIndex,
  ): readonly Extract<HostFact, { kind: K }>[] {
    return this.facts.flatMap((entry) =>
      entry.fact.kind === kind && (node === undefined || entry.node === node)
        ? [entry.fact as Extract<HostFact, { kind: K }>]
        : [],
    );
  }

  /** The host that leads its etcd cluster, or null. */
  leader(): NodeIndex | null {
    const leader = this.hosts.findIndex((host) => host.member?.run?.node.role === "leader");
    return leader < 0 ? null : leader;
  }

  /** Whether systemd of a host has a unit active. */
  isActive(node: NodeIndex, unit: string): boolean {
    const news = this.factsOf("systemd.unit", node).filter((fact) => fact.unit === unit);
    return this.host(node).power === "up" && news.at(-1)?.active === "active";
  }

  #takeFirst(until: Micros): Due | null {
    let best = -1;
    for (const [i, due] of this.#queue.entries()) {
      if (due.at <= until && (best < 0 || due.at < (this.#queue[best]?.at ?? 0))) best = i;
    }
    return best < 0 ? null : (this.#queue.splice(best, 1)[0] ?? null);
  }

  #forget(node: NodeIndex): void {
    this.#queue = this.#queue.filter((due) => due.node !== node || due.stimulus?.kind === "packet");
  }

  #later(node: NodeIndex, delay: Micros, stimulus: HostStimulus): Due {
    const due = { at: this.at + delay, node, stimulus };
    this.#queue.push(due);
    return due;
  }

  #perform(node: NodeIndex, effect: HostEffect): void {
    this.effects.push({ node, effect });
    switch (effect.kind) {
      case "send":
        this.#send(node, effect.to, effect.packet);
        return;
      case "arm-timer": {
        const { owner, timer, delay } = effect;
        this.#cancel(node, owner, timer);
        const due = this.#later(node, delay, { kind: "timer", owner, timer });
        this.#timers.set(`${node} ${owner} ${timer}`, due);
        return;
      }
      case "cancel-timer":
        this.#cancel(node, effect.owner, effect.timer);
        return;
      case "fsync":
        this.#later(node, 2 * MILLISECOND, { kind: "disk-synced", token: effect.token });
        return;
      case "exec":
        if (effect.role === "main")
          this.#later(node, 0, { kind: "process-ready", pid: effect.pid });
        else this.#later(node, 0, exited(effect.pid, 0, null));
        return;
      case "kill":
        this.#later(node, 0, exited(effect.pid, null, effect.signal));
        return;
      case "order": {
        const orders = effect.counts.map((count) => Array.from({ length: count }, (_, i) => i));
        this.#later(node, 0, { kind: "ordered", id: effect.id, orders });
        return;
      }
      case "booting":
        this.#later(node, 3 * SECOND, { kind: "booted" });
        return;
      case "reset":
        this.#forget(node);
        this.#later(node, SECOND, { kind: "power-on" });
        return;
      case "switched-off":
        this.#forget(node);
        return;
      default:
        // Downloads and slots are told by hand.
        return;
    }
  }

  #cancel(node: NodeIndex, owner: string, timer: string): void {
    const due = this.#timers.get(`${node} ${owner} ${timer}`);
    if (due !== undefined) due.stimulus = null;
  }

  #send(from: NodeIndex, to: NodeIndex, packet: Packet): void {
    this.sent.push({ at: this.at, from, to, packet });
    if (this.isolated.has(from) || this.isolated.has(to)) return;
    if (to === DISCOVERY && packet.kind === "discovery-request") {
      const effects: RegistryEffect[] = [];
      const { id, request } = packet;
      const stimulus = { kind: "registry-request", id: from * 1000 + id, request } as const;
      discoveryRegistry.step(this.#registry, stimulus, this.at, { facts: [], effects });
      for (const { id: key, reply } of effects) {
        const answer = { kind: "discovery-response", id: key % 1000, reply } as const;
        const node = Math.floor(key / 1000);
        this.#later(node, MILLISECOND, { kind: "packet", from: to, packet: answer });
      }
      return;
    }
    if (this.hosts[to] === undefined) return;
    for (let copy = 0; copy < this.copies; copy++) {
      this.#later(to, MILLISECOND, { kind: "packet", from, packet });
    }
  }
}

function exited(pid: number, code: number | null, signal: string | null): HostStimulus {
  return { kind: "process-exited", pid, code, signal };
}
