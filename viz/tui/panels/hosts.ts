import {
  type HostView,
  printable,
  roleLabel,
  type SlotView,
  stagedSlot,
} from "../../timeline/index.js";
import { type Line, lineOf, restyle, type Span, type Style, span, toWidth } from "../cells.js";
import { type Column, headings, rule, type Scene, scrollTo } from "./scene.js";

interface HostColumn extends Column {
  readonly cell: (host: HostView, scene: Scene) => readonly [text: string, style: Style];
}

/** The table of hosts: a heading, then as many hosts as toWidth, the selected one among them. */
export function hostLines(scene: Scene, width: number, height: number): Line[] {
  const { hosts } = scene.view;
  const columns = hostColumns(scene, width);
  const note = hosts.length > height - 1 ? `${scene.ui.host + 1} of ${hosts.length}` : "";
  const focused = scene.ui.panel === "hosts";
  const title =
    focused || note !== "" ? rule(scene, "hosts", "hosts", note, width) : headings(columns, width);
  const first = scrollTo(scene.ui.host, hosts.length, height - 1);
  const rows = hosts.slice(first, first + height - 1).map((host, i) => {
    const line = hostLine(host, columns, scene, width);
    if (first + i !== scene.ui.host) return line;
    return restyle(line, focused ? "select" : "selectDim");
  });
  return [title, ...rows];
}

function hostLine(
  host: HostView,
  columns: readonly HostColumn[],
  scene: Scene,
  width: number,
): Line {
  const spans: Span[] = [];
  for (const column of columns) {
    const [text, style] = column.cell(host, scene);
    spans.push(span(" "), span(toWidth(text, column.width, column.align), style));
  }
  return lineOf(spans, width);
}

/** The columns, wider with room. Those that do not fit are left out, the least telling first. */
function hostColumns(scene: Scene, width: number): HostColumn[] {
  const roomy = width >= 110;
  const { hosts } = scene.view;
  const longest = (text: (host: HostView) => string, min: number, max: number): number =>
    hosts.reduce((most, host) => Math.min(max, Math.max(most, text(host).length)), min);
  const columns: HostColumn[] = [
    { title: "HOST", width: longest((h) => h.name, 4, roomy ? 20 : 8), cell: nameCell },
    { title: "ZONE", width: longest((h) => h.zone, 4, roomy ? 10 : 4), cell: zoneCell },
    { title: "GROUP", width: longest((h) => h.group, 5, roomy ? 10 : 5), cell: groupCell },
    { title: "UP", width: 4, cell: powerCell },
    { title: "OS", width: longest((h) => h.version, 8, roomy ? 14 : 10), cell: osCell },
    { title: "SLOTS", width: 12, cell: (host) => [slotsText(host), "plain"] },
    { title: "ETCD", width: 9, cell: roleCell },
    {
      title: "TERM",
      width: 4,
      align: "right",
      cell: (host) => [etcdNumber(host, "term"), "plain"],
    },
    { title: "COMMIT", width: roomy ? 9 : 6, align: "right", cell: commitCell },
    { title: "UPDATE", width: roomy ? 18 : 10, cell: (host) => updateCell(host, roomy) },
    { title: "REBOOT", width: 8, cell: (host) => [printable(host.locksmith), "dim"] },
    { title: "L", width: 1, cell: lockCell },
    { title: "UNITS", width: 5, align: "right", cell: unitsCell },
  ];
  for (const title of ["REBOOT", "GROUP", "ZONE", "COMMIT", "SLOTS"]) {
    if (columns.reduce((sum, column) => sum + column.width + 1, 0) <= width) break;
    const place = columns.findIndex((column) => column.title === title);
    if (place >= 0) columns.splice(place, 1);
  }
  return columns;
}

function nameCell(host: HostView): readonly [string, Style] {
  return [printable(host.name), "bold"];
}

function zoneCell(host: HostView): readonly [string, Style] {
  return [printable(host.zone), "dim"];
}

function groupCell(host: HostView): readonly [string, Style] {
  return [printable(host.group), "dim"];
}

function powerCell(host: HostView): readonly [string, Style] {
  switch (host.power) {
    case "up":
      return ["up", "good"];
    case "rebooting":
      return ["boot", "warn"];
    case "down":
      return ["DOWN", "bad"];
  }
}

function osCell(host: HostView): readonly [string, Style] {
  return [host.version || "–", host.power === "up" ? "plain" : "dim"];
}

/** `A*1/0✓ B2/1`: letter, `*` if it runs, priority/tries, `✓` successful, `…` being written. */
export function slotsText(host: HostView): string {
  if (host.slots.length === 0) return host.slot === "" ? "–" : `${slotLetter(host.slot)}*`;
  return host.slots.map((slot) => slotText(slot, host.slot)).join(" ");
}

function slotText(slot: SlotView, running: string): string {
  const runs = slot.name === running ? "*" : "";
  const state = slot.complete ? (slot.successful ? "✓" : "") : "…";
  return `${slotLetter(slot.name)}${runs}${slot.priority}/${slot.tries}${state}`;
}

function slotLetter(name: string): string {
  return printable(name.slice(-1));
}

const ROLE_STYLE: Readonly<Record<string, readonly [string, Style]>> = {
  leader: ["leader", "good"],
  follower: ["follower", "plain"],
  "pre-candidate": ["pre-cand", "warn"],
  candidate: ["candidate", "warn"],
  learner: ["learner", "info"],
  stopped: ["stopped", "bad"],
  down: ["–", "dim"],
  none: ["", "dim"],
};

function roleCell(host: HostView): readonly [string, Style] {
  return ROLE_STYLE[roleLabel(host)] ?? ["", "dim"];
}

function etcdNumber(host: HostView, which: "term" | "commit"): string {
  return host.etcd === null ? "" : String(host.etcd[which]);
}

function commitCell(host: HostView): readonly [string, Style] {
  return [etcdNumber(host, "commit"), host.power === "up" ? "plain" : "dim"];
}

const STATUS_SHORT: Readonly<Record<string, string>> = {
  CHECKING_FOR_UPDATE: "checking",
  UPDATE_AVAILABLE: "available",
  DOWNLOADING: "downloads",
  VERIFYING: "verifies",
  FINALIZING: "finalizes",
  UPDATED_NEED_REBOOT: "reboot!",
  REPORTING_ERROR_EVENT: "error",
  IDLE: "idle",
};

/** What is staged counts most; then an error; then what the update engine is doing. */
function updateCell(host: HostView, roomy: boolean): readonly [string, Style] {
  const staged = stagedSlot(host);
  if (staged !== null) return [`▸${printable(staged.version)}`, "accent"];
  if (host.updateError !== "") return [`✗ ${printable(host.updateError)}`, "bad"];
  const short =
    STATUS_SHORT[host.updateStatus] ?? host.updateStatus.toLowerCase().replaceAll("_", " ");
  if (short === "idle" || short === "") return [short, "dim"];
  return [
    printable(roomy && host.updateVersion !== "" ? `${short} ${host.updateVersion}` : short),
    "info",
  ];
}

function lockCell(host: HostView, scene: Scene): readonly [string, Style] {
  return scene.view.lock.holders.includes(host.name) ? ["L", "accent"] : ["", "plain"];
}

function unitsCell(host: HostView): readonly [string, Style] {
  const { unitsActive, unitsFailed } = host;
  if (unitsFailed > 0) return [`${unitsActive}/${unitsFailed}✗`, "bad"];
  return [host.units.size === 0 ? "" : String(unitsActive), "plain"];
}
