const SLASH = 47;
const DOT = 46;
const UNDERSCORE = 95;

/**
 * The key in its only spelling: absolute, without trailing, double or dot segments; "/" for the root.
 * Unlike Go's path.Join under etcd's "/1" prefix, `..` stops at the root of the keys; over HTTP
 * such paths never arrive, because Go's mux redirects them.
 */
export function cleanKey(key: string): string {
  if (isClean(key)) return key;
  const segments: string[] = [];
  for (const segment of key.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") segments.pop();
    else segments.push(segment);
  }
  return `/${segments.join("/")}`;
}

function isClean(key: string): boolean {
  const { length } = key;
  if (length === 0 || key.charCodeAt(0) !== SLASH) return false;
  if (length === 1) return true;
  let previous = 0;
  for (let i = 0; i < length; i++) {
    const code = key.charCodeAt(i);
    if (previous === SLASH && (code === SLASH || code === DOT)) return false;
    previous = code;
  }
  return previous !== SLASH;
}

/** The last segment of a clean key; "" for the root. */
export function keyName(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

/** The clean key of the directory that holds `key`. */
export function parentKey(key: string): string {
  const slash = key.lastIndexOf("/");
  return slash <= 0 ? "/" : key.slice(0, slash);
}

/** The key of a child of the directory `parent`. */
export function childKey(parent: string, name: string): string {
  return parent === "/" || parent === "" ? `/${name}` : `${parent}/${name}`;
}

/** Hidden names begin with an underscore: listings of the parent leave them out. */
export function isHiddenName(name: string): boolean {
  return name.charCodeAt(0) === UNDERSCORE;
}

/**
 * Whether a change at `key` is hidden from a watcher at `watched`: some segment below `watched` is
 * hidden. A watcher below `key` (its directory was deleted) always sees it.
 */
export function isHiddenFrom(watched: string, key: string): boolean {
  const from = watched === "/" ? 0 : watched.length;
  if (from > key.length) return false;
  return key.indexOf("/_", from) >= 0;
}

/** Whether `key` lies strictly below `directory`. */
export function isBelow(directory: string, key: string): boolean {
  if (directory === "/") return key.length > 1;
  return (
    key.length > directory.length &&
    key.charCodeAt(directory.length) === SLASH &&
    key.startsWith(directory)
  );
}
