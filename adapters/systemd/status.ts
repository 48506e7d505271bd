import { posix } from "node:path";
import type { ActiveState, LoadState, UnitStatus } from "../../core/systemd/client.js";

const ACTIVE: readonly ActiveState[] = [
  "active",
  "reloading",
  "inactive",
  "failed",
  "activating",
  "deactivating",
];
const LOAD: readonly LoadState[] = ["loaded", "not-found", "bad-setting", "error", "masked"];

/**
 * A row of `ListUnits`. States the model does not have are told as their nearest: `maintenance`
 * (systemd 250) is `inactive`, `refreshing` (257) is `reloading`; load states `merged` and `stub`
 * are `loaded`.
 *
 * @throws TypeError when it is no such row
 */
export function readStatus(row: unknown): UnitStatus {
  if (!Array.isArray(row)) throw new TypeError("a row of systemd's list is no list");
  const [name, description, load, active, sub] = row.map(String);
  if (name === undefined || description === undefined || sub === undefined) {
    throw new TypeError("a row of systemd's list is too short");
  }
  const near = active === "refreshing" ? "reloading" : "inactive";
  return {
    name,
    description,
    loadState: LOAD.find((state) => state === load) ?? "loaded",
    activeState: ACTIVE.find((state) => state === active) ?? near,
    subState: sub,
  };
}

/** The unit behind an object path, whose last part escapes bytes as `_xx`; null for other paths. */
export function unitOfPath(path: string): string | null {
  if (posix.dirname(path) !== "/org/freedesktop/systemd1/unit") return null;
  const escaped = posix.basename(path);
  const bytes = escaped.replace(/_([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
