import { LEVELS, type Level } from "./log-text.js";

/** What a script's commands print and the members log, in one stream (rafttest's RedirectLogger). */
export class Output {
  #text = "";
  level: Level = "DEBUG";

  /** At level NONE nothing is printed but errors. */
  get quiet(): boolean {
    return this.level === "NONE";
  }

  write(text: string): void {
    if (!this.quiet) this.#text += text;
  }

  log(level: Level, text: string): void {
    if (LEVELS.indexOf(this.level) <= LEVELS.indexOf(level)) this.write(`${level} ${text}\n`);
  }

  /** Indents whatever `body` prints by two spaces. */
  indented<T>(body: () => T): T {
    const outer = this.#text;
    this.#text = "";
    try {
      return body();
    } finally {
      const inner = this.#text;
      this.#text = outer;
      const lines = inner.split("\n");
      if (lines.at(-1) === "") lines.pop();
      for (const line of lines) this.#text += `  ${line}\n`;
    }
  }

  /** What has been printed since the last time. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}
