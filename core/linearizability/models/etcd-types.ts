export type EtcdOperation =
  | { readonly op: "put"; readonly key: string; readonly value: string }
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "delete"; readonly key: string };

/** One condition of a transaction on one key. An absent key has revisions and version 0, and no value. */
export type EtcdCompare =
  | {
      readonly target: "value";
      readonly key: string;
      readonly result: EtcdRelation;
      readonly value: string;
    }
  | {
      readonly target: "version" | "create" | "mod";
      readonly key: string;
      readonly result: EtcdRelation;
      readonly value: number;
    };

export type EtcdRelation = "=" | "!=" | "<" | ">";

export type EtcdRequest =
  | EtcdOperation
  | {
      readonly op: "txn";
      readonly compare: readonly EtcdCompare[];
      readonly success: readonly EtcdOperation[];
      readonly failure: readonly EtcdOperation[];
    };

/** A key with its revisions: those a response told, or what is known of them. */
export interface EtcdKeyValue<Revision = number> {
  readonly value: string;
  readonly create: Revision;
  readonly mod: Revision;
  readonly version: number;
}

export type EtcdResult =
  | { readonly op: "put" }
  | { readonly op: "get"; readonly kv: EtcdKeyValue | null }
  | { readonly op: "delete"; readonly deleted: number };

export interface EtcdOutput {
  /** Of the response's header; null if it was not recorded. */
  readonly revision: number | null;
  /** If the compares of a transaction held; true for any other request. */
  readonly succeeded: boolean;
  /** One for every operation that ran. */
  readonly results: readonly EtcdResult[];
}

/** A revision that is `at`, or at least `at`. */
export interface Bound {
  readonly at: number;
  readonly exact: boolean;
}

export interface EtcdWorld {
  readonly revision: Bound;
  readonly keys: ReadonlyMap<string, EtcdKeyValue<Bound>>;
}

/** What is known of a revision once a response has told it, or null if it cannot be so. */
export function narrow(bound: Bound, told: number | null): Bound | null {
  if (told === null) return bound;
  if (bound.exact ? told !== bound.at : told < bound.at) return null;
  return { at: told, exact: true };
}
