import type {
  KeyValue,
  LeaseId,
  OpResponse,
  Revision,
  V3Response,
  V3Result,
} from "../etcd/index.js";
import type { Micros } from "../kernel/index.js";
import type { Operation } from "../linearizability/index.js";
import type { ClientCall, ClientHistory, ClientWatch } from "./history.js";
import { changeName, type StoreOutput, type ToldChanges, toldNoChange } from "./model.js";
import {
  inStoreRange,
  keysPut,
  mayDelete,
  onlyReads,
  type StoreRequest,
  valuesOf,
} from "./request.js";

export type StoreOperation = Operation<StoreRequest, StoreOutput>;

/** What a history is searched for an order of. */
export interface Evidence {
  readonly operations: readonly StoreOperation[];
  readonly told: ToldChanges;
}

/**
 * The calls of a history as operations of `storeModel`, with what the clients' own observations say
 * of those whose outcome nobody was told. Each such call would fork the search at every revision
 * after it; most can be settled, and no settlement lets a wrong history pass:
 *
 * - A value is put by one request only. Where a read or a watch shows it, the request took effect, at the
 *   revision shown and before it was shown, so it is given that revision and that moment as its return.
 * - Where each revision up to the last one that any answer names is that of a request with an answer, or
 *   watches of every key have told its changes, a request whose values are in none of them had no
 *   effect by then, and no answer depends on it.
 * - A deletion has no value; it is settled if it is the only request that can have made a deletion
 *   that was seen, or if there is no deletion left to explain. Otherwise the search decides, and
 *   places it only where its changes are those that were told.
 *
 * Reads that told nothing are left out. etcd's robustness tests do the same with what they find in
 * the members' write-ahead logs (tests/robustness/validate/patch_history.go).
 */
export function evidenceOf(history: ClientHistory): Evidence {
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
  return { operations, told: (revision) => seen.changesAt(revision) };
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

/** What was deleted at a revision: the keys, the lease of each if it was told; and when that was first told. */
interface Deletion {
  readonly keys: Map<string, LeaseId | null>;
  at: Micros;
}

const NOBODY_ELSES: ReadonlySet<string> = new Set();

/** What clients saw of requests, their own and others'. */
class Observations {
  readonly #values = new Map<string, Sighting>();
  readonly #deletions = new Map<Revision, Deletion>();
  readonly #changes = new Map<Revision, Set<string>>();
  /** Revisions of which a watch of every key told. */
  readonly #covered: readonly Stretch[];
  /** All changes up to the last revision that anybody was told are known. */
  readonly #complete: boolean;
  /** Revisions of requests that are known to have made them. */
  readonly #explained = new Set<Revision>();
  /** Deletions nobody was told to have made; and the open requests that can have made each. */
  readonly #unexplained = new Map<Revision, ClientCall[]>();
  readonly #suspects = new Map<ClientCall, Revision[]>();

  constructor({ calls, watches }: ClientHistory) {
    for (const call of calls) this.#readAnswer(call);
    for (const watch of watches) this.#readWatch(watch);
    this.#covered = coveredBy(calls, watches);
    this.#suspect(calls);
    this.#complete = this.#isComplete(lastRevision(calls, watches));
  }

  /**
   * All that changed at a revision; undefined where no watch told of all keys. Something changes at
   * every revision: where nothing was told, a watch left it out, and that is for its own check to say.
   */
  changesAt(revision: Revision): ReadonlySet<string> | undefined {
    const isCovered = this.#covered.some(({ from, to }) => from <= revision && revision <= to);
    const told = isCovered ? this.#changes.get(revision) : undefined;
    // The revision of a request whose outcome is known is nobody else's.
    return told ?? (this.#explained.has(revision) ? NOBODY_ELSES : undefined);
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

  #isComplete(last: Revision): boolean {
    for (let revision = 2; revision <= last; revision++) {
      if (this.changesAt(revision) === undefined) return false;
    }
    return true;
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
        const names = this.#changes.get(kv.modRevision) ?? new Set();
        this.#changes.set(kv.modRevision, names.add(changeName(kv.key, type === "put")));
        if (type === "put") this.#sawValue(kv, at);
        else this.#sawDeletion(kv, prevKv?.lease ?? null, at);
        if (prevKv !== undefined) this.#sawValue(prevKv, at);
      }
    }
  }

  #sawValue({ value, modRevision: revision }: KeyValue, at: Micros): void {
    const known = this.#values.get(value);
    if (known === undefined || at < known.at) this.#values.set(value, { revision, at });
  }

  #sawDeletion({ key, modRevision }: KeyValue, lease: LeaseId | null, at: Micros): void {
    const known = this.#deletions.get(modRevision);
    if (known === undefined) {
      this.#deletions.set(modRevision, { keys: new Map([[key, lease]]), at });
      return;
    }
    known.keys.set(key, lease ?? known.keys.get(key) ?? null);
    known.at = Math.min(known.at, at);
  }

  #suspect(calls: readonly ClientCall[]): void {
    const open: ClientCall[] = [];
    const explained = this.#explained;
    for (const call of calls) {
      const { request, response } = call;
      const sighting = response === null ? this.#sightingOf(request) : null;
      if (sighting !== null) explained.add(sighting.revision);
      else if (response === null && call.sent) open.push(call);
      else if (response?.ok === true && this.#explains(request, response)) {
        explained.add(response.header.revision);
      }
    }
    for (const [revision, deletion] of this.#deletions) {
      if (explained.has(revision)) continue;
      const suspects = open.filter(
        ({ request, invoked }) => invoked <= deletion.at && mayHaveMade(request, deletion),
      );
      this.#unexplained.set(revision, suspects);
      for (const call of suspects) {
        this.#suspects.set(call, [...(this.#suspects.get(call) ?? []), revision]);
      }
    }
  }

  /** Whether a request with this answer made the changes of the revision that the answer names. */
  #explains(
    request: StoreRequest,
    { header, result }: V3Response & { readonly ok: true },
  ): boolean {
    const { revision } = header;
    if (request.op === "lease-revoke") {
      // The lease may have had no keys; then the revision is another's.
      const deletion = this.#deletions.get(revision);
      return deletion !== undefined && mayHaveMade(request, deletion);
    }
    return request.op !== "lease-grant" && !onlyReads(request) && !toldNoChange(result);
  }
}

function mayHaveMade(request: StoreRequest, { keys }: Deletion): boolean {
  return [...keys].every(([key, lease]) => mayDelete(request, key, lease));
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

/** Revisions from one to another, both included. */
interface Stretch {
  readonly from: Revision;
  readonly to: Revision;
}

/** What watches of every key that any request puts told of, by their starts. */
function coveredBy(calls: readonly ClientCall[], watches: readonly ClientWatch[]): Stretch[] {
  const keys = [...new Set(calls.flatMap(({ request }) => keysPut(request)))];
  const stretches: Stretch[] = [];
  for (const { request, told } of watches) {
    if (request.noPut === true || request.noDelete === true) continue;
    if (!keys.every((key) => inStoreRange(key, request.key, request.rangeEnd))) continue;
    const from = firstRevision(request, told);
    if (from !== null) stretches.push({ from, to: toldUpTo(told) });
  }
  return stretches.sort((left, right) => left.from - right.from);
}

/** The highest revision any client was told. */
function lastRevision(calls: readonly ClientCall[], watches: readonly ClientWatch[]): Revision {
  let last: Revision = 1;
  for (const { response } of calls) {
    if (response?.ok === true) last = Math.max(last, response.header.revision);
  }
  for (const { told } of watches) {
    for (const { told: response } of told) {
      last = Math.max(last, response.revision);
      for (const { kv } of response.events) last = Math.max(last, kv.modRevision);
    }
  }
  return last;
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
