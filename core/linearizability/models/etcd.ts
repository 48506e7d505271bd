import type { Model } from "../model.js";
import { powerSet } from "../nondeterministic.js";
import { compareHolds } from "./etcd-compare.js";
import {
  type Bound,
  type EtcdKeyValue,
  type EtcdOperation,
  type EtcdOutput,
  type EtcdRequest,
  type EtcdResult,
  type EtcdWorld,
  narrow,
} from "./etcd-types.js";

export interface EtcdModelOptions {
  /** The store's revision before the history; null if it is not known. A new store has 1. */
  readonly revision: number | null;
  /** True if nobody else writes to this store: then revisions leave no gap. The keys of the history are its own in any case. */
  readonly alone: boolean;
}

/**
 * An etcd v3 store, empty at first, as its clients see it: put, get, delete and transactions on
 * single keys, with revisions and versions. A revision that no response tells is kept as a lower
 * bound; bounds are kept apart, so a history is accepted if its revisions fit them one by one.
 * Follows etcd's transactions (server/etcdserver/txn): all writes of one share a revision, and
 * what changes nothing takes none.
 */
export function etcdModel(
  options: EtcdModelOptions,
): Model<readonly EtcdWorld[], EtcdRequest, EtcdOutput> {
  const { revision, alone } = options;
  const settled = alone && revision !== null;
  return powerSet<EtcdWorld, EtcdRequest, EtcdOutput>({
    name: "etcd",
    init: () => [
      { revision: { at: revision ?? 1, exact: settled }, keys: new Map() } satisfies EtcdWorld,
    ],
    step(world, request, output) {
      const results = branches(request, world, output).map((branch) =>
        apply(world, branch, output, alone),
      );
      return results.filter((result) => result !== null);
    },
    worldKey,
    // Elsewhere a get teaches what the revision is.
    readOnly: (request) => settled && request.op === "get",
    operationKey: (request, output) => JSON.stringify([request, output]),
    describe,
  });
}

/** The lists of operations the request may run: more than one where a compare cannot be decided. */
function branches(
  request: EtcdRequest,
  world: EtcdWorld,
  output: EtcdOutput | null,
): (readonly EtcdOperation[])[] {
  if (request.op !== "txn") return output?.succeeded === false ? [] : [[request]];
  const holds = request.compare.map((compare) =>
    compareHolds(compare, world.keys.get(compare.key) ?? null),
  );
  const no = holds.includes("no");
  const maybe = !no && holds.includes("maybe");
  const open: (readonly EtcdOperation[])[] = [];
  if (!no && output?.succeeded !== false) open.push(request.success);
  if ((no || maybe) && output?.succeeded !== true) open.push(request.failure);
  return open;
}

/** The world after the operations, or null if the output does not fit. */
function apply(
  world: EtcdWorld,
  operations: readonly EtcdOperation[],
  output: EtcdOutput | null,
  alone: boolean,
): EtcdWorld | null {
  if (output !== null && output.results.length !== operations.length) return null;
  const revision = revisionAfter(world, operations, output);
  if (revision === null) return null;
  const keys = new Map(world.keys);
  for (const [index, operation] of operations.entries()) {
    const result = output?.results[index] ?? null;
    if (!applyOne(keys, operation, result, revision)) return null;
  }
  return { revision: alone ? revision : { at: revision.at, exact: false }, keys };
}

function revisionAfter(
  world: EtcdWorld,
  operations: readonly EtcdOperation[],
  output: EtcdOutput | null,
): Bound | null {
  const present = new Map<string, boolean>();
  let writes = false;
  for (const { op, key } of operations) {
    const there = present.get(key) ?? world.keys.has(key);
    if (op === "put" || (op === "delete" && there)) writes = true;
    if (op !== "get") present.set(key, op === "put");
  }
  const { at, exact } = world.revision;
  return narrow({ at: writes ? at + 1 : at, exact }, output?.revision ?? null);
}

/** Does one operation to `keys`; false if its result does not fit. */
function applyOne(
  keys: Map<string, EtcdKeyValue<Bound>>,
  operation: EtcdOperation,
  result: EtcdResult | null,
  revision: Bound,
): boolean {
  if (result !== null && result.op !== operation.op) return false;
  const { key } = operation;
  const before = keys.get(key) ?? null;
  switch (operation.op) {
    case "put": {
      const { create, version } = before ?? { create: revision, version: 0 };
      keys.set(key, { value: operation.value, create, mod: revision, version: version + 1 });
      return true;
    }
    case "delete": {
      keys.delete(key);
      return result?.op !== "delete" || result.deleted === (before === null ? 0 : 1);
    }
    case "get": {
      if (result?.op !== "get") return true;
      if (before === null || result.kv === null) return before === null && result.kv === null;
      const seen = result.kv;
      const create = narrow(before.create, seen.create);
      const mod = narrow(before.mod, seen.mod);
      if (create === null || mod === null) return false;
      if (before.value !== seen.value || before.version !== seen.version) return false;
      keys.set(key, { ...before, create, mod });
      return true;
    }
  }
}

const boundKey = ({ at, exact }: Bound) => (exact ? `${at}` : `${at}+`);

function worldKey(world: EtcdWorld): string {
  const keys = [...world.keys].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    boundKey(world.revision),
    keys.map(([key, { value, create, mod, version }]) => [
      key,
      value,
      boundKey(create),
      boundKey(mod),
      version,
    ]),
  ]);
}

function describe(request: EtcdRequest, output: EtcdOutput | null): string {
  const at = output === null ? "unknown" : output.revision === null ? "ok" : `@${output.revision}`;
  if (request.op !== "txn") {
    return `${describeOperation(request)} -> ${describeResult(output?.results[0])}${at}`;
  }
  const compare = request.compare.map(
    (c) => `${c.target}(${c.key}) ${c.result} ${JSON.stringify(c.value)}`,
  );
  const list = (operations: readonly EtcdOperation[]) =>
    operations.map(describeOperation).join(", ");
  const branch = output === null ? "" : output.succeeded ? "then " : "else ";
  const results = (output?.results ?? []).map(describeResult).join("");
  return `txn(${compare.join(" and ")} ? ${list(request.success)} : ${list(request.failure)}) -> ${branch}${results}${at}`;
}

function describeOperation(operation: EtcdOperation): string {
  const key = JSON.stringify(operation.key);
  return operation.op === "put"
    ? `put(${key}, ${JSON.stringify(operation.value)})`
    : `${operation.op}(${key})`;
}

function describeResult(result: EtcdResult | undefined): string {
  if (result === undefined || result.op === "put") return "";
  if (result.op === "delete") return `${result.deleted} deleted `;
  return result.kv === null ? "absent " : `${JSON.stringify(result.kv.value)} `;
}
