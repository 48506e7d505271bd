import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { diagnoseUnit } from "../../../core/systemd/index.js";
import type { Container } from "./container.js";
import { type GeneratedFile, generateUnitFile } from "./unit-files.js";

/** What is said of a file: what becomes of it, and `LINE FAULT` for each complaint in ascending order. */
interface Diagnosis {
  readonly load: string;
  readonly findings: readonly string[];
}

/** Of how many files the diagnosis was compared, and what differs. */
export interface FilesReport {
  readonly files: number;
  readonly bad: number;
  readonly findings: number;
  readonly equal: number;
  readonly differences: readonly string[];
}

const FOLDER = "/run/oracle-files";

/** Files that one call of systemd-analyze looks at. */
const BATCH = 50;

/** Holds our diagnosis of generated unit files against `systemd-analyze verify` in the container. */
export function compareFiles(container: Container, seed: number, count: number): FilesReport {
  const folder = container.path(FOLDER);
  mkdirSync(folder, { recursive: true });
  const differences: string[] = [];
  let bad = 0;
  let findings = 0;
  try {
    for (let first = 0; first < count; first += BATCH) {
      const files = Array.from({ length: Math.min(BATCH, count - first) }, (_, index) =>
        generateUnitFile(seed, first + index),
      );
      const theirs = verify(container, folder, files);
      for (const file of files) {
        const ours = diagnose(file);
        const real = theirs.get(file.name) ?? { load: "loaded", findings: [] };
        if (real.findings.length > 0 || real.load !== "loaded") bad++;
        findings += real.findings.length;
        if (show(ours) !== show(real)) differences.push(describe(file, real, ours));
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { files: count, bad, findings, equal: count - differences.length, differences };
}

const show = ({ load, findings }: Diagnosis): string => `${load}: ${findings.join(", ")}`;

function describe(file: GeneratedFile, real: Diagnosis, ours: Diagnosis): string {
  const lines = file.text.split("\n").map((line, index) => `${index + 1}\t${line}`);
  return `# ${file.name}\n${lines.join("\n")}\n  systemd: ${show(real)}\n  model:   ${show(ours)}`;
}

function diagnose({ name, text }: GeneratedFile): Diagnosis {
  const diagnosis = diagnoseUnit(name, text);
  if (diagnosis === null) throw new Error(`${name} is not the name of a unit`);
  const findings = diagnosis.findings.map(({ endLine, fault }) => `${endLine} ${fault}`);
  return { load: diagnosis.load, findings: findings.sort(byLine) };
}

function verify(
  container: Container,
  folder: string,
  files: readonly GeneratedFile[],
): Map<string, Diagnosis> {
  for (const { name, text } of files) writeFileSync(`${folder}/${name}`, text);
  const paths = files.map(({ name }) => `${FOLDER}/${name}`);
  const { stderr } = container.run("systemd-analyze", ["verify", "--man=no", ...paths]);
  for (const { name } of files) rmSync(`${folder}/${name}`);
  const said = new Map<string, { load: string; findings: string[] }>();
  const of = (name: string) => {
    // A template is looked at as its instance "i".
    const file = name.replace("@i.", "@.");
    const present = said.get(file) ?? { load: "loaded", findings: [] };
    said.set(file, present);
    return present;
  };
  for (const line of stderr.split("\n")) {
    const finding = /^\/run\/oracle-files\/([^:]+):(\d+): (.*)$/.exec(line);
    const [, name = "", number = "", message = ""] = finding ?? [];
    const fault = faultOf(message);
    if (finding !== null && fault !== null) of(name).findings.push(`${number} ${fault}`);
    const refused = /^Unit (\S+) has a bad unit file setting/.exec(line);
    if (refused !== null) of(refused[1] ?? "").load = "bad-setting";
    const failed = /^Unit (\S+) failed to load properly/.exec(line);
    if (failed !== null) of(failed[1] ?? "").load = "error";
  }
  for (const { findings } of said.values()) findings.sort(byLine);
  return said;
}

const byLine = (left: string, right: string): number =>
  Number.parseInt(left, 10) - Number.parseInt(right, 10) || (left < right ? -1 : 1);

/** What kind of complaint a message is; null for what only sums up others. */
function faultOf(message: string): string | null {
  if (message.startsWith("Failed to parse file:")) return null;
  if (message.startsWith("Unknown key")) return "unknown-key";
  if (message.startsWith("Unknown section")) return "unknown-section";
  if (message.startsWith("Assignment outside of section")) return "outside-section";
  if (message.startsWith("Missing '='")) return "no-equals";
  if (message.startsWith("Missing key name")) return "no-key";
  if (/^(Invalid|Bad characters in) section header/.test(message)) return "section-header";
  if (/^Support for option \S+ has been removed/.test(message)) return "removed";
  if (message.includes("KillMode=none. This is unsafe")) return "deprecated";
  return "value";
}
