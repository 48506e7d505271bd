import type { HostState, HostStimulus } from "../../core/host/index.js";
import type { Micros } from "../../core/kernel/index.js";
import type { TraceEvent } from "../../core/raft/index.js";
import { checkpointOf } from "./checkpoint.js";
import type { Intervention, RunObserver, RunSummary } from "./run.js";

/** Numbers what happens in a run, and tells it to whoever observes the run. */
export class Journal {
  readonly #observer: RunObserver | undefined;
  #seq = 0;

  constructor(observer: RunObserver | undefined) {
    this.#observer = observer;
  }

  /** Numbers a stimulus, whether or not anybody hears of it. `cause` is negative for none. */
  stimulus(at: Micros, host: string, stimulus: HostStimulus, cause: number): number {
    const seq = this.#seq++;
    // Asked for first: the record of it costs more than the step of an idle host.
    if (this.#observer?.stimulus !== undefined) {
      this.#observer.stimulus({
        seq,
        at,
        host,
        type: "stimulus",
        kind: stimulus.kind,
        data: stimulus,
        cause: cause < 0 ? null : cause,
      });
    }
    return seq;
  }

  /** Records what comes from outside of the scenario. */
  outside(at: Micros, host: string, what: Intervention): number {
    const seq = this.#seq++;
    const kind = `outside.${what.kind}`;
    this.#observer?.record({ seq, at, host, type: "stimulus", kind, data: what, cause: null });
    return seq;
  }

  fact(at: Micros, host: string, kind: string, data: unknown, cause: number | null): number {
    const seq = this.#seq++;
    this.#observer?.record({ seq, at, host, type: "fact", kind, data, cause });
    return seq;
  }

  checkpoint(at: Micros, hosts: readonly HostState[]): void {
    const data = { hosts: hosts.map((host) => checkpointOf(host)) };
    this.#ofAll("checkpoint", at, data);
  }

  end({ verdict, events, at, hash, violations, failedExpectations: failed }: RunSummary): void {
    const data = { verdict, events, hash, violations: violations.length, failed };
    this.#ofAll("end", at, data);
  }

  /** An event for raft's specification, which is in no log. */
  trace(node: number, event: TraceEvent): void {
    this.#observer?.trace?.(node, event);
  }

  /** A record of the whole run, which no host caused. */
  #ofAll(type: "checkpoint" | "end", at: Micros, data: unknown): void {
    const seq = this.#seq++;
    this.#observer?.record({ seq, at, host: "", type, kind: type, data, cause: null });
  }
}
