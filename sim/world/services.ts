import {
  type DiscoveryReply,
  discoveryRegistry,
  type RegistryEffect,
  type RegistryFact,
  type RegistryState,
} from "../../core/discovery/index.js";
import { APP_ID, type HostEffect, type Packet, packetBytes } from "../../core/host/index.js";
import {
  MILLISECOND,
  MINUTE,
  type Micros,
  type NodeIndex,
  type Outcome,
  unreachable,
} from "../../core/kernel/index.js";
import {
  type OmahaReply,
  type RolloutPolicy,
  type ServiceEffect,
  type ServiceFact,
  type ServiceState,
  type ServiceStimulus,
  updateService,
} from "../../core/update/index.js";
import type { PolicyChange, Scenario } from "../scenario/scenario.js";
import type { World } from "./world.js";

/** Time a service takes to answer a request. */
const SERVICE_TIME: Micros = 5 * MILLISECOND;

/** Bytes a second of an image download on a link of no stated bandwidth. */
const DOWNLOAD_BANDWIDTH = 20_000_000;

/** Progress reports of a download. */
const DOWNLOAD_PARTS = 4;

/** Who waits for an answer of a service. */
interface Asked {
  readonly node: NodeIndex;
  readonly id: number;
  /** More than one answer may come. */
  readonly stream: boolean;
}

/** The nodes that are not hosts: the update service and the discovery service. */
export class Services {
  readonly #world: World;
  readonly #update: ServiceState | null;
  readonly #registry: RegistryState | null;
  /** How many outages of a service last. */
  readonly #outages = { update: 0, discovery: 0 };
  /** Who asked, by the number the service knows the request by. */
  readonly #requests = new Map<number, Asked>();
  #nextRequest = 1;

  constructor(world: World) {
    this.#world = world;
    const { scenario } = world;
    this.#update = scenario.update === null ? null : updateService.create(serviceConfig(scenario));
    this.#registry =
      scenario.discovery === null
        ? null
        : discoveryRegistry.create({
            host: scenario.discovery.url.replace(/\/[0-9a-f]{32}$/, ""),
            seed: 0,
          });
    if (scenario.discovery !== null) this.#openToken(scenario.discovery);
  }

  /** The machines' states, for hashing. */
  states(): unknown {
    return { update: this.#update, registry: this.#registry };
  }

  /** Whether a service can be reached: it is there, and no outage lasts. */
  isUp(service: "update" | "discovery"): boolean {
    const state = service === "update" ? this.#update : this.#registry;
    return state !== null && this.#outages[service] === 0;
  }

  /** The discovery service's state, to look at; null where a scenario has none. */
  get registry(): RegistryState | null {
    return this.#registry;
  }

  /** Begins or ends an outage of a service, in which requests are lost; outages may overlap. */
  setUp(service: "update" | "discovery", up: boolean): void {
    this.#outages[service] += up ? -1 : 1;
  }

  receive(node: NodeIndex, from: NodeIndex, packet: Packet, cause: number): void {
    const service = this.#world.name(node);
    if (service === "update" && packet.kind === "omaha-request") {
      if (this.#outages.update > 0) return;
      const id = this.#note(from, packet.id);
      this.#stepUpdate({ kind: "omaha-request", id, request: packet.request }, cause);
    } else if (service === "discovery" && packet.kind === "discovery-request") {
      if (this.#outages.discovery > 0) return;
      const { request } = packet;
      const stream = request.op === "watch" && request.stream === true;
      const id = this.#note(from, packet.id, stream);
      this.#stepRegistry({ kind: "registry-request", id, request }, cause);
    } else if (service === "discovery" && packet.kind === "discovery-hangup") {
      for (const [id, asked] of this.#requests) {
        if (asked.node !== from || asked.id !== packet.id) continue;
        this.#requests.delete(id);
        this.#stepRegistry({ kind: "registry-hangup", id }, cause);
      }
    }
  }

  /** A host fetches an image: progress in parts, then the verdict. */
  download(node: NodeIndex, effect: HostEffect & { kind: "download" }, cause: number): void {
    const world = this.#world;
    const bandwidth = world.scenario.network.services.bandwidth ?? DOWNLOAD_BANDWIDTH;
    const left = effect.sizeBytes - effect.offsetBytes;
    const part = Math.ceil(left / DOWNLOAD_PARTS);
    const partTime = Math.ceil((part * 1_000_000) / bandwidth);
    const { id } = effect;
    for (let i = 1; i < DOWNLOAD_PARTS; i++) {
      const receivedBytes = Math.min(effect.offsetBytes + i * part, effect.sizeBytes);
      world.answer(node, i * partTime, { kind: "download-progress", id, receivedBytes }, cause);
    }
    // A cut link or a dead service is noticed when the download should have ended.
    world.whileAlive(node, DOWNLOAD_PARTS * partTime, () => {
      const service = world.scenario.update?.node ?? -1;
      const reachable = this.#outages.update === 0 && !world.network.isCut(service, node);
      world.answer(
        node,
        0,
        reachable
          ? { kind: "download-done", id, verdict: "good" }
          : { kind: "download-failed", id },
        cause,
      );
    });
  }

  /** An operator points a channel at a version. */
  publish(channel: string, version: string): void {
    this.#stepUpdate(
      { kind: "set-channel", appId: APP_ID, channelId: channel, packageId: version },
      -1,
    );
  }

  /** An operator changes the group's policy. */
  setPolicy(change: PolicyChange): void {
    const { update } = this.#world.scenario;
    const group = this.#update?.applications.get(APP_ID)?.groups.get(update?.group ?? "");
    if (group === undefined) return;
    const { policy } = group;
    const changed: RolloutPolicy = {
      ...policy,
      updatesEnabled: change.enabled ?? policy.updatesEnabled,
      safeMode: change.safeMode ?? policy.safeMode,
      officeHours: change.officeHours ?? policy.officeHours,
      maxUpdatesPerPeriod: change.maxUpdatesPerPeriod ?? policy.maxUpdatesPerPeriod,
      periodInterval: change.period ?? policy.periodInterval,
      updateTimeout: change.updateTimeout ?? policy.updateTimeout,
    };
    this.#stepUpdate({ kind: "set-policy", appId: APP_ID, groupId: group.id, policy: changed }, -1);
  }

  #note(node: NodeIndex, id: number, stream = false): number {
    const number = this.#nextRequest++;
    this.#requests.set(number, { node, id, stream });
    return number;
  }

  #stepUpdate(stimulus: ServiceStimulus, cause: number): void {
    const state = this.#update;
    const node = this.#world.scenario.update?.node;
    if (state === null || node === undefined) return;
    const out: Outcome<ServiceFact, ServiceEffect> = { facts: [], effects: [] };
    updateService.step(state, stimulus, this.#now(node), out);
    this.#record("update", out.facts, cause);
    for (const effect of out.effects) {
      switch (effect.kind) {
        case "omaha-response": {
          const reply: OmahaReply = { ok: true, response: effect.response };
          this.#answer(node, effect.id, (id) => ({ kind: "omaha-response", id, reply }), cause);
          break;
        }
        case "arm-timer": {
          const { timer, delay } = effect;
          const world = this.#world;
          world.schedule(world.at + delay, () => this.#stepUpdate({ kind: "timer", timer }, cause));
          break;
        }
        default:
          unreachable(effect);
      }
    }
  }

  #stepRegistry(stimulus: Parameters<typeof discoveryRegistry.step>[1], cause: number): void {
    const state = this.#registry;
    const node = this.#world.scenario.discovery?.node;
    if (state === null || node === undefined) return;
    const out: Outcome<RegistryFact, RegistryEffect> = { facts: [], effects: [] };
    discoveryRegistry.step(state, stimulus, this.#now(node), out);
    this.#record("discovery", out.facts, cause);
    for (const effect of out.effects) {
      const reply: DiscoveryReply = effect.reply;
      this.#answer(node, effect.id, (id) => ({ kind: "discovery-response", id, reply }), cause);
    }
  }

  /** Sends an answer to who asked, after the time a service takes. */
  #answer(node: NodeIndex, number: number, packet: (id: number) => Packet, cause: number): void {
    const request = this.#requests.get(number);
    if (request === undefined) return;
    if (!request.stream) this.#requests.delete(number);
    const answer = packet(request.id);
    const world = this.#world;
    world.schedule(world.at + SERVICE_TIME, () =>
      world.send(node, request.node, answer, packetBytes(answer), cause),
    );
  }

  /** The scenario's token exists before anyone asks for it, with the size it was made for. */
  #openToken(discovery: NonNullable<Scenario["discovery"]>): void {
    const state = this.#registry;
    if (state === null) return;
    const key = `/${discovery.token}/_config/size`;
    discoveryRegistry.step(
      state,
      {
        kind: "registry-request",
        id: 0,
        request: { op: "put", key, value: String(discovery.size) },
      },
      0,
      { facts: [], effects: [] },
    );
  }

  #now(node: NodeIndex): Micros {
    return this.#world.clocks[node]?.read(this.#world.at) ?? this.#world.at;
  }

  #record(host: string, facts: readonly (ServiceFact | RegistryFact)[], cause: number): void {
    for (const fact of facts) {
      const { kind, ...data } = fact;
      this.#world.record(host, kind, data, cause < 0 ? null : cause);
    }
  }
}

function serviceConfig(scenario: Scenario): Parameters<typeof updateService.create>[0] {
  const { update, releases } = scenario;
  if (update === null) throw new Error("no update service in this scenario");
  const { policy } = update;
  return {
    profile: "faithful",
    grantLatency: 0,
    epoch: 0,
    zones: [],
    applications: [
      {
        id: APP_ID,
        packages: releases.map((release) => ({
          id: release.version,
          version: release.version,
          urls: ["http://update.invalid/"],
          filename: "update.gz",
          sizeBytes: release.size,
          sha256: "",
          disablePayloadBackoff: true,
          channelsBlacklist: [],
        })),
        channels: update.channels.map(({ channel, version }) => ({
          id: channel,
          packageId: version,
        })),
        groups: [
          {
            id: update.group,
            track: update.group,
            channelId: update.channel,
            policy: {
              updatesEnabled: policy.enabled,
              safeMode: policy.safeMode,
              officeHours: policy.officeHours,
              timezone: "UTC",
              maxUpdatesPerPeriod: policy.maxUpdatesPerPeriod,
              periodInterval: policy.period,
              updateTimeout: Math.max(policy.updateTimeout, MINUTE),
            },
          },
        ],
      },
    ],
  };
}
