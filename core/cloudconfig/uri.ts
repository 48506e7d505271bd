/**
 * Whether Go's url.ParseRequestURI takes a text: an absolute URI, an opaque one or an absolute path.
 * Host and port are checked as Go checks them, percent escapes must be whole.
 */
export function isRequestUri(text: string): boolean {
  if (text === "" || hasControl(text)) return false;
  if (text === "*") return true;
  const scheme = schemeOf(text);
  if (scheme === null) return false;
  const rest = text.slice(scheme === "" ? 0 : scheme.length + 1).split("?", 1)[0] ?? "";
  if (!rest.startsWith("/")) return scheme !== "";
  if (!rest.startsWith("//") || (scheme === "" && !rest.startsWith("///") && rest === "//")) {
    return hasWholeEscapes(rest);
  }
  if (scheme === "" && rest.startsWith("///")) return hasWholeEscapes(rest);
  const authority = rest.slice(2).split("/", 1)[0] ?? "";
  // A request URI without a scheme has a path, not an authority.
  if (scheme === "") return hasWholeEscapes(rest);
  return isAuthority(authority) && hasWholeEscapes(rest.slice(2 + authority.length));
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) return true;
  }
  return false;
}

/** The scheme, "" if there is none, null if the text begins with a colon or breaks off in one. */
function schemeOf(text: string): string | null {
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (/[a-zA-Z]/.test(character)) continue;
    if (/[0-9+.-]/.test(character)) {
      if (i === 0) return "";
      continue;
    }
    if (character === ":") return i === 0 ? null : text.slice(0, i);
    return "";
  }
  return "";
}

function hasWholeEscapes(text: string): boolean {
  return !/%(?![0-9a-fA-F]{2})/.test(text);
}

function isAuthority(authority: string): boolean {
  const at = authority.lastIndexOf("@");
  const user = at < 0 ? "" : authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user) || !hasWholeEscapes(user)) return false;
  const host = authority.slice(at + 1);
  if (host.startsWith("[")) {
    const end = host.lastIndexOf("]");
    return end > 0 && /^(:[0-9]*)?$/.test(host.slice(end + 1)) && /^\[[^ <>"]*\]/.test(host);
  }
  const colon = host.lastIndexOf(":");
  if (colon >= 0 && !/^:[0-9]*$/.test(host.slice(colon))) return false;
  return !/[ <>"\\^`{}|%\u007f]/u.test(host.replace(/%[89a-fA-F][0-9a-fA-F]/g, ""));
}
