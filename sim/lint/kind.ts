import { basename, dirname, extname } from "node:path";

/** What a file is looked at as. */
export const LINT_KINDS = ["cloud-config", "unit", "fleet-unit", "scenario"] as const;

export type LintKind = (typeof LINT_KINDS)[number];

const UNIT_EXTENSIONS: ReadonlySet<string> = new Set([
  ".automount",
  ".device",
  ".mount",
  ".path",
  ".scope",
  ".service",
  ".slice",
  ".socket",
  ".swap",
  ".target",
  ".timer",
]);

/** What a file is, by its name and else by what it begins with; null when that cannot be told. */
export function kindOf(path: string, text: string): LintKind | null {
  const extension = extname(path);
  if (UNIT_EXTENSIONS.has(extension) || unitOfDropIn(path) !== null) return "unit";
  const newline = text.indexOf("\n");
  const first = newline < 0 ? text : text.slice(0, newline);
  if (first.trimEnd() === "#cloud-config") return "cloud-config";
  if (/^(user[-_]data|cloud[-_]config)/.test(basename(path))) return "cloud-config";
  const isYaml = extension === ".yaml" || extension === ".yml";
  return isYaml && /^["']?orrery["']?\s*:/m.test(text) ? "scenario" : null;
}

/** The unit that a file is a drop-in of: `web.service` for `web.service.d/10-limits.conf`. */
export function unitOfDropIn(path: string): string | null {
  if (extname(path) !== ".conf") return null;
  const folder = basename(dirname(path));
  const unit = folder.replace(/\.d$/, "");
  return folder !== unit && UNIT_EXTENSIONS.has(extname(unit)) ? unit : null;
}
