/** An SVG element as text; text content must come from `text`. */
export type Svg = string;

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element with its children. Numbers are rounded to a tenth: pixels need no more. */
export function element(name: string, attributes: Attributes, children: readonly Svg[] = []): Svg {
  let head = `<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) head += ` ${key}="${attribute(value)}"`;
  }
  return children.length === 0 ? `${head}/>` : `${head}>${children.join("")}</${name}>`;
}

/** A text element. */
export function label(content: string, attributes: Attributes): Svg {
  return element("text", attributes, [text(content)]);
}

/** What a pointer resting on an element is told. */
export function tooltip(content: string): Svg {
  return element("title", {}, [text(content)]);
}

/** Text content, escaped; characters that XML does not allow become `·`. */
export function text(content: string): Svg {
  return content
    .replace(/[\p{Cc}\p{Cs}\ufffe\uffff]/gu, "·")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
}

function attribute(value: string | number): string {
  if (typeof value === "number") return String(Math.round(value * 10) / 10);
  return text(value).replaceAll('"', "&quot;");
}
