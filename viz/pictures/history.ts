import { line, type ScaleLinear, scaleLinear } from "d3";
import type {
  CheckResult,
  History,
  Model,
  Operation,
  PartitionResult,
} from "../../core/linearizability/index.js";
import { pack } from "./axis.js";
import { FAINT, GRID, HOST_FILL, INK, PAPER, VIOLATION } from "./palette.js";
import { element, label, type Svg, tooltip } from "./svg.js";

export interface HistoryPictureOptions {
  /** Width in pixels; the height follows from how many operations overlap. */
  readonly width?: number;
  /** Lines under the heading, in red: what else was found wrong. */
  readonly notes?: readonly string[];
}

/** Operations shown; the picture says how many it leaves out. */
export const HISTORY_OPERATIONS_MAX = 240;

const MARGIN = 24;
const TOP = 64;
const ROW = 22;
const BAR = 16;
const NOTE = 14;

/** One operation as it is drawn. */
interface Bar<Input, Output> {
  readonly operation: Operation<Input, Output>;
  /** Its place in the order shown, from 1; null if it has none. */
  readonly place: number | null;
  /** When it takes effect in that order. */
  readonly point: number | null;
  readonly culprit: boolean;
}

/**
 * A checked history as an SVG document: of the first refuted partition, or of the first one, every
 * operation as a bar from call to return, and the order found, or the longest partial one, as a
 * line through the points at which operations take effect. In red what no order explains: the
 * first operation to return that has no place in the longest one. Wants a result with `explain`.
 */
export function historyPicture<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  result: CheckResult,
  options: HistoryPictureOptions = {},
): Svg {
  const width = options.width ?? 1200;
  const notes = options.notes ?? [];
  const top = TOP + notes.length * NOTE;
  const part =
    result.partitions.find(({ verdict }) => verdict === "not-linearizable") ?? result.partitions[0];
  const all = part === undefined ? [] : barsOf(history, part);
  const bars = nearCulprit(all);
  const scale = scaleOf(bars, width);
  const end = width - MARGIN / 2;
  const stretches = bars.map((bar) => {
    const x = scale(bar.operation.call);
    const until = bar.operation.return === null ? end : scale(bar.operation.return);
    return { span: bar, x, width: Math.max(4, until - x) };
  });
  const packed = pack(stretches, 3);
  const rows = Math.max(0, ...packed.map(({ row }) => row + 1));
  const height = top + rows * ROW + MARGIN;
  const middles = new Map(
    packed.map(({ item, row }) => [item.span, top + row * ROW + BAR / 2] as const),
  );
  return frame(width, height, [
    ...heading(model, result, part, all),
    ...notes.map((note, i) => label(note, { x: MARGIN, y: 62 + i * NOTE, fill: VIOLATION })),
    ...packed.map(({ item, row }) =>
      barOf(model, item.span, { x: item.x, y: top + row * ROW, width: item.width }),
    ),
    ...orderLine(bars, scale, middles),
  ]);
}

function barsOf<Input, Output>(
  history: History<Input, Output>,
  part: PartitionResult,
): Bar<Input, Output>[] {
  const order = part.linearization ?? part.partials[0] ?? [];
  const points = new Map<number, { readonly place: number; readonly point: number }>();
  let now = Number.NEGATIVE_INFINITY;
  order.forEach((index, position) => {
    now = Math.max(now, history[index]?.call ?? now);
    points.set(index, { place: position + 1, point: now });
  });
  const culprit = part.verdict === "not-linearizable" ? culpritOf(history, part, points) : null;
  return part.operations
    .flatMap((index) => {
      const operation = history[index];
      if (operation === undefined) return [];
      const { place = null, point = null } = points.get(index) ?? {};
      return [{ operation, place, point, culprit: index === culprit }];
    })
    .sort((a, b) => a.operation.call - b.operation.call);
}

/** The first operation to return of those without a place. */
function culpritOf<Input, Output>(
  history: History<Input, Output>,
  part: PartitionResult,
  points: ReadonlyMap<number, unknown>,
): number | null {
  let first: number | null = null;
  let earliest = Number.POSITIVE_INFINITY;
  for (const index of part.operations) {
    const end = history[index]?.return ?? null;
    if (end === null || end >= earliest || points.has(index)) continue;
    earliest = end;
    first = index;
  }
  return first;
}

/** So many operations as can be shown: those called last before the culprit returned, or the first. */
function nearCulprit<Input, Output>(bars: readonly Bar<Input, Output>[]): Bar<Input, Output>[] {
  const culprit = bars.find((bar) => bar.culprit);
  if (culprit === undefined) return bars.slice(0, HISTORY_OPERATIONS_MAX);
  const end = culprit.operation.return ?? culprit.operation.call;
  const until = bars.filter(({ operation }) => operation.call <= end).length + 10;
  const from = Math.max(0, Math.min(until, bars.length) - HISTORY_OPERATIONS_MAX);
  const kept = bars.slice(from, from + HISTORY_OPERATIONS_MAX);
  return kept.includes(culprit) ? kept : [culprit, ...kept.slice(1)];
}

function scaleOf<Input, Output>(
  bars: readonly Bar<Input, Output>[],
  width: number,
): ScaleLinear<number, number> {
  const times = bars.flatMap(({ operation }) => [
    operation.call,
    operation.return ?? operation.call,
  ]);
  const from = times.reduce((least, time) => Math.min(least, time), times[0] ?? 0);
  const to = times.reduce((most, time) => Math.max(most, time), from + 1);
  return scaleLinear()
    .domain([from, to])
    .range([MARGIN, width - 2 * MARGIN]);
}

function heading<State, Input, Output>(
  model: Model<State, Input, Output>,
  result: CheckResult,
  part: PartitionResult | undefined,
  bars: readonly Bar<Input, Output>[],
): Svg[] {
  const of = part === undefined || part.key === "" ? "" : ` ${JSON.stringify(part.key)}`;
  const verdict = result.bound === null ? result.verdict : `${result.verdict} (${result.bound})`;
  const placed = (part?.linearization ?? part?.partials[0] ?? []).length;
  const hidden = Math.max(0, bars.length - HISTORY_OPERATIONS_MAX);
  const culprit = bars.find((bar) => bar.culprit)?.operation;
  const facts = [
    `${placed} of ${part?.operations.length ?? 0} operations in one order`,
    hidden === 0 ? "" : `${hidden} are not shown`,
    culprit === undefined
      ? ""
      : `red: ${model.describe(culprit.input, culprit.output)}, which it does not explain`,
  ].filter((fact) => fact !== "");
  const fill = result.verdict === "not-linearizable" ? VIOLATION : INK;
  return [
    label(`${model.name}${of}: ${verdict}`, { x: MARGIN, y: 28, class: "title", fill }),
    label(facts.join("  ·  "), { x: MARGIN, y: 46, fill: FAINT }),
  ];
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

function barOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  bar: Bar<Input, Output>,
  { x, y, width }: Box,
): Svg {
  const { operation, place, culprit } = bar;
  const what = model.describe(operation.input, operation.output);
  const told = place === null ? what : `${place}. ${what}`;
  const room = Math.floor((width - 8) / 5.8);
  const shown = told.length <= room ? told : room < 4 ? "" : `${told.slice(0, room - 1)}…`;
  const colour = HOST_FILL[operation.client % HOST_FILL.length] ?? GRID;
  const rect = element("rect", {
    x,
    y,
    width,
    height: BAR,
    rx: 3,
    fill: culprit ? VIOLATION : place === null ? GRID : colour,
    stroke: operation.return === null ? FAINT : undefined,
    "stroke-dasharray": operation.return === null ? "3 2" : undefined,
  });
  const times = `${operation.call} – ${operation.return ?? "never returned"}`;
  const hint = tooltip(`client ${operation.client}: ${told} (${times})`);
  const ink = culprit ? PAPER : INK;
  const text = { x: x + 4, y: y + 11.6, class: "small", fill: ink };
  return element("g", {}, shown === "" ? [rect, hint] : [rect, label(shown, text), hint]);
}

function orderLine<Input, Output>(
  bars: readonly Bar<Input, Output>[],
  scale: ScaleLinear<number, number>,
  middles: ReadonlyMap<Bar<Input, Output>, number>,
): Svg[] {
  const points = bars
    .flatMap((bar) => {
      const middle = middles.get(bar);
      if (bar.place === null || bar.point === null || middle === undefined) return [];
      return [{ place: bar.place, x: scale(bar.point), y: middle }];
    })
    .sort((a, b) => a.place - b.place);
  const path = line<{ x: number; y: number }>(
    ({ x }) => x,
    ({ y }) => y,
  ).digits(1)(points);
  if (path === null || points.length === 0) return [];
  return [
    element("path", { d: path, fill: "none", stroke: INK, "stroke-opacity": 0.45 }),
    ...points.map(({ x, y }) => element("circle", { cx: x, cy: y, r: 2.2, fill: INK })),
  ];
}

function frame(width: number, height: number, parts: readonly Svg[]): Svg {
  const css =
    "text{font-family:ui-sans-serif,system-ui,'DejaVu Sans',sans-serif;font-size:11px}" +
    ".small{font-size:10px}.title{font-size:17px;font-weight:600}";
  const size = { width, height, viewBox: `0 0 ${width} ${height}` };
  const body = [
    element("style", {}, [css]),
    element("rect", { width, height, fill: PAPER }),
    ...parts,
  ];
  return `${element("svg", { xmlns: "http://www.w3.org/2000/svg", ...size, role: "img" }, body)}\n`;
}
