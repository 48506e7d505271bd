/** The URL of a token taken apart. */
export interface TokenUrl {
  /** `scheme://host[:port]`. */
  readonly endpoint: string;
  /** The path, without a slash at its end. */
  readonly path: string;
}

/** Takes the URL of a token apart; null when it is none or names no token. */
export function parseTokenUrl(url: string): TokenUrl | null {
  const match = /^(https?:\/\/[^/?#\s]+)(\/[^?#\s]*)$/i.exec(url);
  const path = match?.[2]?.replace(/\/+$/, "") ?? "";
  return match === null || path === "" ? null : { endpoint: match[1] ?? "", path };
}

/**
 * A peer URL as etcd takes it (pkg/types/urls.go): http, https or unix, with a host and a port and
 * nothing behind them. Null when it is none.
 */
export function checkPeerUrl(url: string): string | null {
  const trimmed = url.trim();
  if (/^unixs?:\/\/[^/]+$/.test(trimmed)) return trimmed;
  return /^https?:\/\/(\[[0-9A-Fa-f:.%]+\]|[^/:?#\s@]+):[0-9]+$/.test(trimmed) ? trimmed : null;
}
