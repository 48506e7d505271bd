import type { KeyValue, OpResponse, Revision, V3Result } from "../etcd/index.js";
import type { Micros } from "../kernel/index.js";
import type { Operation } from "../linearizability/index.js";
import type { ClientCall, ClientHistory, ClientWatch } from "./history.js";
import { type StoreOutput, storeModel } from "./model.js";
import { mayDelete, onlyReads, type StoreRequest, valuesOf } from "./request.js";

export type StoreOperation = Operation<StoreRequest, StoreOutput>;

/**
 * The calls of a history as operations of `storeModel`, with what the clients' own observations say
 * of those whose outcome nobody was told. Each such call would fork the search at every revision
 * after it; most can be settled, and no settlement lets a wrong history pass:
 *
 * - A value is put by one request only. Where a read or a watch shows it, the request took effect, at the
 *   revision shown and before it was shown, so it is given that revision and that moment as its return.
 * - Where watches of every key have told all changes up to the last revision that any answer names,
 *   a request whose values are in none of them had no effect by then, and no answer depends on it.
 * - A deletion has no value; it is settled if it is the only request that can have made a deletion
 *   that was seen, or if there is no deletion left to explain. Otherwise the search decides.
 *
 * Reads that told nothing are left out. etcd's robustness tests do the same with what they find in
 * the members' write-ahead logs (tests/robustness/validate/patch_history.go).
 */
export function operationsOf(history: ClientHistory): StoreOperation[] {
  const seen = new Observations(history);
  const clients = new Map<string, number>();
  const clientOf = (name: string): number => {
    const number = clients.get(name) ?? clients.size;
    clients.set(name, number);
    return number;
  };
  const operations: StoreOperation[] = [];
  for (const call of history.calls) {
    const client = clientOf(call.client);
    const operation = operationOf(call, client, seen);
    if (operation !== null) operations.push(operation);
  }
  return operations;
}

function operationOf(call: ClientCall, client: number, seen: Observations): StoreOperation | null {
  const { request: input, response, invoked, returned } = call;
  if (!call.sent) return null;
  if (returned !== null && response !== null) {
    if (onlyReads(input) && !isLinearizable(input)) return null;
    const output: StoreOutput = response.ok
      ? { revision: response.header.revision, result: response.result, refusal: null }
      : { revision: null, result: null, refusal: response.message };
    return { client, input, output, call: invoked, return: returned };
  }
  // Nobody learnt the id of a lease that was granted without an answer, so nobody uses it.
  if (onlyReads(input) || input.op === "kv-compact" || input.op === "lease-grant") return null;
  const settled = seen.settle(call);
  if (settled === "no effect") return null;
  if (settled === "open") return { client, input, output: null, call: invoked, return: null };
  const output: StoreOutput = { revision: settled.revision, result: null, refusal: null };
  return { client, input, output, call: invoked, return: Math.max(invoked, settled.at) };
}

/** Whether an answer must be that of one order of all requests: serializable reads may be stale. */
function isLinearizable(request: StoreRequest): boolean {
  return request.op !== "kv-range" || request.serializable !== true;
}

interface Sighting {
  readonly revision: Revision;
  readonly at: Micros;
}

/** What clients saw of requests, their own and others'. */
class Observations {
  readonly #values = new Map<string, Sighting>();
  /** Keys deleted at a revision, and when that was first told. */
  readonly #deletions = new Map<Revision, { readonly keys: Set<string>; at: Micros }>();
  /** All changes up to the last revision that anybody was told are known. */
  readonly #complete: boolean;
  /** Deletions nobody was told to have made; and the open requests that can have made each. */
  readonly #unexplained = new Map<Revision, ClientCall[]>();
  readonly #suspects = new Map<ClientCall, Revision[]>();

  constructor({ calls, watches }: ClientHistory) {
    for (const call of calls) this.#readAnswer(call);
    for (const watch of watches) this.#readWatch(watch);
    this.#complete = coversAll(calls, watches);
    this.#suspect(calls);
  }

  /** What became of a request without an answer, as far as anybody saw. */
  settle(call: ClientCall): Sighting | "no effect" | "open" {
    const sighting = this.#sightingOf(call.request);
    if (sighting !== null) return sighting;
    const suspected = this.#suspects.get(call) ?? [];
    const [revision] = suspected;
    if (revision === undefined) return this.#complete ? "no effect" : "open";
    const alone = suspected.length === 1 && this.#unexplained.get(revision)?.length === 1;
    const deletion = this.#deletions.get(revision);
    return alone && this.#complete && deletion !== undefined
      ? { revision, at: deletion.at }
      : "open";
  }

  #sightingOf(request: StoreRequest): Sighting | null {
    for (const value of valuesOf(request)) {
      const sighting = this.#values.get(value);
      if (sighting !== undefined) return sighting;
    }
    return null;
  }

  #readAnswer({ response, returned }: ClientCall): void {
    if (response?.ok !== true || returned === null) return;
    for (const kv of keyValuesIn(response.result)) this.#sawValue(kv, returned);
  }

  #readWatch({ told }: ClientWatch): void {
    for (const { at, told: response } of told) {
      for (const { type, kv, prevKv } of response.events) {
        if (type === "put") this.#sawValue(kv, at);
        else this.#sawDeletion(kv, at);
        if (prevKv !== undefined) this.#sawValue(prevKv, at);
      }
    }
  }

  #sawValue({ value, modRevision: revision }: KeyValue, at: Micros): void {
    const known = this.#values.get(value);
    if (known === undefined || at < known.at) this.#values.set(value, { revision, at });
  }

  #sawDeletion({ key, modRevision }: KeyValue, at: Micros): void {
    const known = this.#deletions.get(modRevision);
    if (known === undefined) this.#deletions.set(modRevision, { keys: new Set([key]), at });
    else {
      known.keys.add(key);
      known.at = Math.min(known.at, at);
    }
  }

  #suspect(calls: readonly ClientCall[]): void {
    const claimed = new Set<Revision>();
    const open: ClientCall[] = [];
    for (const call of calls) {
      const { request, response } = call;
      if (!call.sent) continue;
      if (response === null) {
        const sighting = this.#sightingOf(request);
        if (sighting === null) open.push(call);
        else claimed.add(sighting.revision);
      } else if (response.ok && !onlyReads(request)) {
        const { revision } = response.header;
        const output = { revision, result: response.result, refusal: null };
        if (storeModel.readOnly?.(request, output) !== true && request.op !== "lease-grant") {
          // A revoked lease may have had no keys; then another one's deletion stays unexplained.
          if (request.op !== "lease-revoke") claimed.add(revision);
        }
      }
    }
    for (const [revision, { keys, at }] of this.#deletions) {
      if (claimed.has(revision)) continue;
      const suspects = open.filter(
        ({ request, invoked }) =>
          invoked <= at && [...keys].every((key) => mayDelete(request, key)),
      );
      this.#unexplained.set(revision, suspects);
      for (const call of suspects) {
        this.#suspects.set(call, [...(this.#suspects.get(call) ?? []), revision]);
      }
    }
  }
}

function keyValuesIn(result: V3Result): readonly KeyValue[] {
  switch (result.op) {
    case "kv-range":
      return result.kvs;
    case "kv-put":
      return result.prevKv === undefined ? [] : [result.prevKv];
    case "kv-delete-range":
      return result.prevKvs;
    case "kv-txn":
      return result.responses.flatMap((response: OpResponse) => keyValuesIn(response));
    default:
      return [];
  }
}

/** Whether watches of every key, taken together, told of all changes up to the last revision named. */
function coversAll(calls: readonly ClientCall[], watches: readonly ClientWatch[]): boolean {
  let last: Revision = 1;
  for (const { response } of calls) {
    if (response?.ok === true) last = Math.max(last, response.header.revision);
  }
  const stretches: { readonly from: Revision; readonly to: Revision }[] = [];
  for (const { request, told } of watches) {
    for (const { told: response } of told) {
      const mods = response.events.map(({ kv }) => kv.modRevision);
      last = Math.max(last, response.revision, ...mods);
    }
    const all = request.key === "\0" && request.rangeEnd === "\0";
    if (!all || request.noPut === true || request.noDelete === true) continue;
    const from = firstRevision(request, told);
    if (from !== null) stretches.push({ from, to: toldUpTo(told) });
  }
  stretches.sort((left, right) => left.from - right.from);
  let covered: Revision = 1;
  for (const { from, to } of stretches) {
    if (from > covered + 1) return false;
    covered = Math.max(covered, to);
  }
  return covered >= last;
}

/** The first revision a watch tells of; null while it is not created. */
export function firstRevision(
  request: ClientWatch["request"],
  told: ClientWatch["told"],
): Revision | null {
  if ((request.startRevision ?? 0) > 0) return request.startRevision ?? null;
  const created = told.find(({ told: response }) => response.created);
  return created === undefined ? null : created.told.revision + 1;
}

/** The revision up to which a watch has told of all changes: its last events, or how far it said it is. */
function toldUpTo(told: ClientWatch["told"]): Revision {
  let upTo: Revision = 0;
  for (const { told: response } of told) {
    for (const { kv } of response.events) upTo = Math.max(upTo, kv.modRevision);
    if (isProgress(response)) upTo = Math.max(upTo, response.revision);
  }
  return upTo;
}

/** A response that says only how far the watch has come. */
export function isProgress(told: ClientWatch["told"][number]["told"]): boolean {
  return !told.created && !told.canceled && told.events.length === 0;
}
