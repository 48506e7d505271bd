import { isChange, isWrite, type LinkFact } from "../../adapters/drive/index.js";
import type { V2Request } from "../../core/etcd/client.js";
import type { FleetEffect, FleetFact } from "../../core/fleet/index.js";
import { unreachable } from "../../core/kernel/index.js";
import type { SystemdRequest } from "../../core/systemd/client.js";

/** One thing that would be done, or is done, to etcd or to a host. */
export interface Deed {
  readonly host: string;
  readonly target: "etcd" | "systemd";
  readonly what: string;
  readonly why: string;
}

/** A write of a fleetd as a line; null for what only reads. `why` is what led to it. */
export function deedOf(host: string, effect: FleetEffect, why: string): Deed | null {
  if (effect.kind === "etcd-call" && isWrite(effect.request)) {
    return { host, target: "etcd", what: showV2(effect.request), why };
  }
  if (effect.kind === "systemd-call" && isChange(effect.request)) {
    return { host, target: "systemd", what: showSystemd(effect.request), why };
  }
  return null;
}

function showV2(request: V2Request): string {
  switch (request.op) {
    case "get":
    case "watch":
      return `${request.op} ${request.key}`;
    case "post":
      return `post ${request.key} ${shorten(request.value)}`;
    case "put": {
      const conditions = [
        request.prevExist === undefined ? "" : request.prevExist ? "if it exists" : "if absent",
        request.prevIndex === undefined ? "" : `if at index ${request.prevIndex}`,
        request.prevValue === undefined ? "" : `if ${shorten(request.prevValue)}`,
        request.ttl === undefined || request.ttl === "" ? "" : `for ${request.ttl} s`,
      ];
      const value = request.value === undefined ? "" : shorten(request.value);
      return ["put", request.key, value, ...conditions].filter((word) => word !== "").join(" ");
    }
    case "delete": {
      const condition = request.prevValue === undefined ? "" : ` if ${shorten(request.prevValue)}`;
      return `delete ${request.key}${request.recursive === true ? " and below" : ""}${condition}`;
    }
  }
}

function showSystemd(request: SystemdRequest): string {
  if (request.call === "write-unit") {
    const bytes = Buffer.byteLength(request.text);
    const folder = request.directory ?? "/run/systemd/system";
    return `write-unit ${folder}/${request.unit} (${bytes} bytes)${request.link === true ? " and link it" : ""}`;
  }
  return "unit" in request ? `${request.call} ${request.unit}` : request.call;
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}…` : text);
}

/** Whose business a key is, for the writes that no fact explains. */
function purposeOf(key: string): string {
  const found = PURPOSES.find(([pattern]) => pattern.test(key));
  return found?.[1] ?? "";
}

const PURPOSES: readonly (readonly [RegExp, string])[] = [
  [/\/machines\/[^/]+\/object$/, "presence of the machine"],
  [/\/lease\/engine-leader$/, "engine leadership"],
  [/\/engine\/version$/, "engine version"],
  [/\/job-state$/, "heartbeat of a unit that is loaded here"],
  [/\/states?\/[^/]+(\/[^/]+)?$/, "published state of a unit"],
];

/** The unit that a deed is about, "" for the daemon-reload; null when no fact will explain it. */
function unitOf(effect: FleetEffect): string | null {
  if (effect.kind === "systemd-call") return "unit" in effect.request ? effect.request.unit : "";
  if (effect.kind !== "etcd-call") return null;
  return /\/job\/([^/]+)\/target$/.exec(effect.request.key)?.[1] ?? null;
}

/** A fact that a person wants to hear of while it happens; null for the rest. */
export function newsOf(host: string, fact: FleetFact | LinkFact): string | null {
  switch (fact.kind) {
    case "link.up":
      return `${host}: reached, machine ${fact.machine}${fact.rebooted ? ", rebooted" : ""}`;
    case "link.down":
      return `${host}: lost (${fact.reason}); its presence in etcd runs out unless it comes back`;
    case "link.replaced":
      return `${host}: answers as machine ${fact.machine}, was ${fact.was}`;
    case "fleet.registered":
      return `${host}: registered`;
    case "fleet.presence-lost":
      return `${host}: presence cannot be written; its components stop`;
    case "fleet.engine-leader":
      return `${host}: leads the engine`;
    case "fleet.engine-lost":
      return `${host}: no longer leads the engine`;
    case "fleet.scheduled":
      return `${host}: schedules ${fact.unit} to ${fact.machine} (${fact.reason})`;
    case "fleet.unscheduled":
      return `${host}: takes ${fact.unit} from ${fact.machine} (${fact.reason})`;
    case "fleet.task":
      return `${host}: ${fact.task} ${fact.unit} (${fact.reason})`;
    case "fleet.task-failed":
      return `${host}: ${fact.task} ${fact.unit} failed: ${fact.error}`;
    case "fleet.unit-state":
      return `${host}: ${fact.unit} is ${fact.active} (${fact.sub})`;
    case "fleet.unloaded-all":
      return `${host}: its machine object is gone; unloads ${fact.units} units`;
    case "fleet.fenced":
      return `${host}: stops ${fact.units} units before its presence expires`;
    case "fleet.grpc-serving":
      return `${host}: serves the registry over gRPC: ${fact.units} units, ${fact.scheduled} scheduled`;
    case "fleet.registry-engine":
      return `${host}: has its registry from the engine of machine ${fact.engine}`;
    case "fleet.registry-etcd":
      return `${host}: has its registry from etcd`;
    case "fleet.reloaded":
      return `${host}: has read its configuration again`;
    case "fleet.exited":
      return `${host}: fleetd exited with ${fact.code}`;
    default:
      return unreachable(fact);
  }
}

/** Prints what drive does, or would do, on standard output, and its news on standard error. */
export class DrivePrinter {
  readonly #apply: boolean;
  readonly #json: boolean;
  readonly #seen = new Set<string>();
  readonly #reached = new Set<string>();
  /** Deeds by host and unit whose reason is not told yet: fleetd tells it when the deed is done. */
  readonly #unexplained = new Map<string, Deed[]>();
  #repeats = 0;

  constructor({ apply, json }: { readonly apply: boolean; readonly json: boolean }) {
    this.#apply = apply;
    this.#json = json;
  }

  /** How many hosts have been reached at some time. */
  get reached(): number {
    return this.#reached.size;
  }

  heard(host: string, fact: FleetFact | LinkFact): void {
    if (fact.kind === "link.up") this.#reached.add(host);
    const reason = "reason" in fact ? fact.reason : "error" in fact ? fact.error : null;
    if ("unit" in fact && reason !== null) this.#explain(`${host}/${fact.unit}`, reason);
    const away = fact.kind === "link.down" && !this.#reached.has(host);
    const news = away ? `${host}: not reached (${fact.reason}); trying again` : newsOf(host, fact);
    if (news !== null) console.error(news);
  }

  /** A deed is printed when it is first met; beats and renewals repeat it. */
  asked(host: string, effect: FleetEffect): void {
    const purpose = effect.kind === "etcd-call" ? purposeOf(effect.request.key) : "";
    const deed = deedOf(host, effect, purpose);
    if (deed === null) return;
    const key = `${host} ${deed.what.replace(/ if at index \d+/, "")}`;
    if (this.#seen.has(key)) {
      this.#repeats++;
      return;
    }
    this.#seen.add(key);
    const unit = unitOf(effect);
    if (unit === null) {
      this.#print(deed);
      return;
    }
    const waiting = `${host}/${unit}`;
    this.#unexplained.set(waiting, [...(this.#unexplained.get(waiting) ?? []), deed]);
  }

  /** Says what came of it all. @param hosts - names of those that were to be reached */
  summary(hosts: readonly string[]): void {
    const away = hosts.filter((host) => !this.#reached.has(host));
    if (away.length > 0) console.error(`never reached: ${away.join(", ")}`);
    for (const key of [...this.#unexplained.keys()]) this.#explain(key, "under way when stopped");
    const verb = this.#apply ? "done" : "would be done; nothing was changed";
    const again = this.#repeats === 0 ? "" : `, and ${this.#repeats} repetitions of them`;
    console.error(`${this.#seen.size} deeds${again} ${verb}`);
  }

  #explain(key: string, why: string): void {
    for (const deed of this.#unexplained.get(key) ?? []) this.#print({ ...deed, why });
    this.#unexplained.delete(key);
  }

  #print(deed: Deed): void {
    const { host, target, what, why } = deed;
    if (this.#json) console.log(JSON.stringify({ ...deed, applied: this.#apply }));
    else console.log(`${this.#apply ? "" : "would: "}${host} ${target} ${what}  # ${why}`);
  }
}
