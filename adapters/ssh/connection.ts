import type { Duplex, Readable, Writable } from "node:stream";
import {
  type AnyAuthMethod,
  Client,
  type ClientChannel,
  type ConnectConfig,
  type ServerHostKeyAlgorithm,
  type SFTPWrapper,
} from "ssh2";
import { hostKeyAlgorithms, type KnownHost, knownHost, knownName } from "./known-hosts.js";

/** Where and as whom to log in. */
export interface SshTarget {
  readonly user: string;
  readonly host: string;
  readonly port: number;
}

export interface SshOptions {
  /** Private keys (OpenSSH or PEM), tried in turn, before the agent. */
  readonly identities: readonly Buffer[];
  /** Socket of an ssh-agent. */
  readonly agent?: string;
  /** Texts of known_hosts files. A host they do not know is refused, unless `unknownHost` takes it. */
  readonly knownHosts: readonly string[];
  /** False: any key will do, of any host. */
  readonly checkHosts?: boolean;
  /** Whether the key of a host is taken that the files do not know at all; named as they would name it. */
  readonly unknownHost?: (name: string, key: Buffer) => Promise<boolean>;
  /** Lets commands on the host use the agent. */
  readonly forwardAgent?: boolean;
  /** Deadline for the log-in. */
  readonly connectMs: number;
  /** A keepalive this often; three unanswered ones and the connection is lost. */
  readonly keepaliveMs: number;
}

/** What a command on a host reads and writes. */
export interface SshTerminal {
  readonly input: Readable;
  readonly output: Writable;
  readonly errors: Writable;
  /** Of the terminal that `input` and `output` are; null when they are none. */
  readonly size: { readonly columns: number; readonly rows: number } | null;
}

/** Why no connection came about, or why it ended; the text is for people. */
export class SshError extends Error {}

/**
 * One connection to a host that carries everything: the forwarded D-Bus socket and the files.
 *
 * ssh2 rather than ssh(1) children: a killed program leaves no processes or sockets behind, the
 * loss of the host is an event here instead of an exit code there, and one connection holds all
 * channels without a control master. The price: `~/.ssh/config` and host certificates are not used.
 */
export class SshConnection {
  readonly #client: Client;
  #end: SshError | null = null;
  readonly #listeners: ((reason: SshError) => void)[] = [];

  private constructor(client: Client) {
    this.#client = client;
    client.on("error", (error) => this.#ended(error.message));
    client.on("close", () => this.#ended("the connection was closed"));
    client.on("end", () => this.#ended("the host ended the connection"));
  }

  /**
   * Logs in. @throws SshError within `connectMs`, also for a host whose key is not known.
   *
   * @param signal - gives the attempt up
   * @param through - carries the connection in place of one of its own
   */
  static open(
    target: SshTarget,
    options: SshOptions,
    signal?: AbortSignal,
    through?: Duplex,
  ): Promise<SshConnection> {
    const { user, host, port } = target;
    const { checkHosts = true, unknownHost } = options;
    const known = knownHost(options.knownHosts.join("\n"), host, port);
    const isKnown = known.keys.length > 0;
    if (checkHosts && !isKnown && unknownHost === undefined) {
      const advice = "log in once with ssh, or add what ssh-keyscan says after checking it";
      return Promise.reject(new SshError(`${host} is not in the known_hosts files; ${advice}`));
    }
    return new Promise((resolve, reject) => {
      const client = new Client();
      let refusal = "";
      const fail = (error: Error): void => {
        client.destroy();
        reject(new SshError(refusal === "" ? error.message : refusal));
      };
      const abort = (): void => fail(new Error("given up"));
      signal?.addEventListener("abort", abort);
      client.once("error", fail);
      client.once("close", () => fail(new Error("the host closed the connection at log-in")));
      client.once("ready", () => {
        client.removeAllListeners("error");
        client.removeAllListeners("close");
        signal?.removeEventListener("abort", abort);
        client.setNoDelay(true);
        resolve(new SshConnection(client));
      });
      const config: ConnectConfig = {
        host,
        port,
        username: user,
        readyTimeout: options.connectMs,
        keepaliveInterval: options.keepaliveMs,
        keepaliveCountMax: 3,
        ...(isKnown && checkHosts
          ? {
              algorithms: {
                serverHostKey: hostKeyAlgorithms(known.keys).filter(isHostKeyAlgorithm),
              },
            }
          : {}),
        hostVerifier: (key: Buffer, verify: (good: boolean) => void): void => {
          const verdict = checkHosts ? verdictOn(known, key) : "good";
          if (verdict === "revoked") refusal = `${host} shows a key that was revoked`;
          else if (verdict === "unknown" && (isKnown || unknownHost === undefined)) {
            refusal = `${host} shows a key that the known_hosts files do not have for it`;
          }
          if (refusal !== "" || verdict === "good" || unknownHost === undefined) {
            verify(refusal === "");
            return;
          }
          const asked = (taken: boolean): void => {
            if (!taken) refusal = `the key of ${host} was not taken`;
            verify(taken);
          };
          unknownHost(knownName(host, port), key).then(asked, fail);
        },
        ...(through === undefined ? {} : { sock: through }),
        ...(options.forwardAgent === true ? { agentForward: true, agent: options.agent } : {}),
        ...authentication(user, options),
      };
      try {
        client.connect(config);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Hears once when the connection ends, for whatever reason. */
  onEnd(listener: (reason: SshError) => void): void {
    if (this.#end !== null) listener(this.#end);
    else this.#listeners.push(listener);
  }

  /** A stream to a UNIX socket of the host. */
  openSocket(path: string): Promise<Duplex> {
    return this.#request((done) => this.#client.openssh_forwardOutStreamLocal(path, done));
  }

  /** A stream to a port that the host can reach. */
  openPort(host: string, port: number): Promise<Duplex> {
    return this.#request((done) => this.#client.forwardOut("127.0.0.1", 0, host, port, done));
  }

  /** A stream to the standard input and output of a command. */
  openCommand(command: string): Promise<Duplex> {
    return this.#request<ClientChannel>((done) => this.#client.exec(command, done));
  }

  /**
   * Runs a command, or a shell where there is none, with what it reads and writes carried here.
   * Returns its exit status; 255 when a signal ended it. @throws SshError when the connection ends
   */
  run(command: string | null, terminal: SshTerminal): Promise<number> {
    const { input, output, errors, size } = terminal;
    const pty =
      size === null ? null : { term: "xterm-256color", cols: size.columns, rows: size.rows };
    return this.#request((done) => {
      const begun = (error: Error | undefined, channel: ClientChannel): void => {
        if (error !== undefined) {
          done(error, 255);
          return;
        }
        let status: number | null = null;
        channel.on("exit", (code: number | null) => {
          status = code;
        });
        channel.on("close", () => {
          input.unpipe(channel);
          done(undefined, status ?? 255);
        });
        channel.on("data", (chunk: Buffer) => output.write(chunk));
        channel.stderr.on("data", (chunk: Buffer) => errors.write(chunk));
        input.pipe(channel);
      };
      if (command === null) this.#client.shell(pty ?? false, begun);
      else this.#client.exec(command, pty === null ? {} : { pty }, begun);
    });
  }

  sftp(): Promise<SFTPWrapper> {
    return this.#request((done) => this.#client.sftp(done));
  }

  /** Runs a command with `sh -c` and returns its standard output. @throws SshError if it fails. */
  exec(command: string): Promise<string> {
    return this.#request((done) => {
      this.#client.exec(command, (error, channel) => {
        if (error !== undefined) return done(error, "");
        let output = "";
        let errors = "";
        channel.on("data", (chunk: Buffer) => {
          output += chunk.toString("utf8");
        });
        channel.stderr.on("data", (chunk: Buffer) => {
          errors += chunk.toString("utf8");
        });
        channel.on("close", (code: number | null) => {
          if (code === 0) done(undefined, output);
          else done(new Error(`${command}: exit code ${code}: ${errors.trim()}`), "");
        });
      });
    });
  }

  close(): void {
    this.#client.end();
    this.#ended("closed here");
  }

  /** Drops the connection without a word, as for a host that does not answer. */
  destroy(reason: string): void {
    this.#client.destroy();
    this.#ended(reason);
  }

  #request<T>(send: (done: (error: Error | undefined, value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#end !== null) return reject(this.#end);
      this.#listeners.push(reject);
      const settle = (error: Error | undefined, value: T): void => {
        const at = this.#listeners.indexOf(reject);
        if (at >= 0) this.#listeners.splice(at, 1);
        if (error === undefined) resolve(value);
        else reject(new SshError(error.message));
      };
      try {
        send(settle);
      } catch (error) {
        reject(new SshError(error instanceof Error ? error.message : String(error)));
      }
    });
  }

  #ended(reason: string): void {
    if (this.#end !== null) return;
    const end = new SshError(reason);
    this.#end = end;
    for (const listener of this.#listeners.splice(0)) listener(end);
  }
}

function verdictOn({ keys, revoked }: KnownHost, key: Buffer): "good" | "revoked" | "unknown" {
  if (revoked.some((one) => one.equals(key))) return "revoked";
  return keys.some((one) => one.key.equals(key)) ? "good" : "unknown";
}

function authentication(
  username: string,
  { identities, agent }: SshOptions,
): { readonly authHandler: AnyAuthMethod[] } {
  const methods: AnyAuthMethod[] = identities.map((key) => ({ type: "publickey", username, key }));
  if (agent !== undefined) methods.push({ type: "agent", username, agent });
  return {
    authHandler: methods,
  };
}

const HOST_KEY_ALGORITHMS: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
] satisfies ServerHostKeyAlgorithm[];

function isHostKeyAlgorithm(name: string): name is ServerHostKeyAlgorithm {
  return HOST_KEY_ALGORITHMS.includes(name);
}
