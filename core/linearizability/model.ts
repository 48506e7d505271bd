/** What a model answers to one operation: whether it may happen in this state with this result, and what it leaves. */
export type Step<State> =
  | { readonly ok: true; readonly state: State }
  | { readonly ok: false; readonly state?: undefined };

/** The answer of a model to a result that cannot be. One value for all: `step` runs millions of times. */
export const ILLEGAL: { readonly ok: false } = Object.freeze({ ok: false });

/**
 * A sequential specification as a value. States are immutable. A history is linearizable by the
 * model if its operations can be put in one order that respects real time and that `step` accepts.
 */
export interface Model<State, Input, Output> {
  readonly name: string;
  /**
   * The part of the object an operation touches, such as its key. Only for models in which the
   * parts do not affect each other: then a history is linearizable if and only if each part is
   * (Horn and Kroening, "Faster linearizability checking via P-compositionality").
   */
  partition?(input: Input): string;
  init(): State;
  /** `output` is null where the result is unknown: any result the state allows is then right. */
  step(state: State, input: Input, output: Output | null): Step<State>;
  /** Equal for equal states, different for different ones. */
  stateKey(state: State): string | number;
  /**
   * True if the operation with this result leaves every state it is legal in as it was. Such an
   * operation is put in place as soon as it is legal, and no alternative is tried.
   */
  readOnly?(input: Input, output: Output | null): boolean;
  /**
   * Equal only for operations that `step` cannot tell apart in any state. Of two such, the one
   * called and returned first goes first, which spares the search their permutations.
   */
  operationKey?(input: Input, output: Output | null): string;
  /** Lets the search see dead ends early. */
  readonly foresight?: Foresight<State, Input, Output>;
  /** An operation for people, such as `get("a") -> "1"`. */
  describe(input: Input, output: Output | null): string;
}

/**
 * What can still become of a read-only result, for models in which every other operation is legal
 * in every state. It must never rule out what can happen: if operations lead from a state to one
 * in which the result is legal, then `leadsTo` holds of the first state or `supplies` of one of
 * the operations. What resets leaves a state that does not depend on the one before; whatever
 * supplies anything must do that.
 */
export interface Foresight<State, Input, Output> {
  leadsTo(state: State, input: Input, output: Output | null): boolean;
  supplies(by: Input, byOutput: Output | null, input: Input, output: Output | null): boolean;
  resets(input: Input, output: Output | null): boolean;
}

/**
 * One operation of a history. Times are any numbers of one clock; the interval is closed, so that
 * an operation called at the instant another returns is concurrent with it.
 */
export interface Operation<Input, Output> {
  readonly client: number;
  readonly input: Input;
  /** Null: it was answered without a result, or never. */
  readonly output: Output | null;
  readonly call: number;
  /** Null: it never returned; it may take effect at any time after its call, or never. */
  readonly return: number | null;
}

export type History<Input, Output> = readonly Operation<Input, Output>[];
