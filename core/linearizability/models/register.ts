import { ILLEGAL, type Model } from "../model.js";

/** Values are integers; null is a register nobody has written. */
export type RegisterInput =
  | { readonly op: "read" }
  | { readonly op: "write"; readonly value: number };

/** A write has no result to check. */
export type RegisterOutput = { readonly value: number | null };

/** One register with read and write. */
export const register: Model<number | null, RegisterInput, RegisterOutput> = {
  name: "register",
  init: () => null,
  step(state, input, output) {
    if (input.op === "write") return { ok: true, state: input.value };
    return output === null || output.value === state ? { ok: true, state } : ILLEGAL;
  },
  stateKey: (state) => state ?? "nil",
  readOnly: (input) => input.op === "read",
  operationKey: (input, output) =>
    input.op === "write" ? `w${input.value}` : `r${readKey(output)}`,
  foresight: {
    leadsTo: (state, _input, output) => output === null || output.value === state,
    supplies: (by, _byOutput, _input, output) =>
      by.op === "write" && output !== null && output.value === by.value,
    resets: (input) => input.op === "write",
  },
  describe: (input, output) =>
    input.op === "write" ? `write(${input.value})` : `read() -> ${readText(output)}`,
};

export type CasRegisterInput =
  | RegisterInput
  | { readonly op: "cas"; readonly from: number; readonly to: number };

/** `swapped` is false where the comparison failed. */
export type CasRegisterOutput = RegisterOutput | { readonly swapped: boolean };

/** One register with read, write and compare-and-swap. */
export const casRegister: Model<number | null, CasRegisterInput, CasRegisterOutput> = {
  name: "cas-register",
  init: () => null,
  step(state, input, output) {
    switch (input.op) {
      case "read":
        return output === null || ("value" in output && output.value === state)
          ? { ok: true, state }
          : ILLEGAL;
      case "write":
        return { ok: true, state: input.value };
      case "cas": {
        const swaps = state === input.from;
        const known = output !== null && "swapped" in output ? output.swapped : swaps;
        return known === swaps ? { ok: true, state: swaps ? input.to : state } : ILLEGAL;
      }
    }
  },
  stateKey: (state) => state ?? "nil",
  readOnly: (input, output) =>
    input.op === "read" ||
    (input.op === "cas" && output !== null && "swapped" in output && !output.swapped),
  operationKey(input, output) {
    switch (input.op) {
      case "read":
        return `r${output !== null && "value" in output ? readKey(output) : "?"}`;
      case "write":
        return `w${input.value}`;
      case "cas":
        return `c${input.from},${input.to},${swapText(output)}`;
    }
  },
  describe(input, output) {
    switch (input.op) {
      case "read":
        return `read() -> ${readText(output !== null && "value" in output ? output : null)}`;
      case "write":
        return `write(${input.value})`;
      case "cas":
        return `cas(${input.from}, ${input.to}) -> ${swapText(output)}`;
    }
  },
};

const readKey = (output: RegisterOutput | null) => (output === null ? "?" : `${output.value}`);
const readText = (output: RegisterOutput | null) =>
  output === null ? "unknown" : `${output.value ?? "nil"}`;

function swapText(output: CasRegisterOutput | null): string {
  if (output === null || !("swapped" in output)) return "unknown";
  return output.swapped ? "ok" : "fail";
}
