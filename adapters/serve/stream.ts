import type { Wire } from "../etcd/wire-fields.js";
import { CallFailure, cancelled } from "./status.js";

/** Where a stream's answers go. */
export interface StreamSink {
  /** False when the client should be given time to read; `drained` tells when it has. */
  send(message: Wire): boolean;
  /** Ends the stream; null in good order. */
  end(failure: CallFailure | null): void;
}

/** What a stream's client does. */
export interface StreamHandle {
  message(message: Wire): void;
  /** It will say no more. */
  halfClosed(): void;
  drained(): void;
  /** It is gone, or has said what nobody can read. */
  gone(why?: CallFailure): void;
}

/** A stream's answers: after its end there are none, and who waits for the client to read is let go. */
export class Answers {
  readonly #sink: StreamSink;
  readonly #endings: (() => void)[] = [];
  #over = false;
  #waiting: { readonly go: () => void; readonly stop: (error: Error) => void }[] = [];

  constructor(sink: StreamSink) {
    this.#sink = sink;
  }

  get over(): boolean {
    return this.#over;
  }

  /** What to do once the stream has ended, however it did. */
  onEnd(task: () => void): void {
    this.#endings.push(task);
  }

  /** False when the client should be given time to read. */
  send(message: Wire): boolean {
    return this.#over || this.#sink.send(message);
  }

  /** Sends, and waits until the client has room for more. */
  async tell(message: Wire): Promise<void> {
    if (this.#over) throw cancelled();
    if (this.#sink.send(message)) return;
    await new Promise<void>((go, stop) => this.#waiting.push({ go, stop }));
  }

  drained(): void {
    for (const { go } of this.#waiting.splice(0)) go();
  }

  end(failure: CallFailure | null): void {
    if (this.#over) return;
    this.#over = true;
    for (const { stop } of this.#waiting.splice(0)) stop(cancelled());
    for (const task of this.#endings.splice(0)) task();
    this.#sink.end(failure);
  }
}

/** A stream of answers to one message. */
export function answersTo(
  answers: Answers,
  answer: (message: Wire) => Promise<void>,
): StreamHandle {
  let asked = false;
  return {
    message: (message) => {
      if (asked) return;
      asked = true;
      answer(message).then(
        () => answers.end(null),
        (error: unknown) => answers.end(failureOf(error)),
      );
    },
    halfClosed: () => {},
    drained: () => answers.drained(),
    gone: (why = cancelled()) => answers.end(why),
  };
}

/** A failure of the call, whatever was thrown. */
export function failureOf(error: unknown): CallFailure {
  if (error instanceof CallFailure) return error;
  // gRPC's "internal": a defect of ours, which the client should see and survive.
  return new CallFailure(13, error instanceof Error ? error.message : String(error));
}
