import { MINUTE, type Micros, type Outcome, SECOND, stepInPlace } from "../../kernel/index.js";
import {
  applySlotFlags,
  beginSlotWrite,
  bootOutcome,
  copySlots,
  finishSlotWrite,
  installedSlots,
  nextBoot,
  type OmahaReply,
  type Package,
  type PayloadVerdict,
  type RolloutPolicy,
  type ServiceConfig,
  type ServiceEffect,
  type ServiceFact,
  type ServiceState,
  type ServiceStimulus,
  type SlotName,
  type Slots,
  UPDATE_ENGINE_SLOTS,
  type UpdateConfig,
  type UpdateEffect,
  type UpdateFact,
  type UpdateState,
  type UpdateStimulus,
  updateEngine,
  updateService,
  type WriteVerdict,
} from "../index.js";

export const APP = "{e96281a6-d1af-4bde-9a0a-97b76e56dc57}";

/** What becomes of a host that boots a version. */
export type VersionBehaviour = "good" | "panics" | "hangs";

export function packageOf(version: string, more: Partial<Package> = {}): Package {
  return {
    id: version,
    version,
    urls: [`https://mirror.test/${version}/`],
    filename: "update.gz",
    sizeBytes: 400_000_000,
    sha256: `sha256-of-${version}`,
    disablePayloadBackoff: true,
    channelsBlacklist: [],
    ...more,
  };
}

export const OPEN_POLICY: RolloutPolicy = {
  updatesEnabled: true,
  safeMode: false,
  officeHours: false,
  timezone: "",
  maxUpdatesPerPeriod: 999_999,
  periodInterval: MINUTE,
  updateTimeout: 60 * MINUTE,
};

export function serviceConfig(
  versions: readonly string[],
  target: string,
  more: Partial<ServiceConfig> & { readonly policy?: Partial<RolloutPolicy> } = {},
): ServiceConfig {
  const { policy, ...rest } = more;
  return {
    profile: "faithful",
    grantLatency: 0,
    epoch: 0,
    zones: [],
    applications: [
      {
        id: APP,
        packages: versions.map((version) => packageOf(version)),
        channels: [{ id: "stable", packageId: target }],
        groups: [
          { id: "g", track: "stable", channelId: "stable", policy: { ...OPEN_POLICY, ...policy } },
        ],
      },
    ],
    ...rest,
  };
}

export function engineConfig(machineId: string, more: Partial<UpdateConfig> = {}): UpdateConfig {
  return {
    appId: APP,
    machineId,
    track: "stable",
    enabled: true,
    officialServer: false,
    rollbackDetection: false,
    slots: UPDATE_ENGINE_SLOTS,
    seed: 1,
    ...more,
  };
}

export interface Host {
  readonly name: string;
  readonly disk: Slots;
  readonly state: UpdateState;
  running: SlotName | null;
  /** Counts power cycles; what was under way in an earlier one is lost. */
  boot: number;
  readonly versionsBooted: string[];
  readonly facts: { at: Micros; fact: UpdateFact }[];
}

interface Due {
  readonly at: Micros;
  readonly order: number;
  readonly run: () => void;
}

/** A small world: one service, some hosts, a network that takes 100 ms, disks that do as told. */
export class World {
  now: Micros = 0;
  readonly hosts: Host[] = [];
  readonly service: ServiceState;
  readonly serviceFacts: { at: Micros; fact: ServiceFact }[] = [];
  /** How a version behaves; good unless it says otherwise. */
  readonly behaviours = new Map<string, VersionBehaviour>();
  payload: PayloadVerdict = "good";
  write: WriteVerdict = "good";
  serviceUp = true;
  /** A host reboots this long after it needs to; null: never by itself. */
  rebootDelay: Micros | null = MINUTE;
  #queue: Due[] = [];
  #order = 0;
  #timers = new Map<string, Due>();
  #answers = new Map<number, (reply: OmahaReply) => void>();
  #nextRequest = 1;

  constructor(config: ServiceConfig) {
    this.service = updateService.create(config);
  }

  addHost(name: string, version: string, more: Partial<UpdateConfig> = {}): Host {
    const host: Host = {
      name,
      disk: installedSlots(version),
      state: updateEngine.create(engineConfig(name, more)),
      running: null,
      boot: 0,
      versionsBooted: [],
      facts: [],
    };
    this.hosts.push(host);
    this.powerOn(host);
    return host;
  }

  /** Runs until `until` or until nothing is left to do. */
  run(until: Micros): void {
    for (;;) {
      let next: Due | undefined;
      for (const due of this.#queue) {
        if (
          next === undefined ||
          due.at < next.at ||
          (due.at === next.at && due.order < next.order)
        )
          next = due;
      }
      if (next === undefined || next.at > until) break;
      this.#queue.splice(this.#queue.indexOf(next), 1);
      this.now = next.at;
      next.run();
    }
    this.now = until;
  }

  ask(stimulus: ServiceStimulus): void {
    this.#service(stimulus);
  }

  tell(host: Host, stimulus: UpdateStimulus): void {
    this.#engine(host, stimulus);
  }

  powerOff(host: Host): void {
    host.boot += 1;
    host.running = null;
  }

  reboot(host: Host): void {
    this.powerOff(host);
    this.powerOn(host);
  }

  powerOn(host: Host): void {
    const choice = nextBoot(host.disk);
    if (choice !== null) applySlotFlags(host.disk, choice.changes);
    const outcome = bootOutcome(host.disk, choice);
    const boot = host.boot;
    if (outcome.boot === "no-slot") return;
    const version = host.disk[outcome.slot].version ?? "";
    const behaviour = outcome.boot === "broken" ? "panics" : this.behaviours.get(version);
    host.versionsBooted.push(version);
    const later = (delay: Micros, run: () => void) => this.#later(delay, host, boot, run);
    if (behaviour === "panics") later(30 * SECOND, () => this.reboot(host));
    else if (behaviour === "hangs") {
      const { watchdog } = host.state.config.slots;
      if (watchdog !== null) later(watchdog, () => this.reboot(host));
    } else {
      later(30 * SECOND, () => {
        host.running = outcome.slot;
        this.#engine(host, {
          kind: "start",
          running: outcome.slot,
          slots: copySlots(host.disk),
          bootId: `${host.name}-${boot}`,
        });
      });
    }
  }

  #engine(host: Host, stimulus: UpdateStimulus): void {
    const { facts, effects }: Outcome<UpdateFact, UpdateEffect> = stepInPlace(
      updateEngine,
      host.state,
      stimulus,
      this.now,
    );
    for (const fact of facts) host.facts.push({ at: this.now, fact });
    const boot = host.boot;
    for (const effect of effects) {
      // The power may have gone while an earlier effect of this step was performed.
      if (host.boot === boot) this.#perform(host, effect);
    }
  }

  #perform(host: Host, effect: UpdateEffect): void {
    const { boot, running } = host;
    const later = (delay: Micros, run: () => void) => this.#later(delay, host, boot, run);
    const tell = (stimulus: UpdateStimulus) => this.#engine(host, stimulus);
    switch (effect.kind) {
      case "arm-timer": {
        const key = `${host.name}/${effect.timer}`;
        this.#disarm(key);
        const due = later(effect.delay, () => tell({ kind: "timer", timer: effect.timer }));
        this.#timers.set(key, due);
        return;
      }
      case "cancel-timer":
        this.#disarm(`${host.name}/${effect.timer}`);
        return;
      case "omaha": {
        const id = this.#nextRequest++;
        const reply = (answer: OmahaReply) =>
          later(100_000, () => tell({ kind: "omaha-reply", id: effect.id, reply: answer }));
        this.#answers.set(id, reply);
        later(100_000, () => {
          if (!this.serviceUp) reply({ ok: false, status: 503 });
          else this.#service({ kind: "omaha-request", id, request: effect.request });
        });
        return;
      }
      case "download":
        later(30 * SECOND, () =>
          tell({ kind: "download-progress", id: effect.id, receivedBytes: 1_000 }),
        );
        later(60 * SECOND, () =>
          tell({ kind: "download-done", id: effect.id, verdict: this.payload }),
        );
        return;
      case "slot-write": {
        if (running === null) throw new Error("a host without power writes");
        if (effect.step === "begin") {
          beginSlotWrite(host.disk, running, effect.slot, effect.version);
          return;
        }
        const verdict = this.write;
        later(10 * SECOND, () => {
          if (verdict === "good") finishSlotWrite(host.disk, running, effect.slot);
          tell({ kind: "slot-written", id: effect.id, verdict });
        });
        return;
      }
      case "slot-flags":
        applySlotFlags(host.disk, effect.changes);
        return;
      case "status-signal":
        if (effect.status === "UPDATED_NEED_REBOOT" && this.rebootDelay !== null) {
          later(this.rebootDelay, () => this.reboot(host));
        }
        return;
      default:
        effect satisfies never;
    }
  }

  #service(stimulus: ServiceStimulus): void {
    const { facts, effects }: Outcome<ServiceFact, ServiceEffect> = stepInPlace(
      updateService,
      this.service,
      stimulus,
      this.now,
    );
    for (const fact of facts) this.serviceFacts.push({ at: this.now, fact });
    for (const effect of effects) {
      if (effect.kind === "arm-timer") {
        const { timer, delay } = effect;
        this.#push(this.now + delay, () => this.#service({ kind: "timer", timer }));
      } else {
        this.#answers.get(effect.id)?.({ ok: true, response: effect.response });
        this.#answers.delete(effect.id);
      }
    }
  }

  #later(delay: Micros, host: Host, boot: number, run: () => void): Due {
    return this.#push(this.now + delay, () => {
      if (host.boot === boot) run();
    });
  }

  #push(at: Micros, run: () => void): Due {
    const due = { at, order: this.#order++, run };
    this.#queue.push(due);
    return due;
  }

  #disarm(key: string): void {
    const due = this.#timers.get(key);
    const at = due === undefined ? -1 : this.#queue.indexOf(due);
    if (at >= 0) this.#queue.splice(at, 1);
  }
}

/** How often the service granted `version`. */
export function grantsOf(world: World, version: string): number {
  return world.serviceFacts.filter(
    ({ fact }) => fact.kind === "service.granted" && fact.version === version,
  ).length;
}

/** Codes of `update.failed`, in order. */
export function failuresOf(host: Host): number[] {
  return host.facts.flatMap(({ fact }) => (fact.kind === "update.failed" ? [fact.code] : []));
}
