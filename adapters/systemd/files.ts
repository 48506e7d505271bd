import { posix } from "node:path";
import type { SFTPWrapper } from "ssh2";

/** The largest unit file that is read or written. systemd itself refuses lines above 1 MiB. */
export const UNIT_FILE_BYTES_MAX = 1 << 20;

const NO_SUCH_FILE = 2;

/** Files of a host over SFTP. A file is replaced as a whole: written beside its place, then renamed. */
export class HostFiles {
  readonly #sftp: SFTPWrapper;
  #written = 0;

  constructor(sftp: SFTPWrapper) {
    this.#sftp = sftp;
  }

  /** Writes a text file, making its folder if need be. */
  async write(path: string, text: string): Promise<void> {
    if (Buffer.byteLength(text) > UNIT_FILE_BYTES_MAX) throw new Error(`${path} is too large`);
    await this.#makeFolder(posix.dirname(path));
    const temporary = `${path}.orrery-${++this.#written}~`;
    await settle((done) => this.#sftp.writeFile(temporary, text, { mode: 0o644 }, done));
    // The plain rename of SFTP version 3 refuses to replace a file; OpenSSH's own does it at once.
    await settle((done) => this.#sftp.ext_openssh_rename(temporary, path, done));
  }

  /** Removes a file; it may be gone already. */
  async remove(path: string): Promise<void> {
    await ifThere(
      settle((done) => this.#sftp.unlink(path, done)),
      undefined,
    );
  }

  /** The text files of a folder by name; none when there is no such folder. Folders and what is half written are left out. */
  async readFolder(path: string): Promise<{ readonly name: string; readonly text: string }[]> {
    const entries = await ifThere(
      new Promise<{ filename: string; attrs: { isFile(): boolean; size: number } }[]>(
        (resolve, reject) => {
          this.#sftp.readdir(path, (error, list) => {
            if (error === undefined) resolve(list);
            else reject(error);
          });
        },
      ),
      [],
    );
    const names = entries
      .filter(({ filename, attrs }) => attrs.isFile() && !filename.endsWith("~"))
      .filter(({ attrs }) => attrs.size <= UNIT_FILE_BYTES_MAX)
      .map(({ filename }) => filename)
      .sort();
    const files: { name: string; text: string }[] = [];
    for (const name of names) {
      const text = await ifThere(this.#read(posix.join(path, name)), null);
      if (text !== null) files.push({ name, text });
    }
    return files;
  }

  #read(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#sftp.readFile(path, (error, bytes) => {
        if (error === undefined) resolve(bytes.toString("utf8"));
        else reject(error);
      });
    });
  }

  async #makeFolder(path: string): Promise<void> {
    if (path === "/" || path === ".") return;
    const there = await ifThere(
      settle((done) => this.#sftp.stat(path, done)).then(() => true),
      false,
    );
    if (there) return;
    await this.#makeFolder(posix.dirname(path));
    await settle((done) => this.#sftp.mkdir(path, { mode: 0o755 }, done));
  }
}

type Done = (error: Error | null | undefined) => void;

function settle(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

async function ifThere<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === NO_SUCH_FILE) return otherwise;
    throw error;
  }
}
