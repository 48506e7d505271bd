import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import ssh2, { type AuthContext, type Connection, type ServerChannel } from "ssh2";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { FleetClient, Unreachable } from "../../adapters/fleet/index.js";
import type { ApiMachine } from "../../core/fleet/index.js";
import type { FleetContext, FleetFlags } from "./fleet-flags.js";
import { journal } from "./fleet-journal.js";
import { openFleet } from "./fleet-open.js";
import { ssh, status } from "./fleet-remote.js";
import { runOnMachine } from "./fleet-ssh.js";

const folder = mkdtempSync(join(tmpdir(), "orrery-fleet-ssh-"));
const socketPath = join(folder, "fleet.sock");
const home = process.env.HOME;
const agent = process.env.SSH_AUTH_SOCK;

const ID = "25f045986f4cbbc507b27123ec2f5d4f";

/** The API of a fleet of one machine, which is the one that the SSH server below stands for. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  "/fleet/v1/machines": { machines: [{ id: ID, primaryIP: "127.0.0.1", metadata: {} }] },
  "/fleet/v1/units/web.service": {
    name: "web.service",
    currentState: "launched",
    desiredState: "launched",
    machineID: ID,
    options: [{ section: "Service", name: "ExecStart", value: "/bin/true" }],
  },
};

function fakeApi(): HttpServer {
  return createServer((request, response) => {
    const json = ANSWERS[request.url ?? ""];
    response.writeHead(json === undefined ? 404 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(json ?? {}));
  });
}

const keys = {
  host: ssh2.utils.generateKeyPairSync("ed25519"),
  user: ssh2.utils.generateKeyPairSync("ed25519"),
};

/** An SSH server: what it was asked to run it says, and ends with `status`; ports and sockets it forwards. */
class FakeHost {
  readonly commands: string[] = [];
  status = 0;
  forwardsSockets = true;
  readonly #server = new ssh2.Server({ hostKeys: [keys.host.private] }, (client) =>
    this.#serve(client),
  );
  #port = 0;

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }

  get port(): number {
    return this.#port;
  }

  #serve(client: Connection): void {
    client.on("error", () => {});
    client.on("authentication", (context: AuthContext) => {
      if (context.method === "publickey" && context.username === "core") context.accept();
      else context.reject(["publickey"]);
    });
    client.on("session", (accept) => {
      const session = accept();
      session.on("exec", (acceptExec, _, { command }) => this.#run(command, acceptExec()));
      session.on("shell", (acceptShell) => this.#run("a shell", acceptShell()));
    });
    client.on("tcpip", (accept, reject, { destIP, destPort }) => {
      const socket = connect(destPort, destIP);
      socket.once("connect", () => socket.pipe(accept()).pipe(socket));
      socket.once("error", () => reject());
    });
    client.on("openssh.streamlocal", (accept, reject, info) => {
      if (!this.forwardsSockets) return reject();
      const socket = connect((info as { socketPath: string }).socketPath);
      socket.once("connect", () => socket.pipe(accept()).pipe(socket));
    });
  }

  #run(command: string, channel: ServerChannel): void {
    this.commands.push(command);
    const forward = /^fleetctl fd-forward (.*)$/.exec(command)?.[1];
    if (forward !== undefined) {
      const socket = connect(forward);
      socket.pipe(channel).pipe(socket);
      return;
    }
    channel.write(`ran ${command}\n`);
    channel.stderr.write("said something\n");
    channel.exit(this.status);
    channel.end();
  }
}

describe("machines that are reached by SSH", () => {
  const host = new FakeHost();
  const [tcp, unix] = [fakeApi(), fakeApi()];
  let endpoint = "";
  let tunnel = "";

  beforeAll(async () => {
    process.env.HOME = folder;
    delete process.env.SSH_AUTH_SOCK;
    mkdirSync(join(folder, ".ssh"));
    writeFileSync(join(folder, ".ssh", "id_ed25519"), keys.user.private, { mode: 0o600 });
    await host.open();
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    await new Promise<void>((resolve) => unix.listen(socketPath, resolve));
    endpoint = `http://127.0.0.1:${(tcp.address() as AddressInfo).port}`;
    tunnel = `127.0.0.1:${host.port}`;
    knows(keys.host.public);
  });

  beforeEach(() => {
    host.commands.length = 0;
    host.status = 0;
    host.forwardsSockets = true;
  });

  afterAll(() => {
    if (home !== undefined) process.env.HOME = home;
    if (agent !== undefined) process.env.SSH_AUTH_SOCK = agent;
    host.close();
    tcp.close();
    unix.close();
    rmSync(folder, { recursive: true });
  });

  /** Writes fleetctl's known_hosts file with this key for the server. */
  function knows(key: string): void {
    mkdirSync(join(folder, ".fleetctl"), { recursive: true });
    const [type = "", base64 = ""] = key.split(" ");
    const line = `[127.0.0.1]:${host.port} ${type} ${base64}\n`;
    writeFileSync(join(folder, ".fleetctl", "known_hosts"), line);
  }

  async function machines(flags: FleetFlags): Promise<readonly string[]> {
    const transport = await openFleet(flags, () => {});
    try {
      return (await new FleetClient(transport).machines()).map(({ id }) => id);
    } finally {
      transport.close();
    }
  }

  interface Said {
    readonly exit: number;
    readonly out: string[];
    readonly err: string[];
  }

  async function run(
    flags: FleetFlags,
    command: (context: FleetContext) => Promise<number>,
  ): Promise<Said> {
    const transport = await openFleet({ endpoint, ...flags }, () => {});
    const [out, err]: string[][] = [[], []];
    const voice = {
      out: (line: string) => void out?.push(line),
      err: (line: string) => void err?.push(line),
    };
    try {
      const exit = await command({ client: new FleetClient(transport), voice, flags });
      return { exit, out: out ?? [], err: err ?? [] };
    } finally {
      transport.close();
    }
  }

  /** What came of it, and what went straight to standard output meanwhile; errors are kept from there as well. */
  async function onTerminal(
    act: () => Promise<Said>,
  ): Promise<Said & { readonly printed: string }> {
    let printed = "";
    const out = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
      printed += String(chunk);
      return true;
    });
    const err = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
    try {
      return { ...(await act()), printed };
    } finally {
      out.mockRestore();
      err.mockRestore();
    }
  }

  test("a tunnel leads to a port that its host can reach", async () => {
    expect(await machines({ endpoint, tunnel })).toEqual([ID]);
  });

  test("a tunnel leads to a socket of its host, by OpenSSH or by the fleetctl that is there", async () => {
    const flags = { endpoint: `unix://${socketPath}`, tunnel };
    expect(await machines(flags)).toEqual([ID]);
    expect(host.commands).toEqual([]);
    host.forwardsSockets = false;
    expect(await machines(flags)).toEqual([ID]);
    expect(host.commands).toEqual([`fleetctl fd-forward ${socketPath}`]);
  });

  test("nobody is logged in with whose key is not known, or another one than before", async () => {
    const none = { endpoint, tunnel, knownHostsFile: join(folder, "none") };
    await expect(machines(none)).rejects.toThrow(/not in the known_hosts files/);
    await expect(machines(none)).rejects.toThrow(Unreachable);
    knows(keys.user.public);
    await expect(machines({ endpoint, tunnel })).rejects.toThrow();
    const lax = { endpoint, tunnel, strictHostKeyChecking: "false" };
    expect(await machines(lax)).toEqual([ID]);
    knows(keys.host.public);
  });

  test("a tunnel to nobody says so, whatever the endpoint", async () => {
    const flags = { endpoint, tunnel: "127.0.0.1:1", strictHostKeyChecking: "false" };
    await expect(machines(flags)).rejects.toThrow(/failed initializing SSH client: 127.0.0.1:1/);
    await expect(machines({ endpoint, tunnel, sshUsername: "root" })).rejects.toThrow(
      /authentication/,
    );
  });

  test("the journal is read on the machine, as fleetctl reads it, and its exit code is ours", async () => {
    host.status = 3;
    const flags = {
      lines: 7,
      follow: true,
      sudo: true,
      output: "cat",
      sshPort: host.port,
    } as const;
    const { exit, printed } = await onTerminal(() =>
      run({ tunnel }, (context) => journal(context, "web", flags)),
    );
    expect(exit).toBe(3);
    expect(printed).toMatch(/^ran sudo "journalctl"/);
    expect(host.commands).toEqual([
      'sudo "journalctl" "--unit" "web.service" "--no-pager" "-n" "7" "--output" "cat" "-f"',
    ]);
  });

  test("status asks systemctl; as JSON it asks for what can be read", async () => {
    const { exit, printed } = await onTerminal(() =>
      run({}, (context) => status(context, ["web"], { sshPort: host.port })),
    );
    expect(printed).toMatch(/^ran systemctl "status"/);
    // The server that stands for the machine says of no unit that it is active.
    expect(exit).toBe(0);
    const json = await run({ json: true }, (context) =>
      status(context, ["web"], { sshPort: host.port }),
    );
    expect(host.commands[0]).toBe('systemctl "status" "-l" "web.service"');
    expect(host.commands[1]).toMatch(/^systemctl "show" "--property=Id,.*" "web.service"$/);
    expect(JSON.parse(json.out.join("\n"))).toMatchObject([{ machine: ID }]);
  });

  test("a command is run on a machine or where a unit is, as it was written", async () => {
    const sshPort = host.port;
    for (const [words, flags] of [
      [["25f0", "uname", "-a", "|", "wc"], {}],
      [["web", "uname", "-a", "|", "wc"], {}],
      [["uname", "-a", "|", "wc"], { unit: "web" }],
      [["uname", "-a", "|", "wc"], { machine: "25f" }],
    ] as const) {
      host.commands.length = 0;
      host.status = 5;
      const said = await run({ json: true }, (context) =>
        ssh(context, words, { ...flags, sshPort }),
      );
      expect(host.commands).toEqual(["uname -a | wc"]);
      expect(JSON.parse(said.out.join("\n"))).toEqual({
        machine: ID,
        exit: 5,
        output: "ran uname -a | wc\n",
        errors: "said something\n",
      });
      expect(said.exit).toBe(5);
    }
  });

  test("without a command there is a shell, and what it says goes where it should", async () => {
    const machine: ApiMachine = { id: ID, publicIp: "127.0.0.1", metadata: {} };
    const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const terminal = { input, output, errors, size: null };
    expect(await runOnMachine({ tunnel }, machine, null, { port: host.port, terminal })).toBe(0);
    expect(String(output.read())).toBe("ran a shell\n");
    expect(String(errors.read())).toBe("said something\n");
  });

  test("a machine that cannot be reached is said to be so, with fleetctl's exit codes", async () => {
    const lax = { strictHostKeyChecking: "false" };
    const flags = { lines: 1, output: "short", sshPort: 1 };
    const said = await run(lax, (context) => journal(context, "web", flags));
    expect(said.exit).toBe(255);
    expect(said.err.join("\n")).toMatch(/^Unable to SSH to remote host: .*ECONNREFUSED/);
    const shell = await run(lax, (context) => ssh(context, ["web"], { sshPort: 1 }));
    expect(shell.exit).toBe(1);
    expect(shell.err.join("\n")).toMatch(/^Failed building SSH client: /);
  });
});
