import { expect, test } from "vitest";
import {
  checkLinearizable,
  type KeyValueInput,
  type KeyValueOutput,
  keyValue,
  type Operation,
} from "../../core/linearizability/index.js";
import { HISTORY_OPERATIONS_MAX, historyPicture } from "./history.js";

type KeyValueOperation = Operation<KeyValueInput, KeyValueOutput>;

function operation(
  input: KeyValueInput,
  value: string,
  [call, end]: readonly [number, number | null],
): KeyValueOperation {
  return { client: call % 3, input, output: end === null ? null : { value }, call, return: end };
}

const put = (value: string, call: number, end: number | null) =>
  operation({ op: "put", key: "k", value }, "", [call, end]);
const get = (value: string, call: number, end: number) =>
  operation({ op: "get", key: "k" }, value, [call, end]);

function picture(history: readonly KeyValueOperation[]): string {
  return historyPicture(keyValue, history, checkLinearizable(keyValue, history, { explain: true }));
}

const red = /<rect[^>]*fill="#dc2626"[^>]*\/>(?:<text[^>]*>[^<]*<\/text>)?<title>([^<]*)<\/title>/g;

test("the read that no order explains is red, and nothing else", () => {
  const svg = picture([put("a", 0, 5), put("b", 6, 9), get("b", 10, 12), get("a", 14, 16)]);
  expect([...svg.matchAll(red)].map(([, told]) => told)).toEqual([
    'client 2: get("k") -&gt; "a" (14 – 16)',
  ]);
  expect(svg).toContain("not-linearizable");
  expect(svg).toContain("3 of 4 operations in one order");
  expect(svg.match(/<circle/g)).toHaveLength(3);
});

test("a linearizable history shows its order and nothing red", () => {
  const svg = picture([put("a", 0, null), put("b", 1, 9), get("a", 2, 12)]);
  expect([...svg.matchAll(red)]).toEqual([]);
  expect(svg.match(/<circle/g)).toHaveLength(3);
  expect(svg).toContain("never returned");
});

test("a long history shows what is near the operation nothing explains", () => {
  const writes = Array.from({ length: 1000 }, (_, i) => put(`${i}`, 10 * i, 10 * i + 5));
  const svg = picture([...writes, get("7", 9000, 9004)]);
  expect(svg.match(/<g>/g)).toHaveLength(HISTORY_OPERATIONS_MAX);
  expect([...svg.matchAll(red)]).toHaveLength(1);
  expect(svg).toContain(`${1001 - HISTORY_OPERATIONS_MAX} are not shown`);
});

test("no history at all has a picture, and no value can break out of one", () => {
  expect(picture([])).toContain("</svg>");
  const svg = picture([put("<script>", 0, 5), get("<script>", 6, 7)]);
  expect(svg).not.toContain("<script>");
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});
