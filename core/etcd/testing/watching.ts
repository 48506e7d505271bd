import type { V3Response } from "../v3-api.js";
import type { WatchMessage, WatchResponse } from "../watch-api.js";
import { ask, call, hear, runFor, stateOf, type TestCluster } from "./cluster.js";

/** A client's stream of watches at one member. */
export interface TestStream {
  readonly cluster: TestCluster;
  readonly member: string;
  readonly id: number;
  seen: number;
}

/** One response, with the revision of its header. */
export type Seen = WatchResponse & { readonly revision: number };

export function openWatches(cluster: TestCluster, member: string): TestStream {
  return { cluster, member, id: ask(cluster, member, { op: "watch-stream" }), seen: 0 };
}

/** Says something on the stream, and lets `wait` pass. */
export function say(stream: TestStream, message: WatchMessage, wait = 0): void {
  const { cluster, member, id } = stream;
  hear(cluster, member, { kind: "client-message", id, message });
  runFor(cluster, wait);
}

/** Asks for a watch. */
export function watch(
  stream: TestStream,
  options: Omit<Extract<WatchMessage, { readonly type: "create" }>, "type">,
): void {
  say(stream, { type: "create", ...options });
}

/** Lets the client stop reading, or read again. */
export function block(stream: TestStream, blocked: boolean): void {
  hear(stream.cluster, stream.member, { kind: "client-flow", id: stream.id, blocked });
}

/** What the client has heard since it was last looked at. */
export function heard(stream: TestStream): Seen[] {
  const replies = stream.cluster.replies.get(stream.id) ?? [];
  const fresh = replies.slice(stream.seen);
  stream.seen = replies.length;
  return fresh.map((reply) => {
    if (!("header" in reply) || reply.result.op !== "watch-response") {
      throw new Error(`not a response of a watch: ${JSON.stringify(reply)}`);
    }
    return { ...reply.result, revision: reply.header.revision };
  });
}

/** The same in short: `ID@REVISION` and what it is about. */
export function heardInShort(stream: TestStream): string[] {
  return heard(stream).map(inShort);
}

function inShort(seen: Seen): string {
  const { watchId, revision, created, canceled, compactRevision, events, fragment } = seen;
  const said = events.map(({ type, kv, prevKv }) => {
    const what = type === "put" ? `${kv.key}=${kv.value}` : `-${kv.key}`;
    return `${what}@${kv.modRevision}${prevKv === undefined ? "" : `<${prevKv.value}`}`;
  });
  if (created) said.push("created");
  if (canceled) said.push(compactRevision === 0 ? "canceled" : `compacted ${compactRevision}`);
  if (fragment) said.push("…");
  if (said.length === 0) said.push("progress");
  return [`${watchId}@${revision}`, ...said].join(" ");
}

/** A member answers a v3 request. */
export function answerOf(
  cluster: TestCluster,
  member: string,
  request: Parameters<typeof call>[2],
): V3Response {
  const reply = call(cluster, member, request);
  if (reply === null || !("header" in reply || "code" in reply)) {
    throw new Error(`${request.op} was not answered: ${JSON.stringify(reply)}`);
  }
  return reply;
}

/** Puts a key, and says at which revision. */
export function put(
  cluster: TestCluster,
  member: string,
  key: string,
  value = "v",
  lease = "",
): number {
  const answer = answerOf(cluster, member, { op: "kv-put", key, value, lease });
  if (!answer.ok) throw new Error(answer.message);
  return answer.header.revision;
}

/** How many watchers of a member stand where. */
export function places(
  cluster: TestCluster,
  member: string,
): Record<"synced" | "unsynced" | "victims", number> {
  const hub = stateOf(cluster, member).run?.watches;
  return {
    synced: hub?.synced.all.size ?? 0,
    unsynced: hub?.unsynced.all.size ?? 0,
    victims: hub?.victims.size ?? 0,
  };
}
