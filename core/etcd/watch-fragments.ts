import type { Bytes } from "../kernel/index.js";
import { idField, kvBytes, messageField, numberField, textField } from "./proto-size.js";
import type { WatchReply } from "./watch.js";
import type { Event } from "./watch-api.js";

/**
 * A response in parts of less than `limit` bytes, as etcd sends them to a client that allows it: every part has
 * at least one event, and all but the last say that more follow. Sizes are those of protobuf.
 */
export function fragments(reply: WatchReply, limit: Bytes): WatchReply[] {
  const { events } = reply.result;
  if (events.length < 2 || replyBytes(reply, events) < limit) return [reply];
  const parts: WatchReply[] = [];
  const frame = frameBytes(reply, true);
  let part: Event[] = [];
  let bytes = frame;
  for (const event of events) {
    const more = eventBytes(event);
    if (part.length > 0 && bytes + more >= limit) {
      parts.push({ ...reply, result: { ...reply.result, events: part, fragment: true } });
      part = [];
      bytes = frame;
    }
    part.push(event);
    bytes += more;
  }
  parts.push({ ...reply, result: { ...reply.result, events: part } });
  return parts;
}

function replyBytes(reply: WatchReply, events: readonly Event[]): Bytes {
  let bytes = frameBytes(reply, false);
  for (const event of events) bytes += eventBytes(event);
  return bytes;
}

/** All but the events. */
function frameBytes({ header, result }: WatchReply, fragment: boolean): Bytes {
  const { clusterId, memberId, revision, raftTerm } = header;
  const head =
    idField(clusterId) + idField(memberId) + numberField(revision) + numberField(raftTerm);
  const flags = [result.created, result.canceled, fragment].filter(Boolean).length;
  return (
    messageField(head) +
    numberField(result.watchId) +
    numberField(result.compactRevision) +
    textField(result.cancelReason.length) +
    2 * flags
  );
}

function eventBytes({ type, kv, prevKv }: Event): Bytes {
  const kind = type === "delete" ? 2 : 0;
  const before = prevKv === undefined ? 0 : messageField(kvBytes(prevKv));
  return messageField(kind + messageField(kvBytes(kv)) + before);
}
