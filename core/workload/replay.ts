import type { Revision } from "../etcd/index.js";
import type { StoreOperation } from "./evidence.js";
import { perform, withLease } from "./perform.js";
import { type Change, EMPTY_STORE, type StoreState } from "./request.js";

/** A store at each of its revisions, as one order of the operations made it. */
export interface Replay {
  /** By revision, from 1. */
  readonly states: ReadonlyMap<Revision, StoreState>;
  /** What changed at each revision, from 2. */
  readonly changes: ReadonlyMap<Revision, readonly Change[]>;
  readonly last: Revision;
}

/** Does the operations in an order that `storeModel` accepts. */
export function replay(operations: readonly StoreOperation[], order: readonly number[]): Replay {
  let state = EMPTY_STORE;
  const states = new Map<Revision, StoreState>([[state.revision, state]]);
  const changes = new Map<Revision, readonly Change[]>();
  for (const index of order) {
    const operation = operations[index];
    if (operation === undefined || operation.output?.refusal != null) continue;
    const performed = perform(state, operation.input);
    const result = operation.output?.result ?? null;
    const granted = result?.op === "lease-grant";
    if (performed.changes.length > 0) changes.set(performed.state.revision, performed.changes);
    state = granted ? withLease(performed.state, result.id) : performed.state;
    states.set(state.revision, state);
  }
  return { states, changes, last: state.revision };
}
