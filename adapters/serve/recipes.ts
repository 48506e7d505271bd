import { status } from "@grpc/grpc-js";
import type {
  ClientReply,
  KeyValue,
  OpResponse,
  RangeRequest,
  ResponseHeader,
  V3Request,
  WatchResponse,
} from "../../core/etcd/index.js";
import {
  bytes,
  bytesAt,
  headerMessage,
  idAt,
  intAt,
  messageAt,
  signedId,
  type Wire,
} from "../etcd/wire-fields.js";
import { keyValueMessage } from "../etcd/wire-kv.js";
import type { AskOptions, MemberPort } from "./port.js";
import { answered, CallFailure, cancelled } from "./status.js";

/**
 * The services Lock and Election. They are clients that live in the member: all they do, they do with its
 * keys, leases and watches. Source: etcd etcdserver/api/v3lock, v3election and clientv3/concurrency.
 */
export class Recipes {
  readonly #member: MemberPort;
  readonly #asking: AskOptions;
  readonly #signal: AbortSignal;

  constructor(member: MemberPort, asking: AskOptions, signal: AbortSignal) {
    this.#member = member;
    this.#asking = asking;
    this.#signal = signal;
  }

  async lock(request: Wire): Promise<Wire> {
    const lease = await this.#lease(request);
    const prefix = `${bytesAt(request, "name")}/`;
    const key = `${prefix}${bare(lease)}`;
    const firstCreated: RangeRequest = {
      ...prefixed(prefix),
      sortTarget: "create",
      sortOrder: "ascend",
      limit: 1,
    };
    const { header, responses, succeeded } = await this.#txnIfAbsent(key, [
      [{ op: "kv-put", key, value: "", lease }, firstCreated],
      [{ op: "kv-range", key }, firstCreated],
    ]);
    const revision = succeeded ? header.revision : (firstKey(responses[0])?.createRevision ?? 0);
    const owner = firstKey(responses[1]);
    if (owner === null || owner.createRevision === revision) {
      return { header: headerMessage(header), key: bytes(key) };
    }
    try {
      const waited = await this.#waitDeletes(prefix, revision - 1);
      return { header: headerMessage(waited), key: bytes(key) };
    } catch (error) {
      this.#leave({ op: "kv-delete-range", key });
      throw error;
    }
  }

  async unlock(request: Wire): Promise<Wire> {
    const { header } = await this.#ask({ op: "kv-delete-range", key: bytesAt(request, "key") });
    return { header: headerMessage(header) };
  }

  async campaign(request: Wire): Promise<Wire> {
    const lease = await this.#lease(request);
    const name = bytesAt(request, "name");
    const value = bytesAt(request, "value");
    const prefix = `${name}/`;
    const key = `${prefix}${bare(lease)}`;
    const { header, responses, succeeded } = await this.#txnIfAbsent(key, [
      [{ op: "kv-put", key, value, lease }],
      [{ op: "kv-range", key }],
    ]);
    const held = succeeded ? null : firstKey(responses[0]);
    const revision = held === null ? header.revision : held.createRevision;
    if (held !== null && held.value !== value) await this.#proclaim(key, revision, value, lease);
    try {
      await this.#waitDeletes(prefix, revision - 1);
    } catch (error) {
      if (this.#signal.aborted)
        this.#leave(ifCreatedAt(key, revision, { op: "kv-delete-range", key }));
      throw error;
    }
    const leader = {
      name: bytes(name),
      key: bytes(key),
      rev: String(revision),
      lease: signedId(lease),
    };
    return { header: headerMessage(header), leader };
  }

  async proclaim(request: Wire): Promise<Wire> {
    const { key, revision, lease } = leaderKey(request);
    const header = await this.#proclaim(key, revision, bytesAt(request, "value"), lease);
    return { header: headerMessage(header) };
  }

  async resign(request: Wire): Promise<Wire> {
    const { key, revision } = leaderKey(request);
    const { header } = await this.#ask(ifCreatedAt(key, revision, { op: "kv-delete-range", key }));
    return { header: headerMessage(header) };
  }

  async leader(request: Wire): Promise<Wire> {
    const { header, kv } = await this.#elected(`${bytesAt(request, "name")}/`);
    if (kv === null) throw new CallFailure(status.UNKNOWN, "election: no leader");
    return { header: headerMessage(header), kv: keyValueMessage(kv) };
  }

  /** Tells each leader, and each value that it proclaims, until the client has had enough. */
  async observe(request: Wire, tell: (message: Wire) => Promise<void>): Promise<void> {
    const prefix = `${bytesAt(request, "name")}/`;
    for (;;) {
      const now = await this.#elected(prefix);
      const { header, kv } = now.kv === null ? await this.#firstPut(prefix, now.header) : now;
      if (kv === null) continue;
      await tell({ header: headerMessage(header), kv: keyValueMessage(kv) });
      await this.#watch(kv.key, undefined, header.revision + 1, async (head, response) => {
        for (const event of response.events) {
          if (event.type === "delete") return true;
          await tell({ header: headerMessage(head), kv: keyValueMessage(event.kv) });
        }
        return false;
      });
    }
  }

  async #firstPut(
    prefix: string,
    since: ResponseHeader,
  ): Promise<{ readonly header: ResponseHeader; readonly kv: KeyValue | null }> {
    let first: KeyValue | null = null;
    let header = since;
    await this.#watch(prefix, prefixEnd(prefix), since.revision, async (head, response) => {
      first = response.events.find((event) => event.type === "put")?.kv ?? null;
      // A batch may hold several changes: what comes after this one is still to be told.
      if (first !== null) header = { ...head, revision: first.modRevision };
      return first !== null;
    });
    return { header, kv: first };
  }

  async #elected(prefix: string) {
    const { header, result } = await this.#ask({
      ...prefixed(prefix),
      sortTarget: "create",
      sortOrder: "ascend",
      limit: 1,
    });
    return { header, kv: result.op === "kv-range" ? (result.kvs[0] ?? null) : null };
  }

  /** The lease of a request, or one of 60 s as `concurrency.NewSession` grants it. */
  async #lease(request: Wire): Promise<string> {
    const given = idAt(request, "lease");
    if (given !== "") return given;
    const { result } = await this.#ask({ op: "lease-grant", ttl: 60 });
    return result.op === "lease-grant" ? result.id : "";
  }

  async #txnIfAbsent(
    key: string,
    [success, failure]: readonly [
      Extract<V3Request, { readonly op: "kv-txn" }>["success"],
      Extract<V3Request, { readonly op: "kv-txn" }>["failure"],
    ],
  ) {
    const target = { field: "create", operand: 0 } as const;
    const compare = [{ key, result: "equal", target } as const];
    const { header, result } = await this.#ask({ op: "kv-txn", compare, success, failure });
    const txn = result.op === "kv-txn" ? result : { succeeded: false, responses: [] };
    return { header, succeeded: txn.succeeded, responses: txn.responses };
  }

  async #proclaim(
    key: string,
    revision: number,
    value: string,
    lease: string,
  ): Promise<ResponseHeader> {
    const { header, result } = await this.#ask(
      ifCreatedAt(key, revision, { op: "kv-put", key, value, lease }),
    );
    if (result.op !== "kv-txn" || !result.succeeded) {
      throw new CallFailure(status.UNKNOWN, "election: not leader");
    }
    return header;
  }

  /** Waits until no key of a prefix is left that was made at or before a revision. */
  async #waitDeletes(prefix: string, maxCreateRevision: number): Promise<ResponseHeader> {
    for (;;) {
      const { header, result } = await this.#ask({
        ...prefixed(prefix),
        sortTarget: "create",
        sortOrder: "descend",
        limit: 1,
        maxCreateRevision,
      });
      const last = result.op === "kv-range" ? result.kvs[0] : undefined;
      // A bound of 0 is none, and the first change of a store has revision 2.
      if (last === undefined || last.createRevision > maxCreateRevision) return header;
      await this.#watch(last.key, undefined, header.revision, async (_, response) =>
        response.events.some((event) => event.type === "delete"),
      );
    }
  }

  /** Watches until `enough` says so. */
  #watch(
    key: string,
    rangeEnd: string | undefined,
    startRevision: number,
    enough: (header: ResponseHeader, response: WatchResponse) => Promise<boolean>,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error: Error | null): void => {
        conversation.hangUp();
        this.#signal.removeEventListener("abort", abort);
        if (error === null) resolve();
        else reject(error);
      };
      const abort = (): void => end(cancelled());
      let turn = Promise.resolve();
      const hear = async (reply: ClientReply): Promise<void> => {
        const { header, result } = answered(reply);
        if (result.op !== "watch-response") return;
        if (result.canceled)
          throw new CallFailure(status.UNKNOWN, "lost watcher waiting for delete");
        if (await enough(header, result)) end(null);
      };
      const conversation = this.#member.ask({ op: "watch-stream" }, this.#asking, (reply) => {
        turn = turn.then(() => hear(reply)).catch((error: unknown) => end(failure(error)));
      });
      if (this.#signal.aborted) abort();
      else this.#signal.addEventListener("abort", abort);
      conversation.say({
        type: "create",
        key,
        ...(rangeEnd === undefined ? {} : { rangeEnd }),
        startRevision,
      });
    });
  }

  /** One request of the member's own client. What it refuses is, to the client outside, an unknown error. */
  #ask(request: V3Request) {
    return new Promise<ReturnType<typeof answered>>((resolve, reject) => {
      if (this.#signal.aborted) return reject(cancelled());
      const abort = (): void => {
        conversation.hangUp();
        reject(cancelled());
      };
      const conversation = this.#member.ask(request, this.#asking, (reply) => {
        this.#signal.removeEventListener("abort", abort);
        try {
          resolve(answered(reply));
        } catch (error) {
          const { message } = failure(error);
          reject(new CallFailure(status.UNKNOWN, message));
        }
      });
      this.#signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Takes back what a client left behind that has hung up. */
  #leave(request: V3Request): void {
    this.#member.ask(request, this.#asking, () => {});
  }
}

function failure(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** A lease as concurrency's keys end: hex without leading zeros. */
function bare(lease: string): string {
  return lease.replace(/^0+/, "");
}

function prefixed(prefix: string): RangeRequest {
  return { op: "kv-range", key: prefix, rangeEnd: prefixEnd(prefix) };
}

/** The first key after all that begin with a prefix; these prefixes end in a slash. */
function prefixEnd(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

function firstKey(response: OpResponse | undefined): KeyValue | null {
  return response?.op === "kv-range" ? (response.kvs[0] ?? null) : null;
}

function ifCreatedAt(
  key: string,
  revision: number,
  then: Extract<V3Request, { readonly op: "kv-put" | "kv-delete-range" }>,
): V3Request {
  const compare = [
    { key, result: "equal", target: { field: "create", operand: revision } } as const,
  ];
  return { op: "kv-txn", compare, success: [then], failure: [] };
}

function leaderKey(request: Wire) {
  const leader = messageAt(request, "leader");
  if (leader === null) {
    throw new CallFailure(status.UNKNOWN, '"leader" field must be provided');
  }
  return {
    key: bytesAt(leader, "key"),
    revision: intAt(leader, "rev"),
    lease: idAt(leader, "lease"),
  };
}
