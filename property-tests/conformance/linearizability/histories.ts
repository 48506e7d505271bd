import type {
  CasRegisterInput,
  CasRegisterOutput,
  History,
  KeyValueInput,
  KeyValueOutput,
  Operation,
} from "../../../core/linearizability/index.js";

/** An operation while its log is read: it gets its result and its return later, or never. */
type Open<Input, Output> = {
  -readonly [Name in keyof Operation<Input, Output>]: Operation<Input, Output>[Name];
};

/** Operations in the order of their calls; the place of a line in the log is its time. */
class Recorder<Input, Output> {
  readonly operations: Open<Input, Output>[] = [];
  private readonly open = new Map<number, Open<Input, Output>>();

  call(client: number, input: Input, time: number): void {
    const operation = { client, input, output: null, call: time, return: null };
    this.operations.push(operation);
    this.open.set(client, operation);
  }

  /** @throws Error if the client has no operation under way */
  return(client: number, output: Output | null, time: number): void {
    const operation = this.open.get(client);
    if (operation === undefined) {
      throw new Error(`line ${time + 1}: process ${client} returns from nothing`);
    }
    operation.output = output;
    operation.return = time;
    this.open.delete(client);
  }
}

const JEPSEN = /^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(\w+)\s+:(\w+)\s+(.*?)\s*$/;

/**
 * A log of the Jepsen test of etcd: one register with read, write and compare-and-swap. A line
 * that says nothing certain (`:info`, a failed write) is no return: its operation stays open. A
 * read that timed out returns there, with an unknown result.
 *
 * @throws Error on a value that is none
 */
export function jepsenHistory(text: string): History<CasRegisterInput, CasRegisterOutput> {
  const recorder = new Recorder<CasRegisterInput, CasRegisterOutput>();
  text.split("\n").forEach((line, time) => {
    const [, process, type, operation, argument = ""] = JEPSEN.exec(line) ?? [];
    const client = Number(process);
    switch (`${type} ${operation}`) {
      case "invoke read":
        recorder.call(client, { op: "read" }, time);
        break;
      case "invoke write":
        recorder.call(client, { op: "write", value: integer(argument, time) }, time);
        break;
      case "invoke cas": {
        const [, from = "", to = ""] = /^\[(\S+)\s+(\S+)\]$/.exec(argument) ?? [];
        recorder.call(
          client,
          { op: "cas", from: integer(from, time), to: integer(to, time) },
          time,
        );
        break;
      }
      case "ok read": {
        const value = argument === "nil" ? null : integer(argument, time);
        recorder.return(client, { value }, time);
        break;
      }
      case "ok write":
        recorder.return(client, null, time);
        break;
      case "ok cas":
      case "fail cas":
        recorder.return(client, { swapped: type === "ok" }, time);
        break;
      case "fail read":
        if (argument === ":timed-out") recorder.return(client, null, time);
        break;
    }
  });
  return recorder.operations;
}

function integer(text: string, time: number): number {
  if (!/^-?\d+$/.test(text))
    throw new Error(`line ${time + 1}: expected an integer, found "${text}"`);
  return Number(text);
}

const EDN =
  /^\{:process (\d+), :type :(invoke|ok), :f :(get|put|append), :key "(.*)", :value (?:nil|"(.*)")\}\s*$/;

/** A log of a key-value store, one EDN map a line. @throws Error on a line that is none */
export function keyValueHistory(text: string): History<KeyValueInput, KeyValueOutput> {
  const recorder = new Recorder<KeyValueInput, KeyValueOutput>();
  text.split("\n").forEach((line, time) => {
    if (line.trim() === "") return;
    const match = EDN.exec(line);
    if (match === null) throw new Error(`line ${time + 1}: not an operation: ${line}`);
    const [, process, type, op, key = "", value = ""] = match;
    const client = Number(process);
    if (type === "invoke") recorder.call(client, keyValueInput(op, key, value), time);
    else recorder.return(client, op === "get" ? { value } : null, time);
  });
  return recorder.operations;
}

/** `[client, get|put|append, key, value, call, return]`; the value of a get is its result. */
export type RandomOperation = readonly [number, string, string, string, number, number | null];

export function randomHistory(
  rows: readonly RandomOperation[],
): History<KeyValueInput, KeyValueOutput> {
  return rows.map(([client, op, key, value, call, end]) => ({
    client,
    input: keyValueInput(op, key, value),
    output: op === "get" && end !== null ? { value } : null,
    call,
    return: end,
  }));
}

function keyValueInput(op: string | undefined, key: string, value: string): KeyValueInput {
  switch (op) {
    case "get":
      return { op, key };
    case "put":
    case "append":
      return { op, key, value };
    default:
      throw new Error(`expected get, put or append, found ${op}`);
  }
}
