import {
  applyV2Command,
  createV2Store,
  type EtcdReply,
  parseV2Request,
  type V2Node,
  type V2Notice,
  type V2Request,
  type V2Store,
  v2Create,
  v2Expire,
  v2Watch,
} from "../../core/etcd/index.js";
import { type Micros, SECOND } from "../../core/kernel/index.js";
import type { V2Call } from "../etcd/index.js";
import type { EtcdPort } from "./ports.js";

/**
 * The etcd of a dry run: a copy of real keys in the modelled v2 store. Everything is answered from
 * the copy, and a write changes the copy alone.
 */
export class EtcdShadow implements EtcdPort {
  readonly #store: V2Store = createV2Store();
  readonly #waiting = new Map<number, (reply: EtcdReply) => void>();
  readonly #now: () => Micros;
  #nextId = 1;

  /** @param root - what a recursive read of the real etcd answered, or null when there was nothing */
  constructor(root: V2Node | null, now: () => Micros) {
    this.#now = now;
    if (root !== null) this.#copy(root);
  }

  call(request: V2Request, _timeout: Micros | null, replied: (reply: EtcdReply) => void): V2Call {
    let over = false;
    const id = this.#nextId++;
    const answer = (reply: EtcdReply): void => {
      // As a real answer, it comes later, never within the call.
      setImmediate(() => {
        if (!over) replied(reply);
        over = true;
      });
    };
    const reply = this.#perform(id, request);
    if (reply === null) this.#waiting.set(id, answer);
    else answer(reply);
    return {
      cancel: () => {
        over = true;
        this.#waiting.delete(id);
      },
    };
  }

  #perform(id: number, request: V2Request): EtcdReply | null {
    const now = this.#now();
    const notices: V2Notice[] = [];
    v2Expire(this.#store, now, now, notices);
    const parsed = parseV2Request(request, now);
    let reply: EtcdReply | null;
    if (!parsed.ok) reply = parsed.failure;
    else if (parsed.command.op === "watch") {
      const { key, recursive, stream, sinceIndex } = parsed.command;
      reply = v2Watch(this.#store, id, key, recursive, stream, sinceIndex);
    } else reply = applyV2Command(this.#store, parsed.command, now, notices);
    for (const notice of notices) {
      this.#waiting.get(notice.id)?.(notice.response);
      this.#waiting.delete(notice.id);
    }
    return reply;
  }

  #copy(node: V2Node): void {
    for (const child of node.nodes ?? []) this.#copy(child);
    if (node.dir === true && (node.nodes ?? []).length > 0) return;
    const now = this.#now();
    const expiresAt = node.ttl === undefined ? null : now + node.ttl * SECOND;
    const life = { expiresAt, refresh: false };
    v2Create(this.#store, node.key, node.dir === true, node.value ?? "", life, now, []);
  }
}
