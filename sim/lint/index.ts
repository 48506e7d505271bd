export { formatFinding, LINT_CODES, type LintCode, type LintFinding } from "./finding.js";
export { kindOf, LINT_KINDS, type LintKind } from "./kind.js";
export { lintText } from "./text.js";
