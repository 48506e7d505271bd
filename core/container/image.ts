import type { Bytes, Micros } from "../kernel/index.js";

/** A closed range that a duration is drawn from. */
export type Range = readonly [Micros, Micros];

/** How the process in a container behaves: a scenario's data. */
export interface ContainerProcess {
  /** From its start until it answers on its ports. */
  readonly readyAfter: Range;
  /** Null: it runs until it is stopped. */
  readonly exits: { readonly after: Range; readonly code: number } | null;
  /** From SIGTERM to its end. Null: it ignores SIGTERM, as PID 1 does that has no handler for it. */
  readonly stopTakes: Range | null;
  /** Its exit status after SIGTERM. */
  readonly stopCode: number;
}

/** One layer of an image; images that name the same layer share it. */
export interface Layer {
  readonly id: string;
  /** As it is sent. */
  readonly bytes: Bytes;
}

/** What a registry knows of an image. */
export interface Image {
  readonly layers: readonly Layer[];
  readonly process: ContainerProcess;
  /** Ports of the container; on the host's address only with the host's network. */
  readonly listens: readonly number[];
}

/**
 * The name that an image goes by: with its tag, `latest` unless it says one, and without rkt's
 * `docker://`.
 */
export function imageReference(text: string): string {
  const name = text.replace(/^docker:\/\//, "");
  const last = name.slice(name.lastIndexOf("/") + 1);
  return /[:@]/.test(last) ? name : `${name}:latest`;
}
