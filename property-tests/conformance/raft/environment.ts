import { createGenerator, type Sink } from "../../../core/kernel/index.js";
import {
  advance,
  append,
  applyConfChange,
  applySnapshot,
  type ConfState,
  confChangeOf,
  createMemoryStorage,
  createRawNode,
  EMPTY_SNAPSHOT,
  type Entry,
  type HardState,
  hasReady,
  isEmptyHardState,
  isLocalTarget,
  type Message,
  type RaftConfig,
  type RaftFact,
  type RaftId,
  type RawNode,
  ready,
  type Snapshot,
  STEP_ERROR_TEXT,
  STORAGE_ERROR_TEXT,
  setHardState,
  step,
  traceJson,
} from "../../../core/raft/index.js";
import { describeMessage, describeReady } from "./describe.js";
import { logLine } from "./log-text.js";
import { Output } from "./output.js";

export type Text = Message<string, string>;

/** A member under test with what its application and its storage threads hold. */
export interface Member {
  readonly node: RawNode<string, string>;
  readonly facts: Sink<RaftFact>;
  readonly appendWork: Text[];
  readonly applyWork: Text[];
  /** States of an application that appends everything it applies to its state. */
  readonly history: Snapshot<string>[];
}

/** An error that a command answers with; the script expects its text. */
export class CommandError extends Error {}

/**
 * The members keep each other busy for ever: the original would never answer. Two that take each
 * other for the leader do, as they forward a proposal to and fro.
 */
export class EndlessError extends Error {}

/** Far more rounds than any group needs to come to rest. */
const MAX_ROUNDS = 1000;

/** A group of members on a network that delivers when told to (rafttest.InteractionEnv). */
export class Environment {
  readonly output = new Output();
  readonly members: Member[] = [];
  messages: Text[] = [];
  /** Events of the trace, in JSON, since somebody took them out; none unless traced. */
  readonly trace: string[] = [];
  readonly #traced: boolean;

  constructor(options: { readonly traced: boolean } = { traced: false }) {
    this.#traced = options.traced;
  }

  member(id: RaftId): Member {
    const member = this.members[id - 1];
    if (member === undefined) throw new Error(`there is no node ${id}`);
    return member;
  }

  /** Adds members with the next ids, all starting from `snapshot`; null starts them empty. */
  addMembers(
    count: number,
    config: Omit<RaftConfig, "id">,
    snapshot: Snapshot<string> | null,
  ): void {
    for (let i = 0; i < count; i++) {
      const id = this.members.length + 1;
      const storage = createMemoryStorage<string, string>();
      let start: Snapshot<string> = EMPTY_SNAPSHOT;
      if (snapshot !== null) {
        if (snapshot.index <= 1) {
          throw new CommandError("index must be specified as > 1 due to bootstrap");
        }
        start = { ...snapshot, term: 1 };
        applySnapshot(storage, start);
      }
      // A lagging peer gets the application's latest state, not what storage was compacted to.
      storage.offered = start;
      const facts: Sink<RaftFact> = {
        push: (fact) => {
          if (fact.kind === "raft.trace") {
            this.trace.push(traceJson(fact.event));
            return;
          }
          const { level, text } = logLine(id, fact);
          this.output.log(level, text);
        },
      };
      const generator = createGenerator(id, "raft");
      const node = createRawNode({ ...config, id, trace: this.#traced }, storage, generator, facts);
      this.members.push({ node, facts, appendWork: [], applyWork: [], history: [start] });
    }
  }

  /** Takes and handles one Ready. */
  processReady(member: Member): void {
    const { node, facts } = member;
    const handed = ready(node, facts);
    this.output.write(describeReady(handed));
    const async = node.config.asyncStorageWrites;
    if (!async) {
      persist(member, handed.hardState, handed.entries, handed.snapshot);
      apply(member, handed.committedEntries);
    }
    for (const message of handed.messages) {
      if (message.type === "MsgStorageAppend") member.appendWork.push(message);
      else if (message.type === "MsgStorageApply") member.applyWork.push(message);
      else this.messages.push(message);
    }
    if (!async) advance(node, facts);
  }

  /** Does one piece of the append thread's work. */
  processAppend(member: Member): void {
    const message = member.appendWork.shift();
    if (message === undefined) {
      this.output.write("no append work to perform");
      return;
    }
    this.#work(message, () => {
      const { term, vote, commit } = message;
      persist(member, { term, vote, commit }, message.entries, message.snapshot);
    });
  }

  /** Does one piece of the apply thread's work. */
  processApply(member: Member): void {
    const message = member.applyWork.shift();
    if (message === undefined) {
      this.output.write("no apply work to perform");
      return;
    }
    this.#work(message, () => apply(member, message.entries));
  }

  #work(message: Text, body: () => void): void {
    this.output.write(`Processing:\n${describeMessage({ ...message, responses: [] })}\n`);
    body();
    this.output.write("Responses:\n");
    for (const response of message.responses) this.output.write(`${describeMessage(response)}\n`);
    this.messages.push(...message.responses);
  }

  /** Delivers or drops what is under way to the recipients, in turn. Returns how many messages that were. */
  deliver(
    type: string | null,
    recipients: readonly { readonly id: RaftId; readonly drop: boolean }[],
  ): number {
    let count = 0;
    for (const { id, drop } of recipients) {
      const chosen = this.messages.filter((message) => isFor(message, id, type, drop));
      this.messages = this.messages.filter((message) => !isFor(message, id, type, drop));
      count += chosen.length;
      for (const message of chosen) {
        this.output.write(`${drop ? "dropped: " : ""}${describeMessage(message)}\n`);
        if (drop) continue;
        const { node, facts } = this.member(id);
        const error = step(node, message, facts);
        if (error !== null) this.output.write(`${STEP_ERROR_TEXT[error]}\n`);
      }
    }
    return count;
  }

  /** Runs the given members, or all, until nothing is left to do. Throws EndlessError if that never is. */
  stabilize(ids: readonly RaftId[]): void {
    const chosen = ids.length > 0 ? ids : this.members.map((_, i) => i + 1);
    for (let rounds = 0; this.#round(chosen); rounds++) {
      if (rounds === MAX_ROUNDS) throw new EndlessError("the members do not come to rest");
    }
  }

  #round(ids: readonly RaftId[]): boolean {
    let worked = false;
    const each = (what: string, due: (member: Member) => boolean, body: (id: RaftId) => void) => {
      for (const id of ids) {
        if (!due(this.member(id))) continue;
        this.output.write(`> ${id} ${what}\n`);
        this.output.indented(() => body(id));
        worked = true;
      }
    };
    const drain = (queue: readonly Text[], body: () => void) => {
      while (queue.length > 0) body();
    };
    each(
      "handling Ready",
      ({ node }) => hasReady(node),
      (id) => this.processReady(this.member(id)),
    );
    each(
      "receiving messages",
      ({ node }) => this.messages.some((message) => message.to === node.id),
      (id) => this.deliver(null, [{ id, drop: false }]),
    );
    each(
      "processing append thread",
      ({ appendWork }) => appendWork.length > 0,
      (id) => {
        const member = this.member(id);
        drain(member.appendWork, () => this.processAppend(member));
      },
    );
    each(
      "processing apply thread",
      ({ applyWork }) => applyWork.length > 0,
      (id) => {
        const member = this.member(id);
        drain(member.applyWork, () => this.processApply(member));
      },
    );
    return worked;
  }
}

/** What is local to a member is never dropped. */
function isFor(message: Text, id: RaftId, type: string | null, drop: boolean): boolean {
  if (message.to !== id || (type !== null && message.type !== type)) return false;
  return !drop || (message.from !== message.to && !isLocalTarget(message.from));
}

function persist(
  { node }: Member,
  hardState: HardState | null,
  entries: readonly Entry<string>[],
  snapshot: Snapshot<string> | null,
): void {
  const { storage } = node.log;
  if (hardState !== null && !isEmptyHardState(hardState)) setHardState(storage, hardState);
  if (snapshot === null) {
    append(storage, entries);
    return;
  }
  if (entries.length > 0) {
    throw new CommandError("can't apply snapshot and entries at the same time");
  }
  const error = applySnapshot(storage, snapshot);
  if (error !== null) throw new CommandError(STORAGE_ERROR_TEXT[error]);
}

function apply(member: Member, entries: readonly Entry<string>[]): void {
  const { node, facts, history } = member;
  for (const entry of entries) {
    const last = history.at(-1) ?? EMPTY_SNAPSHOT;
    const change = confChangeOf(entry);
    let confState: ConfState = last.confState;
    let update = entry.type === "EntryNormal" ? entry.data : null;
    if (change !== null) {
      confState = applyConfChange(node, change, facts);
      update = change.context;
    }
    const data = (last.data ?? "") + (update ?? "");
    const state = { index: entry.index, term: entry.term, confState, data };
    history.push(state);
    node.log.storage.offered = state;
  }
}
