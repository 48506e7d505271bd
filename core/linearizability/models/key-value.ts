import { ILLEGAL, type Model } from "../model.js";

export type KeyValueInput =
  | { readonly op: "get"; readonly key: string }
  | { readonly op: "put" | "append"; readonly key: string; readonly value: string };

/** Of a get; what a put or an append answers is not looked at. */
export type KeyValueOutput = { readonly value: string };

/** A store of texts with get, put and append, each key on its own. A key nobody has written holds "". */
export const keyValue: Model<string, KeyValueInput, KeyValueOutput> = {
  name: "key-value",
  partition: (input) => input.key,
  init: () => "",
  step(state, input, output) {
    switch (input.op) {
      case "get":
        return output === null || output.value === state ? { ok: true, state } : ILLEGAL;
      case "put":
        return { ok: true, state: input.value };
      case "append":
        return { ok: true, state: state + input.value };
    }
  },
  stateKey: (state) => state,
  readOnly: (input) => input.op === "get",
  operationKey(input, output) {
    if (input.op !== "get") return `${input.op} ${input.value}`;
    return output === null ? "get" : `get ${output.value}`;
  },
  foresight: {
    leadsTo: (state, _input, output) => output === null || output.value.startsWith(state),
    supplies: (by, _byOutput, _input, output) =>
      by.op === "put" && output !== null && output.value.startsWith(by.value),
    resets: (input) => input.op === "put",
  },
  describe(input, output) {
    const key = JSON.stringify(input.key);
    if (input.op !== "get") return `${input.op}(${key}, ${JSON.stringify(input.value)})`;
    return `get(${key}) -> ${output === null ? "unknown" : JSON.stringify(output.value)}`;
  },
};
