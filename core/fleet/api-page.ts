/** Which part of a collection is asked for. Both numbers are what a Go uint16 holds. */
export interface PageToken {
  readonly limit: number;
  readonly page: number;
}

export type PageTokenRead =
  | { readonly ok: true; readonly token: PageToken }
  | { readonly ok: false; readonly error: string };

/** Items of one page. A page that Go's slice bounds trip on is null. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: PageToken | null;
}

const UINT16 = 0x1_0000;

/** The page a request's `nextPageToken` values ask for. Errors are in the words of fleet and of Go. */
export function readPageToken(values: readonly string[], limit: number): PageTokenRead {
  const [value] = values;
  if (value === undefined) return { ok: true, token: { limit, page: 1 } };
  if (values.length > 1) return { ok: false, error: "too many values for page token" };
  const bytes = base64Url(value);
  if (!bytes.ok) return bytes;
  const [low, high, pageLow, pageHigh] = bytes.bytes;
  if (low === undefined) return { ok: false, error: "EOF" };
  if (high === undefined || pageLow === undefined || pageHigh === undefined) {
    return { ok: false, error: "unexpected EOF" };
  }
  const token = { limit: low + 256 * high, page: pageLow + 256 * pageHigh };
  if (token.limit !== limit) return { ok: false, error: `token limit must be ${limit}` };
  if (token.page === 0) return { ok: false, error: "token page must be greater than zero" };
  return { ok: true, token };
}

/** A token as text: base64url of both numbers, little end first. */
export function pageTokenText({ limit, page }: PageToken): string {
  const bytes = [limit & 255, limit >> 8, page & 255, page >> 8];
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [first = 0, second, third] = bytes.slice(at, at + 3);
    text += sign(first >> 2);
    text += sign(((first & 3) << 4) | ((second ?? 0) >> 4));
    text += second === undefined ? "=" : sign(((second & 15) << 2) | ((third ?? 0) >> 6));
    text += third === undefined ? "=" : sign(third & 63);
  }
  return text;
}

/**
 * A page of `all`. Where a page begins and ends is worked out in 16 bits, so that high pages wrap
 * around; null when a page then ends before it begins, on which fleet's server panics.
 *
 * @param wraps - false for arithmetic that does not
 */
export function pageOf<Item>(
  all: readonly Item[],
  { limit, page }: PageToken,
  wraps: boolean,
): Page<Item> | null {
  const modulus = wraps ? UINT16 : Number.MAX_SAFE_INTEGER;
  const start = ((page - 1) * limit) % modulus;
  const stop = (page * limit) % modulus;
  if (start >= all.length) return { items: [], next: null };
  if (stop > all.length) return { items: all.slice(start), next: null };
  if (stop < start) return null;
  return { items: all.slice(start, stop), next: { limit, page: (page + 1) % UINT16 } };
}

const SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function sign(value: number): string {
  return SIGNS[value] ?? "";
}

/** Decodes as Go's URLEncoding does: padded, line breaks left out, spare bits ignored. */
function base64Url(
  text: string,
):
  | { readonly ok: true; readonly bytes: readonly number[] }
  | { readonly ok: false; readonly error: string } {
  const bytes: number[] = [];
  const corrupt = (at: number) =>
    ({ ok: false, error: `illegal base64 data at input byte ${at}` }) as const;
  let at = 0;
  const skipBreaks = (): void => {
    while (text[at] === "\n" || text[at] === "\r") at++;
  };
  for (;;) {
    const group: number[] = [];
    let padded = false;
    while (group.length < 4 && !padded) {
      skipBreaks();
      const character = text[at];
      if (character === undefined) {
        return group.length === 0 ? { ok: true, bytes } : corrupt(at - group.length);
      }
      at++;
      const value = SIGNS.indexOf(character);
      if (value >= 0) group.push(value);
      else if (character !== "=" || group.length < 2) return corrupt(at - 1);
      else padded = true;
    }
    const [a = 0, b = 0, c = 0, d = 0] = group;
    const three = [(a << 2) | (b >> 4), ((b & 15) << 4) | (c >> 2), ((c & 3) << 6) | d];
    bytes.push(...three.slice(0, group.length - 1));
    if (!padded) continue;
    if (group.length === 2) {
      skipBreaks();
      if (at >= text.length) return corrupt(text.length);
      if (text[at] !== "=") return corrupt(at - 1);
      at++;
    }
    skipBreaks();
    return at < text.length ? corrupt(at) : { ok: true, bytes };
  }
}
