import type { Event, Revision } from "../etcd/index.js";
import type { Micros } from "../kernel/index.js";
import { firstRevision, isProgress } from "./evidence.js";
import type { WatchTold } from "./facts.js";
import type { ClientWatch } from "./history.js";
import { sameKeyValue } from "./model.js";
import type { Replay } from "./replay.js";
import { type Change, inStoreRange } from "./request.js";

/** What a watch is held against: the store it watched, and which revisions compactions may have taken. */
export interface WatchReference {
  /** Null where no order explains the calls: then only what a watch says of itself is looked at. */
  readonly replay: Replay | null;
  /** The highest revision anybody had asked to compact by this time; 0 for none. */
  compactedBy(at: Micros): Revision;
}

/** The first breach of one guarantee by one watch, in words; null if there is none. */
type WatchCheck = (watch: ClientWatch, reference: WatchReference) => string | null;

/** The guarantees of etcd's watches (api_guarantees.md; the robustness tests' validate/watch.go), each by its name. */
export const WATCH_CHECKS = {
  "watch-filter": filter,
  "watch-ordered": ordered,
  "watch-unique": unique,
  "watch-atomic": atomic,
  "watch-bookmarkable": bookmarkable,
  "watch-resumable": resumable,
  "watch-reliable": reliable,
  "watch-prev-kv": prevKv,
  "watch-is-create": isCreate,
} as const satisfies Record<string, WatchCheck>;

/** Only what was asked for is told. */
function filter({ request, told }: ClientWatch): string | null {
  return firstEvent(told, (event) =>
    inStoreRange(event.kv.key, request.key, request.rangeEnd) && !isFiltered(request, event.type)
      ? null
      : `${nameOf(event)} was not asked for`,
  );
}

/** No event comes after one of a later revision. */
function ordered({ told }: ClientWatch): string | null {
  let last: Revision = 0;
  return firstEvent(told, (event) => {
    const { modRevision } = event.kv;
    if (modRevision < last) return `${nameOf(event)} came after an event of revision ${last}`;
    last = modRevision;
    return null;
  });
}

/** No event comes twice. */
function unique({ told }: ClientWatch): string | null {
  const seen = new Set<string>();
  return firstEvent(told, (event) => {
    const name = nameOf(event);
    if (seen.has(name)) return `${name} came twice`;
    seen.add(name);
    return null;
  });
}

/** The events of one revision come in one response, all parts of a fragmented one taken together. */
function atomic({ told }: ClientWatch): string | null {
  const finished = new Set<Revision>();
  let open = new Set<Revision>();
  for (const { told: response } of told) {
    for (const event of response.events) {
      const { modRevision } = event.kv;
      if (finished.has(modRevision)) return `${nameOf(event)} came apart from its revision`;
      open.add(modRevision);
    }
    if (response.fragment) continue;
    for (const revision of open) finished.add(revision);
    open = new Set();
  }
  return null;
}

/** Progress at a revision says that everything up to it has been told. */
function bookmarkable(watch: ClientWatch, { replay }: WatchReference): string | null {
  const from = firstRevision(watch.request, watch.told);
  let bookmark: Revision = 0;
  let toldUpTo: Revision = 0;
  for (const { told } of watch.told) {
    for (const event of told.events) {
      const { modRevision } = event.kv;
      if (modRevision <= bookmark) return `${nameOf(event)} came after progress at ${bookmark}`;
      toldUpTo = modRevision;
    }
    if (!isProgress(told)) continue;
    bookmark = Math.max(bookmark, told.revision);
    if (from === null || replay === null) continue;
    const missing = firstDue(watch, replay, Math.max(from, toldUpTo + 1), bookmark);
    if (missing !== null) return `progress at ${bookmark} came before ${missing}`;
  }
  return null;
}

/** A watch from a revision on begins with the first event there is from there on. */
function resumable(watch: ClientWatch, { replay }: WatchReference): string | null {
  const from = firstRevision(watch.request, watch.told);
  const first = watch.told.flatMap(({ told }) => told.events)[0];
  if (from === null || first === undefined) return null;
  const { modRevision } = first.kv;
  if (modRevision < from) return `${nameOf(first)} came though the watch began at ${from}`;
  if (replay === null) return null;
  const missed = firstDue(watch, replay, from, modRevision - 1);
  return missed === null ? null : `${missed} is missing at the start, which was ${from}`;
}

/** Between the first event and the last none is missing, and each is as the store had it. */
function reliable(watch: ClientWatch, { replay }: WatchReference): string | null {
  const events = watch.told.flatMap(({ told }) => told.events);
  const first = events[0]?.kv.modRevision;
  const last = events.at(-1)?.kv.modRevision;
  if (replay === null || first === undefined || last === undefined) return null;
  const told = new Set(events.map(nameOf));
  for (let revision = first; revision <= last; revision++) {
    for (const change of dueAt(watch, replay, revision)) {
      const name = nameOfChange(change, revision);
      if (!told.has(name)) return `${name} is missing`;
    }
  }
  return firstEvent(watch.told, (event) => {
    const change = changeOf(replay, event);
    if (change === null) return `${nameOf(event)} never happened`;
    const same = change.kv === null || sameKeyValue(change.kv, event.kv);
    return same ? null : `${nameOf(event)} told another value than the store had`;
  });
}

/** The value before an event is that of the revision before, or absent if a compaction may have taken it. */
function prevKv(watch: ClientWatch, { replay, compactedBy }: WatchReference): string | null {
  if (replay === null || watch.request.prevKv !== true) return null;
  for (const { at, told } of watch.told) {
    for (const event of told.events) {
      const change = changeOf(replay, event);
      if (change === null) continue;
      const before = event.prevKv ?? null;
      if (sameKeyValue(change.before, before)) continue;
      if (before === null && compactedBy(at) >= event.kv.modRevision) continue;
      const found = before === null ? "none" : `that of revision ${before.modRevision}`;
      const wanted =
        change.before === null ? "none" : `that of revision ${change.before.modRevision}`;
      return `the value before ${nameOf(event)} was ${found}, not ${wanted}`;
    }
  }
  return null;
}

/** A put says that it makes its key if and only if the key was not there. */
function isCreate(watch: ClientWatch, { replay }: WatchReference): string | null {
  if (replay === null) return null;
  return firstEvent(watch.told, (event) => {
    const change = changeOf(replay, event);
    if (change === null || event.type !== "put") return null;
    const made = event.kv.createRevision === event.kv.modRevision;
    if (made === (change.before === null)) return null;
    return `${nameOf(event)} says that it ${made ? "makes" : "changes"} its key, which was ${made ? "" : "not "}there`;
  });
}

function isFiltered(request: ClientWatch["request"], type: Event["type"]): boolean {
  return type === "put" ? request.noPut === true : request.noDelete === true;
}

function firstEvent(
  told: readonly { readonly told: WatchTold }[],
  find: (event: Event) => string | null,
): string | null {
  for (const { told: response } of told) {
    for (const event of response.events) {
      const found = find(event);
      if (found !== null) return found;
    }
  }
  return null;
}

/** The changes of a revision that a watch is to tell of. */
function dueAt({ request }: ClientWatch, replay: Replay, revision: Revision): Change[] {
  return (replay.changes.get(revision) ?? []).filter(
    ({ key, kv }) =>
      inStoreRange(key, request.key, request.rangeEnd) &&
      !isFiltered(request, kv === null ? "delete" : "put"),
  );
}

/** The first change due in these revisions, both included, by name. */
function firstDue(watch: ClientWatch, replay: Replay, from: Revision, to: Revision): string | null {
  for (let revision = from; revision <= Math.min(to, replay.last); revision++) {
    const [change] = dueAt(watch, replay, revision);
    if (change !== undefined) return nameOfChange(change, revision);
  }
  return null;
}

function changeOf(replay: Replay, { type, kv }: Event): Change | null {
  const changes = replay.changes.get(kv.modRevision) ?? [];
  return (
    changes.find(
      (change) => change.key === kv.key && (change.kv === null) === (type === "delete"),
    ) ?? null
  );
}

function nameOf({ type, kv }: Event): string {
  return `the ${type} of ${JSON.stringify(kv.key)} at ${kv.modRevision}`;
}

function nameOfChange({ key, kv }: Change, revision: Revision): string {
  return `the ${kv === null ? "delete" : "put"} of ${JSON.stringify(key)} at ${revision}`;
}
