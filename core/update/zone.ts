/** Offset from UTC in seconds (east positive) that holds at an instant, given in seconds since 1970. */
export type Zone = (epochSeconds: number) => number;

/** A zone as plain data: the offset before the first change, and each change in order of time. */
export interface ZoneTable {
  readonly offset: number;
  readonly changes: readonly { readonly from: number; readonly offset: number }[];
}

export const UTC: Zone = () => 0;

export const UTC_TABLE: ZoneTable = { offset: 0, changes: [] };

/** The zone a table describes. */
export function zoneOf(table: ZoneTable): Zone {
  return (epochSeconds) => {
    let low = 0;
    let high = table.changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((table.changes[middle]?.from ?? 0) <= epochSeconds) low = middle + 1;
      else high = middle;
    }
    return table.changes[low - 1]?.offset ?? table.offset;
  };
}
