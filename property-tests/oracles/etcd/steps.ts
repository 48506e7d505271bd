import type { CallName, CallRequest } from "../../../adapters/etcd/wire-calls.js";
import type { Revision, WatchMessage } from "../../../core/etcd/index.js";
import type { Step as V2Step } from "../../differential/etcd-v2.js";

/** A revision that is not known before the step is taken. */
export interface RevisionAt {
  readonly at: "current" | "compacted";
  readonly plus: number;
}

/**
 * A value with what only the run can tell left open, so that a sequence keeps its sense when steps
 * before it are left out: revisions, and texts that begin with `@` (see `Names` and `filled`).
 */
export type Draft<T> = T extends number
  ? T | RevisionAt
  : T extends readonly (infer Item)[]
    ? readonly Draft<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Draft<T[Key]> }
      : T;

/** One thing that a client does. Members and streams are counted from 0. */
export type Step =
  | { readonly kind: "call"; readonly member: number; readonly request: CallDraft }
  | {
      readonly kind: "watch";
      readonly member: number;
      readonly stream: number;
      readonly message: Draft<WatchMessage>;
    }
  | { readonly kind: "v2"; readonly member: number; readonly step: V2Step }
  /** A short lease with keys, until it has run out. */
  | {
      readonly kind: "expire";
      readonly member: number;
      readonly lease: string;
      readonly keys: readonly string[];
    };

export type CallDraft = { [Name in CallName]: Draft<CallRequest<Name>> }[CallName];

/** What the revisions of a draft are relative to. */
export interface Known {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** The id that a name such as `@member-0` stands for on one side. */
  id(name: string): string;
}

/** Fills in what a draft leaves open. */
export function resolve<T>(draft: Draft<T>, known: Known): T {
  // A draft differs from its value only in what is filled in here.
  return fill(draft, known) as T;
}

function fill(value: unknown, known: Known): unknown {
  if (typeof value === "string") return value.startsWith("@") ? named(value, known) : value;
  if (Array.isArray(value)) return value.map((item) => fill(item, known));
  if (value === null || typeof value !== "object") return value;
  if (isRevisionAt(value)) {
    const base = value.at === "current" ? known.revision : known.compactRevision;
    return base + value.plus;
  }
  return Object.fromEntries(
    Object.entries(value).map(([field, inner]) => [field, fill(inner, known)]),
  );
}

/** `@fill-1000` is a text of so many bytes; any other name an id. */
function named(name: string, known: Known): string {
  const filling = /^@fill-(\d+)$/.exec(name);
  return filling === null ? known.id(name) : "v".repeat(Number(filling[1]));
}

function isRevisionAt(value: object): value is RevisionAt {
  return "at" in value && "plus" in value;
}

/** A step in a line. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case "call": {
      const { op, ...rest } = step.request;
      return `member ${step.member}: ${op} ${JSON.stringify(rest)}`;
    }
    case "watch":
      return `member ${step.member}, watch stream ${step.stream}: ${JSON.stringify(step.message)}`;
    case "expire":
      return `member ${step.member}: lease ${step.lease} on ${JSON.stringify(step.keys)} runs out`;
    case "v2":
      return `member ${step.member}: v2 ${JSON.stringify(step.step)}`;
  }
}
