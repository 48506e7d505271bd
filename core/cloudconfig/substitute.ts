import { canonicalIp } from "./ip.js";

/** The variables that are replaced, without their `$`. */
export const VARIABLES = ["public_ipv4", "private_ipv4", "public_ipv6", "private_ipv6"] as const;

export type Variable = (typeof VARIABLES)[number];

/** Where values come from: the provider's metadata, else the environment's `COREOS_*`, else "". */
export interface SubstitutionSource {
  readonly metadata: Readonly<Partial<Record<Variable, string>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The value of each variable. Metadata that is no address counts as absent. */
export function variableValues(source: SubstitutionSource): Readonly<Record<Variable, string>> {
  const value = (name: Variable) =>
    canonicalIp(source.metadata[name] ?? "") ?? source.env[`COREOS_${name.toUpperCase()}`] ?? "";
  return {
    public_ipv4: value("public_ipv4"),
    private_ipv4: value("private_ipv4"),
    public_ipv6: value("public_ipv6"),
    private_ipv6: value("private_ipv6"),
  };
}

/**
 * Replaces variables in user-data, in one given order (initialize/env.go). The quirks are the
 * original's: the second of two adjacent ones stays, a variable is found as a prefix, `\$x`
 * becomes `$x`, and values are themselves expanded as replacement templates.
 */
export function substituteInOrder(
  text: string,
  values: Readonly<Record<Variable, string>>,
  order: readonly Variable[],
): string {
  let result = text;
  for (const name of order) {
    if (!result.includes(`$${name}`)) continue;
    const template = `\${1}${values[name]}`;
    result = result
      .replace(UNESCAPED[name], (match: string, before: string) =>
        expand(template, [match, before]),
      )
      .replaceAll(`\\$${name}`, `$${name}`);
  }
  return result;
}

const UNESCAPED: Readonly<Record<Variable, RegExp>> = {
  public_ipv4: /([^\\]|^)\$public_ipv4/gu,
  private_ipv4: /([^\\]|^)\$private_ipv4/gu,
  public_ipv6: /([^\\]|^)\$public_ipv6/gu,
  private_ipv6: /([^\\]|^)\$private_ipv6/gu,
};

/** Every text that substitution can yield: the original takes the variables in random order. Sorted. */
export function substitute(text: string, source: SubstitutionSource): readonly string[] {
  if (VARIABLES.every((name) => !text.includes(`$${name}`))) return [text];
  const values = variableValues(source);
  const results = new Set<string>();
  for (const order of ORDERS) results.add(substituteInOrder(text, values, order));
  return [...results].sort();
}

function orders<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first, index) =>
    orders(items.filter((_, other) => other !== index)).map((rest) => [first, ...rest]),
  );
}

const ORDERS = orders(VARIABLES);

/** Go's Regexp.Expand: `$name`, `${name}` and `$$`; a group that is not there is empty. */
function expand(template: string, groups: readonly string[]): string {
  return template.replace(
    /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (match, braced: string | undefined, bare: string | undefined) => {
      if (match === "$$") return "$";
      const name = braced ?? bare ?? "";
      return /^[0-9]+$/.test(name) ? (groups[Number(name)] ?? "") : "";
    },
  );
}
