import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { lintText } from "../sim/index.js";

const folder = mkdtempSync(join(tmpdir(), "orrery-lint-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

interface Ended {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
}

function lint(...args: string[]): Promise<Ended> {
  const program = new URL("orrery.ts", import.meta.url).pathname;
  return new Promise((resolve) => {
    const words = ["--import", "tsx", program, "lint", ...args];
    execFile(process.execPath, words, (error, out, err) =>
      resolve({ code: error === null ? 0 : error.code, out, err }),
    );
  });
}

/** `LINE:COLUMN CODE` of each finding in a unit file. */
const unit = (name: string, text: string): string[] =>
  lintText(name, text, "unit").map(
    ({ position, code }) => `${position.line}:${position.column} ${code}`,
  );

const SERVICE = "[Service]\nExecStart=/bin/a\n";

describe("a unit file", () => {
  test("that is good has no findings", () => {
    expect(unit("a.service", `${SERVICE}[X-Fleet]\nMachineMetadata="a=b" "c=d"\n`)).toEqual([]);
  });

  test.each([
    ["a key nobody knows", "a.service", `${SERVICE} Nope=1\n`, ["3:2 SYSTEMD_UNKNOWN"]],
    ["a value of the wrong kind", "a.service", `${SERVICE}Restart=ever\n`, ["3:1 SYSTEMD_VALUE"]],
    ["nothing to execute", "a.service", "[Unit]\n", ["1:1 SYSTEMD_LOAD"]],
    [
      "docker run -d of a name that nobody removes",
      "a.service",
      "[Service]\nExecStart=/usr/bin/docker run -d --name a b\n",
      ["2:1 ORRERY_CONTAINER", "2:1 ORRERY_CONTAINER"],
    ],
    [
      "a pull within the time of a start",
      "a.service",
      `[Service]\nExecStartPre=-/usr/bin/docker pull b\n${SERVICE.slice(10)}`,
      ["2:1 ORRERY_CONTAINER"],
    ],
    [
      "a key that is gone before it is set again",
      "a.service",
      '[Service]\nExecStart=/bin/sh -c "while true; do etcdctl set /a b --ttl 45; sleep 45; done"\n',
      ["2:1 ORRERY_CONTAINER"],
    ],
    [
      "metadata that is dropped",
      "a.service",
      `${SERVICE}[X-Fleet]\nMachineMetadata=a=b c=d\n`,
      ["4:1 ORRERY_FLEET"],
    ],
    [
      "two spaces between values",
      "a.service",
      `${SERVICE}[X-Fleet]\nMachineOf="a"  "b"\n`,
      ["4:1 ORRERY_FLEET"],
    ],
    [
      "a key fleet does not know",
      "a.service",
      `${SERVICE}[X-Fleet]\nMachine=a\n`,
      ["4:1 FLEET_UNKNOWN"],
    ],
    [
      "options that exclude each other",
      "a.service",
      `${SERVICE}[X-Fleet]\nGlobal=1\nMachineOf=b\n`,
      ["3:1 FLEET_OPTIONS"],
    ],
    [
      "a name that is none",
      "a b.service",
      `${SERVICE}[X-Fleet]\n`,
      ["1:1 SYSTEMD_LOAD", "1:1 FLEET_NAME"],
    ],
    [
      "a line that ends fleet's reading",
      "a.service",
      `${SERVICE}[X-Fleet]\nGlobal\nMachineOf=a\n`,
      ["4:1 FLEET_FILE"],
    ],
    [
      "a drop-in, which need not be whole",
      "a.service.d/10.conf",
      "[Service]\nNope=1\n",
      ["2:1 SYSTEMD_UNKNOWN"],
    ],
  ])("with %s", (_, name, text, expected) => {
    expect(unit(name, text)).toEqual(expected);
  });
});

test("a cloud-config brings the validator's entries, ours, and those of its units, by line", () => {
  const text = `#cloud-config
coreos:
  colour: red
  units:
    - name: a.service
      command: start
      content: |
        [Service]
        ExecStart=/bin/a
        Nope=1
`;
  const found = lintText("user-data", text, "cloud-config");
  expect(found.map(({ position, code, message }) => [position.line, code, message])).toEqual([
    [3, "CLOUDINIT_VALIDATE", 'unrecognized key "colour"'],
    [10, "SYSTEMD_UNKNOWN", expect.stringMatching(/^a\.service: .*Nope=1$/)],
  ]);
});

describe.concurrent("orrery lint", () => {
  test("walks a folder, passes over what is nothing of its own, and exits with 1 on findings", async () => {
    file("tree/a.service", SERVICE);
    file("tree/deep/b.service", `${SERVICE}Nope=1\n`);
    file("tree/picture.png", new Uint8Array([0, 255, 1]));
    const { code, out, err } = await lint(join(folder, "tree"));
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).toMatch(/deep\/b\.service:3:1: warning SYSTEMD_UNKNOWN: .*Nope=1\n$/);
  });

  test("prints JSON, and exits with 0 when nothing is found", async () => {
    const { code, out } = await lint("--json", file("good/a.service", SERVICE));
    expect(JSON.parse(out)).toEqual({ files: 1, findings: [], problems: [] });
    expect(code).toBe(0);
  });

  test("says of each file that it cannot look at why, and exits with 2", async () => {
    const { code, out, err } = await lint(
      file("odd/binary.service", new Uint8Array([0x5b, 0xff, 0xfe])),
      file("odd/huge.service", "#".repeat(1_100_000)),
      file("odd/nothing", ""),
      join(folder, "odd/missing"),
      file("odd/fine.service", SERVICE),
    );
    expect({ code, out }).toEqual({ code: 2, out: "" });
    const said = err.trimEnd().split("\n");
    for (const what of [
      /missing.*E_FILE_UNREADABLE/,
      /binary.*E_FILE_NOT_TEXT/,
      /huge.*E_FILE_TOO_LARGE/,
      /nothing.*--as/,
    ]) {
      expect(said.filter((line) => what.test(line))).toHaveLength(1);
    }
    expect(said).toHaveLength(4);
  });

  test("takes a file for what it is told", async () => {
    const path = file("plain.txt", "hello\n");
    const { code, out } = await lint("--as", "cloud-config", path);
    expect(code).toBe(1);
    expect(out).toBe(
      `${path}:1:1: error CLOUDINIT_VALIDATE: must be "#cloud-config" or begin with "#!"\n`,
    );
  });
});
