import { compareSet, type Prepared, prepare } from "./prepare.js";
import type { RealSystemd } from "./real.js";
import { renamed, type SetUnit, type UnitSet } from "./unit-set.js";

/** Sets that are tried at most, and how many of them at a time. */
const TRIES_MAX = 120;
const BESIDE = 8;

/** Leaves out units, actions and lines for as long as systemd and the model still differ. */
export async function shrinkSet(
  real: RealSystemd,
  prepared: Prepared,
  found: string,
): Promise<{ readonly set: UnitSet; readonly found: string }> {
  let best = { set: prepared.set, found };
  let names = 0;
  let tries = 0;
  for (let progress = true; progress && tries < TRIES_MAX; ) {
    progress = false;
    const candidates = smaller(best.set);
    while (candidates.length > 0 && tries < TRIES_MAX && !progress) {
      const batch = candidates.splice(0, BESIDE);
      tries += batch.length;
      // All are prepared before any is run: that keeps this process too busy to be on time.
      const ready = batch.map((set) => {
        const candidate = renamed(set, `${prepared.number}s${names++}`);
        return prepare(candidate, prepared.number);
      });
      const results = await Promise.all(ready.map((candidate) => differs(real, candidate)));
      const better = results.find((result) => result !== null);
      if (better === undefined || better === null) continue;
      best = better;
      progress = true;
    }
  }
  return best;
}

async function differs(
  real: RealSystemd,
  prepared: Prepared | null,
): Promise<{ readonly set: UnitSet; readonly found: string } | null> {
  if (prepared === null) return null;
  const found = await compareSet(real, prepared);
  // A second look: a machine that was late once does not lead the way.
  const again = found === null ? null : await compareSet(real, prepared);
  return again === null ? null : { set: prepared.set, found: again };
}

/** Sets with something left out, the larger parts first. */
function smaller(set: UnitSet): UnitSet[] {
  const sets: UnitSet[] = [];
  const names = set.units.map(({ name }) => name);
  if (names.length > 3) {
    for (const part of [names.slice(0, names.length / 2), names.slice(names.length / 2)]) {
      sets.push(part.reduce(withoutUnit, set));
    }
  }
  for (const { name } of set.units) sets.push(withoutUnit(set, name));
  for (const index of set.actions.keys()) {
    sets.push({ ...set, actions: set.actions.filter((_, at) => at !== index) });
  }
  for (const unit of set.units) {
    for (const [index, line] of unit.lines.entries()) {
      if (line.startsWith("[")) continue;
      const lines = unit.lines.filter((_, at) => at !== index);
      sets.push(replaceUnit(set, { ...unit, lines }));
    }
    for (const { name } of unit.dropIns ?? []) {
      const dropIns = unit.dropIns?.filter((dropIn) => dropIn.name !== name) ?? [];
      sets.push(replaceUnit(set, { ...unit, dropIns }));
    }
  }
  return sets;
}

function withoutUnit(set: UnitSet, name: string): UnitSet {
  const units = set.units
    .filter((unit) => unit.name !== name)
    .map((unit) => keepLines(unit, (line) => !line.endsWith(`=${name}`)));
  const actions = set.actions.filter(({ action }) => !("unit" in action) || action.unit !== name);
  return { ...set, units, actions };
}

function keepLines(unit: SetUnit, keep: (line: string) => boolean): SetUnit {
  const dropIns = (unit.dropIns ?? []).map((dropIn) => ({
    ...dropIn,
    lines: dropIn.lines.filter(keep),
  }));
  return { ...unit, lines: unit.lines.filter(keep), dropIns };
}

function replaceUnit(set: UnitSet, unit: SetUnit): UnitSet {
  return { ...set, units: set.units.map((other) => (other.name === unit.name ? unit : other)) };
}
