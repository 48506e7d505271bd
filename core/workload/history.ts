import type { V3Response } from "../etcd/index.js";
import type { LogRecord, Micros } from "../kernel/index.js";
import { isWorkloadFact, type WatchRequest, type WatchTold, type WorkloadFact } from "./facts.js";
import type { StoreRequest } from "./request.js";

/** One request of a client. Times are those of the log. */
export interface ClientCall {
  readonly client: string;
  readonly member: string;
  readonly request: StoreRequest;
  readonly invoked: Micros;
  /** Null: it was answered without saying what became of it, or never. */
  returned: Micros | null;
  response: V3Response | null;
  /** False if the connection was refused: then it had no effect. */
  sent: boolean;
}

/** One watch, from when it was asked for until it ended; what it told, in order. */
export interface ClientWatch {
  readonly client: string;
  readonly member: string;
  readonly request: WatchRequest;
  readonly opened: Micros;
  readonly told: { readonly at: Micros; readonly told: WatchTold }[];
}

/** What the clients of one store did and saw, calls and watches in the order they began. */
export interface ClientHistory {
  readonly calls: readonly ClientCall[];
  readonly watches: readonly ClientWatch[];
}

/** Puts a history together from the facts of clients, as they come. */
export class HistoryBuilder {
  readonly #calls: ClientCall[] = [];
  readonly #watches: ClientWatch[] = [];
  readonly #open = new Map<string, ClientCall>();
  readonly #watching = new Map<string, ClientWatch>();

  /** True when nothing was added. */
  get isEmpty(): boolean {
    return this.#calls.length === 0 && this.#watches.length === 0;
  }

  /** @param host - the node whose client it is; identities and numbers are its own */
  add(host: string, at: Micros, fact: WorkloadFact): void {
    switch (fact.kind) {
      case "client.invoked": {
        const { client, member, request } = fact;
        const call: ClientCall = {
          client,
          member,
          request,
          invoked: at,
          returned: null,
          response: null,
          sent: true,
        };
        this.#calls.push(call);
        this.#open.set(`${host} ${fact.call}`, call);
        return;
      }
      case "client.returned": {
        const call = this.#open.get(`${host} ${fact.call}`);
        this.#open.delete(`${host} ${fact.call}`);
        if (call === undefined) return;
        call.returned = at;
        call.response = fact.response;
        return;
      }
      case "client.unknown": {
        const call = this.#open.get(`${host} ${fact.call}`);
        this.#open.delete(`${host} ${fact.call}`);
        if (call !== undefined) call.sent = fact.why !== "connection refused";
        return;
      }
      case "client.watching": {
        const { client, member, request } = fact;
        const watch: ClientWatch = { client, member, request, opened: at, told: [] };
        this.#watches.push(watch);
        this.#watching.set(`${host} ${fact.watch}`, watch);
        return;
      }
      case "client.watch-told":
        this.#watching.get(`${host} ${fact.watch}`)?.told.push({ at, told: fact.told });
        return;
      case "client.watch-ended":
        this.#watching.delete(`${host} ${fact.watch}`);
    }
  }

  history(): ClientHistory {
    return { calls: this.#calls, watches: this.#watches };
  }
}

/** The history that a log holds. Its records are taken for what the log's writer put there. */
export function historyOfRecords(records: Iterable<LogRecord>): ClientHistory {
  const builder = new HistoryBuilder();
  for (const { type, kind, host, at, data } of records) {
    if (type !== "fact" || !isWorkloadFact(kind)) continue;
    builder.add(host, at, { kind, ...(data as object) } as WorkloadFact);
  }
  return builder.history();
}
