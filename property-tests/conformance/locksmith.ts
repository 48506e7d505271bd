import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import {
  changeFor,
  createSemaphoreRequest,
  durationToStartNs,
  getSemaphoreRequest,
  HOLDER_DOES_NOT_EXIST,
  HOLDER_EXISTS,
  nextPeriod,
  type Period,
  parseWindow,
  previousPeriod,
  readSemaphore,
  type Semaphore,
  semaphoreKey,
  setMax,
  setSemaphoreRequest,
  type Zone,
} from "../../core/update/index.js";
import type { Suite } from "./suite.js";
import { forEachRow } from "./witness.js";

/** Semaphores and reboot windows, as the real lock client and Go's calendar have them. */
export const locksmith: Suite = {
  name: "locksmith",
  about: "semaphore sequences, reboot windows parsed and waited for, against locksmith 0.6.2",
  run(dataDir, report) {
    forEachRow<SemaphoreCase>(
      dataDir,
      "locksmith/semaphore.jsonl",
      report,
      semaphoreCase,
      JSON.stringify,
    );
    forEachRow<ParseCase>(
      dataDir,
      "locksmith/window-parse.jsonl",
      report,
      parseCase,
      JSON.stringify,
    );
    forEachRow<WaitCase>(dataDir, "locksmith/window-wait.jsonl", report, waitCase, JSON.stringify);
  },
};

type WitnessError = string | { readonly etcdCode: number } | { readonly badValue: true } | null;

interface Operation {
  readonly op: "lock" | "unlock" | "setMax" | "init";
  readonly arg: string | number | null;
  readonly error: WitnessError;
  readonly old?: number;
}

interface Step extends Operation {
  readonly value: string;
  readonly raceBetweenGetAndSet?: Operation;
}

interface SemaphoreCase {
  readonly id: string;
  readonly group: string;
  readonly key: string;
  readonly initial: string;
  readonly preset?: string;
  readonly steps: readonly Step[];
}

/** What an operation gave: the witness's own fields, without the stored value. */
interface Answer {
  readonly error: WitnessError;
  readonly old?: number;
}

function semaphoreCase(row: SemaphoreCase): { expected: unknown; actual: unknown } {
  const store = new Register();
  store.answer(createSemaphoreRequest(row.group));
  const expected: unknown[] = [row.key, row.initial];
  const actual: unknown[] = [semaphoreKey(row.group).slice(1), store.value];
  if (row.preset !== undefined) store.put(row.preset);
  for (const { value, raceBetweenGetAndSet: race, ...operation } of row.steps) {
    let raced: Answer | null = null;
    const answer = perform(store, row.group, operation, () => {
      if (race !== undefined) raced = perform(store, row.group, race, () => undefined);
    });
    expected.push([answerOf(operation), race === undefined ? null : answerOf(race), value]);
    actual.push([answer, raced, store.value]);
  }
  return { expected, actual };
}

function answerOf({ error, old }: Operation): Answer {
  return old === undefined ? { error } : { error, old };
}

/** One operation of a lock client; `between` runs after its read and before its write. */
function perform(
  store: Register,
  group: string,
  { op, arg }: Operation,
  between: () => void,
): Answer {
  if (op === "init") {
    const reply = store.answer(createSemaphoreRequest(group));
    between();
    return { error: reply.ok || codeOf(reply) === 105 ? null : { etcdCode: codeOf(reply) } };
  }
  const read = readSemaphore(store.answer(getSemaphoreRequest(group)));
  between();
  if (!read.ok) return { error: { badValue: true } };
  const change = changeOf(op, arg, read.semaphore);
  if (typeof change === "string") return { error: change };
  const reply = store.answer(setSemaphoreRequest(group, change, read.index));
  const error = reply.ok ? null : { etcdCode: codeOf(reply) };
  return op === "setMax" && error === null ? { error, old: read.semaphore.max } : { error };
}

function changeOf(
  op: "lock" | "unlock" | "setMax",
  arg: string | number | null,
  semaphore: Semaphore,
): Semaphore | string {
  if (op === "setMax") {
    const result = setMax(semaphore, Number(arg));
    return result.ok ? result.semaphore : result.error;
  }
  const change = changeFor(op, semaphore, String(arg));
  if (change.change === "write") return change.semaphore;
  if (change.change === "refused") return change.error;
  return op === "lock" ? HOLDER_EXISTS : HOLDER_DOES_NOT_EXIST;
}

function codeOf(reply: EtcdReply & { readonly ok: false }): number {
  return "errorCode" in reply ? reply.errorCode : 0;
}

/** A key of an etcd v2 store, with its rules for creating, comparing and setting. */
class Register {
  value: string | null = null;
  #index = 0;

  put(value: string): void {
    this.value = value;
    this.#index += 1;
  }

  answer(request: V2Request): EtcdReply {
    if (request.op === "get") {
      return this.value === null ? this.#error(100, "Key not found") : this.#ok(request.key, "get");
    }
    if (request.op !== "put") throw new Error(`a lock client does not ${request.op}`);
    if (request.prevExist === false && this.value !== null) return this.#error(105, "Key exists");
    if (request.prevIndex !== undefined && request.prevIndex !== this.#index) {
      return this.#error(101, "Compare failed");
    }
    this.put(request.value ?? "");
    return this.#ok(request.key, request.prevIndex === undefined ? "create" : "compareAndSwap");
  }

  #ok(key: string, action: "get" | "create" | "compareAndSwap"): EtcdReply {
    const value = this.value ?? "";
    const node = { key, value, modifiedIndex: this.#index, createdIndex: 1 };
    return { ok: true, status: 200, action, node, etcdIndex: this.#index };
  }

  #error(errorCode: number, message: string): EtcdReply {
    return { ok: false, status: 412, errorCode, message, cause: "", index: this.#index };
  }
}

interface ParseCase {
  readonly id: string;
  readonly start: string;
  readonly length: string;
  readonly ok?: {
    readonly dayOfWeek: number;
    readonly hour: number;
    readonly minute: number;
    readonly lengthNs: number;
  };
  readonly error?: string;
}

function parseCase(row: ParseCase): { expected: unknown; actual: unknown } {
  const parsed = parseWindow(row.start, row.length);
  const { ok } = row;
  return {
    expected: ok === undefined ? row.error : [ok.dayOfWeek, ok.hour, ok.minute, ok.lengthNs],
    actual: parsed.ok
      ? [parsed.window.dayOfWeek, parsed.window.hour, parsed.window.minute, parsed.window.lengthNs]
      : parsed.error,
  };
}

interface WaitCase {
  readonly id: string;
  readonly start: string;
  readonly length: string;
  readonly zone: string;
  readonly nowUnixMs: number;
  readonly durationToStartNs: number;
  readonly previous: readonly [string, string];
  readonly next: readonly [string, string];
}

function waitCase(row: WaitCase): { expected: unknown; actual: unknown } {
  const expected = [row.durationToStartNs, row.previous, row.next];
  const parsed = parseWindow(row.start, row.length);
  if (!parsed.ok) return { expected, actual: parsed.error };
  const zone = zoneNamed(row.zone);
  const now = row.nowUnixMs * 1_000;
  const { window } = parsed;
  const actual = [
    durationToStartNs(window, now, zone),
    formatPeriod(previousPeriod(window, now, zone), zone),
    formatPeriod(nextPeriod(window, now, zone), zone),
  ];
  return { expected, actual };
}

function formatPeriod(period: Period, zone: Zone): [string, string] {
  const startNs = BigInt(period.start) * 1_000n;
  return [formatTime(startNs, zone), formatTime(startNs + BigInt(period.lengthNs), zone)];
}

/** Go's RFC3339Nano: local time, fraction without trailing zeros, offset or Z. */
function formatTime(epochNs: bigint, zone: Zone): string {
  const seconds = Number(epochNs / 1_000_000_000n);
  const fraction = String(epochNs % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  const offset = zone(seconds);
  const local = new Date((seconds + offset) * 1_000).toISOString().slice(0, 19);
  const minutes = Math.abs(offset) / 60;
  const clock = [Math.floor(minutes / 60), minutes % 60].map((n) => String(n).padStart(2, "0"));
  const suffix = offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${clock.join(":")}`;
  return `${local}${fraction === "" ? "" : `.${fraction}`}${suffix}`;
}

const zones = new Map<string, Zone>();

/** The offsets of an IANA zone, out of the runtime's own tables. */
function zoneNamed(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    zone = (epochSeconds) => {
      const parts = new Map(
        format.formatToParts(epochSeconds * 1_000).map((part) => [part.type, Number(part.value)]),
      );
      const get = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
      const local = Date.UTC(
        get("year"),
        get("month") - 1,
        get("day"),
        get("hour"),
        get("minute"),
        get("second"),
      );
      return local / 1_000 - epochSeconds;
    };
    zones.set(name, zone);
  }
  return zone;
}
