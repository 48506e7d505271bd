import type { ClientReply, ClientRequest, EtcdState, WatchMessage } from "../../core/etcd/index.js";
import type { Micros } from "../../core/kernel/index.js";

/** What a client has under way with a member. */
export interface Conversation {
  /** More on a stream. */
  say(message: WatchMessage): void;
  /** The client has stopped reading, or reads again. */
  flow(blocked: boolean): void;
  /** The client is gone, or has had enough: nothing more is heard. */
  hangUp(): void;
}

export interface AskOptions {
  /** Of a client that has logged in. */
  readonly token?: string;
  /** Rather an error than an answer, or silence, of a member without a leader. */
  readonly requireLeader?: boolean;
}

/**
 * One etcd member as its clients reach it, whatever world it lives in. Replies come one at a time and
 * never while `ask` itself runs.
 */
export interface MemberPort {
  /** The member's state, to look at and not to change; null where no member is. */
  state(): EtcdState | null;
  ask(
    request: ClientRequest,
    options: AskOptions,
    heard: (reply: ClientReply) => void,
  ): Conversation;
  /** URLs of a member, as whoever asks can reach them. */
  reachable(clientUrls: readonly string[]): readonly string[];
  /** Calls again and again until `stop`, at the pace of the world. */
  every(span: Micros, task: () => void): { stop(): void };
}
