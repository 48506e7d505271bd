import { constants } from "node:os";
import { posix } from "node:path";
import { bufferTime, filter, map, type Observable, Subject } from "rxjs";
import { unreachable } from "../../core/kernel/index.js";
import type { SystemdReply, SystemdRequest, UnitStatus } from "../../core/systemd/client.js";
import type { SshConnection } from "../ssh/index.js";
import { BusError, type BusSignal, SystemBus } from "./bus.js";
import { HostFiles } from "./files.js";
import { readStatus, unitOfPath } from "./status.js";

const SYSTEMD = "org.freedesktop.systemd1";
const MANAGER_PATH = "/org/freedesktop/systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
const UNIT_FOLDER = "/run/systemd/system";

/** Deadlines in ms. A daemon-reload runs all generators and may take long on a busy host. */
const DEADLINE = { connect: 10_000, call: 20_000, reload: 90_000, ping: 10_000 } as const;
const PING_EVERY_MS = 5_000;
const SETTLE_MS = 50;

const METHOD = {
  start: "StartUnit",
  stop: "StopUnit",
  restart: "RestartUnit",
  "try-restart": "TryRestartUnit",
  reload: "ReloadUnit",
  "reload-or-restart": "ReloadOrRestartUnit",
  "reload-or-try-restart": "ReloadOrTryRestartUnit",
} as const;

/**
 * The systemd of one host: its manager over D-Bus and its unit files over SFTP, on one SSH
 * connection. Requests are carried out one after the other, in the order in which they were made.
 */
export class LiveSystemd {
  readonly #bus: SystemBus;
  readonly #files: HostFiles;
  readonly #changes = new Subject<UnitStatus>();
  /** Units whose files were read or written here: a host has hundreds of others, and a reload announces them all. */
  readonly #followed = new Set<string>();
  /** The last state told of each unit. */
  readonly #told = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(bus: SystemBus, files: HostFiles) {
    this.#bus = bus;
    this.#files = files;
  }

  /** Connects to the system bus of the host and subscribes. @throws Error with a text for people */
  static async connect(ssh: SshConnection): Promise<LiveSystemd> {
    const uid = Number((await ssh.exec("id -u")).trim());
    const stream = await ssh.openSocket("/run/dbus/system_bus_socket");
    const bus = await SystemBus.over(stream, uid, DEADLINE.connect);
    const systemd = new LiveSystemd(bus, new HostFiles(await ssh.sftp()));
    systemd.#watchBus();
    await systemd.#subscribe();
    return systemd;
  }

  /** States of the units read or written here that systemd announced a change of, told once they settled for an instant. */
  get changes(): Observable<UnitStatus> {
    return this.#changes;
  }

  /** Hears once when the bus is gone or stopped answering. */
  onGone(listener: (reason: string) => void): void {
    this.#bus.onGone(listener);
  }

  close(): void {
    this.#bus.close();
  }

  /** Carries out a request after those before it. Never rejects: what went wrong is the reply. */
  request(request: SystemdRequest): Promise<SystemdReply> {
    const reply = this.#last.then(() => this.#carryOut(request)).catch(failureOf);
    this.#last = reply;
    return reply;
  }

  async #carryOut(request: SystemdRequest): Promise<SystemdReply> {
    switch (request.call) {
      case "write-unit": {
        const path = filePath(request.directory ?? UNIT_FOLDER, request.unit);
        await this.#files.write(path, request.text);
        this.#followed.add(request.unit);
        if (request.link === true)
          await this.#manager("LinkUnitFiles", "asbb", [[path], true, true]);
        return DONE;
      }
      case "write-drop-in": {
        const folder = filePath(request.directory ?? UNIT_FOLDER, `${request.unit}.d`);
        await this.#files.write(filePath(folder, request.name), request.text);
        return DONE;
      }
      case "remove-unit":
        return this.#removeUnit(request.unit, request.directory ?? UNIT_FOLDER);
      case "enable":
        return this.#enable(request.unit, request.runtime ?? false);
      case "mask":
        return this.#done("MaskUnitFiles", "asbb", [
          [request.unit],
          request.runtime ?? false,
          true,
        ]);
      case "disable":
        return this.#done("DisableUnitFiles", "asb", [[request.unit], request.runtime ?? false]);
      case "unmask":
        return this.#done("UnmaskUnitFiles", "asb", [[request.unit], request.runtime ?? false]);
      case "link":
        return this.#done("LinkUnitFiles", "asbb", [
          [request.path],
          request.runtime ?? false,
          request.force ?? false,
        ]);
      case "daemon-reload":
        await this.#manager("Reload", "", [], DEADLINE.reload);
        return DONE;
      case "start":
      case "stop":
      case "restart":
      case "try-restart":
      case "reload":
      case "reload-or-restart":
      case "reload-or-try-restart": {
        const [path] = await this.#manager(METHOD[request.call], "ss", [
          request.unit,
          request.mode,
        ]);
        return { ok: true, call: "queued", job: Number(posix.basename(String(path))) };
      }
      case "reset-failed":
        return this.#done("ResetFailedUnit", "s", [request.unit]);
      case "ref":
        return this.#done("RefUnit", "s", [request.unit]);
      case "kill":
        return this.#done("KillUnit", "ssi", [
          request.unit,
          request.who,
          constants.signals[request.signal],
        ]);
      case "list-units":
        return { ok: true, call: "units", units: await this.#list(request.units) };
      case "read-units":
        return { ok: true, call: "files", files: await this.#readUnits(request.directory) };
      default:
        return unreachable(request);
    }
  }

  async #readUnits(folder: string): Promise<{ readonly name: string; readonly text: string }[]> {
    const files = await this.#files.readFolder(folder);
    for (const { name } of files) this.#followed.add(name);
    return files;
  }

  async #removeUnit(unit: string, folder: string): Promise<SystemdReply> {
    const path = filePath(folder, unit);
    await this.#manager("DisableUnitFiles", "asb", [[unit], true]);
    try {
      await this.#manager("ResetFailedUnit", "s", [unit]);
    } catch (error) {
      // A unit that is not loaded has nothing to reset.
      if (!(error instanceof BusError) || error.errorName !== `${SYSTEMD}.NoSuchUnit`) throw error;
    }
    await this.#files.remove(path);
    this.#followed.delete(unit);
    this.#told.delete(unit);
    return DONE;
  }

  async #done(member: string, signature: string, body: readonly unknown[]): Promise<SystemdReply> {
    await this.#manager(member, signature, body);
    return DONE;
  }

  async #enable(unit: string, runtime: boolean): Promise<SystemdReply> {
    const [carries] = await this.#manager("EnableUnitFiles", "asbb", [[unit], runtime, true]);
    return { ok: true, call: "enabled", carriesInstallInfo: carries === true };
  }

  async #list(units: readonly string[] | undefined): Promise<UnitStatus[]> {
    const [rows] =
      units === undefined
        ? await this.#manager("ListUnits", "", [])
        : await this.#manager("ListUnitsByNames", "as", [[...units]]);
    if (!Array.isArray(rows)) throw new Error("systemd's list of units is no list");
    return rows.map(readStatus);
  }

  #manager(
    member: string,
    signature: string,
    body: readonly unknown[],
    deadlineMs: number = DEADLINE.call,
  ): Promise<readonly unknown[]> {
    const call = { destination: SYSTEMD, path: MANAGER_PATH, interface: MANAGER, member };
    return this.#bus.call({ ...call, signature, body }, deadlineMs);
  }

  async #subscribe(): Promise<void> {
    // One rule for UnitNew, UnitRemoved and the units' PropertiesChanged.
    const rule = `type='signal',sender='${SYSTEMD}',path_namespace='${MANAGER_PATH}'`;
    const bus = "org.freedesktop.DBus";
    const path = "/org/freedesktop/DBus";
    await this.#bus.call(
      { destination: bus, path, interface: bus, member: "AddMatch", signature: "s", body: [rule] },
      DEADLINE.call,
    );
    await this.#manager("Subscribe", "", []);
    this.#bus.signals
      .pipe(
        map(changedUnit),
        filter((unit) => unit !== null),
        filter((unit) => this.#followed.has(unit)),
        bufferTime(SETTLE_MS),
        filter((units) => units.length > 0),
      )
      .subscribe({
        next: (units) => void this.#tell(units),
        complete: () => this.#changes.complete(),
      });
  }

  /**
   * Asks for the present states of units that changed, since signals carry only parts of a state.
   * By patterns, not by names: asking by name loads a unit that is not loaded, which is announced
   * as a change again, for ever.
   */
  async #tell(units: readonly string[]): Promise<void> {
    const names = [...new Set(units)].sort();
    try {
      const [rows] = await this.#manager("ListUnitsByPatterns", "asas", [[], names]);
      const loaded = Array.isArray(rows) ? rows.map(readStatus) : [];
      for (const name of names) {
        this.#news(loaded.find((status) => status.name === name) ?? unloaded(name));
      }
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
    }
  }

  #news(status: UnitStatus): void {
    const text = JSON.stringify(status);
    if (this.#told.get(status.name) === text) return;
    this.#told.set(status.name, text);
    this.#changes.next(status);
  }

  /** A bus that does not answer a ping is dead, whatever TCP believes. */
  #watchBus(): void {
    const timer = setInterval(() => {
      this.#bus
        .call(
          {
            destination: SYSTEMD,
            path: MANAGER_PATH,
            interface: "org.freedesktop.DBus.Peer",
            member: "Ping",
          },
          DEADLINE.ping,
        )
        .catch((error: unknown) => {
          this.#bus.lost(error instanceof Error ? error.message : String(error));
        });
    }, PING_EVERY_MS);
    this.#bus.onGone(() => clearInterval(timer));
  }
}

/** A unit that systemd holds no longer in memory: it has a file, and is not running. */
function unloaded(name: string): UnitStatus {
  return {
    name,
    description: name,
    loadState: "loaded",
    activeState: "inactive",
    subState: "dead",
  };
}

const DONE: SystemdReply = { ok: true, call: "done" };

/** The unit that a signal is about; null for signals about anything else. */
function changedUnit(signal: BusSignal): string | null {
  if (signal.interface === MANAGER) {
    const news = signal.member === "UnitNew" || signal.member === "UnitRemoved";
    return news && typeof signal.body[0] === "string" ? signal.body[0] : null;
  }
  if (signal.member !== "PropertiesChanged") return null;
  // A unit announces its own interface and that of its type; the first carries the states.
  return signal.body[0] === `${SYSTEMD}.Unit` ? unitOfPath(signal.path) : null;
}

/** The path of a file in a folder. Names come from etcd: one that would leave the folder is refused. */
function filePath(folder: string, name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
    throw new BusError("org.freedesktop.DBus.Error.InvalidArgs", `not a file name: ${name}`);
  }
  return posix.join(folder, name);
}

function failureOf(error: unknown): SystemdReply {
  const message = error instanceof Error ? error.message : String(error);
  const name = error instanceof BusError ? error.errorName : "org.freedesktop.DBus.Error.IOError";
  return { ok: false, error: name, message };
}
