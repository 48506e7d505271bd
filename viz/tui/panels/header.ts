import { formatTime, printable } from "../../timeline/index.js";
import { type Line, lineOf, type Span, type Style, span, toWidth, widthOf } from "../cells.js";
import type { Scene } from "./scene.js";

/** The two lines on top: what is shown and where in it, and how the cluster is. */
export function headerLines(scene: Scene, width: number): Line[] {
  return [whatAndWhere(scene, width), clusterState(scene, width)];
}

function whatAndWhere(scene: Scene, width: number): Line {
  const { timeline, ui, view } = scene;
  const { name, seed } = nameAndSeed(timeline.header.origin);
  const state: Span = ui.playing ? span("▶ playing", "good") : span("❚❚ paused", "warn");
  const right = [
    span(`${formatTime(ui.clock)}`, "bold"),
    span(` / ${formatTime(timeline.duration)}  `, "dim"),
    state,
    span(` ${speedText(ui.speed)}${ui.idleSkip ? " idle-skip" : ""}`),
    span(`  #${Math.max(0, view.seq)}`, "dim"),
  ];
  const rightWidth = right.reduce((sum, part) => sum + widthOf(part.text), 0);
  const left = toWidth(` ${name}${seed === "" ? "" : ` · seed ${seed}`}`, width - rightWidth - 2);
  return lineOf([span(left, "title"), span(" "), ...right], width);
}

/** The name of a scenario, a program or an observed cluster, and the seed if there is one. */
export function nameAndSeed(origin: Readonly<Record<string, unknown>>): {
  readonly name: string;
  readonly seed: string;
} {
  const scenario = origin.scenario;
  const named =
    typeof scenario === "object" && scenario !== null && "name" in scenario ? scenario.name : null;
  const program = origin.program;
  const name = typeof named === "string" ? named : typeof program === "string" ? program : "log";
  const seed = origin.seed;
  const isSeed = typeof seed === "number" || typeof seed === "string";
  return { name: printable(name), seed: isSeed ? printable(String(seed)) : "" };
}

/** `×4`, `×¼`: simulated time per real time, from thousandths. */
export function speedText(speed: number): string {
  if (speed === 250) return "×¼";
  if (speed === 500) return "×½";
  return `×${Math.floor(speed / 1000)}`;
}

function clusterState(scene: Scene, width: number): Line {
  const { view, timeline } = scene;
  const leader = view.leader;
  const up = view.hosts.filter((host) => host.power === "up").length;
  const units = [...view.units.values()];
  const running = units.filter((unit) => unit.activeOn.length > 0).length;
  const total = timeline.marks.violations.length;
  const violations = view.violations === total ? String(total) : `${view.violations} of ${total}`;
  // What matters most comes first: a narrow screen cuts the end.
  const items: Span[] = [
    ...item(
      "leader",
      leader === null ? "none" : `${leader.host} t${leader.term}`,
      leader ? "good" : "bad",
    ),
    ...item("violations", violations, view.violations > 0 ? "bad" : "plain"),
    ...item("faults", String(view.faults.length), view.faults.length > 0 ? "warn" : "plain"),
    ...item("hosts", `${up}/${view.hosts.length}`, up === view.hosts.length ? "good" : "warn"),
  ];
  if (view.end !== null)
    items.push(...item("verdict", view.end.verdict, verdictStyle(view.end.verdict)));
  if (units.length > 0) {
    const style = running === units.length ? "good" : "bad";
    items.push(...item("units", `${running}/${units.length}`, style));
    items.push(...item("engine", view.engine?.machine ?? "none", view.engine ? "plain" : "warn"));
  }
  const { holders, max } = view.lock;
  const lock = holders.length === 0 ? "free" : holders.join(" ");
  items.push(...item("lock", max > 1 ? `${lock} ${holders.length}/${max}` : lock, "plain"));
  if (view.observed !== null) {
    const { connected, revision } = view.observed;
    items.push(...item("etcd", connected ? `rev ${revision}` : "lost", connected ? "good" : "bad"));
  }
  return lineOf(items, width);
}

function item(name: string, value: string, style: Style): Span[] {
  return [span(` ${name} `, "dim"), span(printable(value), style)];
}

export function verdictStyle(verdict: string): Style {
  return verdict === "held" ? "good" : verdict === "violated" ? "bad" : "warn";
}
