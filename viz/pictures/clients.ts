import { type ClientHistory, checkHistory } from "../../core/workload/index.js";
import { type HistoryPictureOptions, historyPicture } from "./history.js";
import type { Svg } from "./svg.js";

/** Breaches named under the heading; the picture says how many more there are. */
const BREACHES_MAX = 12;

/**
 * What clients of etcd saw, checked again and drawn: the requests, the order that explains them or the
 * longest that does not, and every other promise that was broken, by name.
 */
export function clientsPicture(
  history: ClientHistory,
  options: Omit<HistoryPictureOptions, "notes"> = {},
): Svg {
  const { findings, operations, model, linearizability } = checkHistory(history, { explain: true });
  const breaches = findings
    .filter(({ check }) => check !== "etcd-linearizability")
    .map(({ check, detail, member }) => `${check}, told by ${member}: ${detail}`);
  const hidden = breaches.length - BREACHES_MAX;
  const notes = [
    ...breaches.slice(0, BREACHES_MAX),
    ...(hidden > 0 ? [`${hidden} breaches more`] : []),
  ];
  return historyPicture(model, operations, linearizability, { ...options, notes });
}
