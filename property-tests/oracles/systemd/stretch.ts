import type { Action, SetUnit, UnitSet } from "./unit-set.js";

/**
 * The same set with all its times so many times as long: what it asks of systemd is the same, but a
 * machine that is busy for a moment no longer changes the order of what happens. What has no time in
 * the set keeps systemd's own, such as the ten seconds of the start limit.
 */
export function stretchSet(set: UnitSet, factor: number): UnitSet {
  return {
    ...set,
    units: set.units.map((unit) => stretchUnit(unit, factor)),
    actions: set.actions.map(({ at, action }) => ({
      at: at * factor,
      action: stretchAction(action, factor),
    })),
  };
}

function stretchAction(action: Action, factor: number): Action {
  if (action.kind !== "drop-in") return action;
  const { dropIn } = action;
  const lines = dropIn.lines.map((line) => stretchLine(line, "0", factor));
  return { ...action, dropIn: { ...dropIn, lines } };
}

function stretchUnit(unit: SetUnit, factor: number): SetUnit {
  const instance = /@(\d+)\./.exec(unit.name)?.[1] ?? "0";
  const stretch = (lines: readonly string[]) =>
    lines.map((line) => stretchLine(line, instance, factor));
  const dropIns = (unit.dropIns ?? []).map((dropIn) => ({
    ...dropIn,
    lines: stretch(dropIn.lines),
  }));
  return { ...unit, lines: stretch(unit.lines), dropIns };
}

/** Spans of directives, and of the words by which a program is told what to do. */
function stretchLine(line: string, instance: string, factor: number): string {
  return line
    .replace("%i00", `${instance}00`)
    .replace(/\b(\d+)ms\b/g, (_, ms: string) => `${Number(ms) * factor}ms`)
    .replace(
      /^(StartLimitIntervalSec)=(\d+)$/,
      (_, key: string, s: string) => `${key}=${Number(s) * factor}`,
    )
    .replace(
      / (run|ready|fork|child|term|ping|pidfile|say)=(\d+)/g,
      (_, word: string, ms: string) => ` ${word}=${Number(ms) * factor}`,
    )
    .replace(/,(\d+):/g, (_, ms: string) => `,${Number(ms) * factor}:`)
    .replace(/_USEC=(\d+)/g, (_, us: string) => `_USEC=${Number(us) * factor}`);
}
