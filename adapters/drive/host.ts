import { isIP } from "node:net";
import type { Subscription } from "rxjs";
import {
  type FleetConfig,
  type FleetEffect,
  type FleetFact,
  type FleetStimulus,
  fleetd,
} from "../../core/fleet/index.js";
import type { LiveWorld, Seat } from "../live/index.js";
import { SshConnection, type SshOptions, type SshTarget } from "../ssh/index.js";
import { LiveSystemd } from "../systemd/index.js";
import type { StartGate } from "./gate.js";
import { LINK_DEFAULTS, type LinkEffect, type LinkFact, type LinkStimulus, link } from "./link.js";
import { FleetPerformer } from "./perform.js";
import type { EtcdPort, SystemdPort } from "./ports.js";
import { withTakeover } from "./takeover.js";

/** One host to drive. */
export interface DrivenHost {
  readonly name: string;
  readonly target: SshTarget;
  readonly ssh: SshOptions;
}

/** What the hosts of one drive share. */
export interface DriveSetting {
  readonly world: LiveWorld;
  readonly etcd: EtcdPort;
  /** What a host's real systemd is seen through: itself, or a shadow in a dry run. */
  readonly view: (host: string, systemd: SystemdPort) => SystemdPort;
  readonly gate: StartGate;
  readonly fleet: Omit<FleetConfig, "machineId" | "publicIp">;
  /** Sees every effect of a host's fleetd before it is performed. */
  readonly asked: (host: string, effect: FleetEffect) => void;
  /** Sees every fact of a host. */
  readonly heard: (host: string, fact: LinkFact | FleetFact) => void;
}

interface Connection {
  readonly ssh: SshConnection;
  readonly systemd: LiveSystemd;
}

interface Fleetd {
  readonly seat: Seat<FleetStimulus>;
  readonly performer: FleetPerformer;
  readonly changes: Subscription;
}

/** Keeps one host linked and runs its fleetd, until it is stopped. */
export class HostSession {
  readonly #host: DrivenHost;
  readonly #setting: DriveSetting;
  readonly #link: Seat<LinkStimulus>;
  readonly #closed: () => void;
  #connection: Connection | null = null;
  /** Gives the attempt to connect up that is under way. */
  #attempt = new AbortController();
  #fleetd: Fleetd | null = null;

  /** @param closed - hears once when the host is done with */
  constructor(host: DrivenHost, setting: DriveSetting, closed: () => void) {
    this.#host = host;
    this.#setting = setting;
    this.#closed = closed;
    const address = `${host.target.user}@${host.target.host}:${host.target.port}`;
    const { world, heard } = setting;
    this.#link = world.seat(
      host.name,
      link,
      { address, ...LINK_DEFAULTS },
      (effect, cause) => this.#perform(effect, cause),
      (fact) => heard(host.name, fact),
    );
    this.#link.deliver({ kind: "start" }, null);
  }

  /** Ends the session. @param unload - take the units off the host first, as fleetd does on SIGTERM */
  stop(unload: boolean): void {
    this.#link.deliver({ kind: "stop", unload }, null);
  }

  /** Drops everything at once and tells nobody: the world has ended. */
  drop(): void {
    this.#leaveFleetd();
    this.#link.leave();
    this.#disconnect();
  }

  #perform(effect: LinkEffect, cause: number): void {
    switch (effect.kind) {
      case "connect":
        void this.#connect(cause);
        return;
      case "disconnect":
        this.#disconnect();
        return;
      case "run-fleetd":
        this.#run(effect.machine, cause);
        return;
      case "stop-fleetd":
        this.#fleetd?.seat.deliver({ kind: "stop", signal: effect.signal }, cause);
        return;
      case "closed":
        this.#leaveFleetd();
        this.#link.leave();
        this.#closed();
        return;
    }
  }

  async #connect(cause: number): Promise<void> {
    const { signal } = this.#attempt;
    let ssh: SshConnection | null = null;
    try {
      ssh = await SshConnection.open(this.#host.target, this.#host.ssh, signal);
      signal.addEventListener("abort", () => ssh?.destroy("given up"));
      const systemd = await LiveSystemd.connect(ssh);
      const [machine = "", boot = ""] = (await ssh.exec(IDENTITY)).split("\n");
      if (!/^[0-9a-f]{32}$/.test(machine)) throw new Error("the host has no /etc/machine-id");
      await this.#setting.gate.arrive(this.#host.name);
      this.#reached({ ssh, systemd }, machine, boot, cause);
    } catch (error) {
      ssh?.close();
      void this.#setting.gate.arrive(this.#host.name);
      const reason = error instanceof Error ? error.message : String(error);
      if (!signal.aborted) this.#link.deliver({ kind: "lost", reason }, cause);
    }
  }

  #reached(connection: Connection, machine: string, boot: string, cause: number): void {
    this.#connection = connection;
    this.#link.deliver({ kind: "reached", machine, boot }, cause);
    const lost = (reason: string): void => {
      if (this.#connection !== connection) return;
      this.#connection = null;
      connection.ssh.destroy(reason);
      this.#link.deliver({ kind: "lost", reason }, null);
    };
    connection.systemd.onGone(lost);
    connection.ssh.onEnd((end) => lost(end.message));
  }

  #disconnect(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.systemd.close();
    connection?.ssh.close();
    this.#attempt.abort();
    this.#attempt = new AbortController();
  }

  #run(machineId: string, cause: number): void {
    const { world, etcd, view, fleet, asked, heard } = this.#setting;
    if (this.#connection === null) return;
    const systemd = view(this.#host.name, this.#connection.systemd);
    const presence = `${fleet.keyPrefix}/machines/${machineId}/object`;
    const performer = new FleetPerformer(withTakeover(etcd, presence), systemd, (code) =>
      this.#exited(code),
    );
    const seat: Seat<FleetStimulus> = world.seat(
      this.#host.name,
      fleetd,
      { ...fleet, machineId, publicIp: addressOf(this.#host.target) },
      (effect, seq) => {
        asked(this.#host.name, effect);
        performer.perform(effect, (stimulus) => seat.deliver(stimulus, seq));
      },
      (fact) => heard(this.#host.name, fact),
    );
    const changes = systemd.changes.subscribe((status) =>
      seat.deliver({ kind: "unit-changed", status }, null),
    );
    this.#fleetd = { seat, performer, changes };
    seat.deliver({ kind: "start" }, cause);
  }

  #leaveFleetd(): boolean {
    const running = this.#fleetd;
    this.#fleetd = null;
    running?.changes.unsubscribe();
    running?.performer.close();
    running?.seat.leave();
    return running !== null;
  }

  #exited(code: number): void {
    if (!this.#leaveFleetd()) return;
    this.#link.deliver({ kind: "fleetd-exited", code }, null);
  }
}

/** The machine id, then the id of this boot. */
const IDENTITY = "cat /etc/machine-id /proc/sys/kernel/random/boot_id";

/** What fleetd publishes as its address: the one we use, when it is an address and no name. */
function addressOf({ host }: SshTarget): string {
  return isIP(host) === 0 ? "" : host;
}
