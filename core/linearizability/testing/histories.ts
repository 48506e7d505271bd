import fc from "fast-check";
import type {
  CasRegisterInput,
  CasRegisterOutput,
  EtcdOperation,
  EtcdOutput,
  EtcdRequest,
  EtcdResult,
  History,
  KeyValueInput,
  KeyValueOutput,
  Model,
  Operation,
} from "../index.js";

/** A model with a way to make operations: requests, and the answers a right store gives. */
export interface Subject<State, Input, Output> {
  readonly model: Model<State, Input, Output>;
  readonly input: fc.Arbitrary<Input>;
  /** Any answer of the right shape to the input, right or wrong. */
  output(input: Input): fc.Arbitrary<Output>;
}

/** Operations whose intervals and answers are anything, some without an end. */
export function anyHistory<State, Input, Output>(
  { input, output }: Subject<State, Input, Output>,
  maxLength: number,
): fc.Arbitrary<History<Input, Output>> {
  const operation = input.chain((request) =>
    fc
      .tuple(fc.option(output(request), { freq: 8 }), fc.nat(12), fc.option(fc.nat(6), { freq: 4 }))
      .map(
        ([answer, call, length]): Operation<Input, Output> => ({
          client: 0,
          input: request,
          output: length === null ? null : answer,
          call,
          return: length === null ? null : call + length,
        }),
      ),
  );
  return fc.array(operation, { maxLength });
}

/**
 * Operations done one after another by `answer`, a right store, each at an instant of its own;
 * their intervals then grow around those instants and overlap. Some lose their answer, and some of
 * those never took effect.
 */
export function overlapping<Input, Output>(
  input: fc.Arbitrary<Input>,
  store: () => (input: Input) => Output,
  maxLength: number,
): fc.Arbitrary<History<Input, Output>> {
  const fate = fc.constantFrom("answered", "answered", "answered", "silent", "lost");
  const row = fc.record({ input, before: fc.nat(60), after: fc.nat(60), fate });
  return fc.array(row, { maxLength }).map((rows) => {
    const answer = store();
    return rows.map(({ input: request, before, after, fate: end }, index) => {
      const instant = index * 10;
      const output = end === "lost" ? null : answer(request);
      const answered = end === "answered";
      return {
        client: index,
        input: request,
        output: answered ? output : null,
        call: instant - before,
        return: answered ? instant + after : null,
      };
    });
  });
}

/** Whether some order of the operations that returned, and any of the others, is legal: by trying all. */
export function bruteForce<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
): boolean {
  const search = (state: State, left: readonly Operation<Input, Output>[]): boolean => {
    const first = Math.min(...left.map(({ return: end }) => end ?? Number.POSITIVE_INFINITY));
    if (first === Number.POSITIVE_INFINITY) return true;
    return left.some((operation) => {
      if (operation.call > first) return false;
      const step = model.step(state, operation.input, operation.output);
      const rest = left.filter((other) => other !== operation);
      return step.ok && search(step.state, rest);
    });
  };
  const keys = new Set(history.map(({ input }) => model.partition?.(input) ?? ""));
  return [...keys].every((key) =>
    search(
      model.init(),
      history.filter(({ input }) => (model.partition?.(input) ?? "") === key),
    ),
  );
}

const small = fc.nat(2);

export const casInput: fc.Arbitrary<CasRegisterInput> = fc.oneof(
  fc.constant({ op: "read" as const }),
  fc.record({ op: fc.constant("write" as const), value: small }),
  fc.record({ op: fc.constant("cas" as const), from: small, to: small }),
);

export function casOutput(input: CasRegisterInput): fc.Arbitrary<CasRegisterOutput> {
  return input.op === "cas"
    ? fc.record({ swapped: fc.boolean() })
    : fc.record({ value: fc.option(small, { freq: 5, nil: null }) });
}

const letter = fc.constantFrom("a", "b", "");

export const keyValueInput: fc.Arbitrary<KeyValueInput> = fc.record({
  op: fc.constantFrom("get", "get", "put", "append"),
  key: fc.constantFrom("x", "y"),
  value: letter,
});

export function keyValueOutput(): fc.Arbitrary<KeyValueOutput> {
  return fc.record({ value: fc.constantFrom("", "a", "b", "aa", "ab", "ba") });
}

const key = fc.constantFrom("x", "y");

const etcdOperation: fc.Arbitrary<EtcdOperation> = fc.oneof(
  fc.record({ op: fc.constant("put" as const), key, value: letter }),
  fc.record({ op: fc.constant("get" as const), key }),
  fc.record({ op: fc.constant("delete" as const), key }),
);

export const etcdRequest: fc.Arbitrary<EtcdRequest> = fc.oneof(
  etcdOperation,
  fc.record({
    op: fc.constant("txn" as const),
    compare: fc.array(
      fc.record({
        target: fc.constantFrom("version" as const, "create" as const, "mod" as const),
        key,
        result: fc.constantFrom("=" as const, "!=" as const, "<" as const, ">" as const),
        value: fc.nat(4),
      }),
      { maxLength: 1 },
    ),
    success: fc.array(etcdOperation, { maxLength: 1 }),
    failure: fc.array(etcdOperation, { maxLength: 1 }),
  }),
);

export function etcdOutput(request: EtcdRequest): fc.Arbitrary<EtcdOutput> {
  const revision = fc.option(fc.integer({ min: 1, max: 4 }), { freq: 3 });
  const kv = fc.record({
    value: letter,
    create: fc.integer({ min: 2, max: 3 }),
    mod: fc.integer({ min: 2, max: 4 }),
    version: fc.integer({ min: 1, max: 2 }),
  });
  const resultOf = (operation: EtcdOperation): fc.Arbitrary<EtcdResult> => {
    switch (operation.op) {
      case "put":
        return fc.constant({ op: "put" });
      case "delete":
        return fc.record({ op: fc.constant("delete" as const), deleted: fc.nat(1) });
      case "get":
        return fc.record({
          op: fc.constant("get" as const),
          kv: fc.option(kv, { freq: 2, nil: null }),
        });
    }
  };
  return fc.boolean().chain((succeeded) => {
    const ran = request.op !== "txn" ? [request] : succeeded ? request.success : request.failure;
    return fc.record({
      revision,
      succeeded: fc.constant(request.op === "txn" ? succeeded : true),
      results: fc.tuple(...ran.map(resultOf)),
    });
  });
}
