import { isCallResult, pathOf, writeResult } from "../../../adapters/etcd/wire.js";
import type { CallName } from "../../../adapters/etcd/wire-calls.js";
import type { Wire } from "../../../adapters/etcd/wire-fields.js";
import { WATCH_PATH, watchResponseMessage } from "../../../adapters/etcd/wire-watch.js";
import {
  type ClientReply,
  type ClientRequest,
  memberIdOf,
  type Revision,
  raftIdOf,
  type V2Request,
  type V2Response,
  type V2Store,
  type WatchMessage,
} from "../../../core/etcd/index.js";
import {
  ask,
  call,
  hear,
  leaderOf,
  runFor,
  runUntil,
  settleCluster,
  startCluster,
  stateOf,
  type TestCluster,
} from "../../../core/etcd/testing/cluster.js";
import { type Answer, ENDED, overTheWire, type RealCluster } from "./real.js";

/** The model of a real cluster: the same names, addresses, ids, leader and time. */
export class ModelCluster {
  readonly #names: readonly string[];
  readonly #cluster: TestCluster;
  /** How far the model's clock is ahead of the real one. */
  readonly #ahead: number;

  constructor(version: string, real: RealCluster) {
    const { servers } = real;
    this.#names = servers.map(({ name }) => name);
    this.#cluster = startCluster({
      names: this.#names,
      epoch: Date.now() * 1000,
      peerUrls: Object.fromEntries(servers.map(({ name, peerUrl }) => [name, peerUrl])),
      config: { version },
      // Faster than any real machine, so that it is never ahead of one.
      delays: { network: [50, 150], disk: [50, 200] },
      clientUrls: Object.fromEntries(servers.map(({ name, url }) => [name, [url]])),
    });
    settleCluster(this.#cluster);
    this.settle();
    this.#ahead = this.#cluster.now - Date.now() * 1000;
  }

  /** Member ids in hex, in the order of the members. */
  ids(real: RealCluster): readonly string[] {
    return real.servers.map(({ peerUrl }) => memberIdOf([peerUrl], "etcd-cluster", null));
  }

  /** Hands the lead to a member. */
  lead(id: string): void {
    const cluster = this.#cluster;
    const to = cluster.byRaftId.get(raftIdOf(id));
    for (let attempt = 0; attempt < 5 && leaderOf(cluster) !== to; attempt++) {
      call(cluster, leaderOf(cluster) ?? "", { op: "move-leader", to: id });
      settleCluster(cluster);
    }
    if (leaderOf(cluster) !== to) throw new Error(`the model's lead does not go to ${to}`);
    this.settle();
  }

  /** Lets the model's time catch up with the real one. */
  keepUp(): void {
    const behind = Date.now() * 1000 + this.#ahead - this.#cluster.now;
    if (behind > 0) runFor(this.#cluster, behind);
  }

  /** Lets every member apply what is committed. */
  settle(): void {
    const running = [...this.#cluster.hosts.values()].flatMap(({ state }) => state.run ?? []);
    const settled = (): boolean => {
      const last = Math.max(...running.map(({ node }) => node.log.committed));
      return running.every(({ stores }) => stores.applied.index >= last);
    };
    runUntil(this.#cluster, settled, 5_000_000);
  }

  get revision(): Revision {
    return this.#stores.mvcc.revision;
  }

  get compactRevision(): Revision {
    return this.#stores.mvcc.compactRevision;
  }

  get #stores() {
    const leader = leaderOf(this.#cluster) ?? this.#names[0] ?? "";
    const { run } = stateOf(this.#cluster, leader);
    if (run === null) throw new Error(`${leader} is down`);
    return run.stores;
  }

  call(member: number, name: CallName, request: ClientRequest, token = ""): Answer {
    const reply = this.#ask(member, request, token);
    if ([...this.#cluster.hosts.values()].some(({ state }) => state.run === null)) return ENDED;
    if (reply === null) return { ok: false, code: "Unknown", message: "the model gives no answer" };
    if (!reply.ok) {
      if ("code" in reply) return reply;
      return { ok: false, code: "Unknown", message: `the model answered ${JSON.stringify(reply)}` };
    }
    if (!("result" in reply) || !isCallResult(reply.result)) {
      throw new Error(`the model answered ${JSON.stringify(reply)}`);
    }
    const message = writeResult(name, reply.header, reply.result);
    return { ok: true, message: overTheWire(pathOf(name), message) };
  }

  /** Asks for something of the v2 API; the id under which the answer comes. */
  askV2(member: number, request: V2Request): number {
    const id = ask(this.#cluster, this.#name(member), request);
    const isAnswered = (): boolean => this.#cluster.replies.has(id);
    if (request.op !== "watch") runUntil(this.#cluster, isAnswered, 20_000_000);
    this.settle();
    return id;
  }

  /** The answer to a request of the v2 API; null while there is none. */
  v2Answer(id: number): V2Response | null {
    const reply = this.#cluster.replies.get(id)?.[0];
    if (reply === undefined) return null;
    if ("unreachable" in reply || "header" in reply || "code" in reply) {
      throw new Error(`the model answered ${JSON.stringify(reply)}`);
    }
    return reply;
  }

  /** Keys of the v2 API as the leader has them. */
  get v2Store(): V2Store {
    return this.#stores.v2;
  }

  /** Opens a stream of watches; its id. */
  openStream(member: number): number {
    return ask(this.#cluster, this.#name(member), { op: "watch-stream" });
  }

  say(member: number, stream: number, message: WatchMessage): void {
    hear(this.#cluster, this.#name(member), { kind: "client-message", id: stream, message });
  }

  /** What came on a stream after the first so many responses. */
  responses(stream: number, after: number): readonly Wire[] {
    const replies = this.#cluster.replies.get(stream) ?? [];
    return replies.slice(after).flatMap((reply) => {
      if (!reply.ok || !("result" in reply) || reply.result.op !== "watch-response") return [];
      return [overTheWire(WATCH_PATH, watchResponseMessage(reply.header, reply.result))];
    });
  }

  #ask(member: number, request: ClientRequest, token = ""): ClientReply | null {
    const reply = call(this.#cluster, this.#name(member), request, token);
    this.settle();
    return reply;
  }

  #name(member: number): string {
    const name = this.#names[member];
    if (name === undefined) throw new Error(`no member ${member}`);
    return name;
  }
}
