import type { Revision } from "./client.js";
import type { Row } from "./mvcc.js";

/**
 * All rows in order of revision: a list cut into chunks, so that rows can be taken out of the middle, and
 * a fork of the state copies one chunk.
 */
export interface RowLog {
  /** None is empty. */
  chunks: Row[][];
  size: number;
}

const CHUNK = 512;

export function createRowLog(): RowLog {
  return { chunks: [], size: 0 };
}

/** Adds the newest row. */
export function appendRow(log: RowLog, row: Row): void {
  const last = log.chunks[log.chunks.length - 1];
  if (last === undefined || last.length >= CHUNK) log.chunks.push([row]);
  else last.push(row);
  log.size++;
}

/** Takes a row out. */
export function removeRow(log: RowLog, row: Row): void {
  const at = chunkOf(log, row.main, row.sub);
  const chunk = log.chunks[at];
  if (chunk === undefined) return;
  const place = placeIn(chunk, row.main, row.sub);
  const found = chunk[place];
  if (found === undefined || found.main !== row.main || found.sub !== row.sub) return;
  chunk.splice(place, 1);
  log.size--;
  if (chunk.length === 0) log.chunks.splice(at, 1);
  else join(log, at, chunk);
}

/** Puts a chunk that has become small together with its right neighbour. */
function join(log: RowLog, at: number, chunk: Row[]): void {
  const next = log.chunks[at + 1];
  if (next === undefined || chunk.length + next.length > CHUNK >> 1) return;
  chunk.push(...next);
  log.chunks.splice(at + 1, 1);
}

/** The rows from a revision on, oldest first. */
export function rowsFrom(log: RowLog, revision: Revision): readonly Row[] {
  const rows: Row[] = [];
  visitRows(log, revision, (row) => {
    rows.push(row);
    return true;
  });
  return rows;
}

/** Shows the rows from a revision on, oldest first, until `visit` returns false. */
export function visitRows(log: RowLog, from: Revision, visit: (row: Row) => boolean): void {
  const { chunks } = log;
  const first = chunkOf(log, from, 0);
  for (let at = first; at < chunks.length; at++) {
    const chunk = chunks[at];
    if (chunk === undefined) return;
    for (let i = at === first ? placeIn(chunk, from, 0) : 0; i < chunk.length; i++) {
      const row = chunk[i];
      if (row === undefined || !visit(row)) return;
    }
  }
}

/** The last chunk that begins at or before a row. */
function chunkOf({ chunks }: RowLog, main: Revision, sub: number): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const head = chunks[middle]?.[0];
    if (head !== undefined && !isBefore(main, sub, head)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function placeIn(chunk: readonly Row[], main: Revision, sub: number): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = chunk[middle];
    if (row !== undefined && (row.main < main || (row.main === main && row.sub < sub))) {
      low = middle + 1;
    } else high = middle;
  }
  return low;
}

function isBefore(main: Revision, sub: number, row: Row): boolean {
  return main < row.main || (main === row.main && sub < row.sub);
}
