import type { V3Result } from "../etcd/index.js";
import { unreachable } from "../kernel/index.js";
import type { StoreRequest } from "./request.js";

/** A request in a line, such as `put("/k3", "c1:17")`. */
export function describeRequest(request: StoreRequest): string {
  switch (request.op) {
    case "kv-range": {
      const at = (request.revision ?? 0) > 0 ? `, at ${request.revision}` : "";
      const how = request.serializable === true ? ", serializable" : "";
      const what = (request.rangeEnd ?? "") === "" ? "get" : "list";
      return `${what}(${quoted(request.key)}${at}${how})`;
    }
    case "kv-put": {
      const lease = (request.lease ?? "") === "" ? "" : `, lease ${request.lease}`;
      return `put(${quoted(request.key)}, ${quoted(request.value)}${lease})`;
    }
    case "kv-delete-range":
      return `delete(${quoted(request.key)})`;
    case "kv-txn": {
      const compare = request.compare.map(
        ({ key, target, result }) =>
          `${target.field}(${quoted(key)}) ${result} ${JSON.stringify(target.operand)}`,
      );
      const list = (ops: readonly StoreRequest[]) => ops.map(describeRequest).join(", ");
      const condition = compare.length === 0 ? "" : `${compare.join(" and ")} ? `;
      const otherwise = request.failure.length === 0 ? "" : ` : ${list(request.failure)}`;
      return `txn(${condition}${list(request.success)}${otherwise})`;
    }
    case "kv-compact":
      return `compact(${request.revision})`;
    case "lease-grant":
      return "grant()";
    case "lease-revoke":
      return `revoke(${request.id})`;
    default:
      return unreachable(request);
  }
}

/** An answer in a few words; "" where the revision says it all. */
export function describeResult(result: V3Result | null): string {
  if (result === null) return "took effect ";
  switch (result.op) {
    case "kv-range":
      if (result.kvs.length === 0) return "absent ";
      return `${result.kvs.map(({ value }) => quoted(value)).join(" ")} `;
    case "kv-delete-range":
      return `${result.deleted} deleted `;
    case "kv-txn":
      return result.succeeded ? "then " : "else ";
    case "lease-grant":
      return `${result.id} `;
    default:
      return "";
  }
}

const quoted = (text: string): string => JSON.stringify(text);
