import type { SystemdReply, SystemdRequest, UnitStatus } from "../../systemd/client.js";
import { isTemplate } from "../unit-name.js";

/** A systemd that does at once what it is asked, for tests. */
export class FakeSystemd {
  readonly files = new Map<string, string>();
  readonly active = new Set<string>();
  /** Every start of a unit that did not run, in order. */
  readonly started: string[] = [];
  /** Every stop of a unit that ran, in order. */
  readonly stopped: string[] = [];
  /** Calls made, by method. */
  readonly calls = new Map<string, number>();
  /** Units whose start or enabling fails. */
  readonly broken = new Set<string>();
  /** Units that systemd has nothing to link for when they are enabled. */
  readonly linkless = new Set<string>();
  readonly #changed: (status: UnitStatus) => void;

  constructor(changed: (status: UnitStatus) => void) {
    this.#changed = changed;
  }

  request(request: SystemdRequest): SystemdReply {
    this.calls.set(request.call, (this.calls.get(request.call) ?? 0) + 1);
    switch (request.call) {
      case "read-units":
        return {
          ok: true,
          call: "files",
          files: [...this.files].map(([name, text]) => ({ name, text })),
        };
      case "write-unit":
        this.files.set(request.unit, request.text);
        return { ok: true, call: "done" };
      case "remove-unit":
        this.files.delete(request.unit);
        return { ok: true, call: "done" };
      case "list-units":
        return {
          ok: true,
          call: "units",
          units: (request.units ?? []).map((unit) => this.#status(unit)),
        };
      case "start":
      case "stop":
        return this.#job(request.call, request.unit);
      case "enable":
        return this.broken.has(request.unit)
          ? failure(request.unit)
          : {
              ok: true,
              call: "enabled",
              carriesInstallInfo: !this.linkless.has(request.unit),
            };
      default:
        return { ok: true, call: "done" };
    }
  }

  #job(call: "start" | "stop", unit: string): SystemdReply {
    const absent = this.broken.has(unit) || !this.files.has(unit) || isTemplate(unit);
    if (call === "start" && absent) return failure(unit);
    const ran = this.active.has(unit);
    if (call === "start") this.active.add(unit);
    else this.active.delete(unit);
    if (ran !== (call === "start")) {
      (call === "start" ? this.started : this.stopped).push(unit);
      this.#changed(this.#status(unit));
    }
    return { ok: true, call: "queued", job: 1 };
  }

  /** The unit ends by itself. */
  die(unit: string): void {
    this.active.delete(unit);
    this.#changed(this.#status(unit));
  }

  #status(name: string): UnitStatus {
    const runs = this.active.has(name);
    return {
      name,
      description: name,
      loadState: this.files.has(name) ? "loaded" : "not-found",
      activeState: runs ? "active" : "inactive",
      subState: runs ? "running" : "dead",
    };
  }
}

function failure(unit: string): SystemdReply {
  return { ok: false, error: "org.freedesktop.systemd1.NoSuchUnit", message: unit };
}
