/** Whether `pattern`, in which `*` stands for any run of characters, matches the whole of `text`. */
export function globMatches(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0] ?? "";
  if (parts.length === 1) return pattern === text;
  const last = parts[parts.length - 1] ?? "";
  if (!text.startsWith(first) || text.length < first.length + last.length) return false;
  let position = first.length;
  for (const part of parts.slice(1, -1)) {
    const next = text.indexOf(part, position);
    if (next < 0) return false;
    position = next + part.length;
  }
  return position <= text.length - last.length && text.endsWith(last);
}
