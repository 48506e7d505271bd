import { applySteps, isNetwork } from "./apply.js";
import type { CloudConfig, Unit } from "./config.js";
import { child, NOTHING, type Node } from "./node.js";
import { CLOUD_CONFIG_MAX_CHARS, cloudConfigOf } from "./parse.js";
import { VARIABLES } from "./substitute.js";
import { classifyUserData, configNodes } from "./validate.js";
import { readYaml, YamlError } from "./yaml.js";

/** What can go wrong with user data that the validator takes. */
export const TRAPS = {
  "apply-fails": "coreos-cloudinit stops in the middle of applying the file",
  "variable-adjacent": "a variable directly behind itself is not replaced",
  "variable-prefix": "a variable is replaced although its name goes on",
  "variable-braced": "a variable in braces is not replaced",
  "network-command": "a unit of networkd is given a command, which is dropped",
  "network-enable": "a unit of networkd is enabled, which is dropped",
  "unit-without-name": "a unit without a name is passed over",
  "unit-without-effect": "a unit of which nothing is written, enabled, masked or commanded",
  "configured-not-started": "a service has options, and nothing starts it",
  "discovery-url": "a discovery URL that holds no token",
  "discovery-and-cluster": "discovery and a static cluster at once, which etcd refuses",
  "script-interpreter": "the first line of a script names what does not run it",
} as const;

export type Trap = keyof typeof TRAPS;

/** One trap in user data. */
export interface TrapFinding {
  readonly trap: Trap;
  /** From 1. */
  readonly line: number;
  readonly severity: "error" | "warning";
  readonly found: string;
  /** What happens, and what to do about it. */
  readonly advice: string;
}

/** A unit file or drop-in within a cloud-config. */
export interface EmbeddedUnit {
  readonly unit: string;
  /** Name of the drop-in; null for the unit file itself. */
  readonly dropIn: string | null;
  readonly text: string;
  /** Line of the cloud-config that its first line stands on. */
  readonly line: number;
}

/**
 * What applying user data would do wrong though the validator accepts it. This is advice of
 * our own: no coreos-cloudinit prints it. Empty for what is neither a script nor a cloud-config, or not YAML.
 */
export function findTraps(text: string): readonly TrapFinding[] {
  if (classifyUserData(text) === "script") return scriptTraps(text);
  const read = readOnce(text);
  if (read === null) return [];
  const findings: TrapFinding[] = [];
  variableTraps(text, findings);
  const { root, config } = read;
  if (config === null) return findings;
  const coreos = child(root, "coreos");
  unitTraps(config.coreos.units, child(coreos, "units"), findings);
  serviceTraps(config.coreos.units, coreos, findings);
  discoveryTraps(child(coreos, "etcd2"), findings);
  discoveryTraps(child(coreos, "etcd"), findings);
  for (const step of applySteps(config)) {
    if (step.step !== "fail") continue;
    findings.push({
      trap: "apply-fails",
      line: lineOfFailure(text, step.error),
      severity: "error",
      found: step.error,
      advice: "coreos-cloudinit stops there: what comes after it is not done.",
    });
  }
  return findings.sort((left, right) => left.line - right.line);
}

/** Shells whose scripts bash runs as they would. */
const BASH: readonly string[] = ["bash", "sh"];

function scriptTraps(text: string): readonly TrapFinding[] {
  const [first = ""] = text.split("\n", 1);
  const [program = "", ...words] = first.slice(2).trim().split(/\s+/);
  const isEnv = baseName(program) === "env";
  const interpreter = baseName(isEnv ? (words[0] ?? "") : program);
  const options = isEnv ? words.slice(1) : words;
  if (BASH.includes(interpreter) && options.length === 0) return [];
  const advice = BASH.includes(interpreter)
    ? `The file is run by /bin/bash without options: write \`set ${options.join(" ")}\` on a line of its own.`
    : "The file is run by /bin/bash, whatever its first line says: have a bash script start the program.";
  return [{ trap: "script-interpreter", line: 1, severity: "warning", found: first, advice }];
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The unit files and drop-ins of a cloud-config, with the lines that they begin on. */
export function embeddedUnits(text: string): readonly EmbeddedUnit[] {
  const { root, config } = readOnce(text) ?? NOTHING_READ;
  if (config === null) return [];
  const lines = text.split("\n").map((line) => line.trim());
  const nodes = child(child(root, "coreos"), "units").children;
  return config.coreos.units.flatMap((unit, index): EmbeddedUnit[] => {
    if (unit.name === "" || isNetwork(unit.name)) return [];
    const node = nodes[index];
    const from = Math.max(1, node?.line ?? 1);
    const units: EmbeddedUnit[] = [];
    const add = (dropIn: string | null, content: string): void => {
      if (content === "") return;
      const line = lineOfBlock(lines, content, from);
      units.push({ unit: unit.name, dropIn, text: content, line });
    };
    add(null, unit.content);
    for (const { name, content } of unit.dropIns) if (name !== "") add(name, content);
    return units;
  });
}

/** A cloud-config: its nodes, and what it says; null where that cannot be decoded. */
interface Reading {
  readonly root: Node;
  readonly config: CloudConfig | null;
}

const NOTHING_READ: Reading = { root: NOTHING, config: null };

/** Null for what is no cloud-config, or not YAML. */
function readOnce(text: string): Reading | null {
  if (classifyUserData(text) !== "cloud-config") return null;
  return orNull(() => {
    const tree = readYaml(text);
    const root = configNodes(text, tree);
    const config = text.length > CLOUD_CONFIG_MAX_CHARS ? null : orNull(() => cloudConfigOf(tree));
    return { root, config };
  });
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof YamlError) return null;
    throw error;
  }
}

/** The line on which a text stands within the file as a block; where that is not clear, `from`. */
function lineOfBlock(lines: readonly string[], content: string, from: number): number {
  const block = content.trimEnd().split("\n");
  const first = block.findIndex((line) => line.trim() !== "");
  const start = block[first]?.trim() ?? "";
  for (let at = from - 1; at < lines.length; at++) {
    if (lines[at] !== start) continue;
    const second = block[first + 1];
    if (second === undefined || lines[at + 1] === second.trim()) return at - first + 1;
  }
  return from;
}

/** The errors of `applySteps` quote what they are about. */
function lineOfFailure(text: string, error: string): number {
  const quoted =
    /"([^"]+)"/.exec(error)?.[1] ??
    /decode (\S+)/.exec(error)?.[1] ??
    (error.includes("manage_etc_hosts") ? "etc" : "strategy");
  const line = text.split("\n").findIndex((one) => one.includes(quoted));
  return Math.max(0, line) + 1;
}

const NAMES = VARIABLES.join("|");
const ADJACENT = new RegExp(`(?<!\\\\)\\$(${NAMES})\\$\\1`);
const PREFIX = new RegExp(`(?<!\\\\)\\$(${NAMES})([A-Za-z0-9_]+)`);
const BRACED = new RegExp(`\\$\\{(${NAMES})\\}`);

function variableTraps(text: string, findings: TrapFinding[]): void {
  for (const [index, content] of text.split("\n").entries()) {
    if (!content.includes("$") || content.trimStart().startsWith("#")) continue;
    const tell = (trap: Trap, pattern: RegExp, advice: string): void => {
      const found = pattern.exec(content)?.[0];
      if (found === undefined) return;
      findings.push({ trap, line: index + 1, severity: "warning", found, advice });
    };
    tell("variable-adjacent", ADJACENT, "Only the first is replaced; put something between them.");
    tell("variable-prefix", PREFIX, "The variable is replaced, the letters behind it stay.");
    tell("variable-braced", BRACED, "It is not replaced; write it without the braces.");
  }
}

function unitTraps(units: readonly Unit[], list: Node, findings: TrapFinding[]): void {
  for (const [index, unit] of units.entries()) {
    const node = list.children[index];
    const add = (trap: Trap, at: string, found: string, advice: string): void => {
      const line = Math.max(1, (node && (child(node, at).line || node.line)) ?? 1);
      findings.push({ trap, line, severity: "warning", found, advice });
    };
    const { name, command, enable, mask, content, dropIns } = unit;
    if (name === "") {
      add("unit-without-name", "name", "no name", "The entry is passed over: give it a name.");
    } else if (isNetwork(name)) {
      if (command !== "") {
        const found = `command ${JSON.stringify(command)} for ${name}`;
        add("network-command", "command", found, "It is dropped; systemd-networkd is restarted.");
      }
      if (enable) {
        add("network-enable", "enable", `enable for ${name}`, "It is dropped: remove it.");
      }
    } else if (command === "" && !enable && !mask && !unit.runtime && content === "") {
      if (dropIns.some((dropIn) => dropIn.name !== "" && dropIn.content !== "")) continue;
      const advice = "Nothing is done about it; did you mean to give it a command?";
      add("unit-without-effect", "name", `${name} alone`, advice);
    }
  }
}

/** The services that options are for, and the blocks that hold them. */
const SERVICES = [
  ["etcd", "etcd.service"],
  ["etcd2", "etcd2.service"],
  ["fleet", "fleet.service"],
  ["flannel", "flanneld.service"],
] as const;

const STARTING: readonly string[] = ["start", "restart", "reload-or-restart"];

function serviceTraps(units: readonly Unit[], coreos: Node, findings: TrapFinding[]): void {
  for (const [block, service] of SERVICES) {
    const node = child(coreos, block);
    if (node.children.length === 0) continue;
    const starts = ({ name, command, enable }: Unit) =>
      name === service && (enable || STARTING.includes(command));
    if (units.some(starts)) continue;
    findings.push({
      trap: "configured-not-started",
      line: Math.max(1, node.line),
      severity: "warning",
      found: `options of ${block}, and no unit ${service} that is started`,
      advice: `Options alone start nothing: add { name: ${service}, command: start } to the units.`,
    });
  }
}

function discoveryTraps(block: Node, findings: TrapFinding[]): void {
  const node = child(block, "discovery");
  if (node.leaf?.kind !== "string" || node.leaf.value === "") return;
  const { value } = node.leaf;
  // The lines of a flow mapping are not known.
  const line = Math.max(1, node.line === 0 ? block.line : node.line);
  const problem = problemOfToken(value);
  if (problem !== null) {
    const found = JSON.stringify(value);
    const advice = `${problem} Get one from https://discovery.etcd.io/new?size=N, one for each cluster.`;
    findings.push({ trap: "discovery-url", line, severity: "error", found, advice });
  }
  const cluster = child(block, "initial_cluster");
  if (cluster.leaf?.kind === "string" && cluster.leaf.value !== "") {
    const advice = "etcd does not start with both: leave one of them out.";
    const found = "discovery and initial-cluster";
    findings.push({ trap: "discovery-and-cluster", line, severity: "error", found, advice });
  }
}

function problemOfToken(text: string): string | null {
  const url = text.replace(new RegExp(`(?<!\\\\)\\$(?:${NAMES})`, "g"), "10.0.0.1");
  if (/[<>{}]|\$[a-z]/i.test(url)) return "The placeholder is still in it.";
  const parts = /^https?:\/\/([^/?#\s]+)\/*([^?#\s]*)$/.exec(url);
  if (parts === null) return "It is no URL: etcd cannot start with it.";
  const [, host = "", path = ""] = parts;
  if (path === "") return "It names no token.";
  // Other services may have tokens of another form.
  const wrong = host === "discovery.etcd.io" && !/^[0-9a-f]{32}\/?$/.test(path);
  return wrong ? "A token is 32 hexadecimal digits." : null;
}
