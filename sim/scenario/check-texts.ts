import { classifyUserData, findTraps, parseCloudConfig } from "../../core/cloudconfig/index.js";
import { parseUnit } from "../../core/fleet/index.js";
import type { Diagnostic } from "../../core/kernel/index.js";
import { excerpt, type Path, type SourceDocument } from "./document.js";

/**
 * Checks user data as coreos-cloudinit would: what keeps a cloud-config from being applied is an error,
 * what the validator finds a warning, and so is the first line of a script that it does not heed. That etcd2 and fleet are deprecated, which its last version
 * says of every cloud-config of the time, is no news here.
 *
 * @param included - name of the file the text came from; null when it stands in the scenario
 */
export function checkCloudConfig(
  source: SourceDocument,
  path: Path,
  text: string,
  included: string | null,
  warnings: Diagnostic[],
): void {
  const file = included ?? "cloud-config";
  const placed = (diagnostic: Diagnostic): Diagnostic => {
    if (included !== null) return diagnostic;
    const { line, column } = diagnostic.position;
    return { ...diagnostic, position: source.positionWithin(path, line, column) };
  };
  if (classifyUserData(text) === "script") {
    for (const { line, severity, found, advice } of findTraps(text)) {
      const position = { file, line, column: 1 };
      const expected = "a script for bash";
      warnings.push(
        placed({ code: "E_CLOUD_CONFIG", severity, position, found, expected, advice }),
      );
    }
    return;
  }
  const parsed = parseCloudConfig(text, file);
  if (!parsed.ok) {
    for (const diagnostic of parsed.diagnostics) source.problems.push(placed(diagnostic));
    return;
  }
  for (const diagnostic of parsed.warnings) {
    if (diagnostic.found.startsWith("deprecated key")) continue;
    warnings.push({ ...placed(diagnostic), severity: "warning" });
  }
}

/** Checks that fleet would take the text for a unit file. */
export function checkUnitFile(source: SourceDocument, path: Path, text: string): void {
  const parsed = parseUnit(text);
  if (parsed.ok) return;
  const found = excerpt(parsed.error);
  const advice = "fleetctl would refuse to submit it.";
  source.report(path, "E_UNIT_FILE", found, "a unit file: [Section] and Key=value lines", advice);
}
