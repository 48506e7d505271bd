import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { ControlAnswer } from "./serve-control.js";

/** Folder (in the one for temporary files) and name of a control socket that nobody chose. */
export const CONTROL_FOLDER = "orrery-serve-";
export const CONTROL_SOCKET = "control.sock";

/** A line longer than this is no command. */
const LINE_MAX = 64 << 10;

/**
 * The socket that `orrery ctl` speaks to: a JSON line `{"words":["partition","a","|","b"]}` is answered
 * by a JSON line `{"ok":true,"text":"…"}`.
 */
export async function listenForControl(
  path: string,
  run: (words: readonly string[]) => ControlAnswer,
): Promise<Server> {
  await removeStale(path);
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    let line = "";
    socket.on("data", (chunk: Buffer) => {
      line += chunk.toString("utf8");
      for (let end = line.indexOf("\n"); end >= 0; end = line.indexOf("\n")) {
        const answer = answerTo(line.slice(0, end), run);
        line = line.slice(end + 1);
        socket.write(`${JSON.stringify(answer)}\n`);
      }
      if (line.length > LINE_MAX) socket.destroy();
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve(server));
  });
}

/** A run that was killed leaves its socket behind: nobody answers there. */
async function removeStale(path: string): Promise<void> {
  try {
    await sendControl(path, ["help"]);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") {
      rmSync(path, { force: true });
    }
  }
}

function answerTo(line: string, run: (words: readonly string[]) => ControlAnswer): ControlAnswer {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return { ok: false, text: "not a JSON line" };
  }
  const words = json !== null && typeof json === "object" && "words" in json ? json.words : null;
  if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) {
    return { ok: false, text: 'expected {"words":["status"]}' };
  }
  return run(words);
}

/** Sends one command; rejects when nobody listens. */
export function sendControl(path: string, words: readonly string[]): Promise<ControlAnswer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(path);
    let text = "";
    socket.on("error", reject);
    socket.on("connect", () => socket.write(`${JSON.stringify({ words })}\n`));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (!text.includes("\n")) return;
      socket.end();
      const answer: unknown = JSON.parse(text);
      if (isAnswer(answer)) resolve(answer);
      else reject(new Error("not an answer of orrery serve"));
    });
    socket.on("end", () => reject(new Error("closed without an answer")));
  });
}

function isAnswer(value: unknown): value is ControlAnswer {
  return value !== null && typeof value === "object" && "ok" in value && "text" in value;
}
