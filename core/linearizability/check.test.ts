import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type CheckOptions,
  casRegister,
  checkLinearizable,
  etcdModel,
  type History,
  type KeyValueInput,
  type KeyValueOutput,
  keyValue,
  type Model,
  register,
} from "./index.js";
import {
  anyHistory,
  bruteForce,
  casInput,
  casOutput,
  etcdOutput,
  etcdRequest,
  keyValueInput,
  keyValueOutput,
  overlapping,
  type Subject,
} from "./testing/histories.js";

function verdict<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  options?: CheckOptions,
) {
  return checkLinearizable(model, history, options).verdict;
}

/** The same model without what lets the search be quick. */
function plain<State, Input, Output>(
  model: Model<State, Input, Output>,
): Model<State, Input, Output> {
  const { name, init, step, stateKey, describe, partition } = model;
  const parts = partition === undefined ? {} : { partition };
  return { name, init, step, stateKey, describe, ...parts };
}

function store() {
  const values = new Map<string, string>();
  return (input: KeyValueInput): KeyValueOutput => {
    const value = values.get(input.key) ?? "";
    if (input.op === "put") values.set(input.key, input.value);
    if (input.op === "append") values.set(input.key, value + input.value);
    return { value };
  };
}

const sequential = overlapping(keyValueInput, store, 60);

const RUNS = 700;

/** Catches a prune that drops the only order, and a reused bit that merges two configurations. */
function agreesWithBruteForce<State, Input, Output>(subject: Subject<State, Input, Output>): void {
  fc.assert(
    fc.property(anyHistory(subject, 7), (history) => {
      const expected = bruteForce(subject.model, history) ? "linearizable" : "not-linearizable";
      expect(verdict(subject.model, history)).toBe(expected);
      expect(verdict(plain(subject.model), history)).toBe(expected);
    }),
    { numRuns: RUNS },
  );
}

test("on small register histories the answer is that of trying every order", () => {
  agreesWithBruteForce({ model: casRegister, input: casInput, output: casOutput });
  const input = casInput.filter((i) => i.op !== "cas");
  const output = () => fc.record({ value: fc.option(fc.nat(2)) });
  agreesWithBruteForce({ model: register, input, output });
});

test("on small key-value histories the answer is that of trying every order", () => {
  agreesWithBruteForce({ model: keyValue, input: keyValueInput, output: keyValueOutput });
});

test("on small etcd histories the answer is that of trying every order", () => {
  for (const revision of [1, null]) {
    for (const alone of [true, false]) {
      const model = etcdModel({ revision, alone });
      agreesWithBruteForce({ model, input: etcdRequest, output: etcdOutput });
    }
  }
});

test("what a store did one by one is linearizable however the operations overlap", () => {
  fc.assert(
    fc.property(sequential, (history) => {
      expect(verdict(keyValue, history)).toBe("linearizable");
    }),
    { numRuns: 500 },
  );
});

test("a read of what nobody wrote is caught wherever it is", () => {
  fc.assert(
    fc.property(sequential, fc.nat(), (history, at) => {
      const reads = history.flatMap(({ input, output }, index) =>
        input.op === "get" && output !== null ? [index] : [],
      );
      fc.pre(reads.length > 0);
      const chosen = reads[at % reads.length];
      const changed = history.map((operation, index) =>
        index === chosen ? { ...operation, output: { value: "c" } } : operation,
      );
      expect(verdict(keyValue, changed)).toBe("not-linearizable");
    }),
    { numRuns: 500 },
  );
});

test("the answer does not depend on the order in which operations are listed", () => {
  const shuffled = anyHistory(
    { model: keyValue, input: keyValueInput, output: keyValueOutput },
    20,
  ).chain((history) =>
    fc.tuple(
      fc.constant(history),
      fc.shuffledSubarray([...history], { minLength: history.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([history, other]) => {
      expect(verdict(keyValue, other)).toBe(verdict(keyValue, history));
    }),
    { numRuns: 500 },
  );
});

test("the plain search gives the same answers as the one with foresight", () => {
  const history = fc
    .tuple(overlapping(keyValueInput, store, 24), fc.nat(), keyValueOutput())
    .map(([operations, at, output]) =>
      operations.map((operation, index) =>
        index === at % operations.length && operation.return !== null
          ? { ...operation, output }
          : operation,
      ),
    );
  fc.assert(
    fc.property(history, (operations) => {
      expect(verdict(keyValue, operations)).toBe(verdict(plain(keyValue), operations));
    }),
    { numRuns: 1000 },
  );
});

test("a linearization is an order of the operations that the model accepts", () => {
  fc.assert(
    fc.property(sequential, (history) => {
      for (const { linearization, operations } of checkLinearizable(keyValue, history).partitions) {
        const order = linearization ?? [];
        const missing = operations.filter((index) => !order.includes(index));
        expect(missing.filter((index) => history[index]?.return !== null)).toEqual([]);
        expectLegal(history, order);
      }
    }),
    { numRuns: 200 },
  );
});

function expectLegal(
  history: History<KeyValueInput, KeyValueOutput>,
  order: readonly number[],
): void {
  let state = keyValue.init();
  let latestCall = Number.NEGATIVE_INFINITY;
  for (const index of order) {
    const operation = history[index];
    if (operation === undefined) throw new Error(`no operation ${index}`);
    const step = keyValue.step(state, operation.input, operation.output);
    expect(step.ok).toBe(true);
    if (step.ok) state = step.state;
    latestCall = Math.max(latestCall, operation.call);
    if (operation.return !== null) expect(operation.return).toBeGreaterThanOrEqual(latestCall);
  }
}

/** Appends that all overlap, then a read of one order of them that is not what happened. */
function hard(key: string, appends: number): History<KeyValueInput, KeyValueOutput> {
  const writes = Array.from({ length: appends }, (_, index) => ({
    client: index,
    input: { op: "append", key, value: `${index};` } as const,
    output: null,
    call: 0,
    return: 1,
  }));
  const read = { client: 0, input: { op: "get", key } as const, call: 2, return: 3 };
  return [...writes, { ...read, output: { value: "none of them;" } }];
}

const blind = plain(keyValue);

test("a partition that is refuted ends the check though another is out of reach", () => {
  const easy = hard("z", 1);
  const result = checkLinearizable(blind, [...hard("a", 40), ...easy], { stepsMax: 100_000 });
  expect(result.verdict).toBe("not-linearizable");
  expect(result.steps).toBeLessThan(10_000);
  expect(result.partitions.map((part) => [part.key, part.verdict])).toEqual([
    ["a", "unknown"],
    ["z", "not-linearizable"],
  ]);
});

test("past any of its bounds the answer is unknown, and which bound it was", () => {
  const history = hard("a", 40);
  const bounded = (options: CheckOptions) => {
    const { verdict: answer, bound } = checkLinearizable(blind, history, options);
    return [answer, bound];
  };
  expect(bounded({ stepsMax: 5000 })).toEqual(["unknown", "steps"]);
  expect(bounded({ memoryBytesMax: 2 ** 20 })).toEqual(["unknown", "memory"]);
  expect(bounded({ memoryBytesMax: 0 })).toEqual(["unknown", "memory"]);
  let polls = 0;
  expect(bounded({ shouldStop: () => ++polls > 3 })).toEqual(["unknown", "stopped"]);
});

test("no bound turns into a wrong answer", () => {
  fc.assert(
    fc.property(sequential, fc.nat(40_000), fc.nat(300), (history, memoryBytesMax, stepsMax) => {
      expect(verdict(keyValue, history, { memoryBytesMax, stepsMax })).not.toBe("not-linearizable");
    }),
    { numRuns: 300 },
  );
});

test("a refuted history is explained by how far each operation could come", () => {
  const write = { op: "write", value: 1 } as const;
  const read = { op: "read" } as const;
  const history = [
    { client: 0, input: write, output: null, call: 0, return: 1 },
    { client: 1, input: read, output: { value: 1 }, call: 2, return: 3 },
    { client: 1, input: read, output: { value: null }, call: 4, return: 5 },
  ];
  const { verdict: answer, partitions } = checkLinearizable(register, history, { explain: true });
  expect(answer).toBe("not-linearizable");
  expect(partitions[0]?.partials).toEqual([[0, 1]]);
});

test("an operation that never returned may have happened, or not", () => {
  const lost = {
    client: 0,
    input: { op: "write", value: 1 } as const,
    output: null,
    call: 0,
    return: null,
  };
  const read = (value: number | null, at: number) => ({
    client: 1,
    input: { op: "read" } as const,
    output: { value },
    call: at,
    return: at + 1,
  });
  expect(verdict(register, [lost, read(null, 2), read(1, 4)])).toBe("linearizable");
  expect(verdict(register, [lost, read(null, 2)])).toBe("linearizable");
  expect(verdict(register, [lost, read(1, 2), read(null, 4)])).toBe("not-linearizable");
});

test("an operation that returns at the instant another is called is concurrent with it", () => {
  const write = {
    client: 0,
    input: { op: "write", value: 1 } as const,
    output: null,
    call: 5,
    return: 9,
  };
  const read = {
    client: 1,
    input: { op: "read" } as const,
    output: { value: 1 },
    call: 0,
    return: 5,
  };
  expect(verdict(register, [read, write])).toBe("linearizable");
  expect(verdict(register, [{ ...read, return: 4 }, write])).toBe("not-linearizable");
});

test("an operation that returns before its call is refused", () => {
  const operation = { client: 0, input: { op: "read" } as const, output: null };
  expect(() => verdict(register, [{ ...operation, call: 2, return: 1 }])).toThrow(RangeError);
  expect(() => verdict(register, [{ ...operation, call: Number.NaN, return: 1 }])).toThrow(
    "operation 0 is called at NaN, returns at 1",
  );
});

test("an empty history is linearizable", () => {
  expect(verdict(register, [])).toBe("linearizable");
});

/** Catches two states taken for one because the read that tells them apart is out of sight. */
test("a read long after two concurrent puts still tells which came last", () => {
  const change = (op: "put" | "append", value: string, call: number) => ({
    client: 0,
    input: { op, key: "k", value } as const,
    output: null,
    call,
    return: call + 1,
  });
  const nothing = Array.from({ length: 800 }, (_, index) => change("append", "", 2 * index + 10));
  for (const value of ["a", "b", "ab"]) {
    const read = { client: 0, input: { op: "get", key: "k" } as const, call: 5000, return: 5001 };
    const history = [
      change("put", "a", 0),
      change("put", "b", 0),
      ...nothing,
      { ...read, output: { value } },
    ];
    expect(verdict(keyValue, history)).toBe(value === "ab" ? "not-linearizable" : "linearizable");
  }
});
