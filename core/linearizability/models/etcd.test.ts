import { expect, test } from "vitest";
import {
  checkLinearizable,
  type EtcdOutput,
  type EtcdRequest,
  etcdModel,
  type Operation,
} from "../index.js";

const fresh = etcdModel({ revision: 1, alone: true });

function run(
  requests: readonly (readonly [EtcdRequest, EtcdOutput | "pending"])[],
): Operation<EtcdRequest, EtcdOutput>[] {
  return requests.map(([input, output], index) => ({
    client: 0,
    input,
    output: output === "pending" ? null : output,
    call: 2 * index,
    return: output === "pending" ? null : 2 * index + 1,
  }));
}

const put = (key: string, value: string): EtcdRequest => ({ op: "put", key, value });
const written = (revision: number): EtcdOutput => ({
  revision,
  succeeded: true,
  results: [{ op: "put" }],
});
const get = (key: string): EtcdRequest => ({ op: "get", key });
const found = (
  revision: number,
  value: string,
  [create, mod, version]: readonly [number, number, number],
): EtcdOutput => ({
  revision,
  succeeded: true,
  results: [{ op: "get", kv: { value, create, mod, version } }],
});
const verdict = (
  model: typeof fresh,
  ...requests: (readonly [EtcdRequest, EtcdOutput | "pending"])[]
) => checkLinearizable(model, run(requests)).verdict;

test("a put takes one revision and a get none", () => {
  expect(verdict(fresh, [put("a", "1"), written(2)], [get("a"), found(2, "1", [2, 2, 1])])).toBe(
    "linearizable",
  );
  expect(verdict(fresh, [put("a", "1"), written(3)])).toBe("not-linearizable");
  expect(verdict(fresh, [put("a", "1"), written(2)], [get("a"), found(3, "1", [2, 2, 1])])).toBe(
    "not-linearizable",
  );
});

test("a put without an answer shows in the revisions that follow", () => {
  const after = (revision: number) =>
    verdict(fresh, [put("a", "1"), "pending"], [put("b", "2"), written(revision)]);
  expect(after(2)).toBe("linearizable");
  expect(after(3)).toBe("linearizable");
  expect(after(4)).toBe("not-linearizable");
});

test("where others write too, revisions may leave gaps but never go back", () => {
  const shared = etcdModel({ revision: null, alone: false });
  expect(verdict(shared, [put("a", "1"), written(7)], [put("a", "2"), written(90)])).toBe(
    "linearizable",
  );
  expect(verdict(shared, [put("a", "1"), written(90)], [put("a", "2"), written(90)])).toBe(
    "not-linearizable",
  );
});

test("a store of unknown age is held to the first revision it tells", () => {
  const old = etcdModel({ revision: null, alone: true });
  expect(verdict(old, [put("a", "1"), written(50)], [put("a", "2"), written(51)])).toBe(
    "linearizable",
  );
  expect(verdict(old, [put("a", "1"), written(50)], [put("a", "2"), written(52)])).toBe(
    "not-linearizable",
  );
});

test("the writes of a transaction share one revision, and a delete of nothing takes none", () => {
  const txn: EtcdRequest = {
    op: "txn",
    compare: [{ target: "create", key: "a", result: "=", value: 0 }],
    success: [
      { op: "put", key: "a", value: "1" },
      { op: "put", key: "b", value: "1" },
    ],
    failure: [{ op: "delete", key: "c" }],
  };
  const swapped: EtcdOutput = {
    revision: 2,
    succeeded: true,
    results: [{ op: "put" }, { op: "put" }],
  };
  const refused: EtcdOutput = {
    revision: 2,
    succeeded: false,
    results: [{ op: "delete", deleted: 0 }],
  };
  expect(verdict(fresh, [txn, swapped], [txn, refused])).toBe("linearizable");
  expect(verdict(fresh, [txn, swapped], [txn, swapped])).toBe("not-linearizable");
  expect(verdict(fresh, [txn, swapped], [txn, { ...refused, revision: 3 }])).toBe(
    "not-linearizable",
  );
});

test("a value is compared with no absent key, not even for being different", () => {
  const txn: EtcdRequest = {
    op: "txn",
    compare: [{ target: "value", key: "a", result: "!=", value: "1" }],
    success: [],
    failure: [],
  };
  const answer = (succeeded: boolean): EtcdOutput => ({ revision: 1, succeeded, results: [] });
  expect(verdict(fresh, [txn, answer(false)])).toBe("linearizable");
  expect(verdict(fresh, [txn, answer(true)])).toBe("not-linearizable");
});

test("a compare with a revision nobody told may go either way, and what it did shows later", () => {
  const old = etcdModel({ revision: null, alone: true });
  const guarded: EtcdRequest = {
    op: "txn",
    compare: [{ target: "mod", key: "a", result: "=", value: 9 }],
    success: [{ op: "put", key: "a", value: "yes" }],
    failure: [{ op: "put", key: "a", value: "no" }],
  };
  const seen = (value: string) =>
    verdict(
      old,
      [put("a", "1"), { revision: null, succeeded: true, results: [{ op: "put" }] }],
      [guarded, { revision: null, succeeded: value === "yes", results: [{ op: "put" }] }],
      [get("a"), found(10, value, [9, 10, 2])],
    );
  expect(seen("yes")).toBe("linearizable");
  expect(seen("no")).toBe("linearizable");
  expect(seen("maybe")).toBe("not-linearizable");
});
