import { merge, type Observable, Subject } from "rxjs";
import type { SystemdReply, SystemdRequest, UnitStatus } from "../../core/systemd/client.js";
import { isChange, type SystemdPort } from "./ports.js";

type Files = Extract<SystemdReply, { readonly call: "files" }>["files"];

/**
 * The systemd of a dry run: reads go to the real one, changes are only shown on top of what is read. A started unit counts as running at once.
 */
export class SystemdShadow implements SystemdPort {
  readonly changes: Observable<UnitStatus>;
  readonly #real: SystemdPort;
  readonly #announced = new Subject<UnitStatus>();
  /** Path of a unit file to its text; null for one that would be removed. */
  readonly #files = new Map<string, string | null>();
  readonly #states = new Map<string, UnitStatus>();
  #jobs = 0;

  constructor(real: SystemdPort) {
    this.#real = real;
    this.changes = merge(real.changes, this.#announced);
  }

  async request(request: SystemdRequest): Promise<SystemdReply> {
    if (!isChange(request)) return this.#read(request, await this.#real.request(request));
    switch (request.call) {
      case "write-unit":
        this.#files.set(`${request.directory ?? ""}/${request.unit}`, request.text);
        return DONE;
      case "remove-unit":
        this.#files.set(`${request.directory ?? ""}/${request.unit}`, null);
        this.#states.delete(request.unit);
        return DONE;
      case "start":
      case "restart":
      case "reload-or-restart":
        return this.#queue(request.unit, "active", "running");
      case "stop":
        return this.#queue(request.unit, "inactive", "dead");
      case "try-restart":
      case "reload":
        return { ok: true, call: "queued", job: ++this.#jobs };
      default:
        return DONE;
    }
  }

  #queue(name: string, activeState: "active" | "inactive", subState: string): SystemdReply {
    const status = { name, description: name, loadState: "loaded", activeState, subState } as const;
    this.#states.set(name, status);
    this.#announced.next(status);
    return { ok: true, call: "queued", job: ++this.#jobs };
  }

  #read(request: SystemdRequest, reply: SystemdReply): SystemdReply {
    if (!reply.ok) return reply;
    if (reply.call === "units") {
      const rest = reply.units.filter(({ name }) => !this.#states.has(name));
      const named = request.call === "list-units" ? request.units : undefined;
      const shown = [...this.#states.values()].filter(
        ({ name }) => named === undefined || named.includes(name),
      );
      return { ...reply, units: [...rest, ...shown] };
    }
    if (reply.call === "files" && request.call === "read-units") {
      return { ...reply, files: this.#overlay(request.directory, reply.files) };
    }
    return reply;
  }

  #overlay(directory: string, files: Files): Files {
    const shown = new Map(files.map(({ name, text }) => [name, text]));
    for (const [path, text] of this.#files) {
      const slash = path.lastIndexOf("/");
      if (path.slice(0, slash) !== directory) continue;
      if (text === null) shown.delete(path.slice(slash + 1));
      else shown.set(path.slice(slash + 1), text);
    }
    const names = [...shown.keys()].sort();
    return names.map((name) => ({ name, text: shown.get(name) ?? "" }));
  }
}

const DONE: SystemdReply = { ok: true, call: "done" };
