import type { Bytes } from "../kernel/index.js";
import type { KeyValue } from "./v3-api.js";
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
    number(BigInt(`0x${clusterId}`)) +
    number(BigInt(`0x${memberId}`)) +
    number(BigInt(revision)) +
    number(BigInt(raftTerm));
  const flags = [result.created, result.canceled, fragment].filter(Boolean).length;
  return (
    embedded(head) +
    number(BigInt(result.watchId)) +
    number(BigInt(result.compactRevision)) +
    text(result.cancelReason) +
    2 * flags
  );
}

function eventBytes({ type, kv, prevKv }: Event): Bytes {
  const before = prevKv === undefined ? 0 : embedded(kvBytes(prevKv));
  return embedded((type === "delete" ? 2 : 0) + embedded(kvBytes(kv)) + before);
}

function kvBytes(kv: KeyValue): Bytes {
  const lease = kv.lease === "" ? 0n : BigInt(`0x${kv.lease}`);
  return (
    text(kv.key) +
    number(BigInt(kv.createRevision)) +
    number(BigInt(kv.modRevision)) +
    number(BigInt(kv.version)) +
    text(kv.value) +
    number(lease)
  );
}

function embedded(bytes: Bytes): Bytes {
  return 1 + varint(BigInt(bytes)) + bytes;
}

function text(value: string): Bytes {
  return value === "" ? 0 : 1 + varint(BigInt(value.length)) + value.length;
}

/** A field that is left out when it is 0. */
function number(value: bigint): Bytes {
  return value === 0n ? 0 : 1 + varint(BigInt.asUintN(64, value));
}

function varint(value: bigint): Bytes {
  let bytes = 1;
  for (let rest = value >> 7n; rest > 0n; rest >>= 7n) bytes++;
  return bytes;
}
