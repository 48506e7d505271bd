import { type Bytes, type Micros, SECOND } from "../kernel/index.js";
import { confStateOf, entrySize, type RaftId, type Snapshot } from "../raft/index.js";
import type { RaftMessage } from "./events.js";
import { raftIdOf } from "./membership.js";
import type { EtcdOut } from "./reply.js";
import { imageOfStores, type StoreImage } from "./snapshot.js";
import type { Running } from "./state.js";

/** After this long without a word a snapshot that was sent counts as lost (rafthttp's snapResponseReadTimeout). */
const SNAPSHOT_PATIENCE: Micros = 5 * SECOND;

/**
 * Sends what raft hands out, as etcd's raft.go does: nothing to removed members, only the last of
 * several append responses, and with a snapshot the stores as they are now.
 */
export function sendMessages(
  run: Running,
  messages: readonly RaftMessage[],
  now: Micros,
  out: EtcdOut,
): void {
  const { length } = messages;
  for (let i = 0; i < length; i++) {
    const message = messages[i];
    if (message === undefined) continue;
    if (run.removed.size > 0 && run.removed.has(message.to)) continue;
    if (message.type === "MsgAppResp" && supersededAfter(messages, i)) continue;
    if (message.type === "MsgSnap") sendSnapshot(run, message, now, out);
    else sendMessage(message, out);
    if (message.type === "MsgApp") countAppend(run, message.to);
  }
}

function countAppend(run: Running, to: RaftId): void {
  run.stats.appendsSent++;
  const peer = run.stats.peers.get(to);
  if (peer === undefined) run.stats.peers.set(to, { sent: 1, failed: 0 });
  else peer.sent++;
}

function supersededAfter(messages: readonly RaftMessage[], position: number): boolean {
  for (let i = position + 1; i < messages.length; i++) {
    if (messages[i]?.type === "MsgAppResp") return true;
  }
  return false;
}

function sendMessage(message: RaftMessage, out: EtcdOut): void {
  const sizeBytes = messageBytes(message);
  out.effects.push({ kind: "send", to: message.to, message, sizeBytes });
}

function sendSnapshot(run: Running, message: RaftMessage, now: Micros, out: EtcdOut): void {
  const snapshot = currentSnapshot(run);
  run.snapshotsSent.set(message.to, now + SNAPSHOT_PATIENCE);
  sendMessage({ ...message, snapshot }, out);
}

/** The stores as a snapshot at the last applied index. */
export function currentSnapshot(run: Running): Snapshot<StoreImage> {
  const { index, term } = run.stores.applied;
  const confState = confStateOf(run.node.tracker.config);
  return { index, term, confState, data: imageOfStores(run.stores) };
}

/** About the length of a message on the wire. */
export function messageBytes(message: RaftMessage): Bytes {
  let bytes = 32;
  const { entries, snapshot } = message;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i];
    if (entry !== undefined) bytes += entrySize(entry);
  }
  if (snapshot !== null) bytes += snapshot.data?.bytes ?? 64;
  return bytes;
}

/** Whether a peer acknowledged or refused its vote: what the defect `voteNotPersisted` sends too early. */
export function isVoteAnswer(message: RaftMessage): boolean {
  return message.type === "MsgVoteResp" || message.type === "MsgPreVoteResp";
}

/** A connection that brings nothing for this long is taken down (rafthttp's ConnReadTimeout). */
export const SILENCE_MAX: Micros = 5 * SECOND;

/** How often an idle connection tells that it stands. */
const LINK_HEARTBEAT: Micros = Math.floor(SILENCE_MAX / 3);

/**
 * Keeps connections alive that raft does not use: it speaks between a leader and the others only, but
 * a follower, too, is asked whether it is connected to a quorum.
 */
export function keepConnected(run: Running, now: Micros, out: EtcdOut): void {
  if (now < run.linkHeartbeatAt) return;
  run.linkHeartbeatAt = now + LINK_HEARTBEAT;
  const { lead, role } = run.node;
  if (role === "leader") return;
  const message = { type: "link-heartbeat" } as const;
  for (const id of run.stores.membership.members.keys()) {
    const to = raftIdOf(id);
    if (to === run.id || to === lead) continue;
    out.effects.push({ kind: "send", to, message, sizeBytes: 32 });
  }
}

/** Takes note that a peer was heard. */
export function noteHeard(run: Running, from: RaftId, now: Micros): void {
  const connection = run.connections.get(from);
  if (connection === undefined || now - connection.heard > SILENCE_MAX) {
    run.connections.set(from, { since: now, heard: now });
  } else {
    connection.heard = now;
  }
}

/** Since when a peer is connected without a break; null if it is not. */
export function activeSince(run: Running, id: RaftId, now: Micros): Micros | null {
  const connection = run.connections.get(id);
  if (connection === undefined || now - connection.heard > SILENCE_MAX) return null;
  return connection.since;
}

/** How many peers were connected before `since` and ever after, the member itself included. */
export function connectedSince(
  run: Running,
  ids: readonly RaftId[],
  since: Micros,
  now: Micros,
): number {
  let connected = 0;
  for (const id of ids) {
    if (id === run.id || (activeSince(run, id, now) ?? since) < since) connected++;
  }
  return connected;
}
