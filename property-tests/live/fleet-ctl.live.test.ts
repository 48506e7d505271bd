import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fleetCommand } from "../../bin/commands/fleet.js";
import { buildFleet, hasGo, type Printed, run } from "./fleetctl.js";
import { Orrery, until } from "./program.js";

/** What is asked of either fleet, in this order; `FILE:` stands for a unit file's path. */
const COMMANDS: readonly string[] = [
  "list-machines",
  "list-machines --full --no-legend",
  "list-machines --fields=metadata,ip",
  "list-units",
  "list-unit-files",
  "list-units --no-legend",
  "submit",
  "submit FILE:web.service",
  "submit FILE:web.service",
  "submit nowhere.service",
  "list-unit-files",
  "list-unit-files --full --fields=unit,hash,desc,global,tmachine",
  "list-unit-files --fields=",
  "list-units --fields=",
  "cat web.service",
  "cat web",
  "cat nowhere",
  "cat",
  "status nowhere",
  "status",
  "journal nowhere",
  "journal",
  "journal web api",
  "journal web",
  "ssh nowhere",
  "ssh",
  "ssh --unit=web --machine=x",
  "ssh --unit=nowhere",
  "ssh --machine=x",
  "status web",
  "load web.service",
  "list-unit-files",
  "start web.service",
  "start web.service",
  "list-units",
  "list-units --full --fields=unit,load,active,sub,hash,machine",
  "list-unit-files",
  "stop web.service",
  "stop web.service",
  "list-unit-files",
  "start --no-block web.service",
  "unload web.service",
  "unload web.service",
  "stop web.service",
  "destroy web.service",
  "destroy web.service",
  "list-unit-files",
  "submit FILE:t@.service",
  "start t@1.service t@2",
  "list-units",
  "start t@",
  "destroy t@1 t@2 t@",
  "submit FILE:bad.service",
  "start --block-attempts=1 FILE:pinned.service",
  "start FILE:everywhere.service",
  "list-unit-files --fields=unit,dstate,state,target",
  "status everywhere",
  "restart everywhere",
  "journal everywhere",
  "ssh --unit=everywhere",
  "stop everywhere",
  "unload everywhere",
  "destroy everywhere pinned",
  "stop nowhere",
  "unload nowhere",
  "destroy nowhere",
  "restart nowhere",
];

const SERVICE = "[Unit]\nDescription=A web\n[Service]\nExecStart=/opt/bin/web # $HOME\n";
const FILES: Readonly<Record<string, string>> = {
  "web.service": `${SERVICE}[X-Fleet]\nMachineMetadata=role=web\n`,
  "t@.service": `${SERVICE}[X-Fleet]\nConflicts=t@*\n`,
  "bad.service": `${SERVICE}[X-Fleet]\nConflicts=a\nReplaces=b\n`,
  "pinned.service": `${SERVICE}[X-Fleet]\nMachineID=none\n`,
  "everywhere.service": `${SERVICE}[X-Fleet]\nGlobal=true\n`,
};

/** A served fleet, and the endpoint of its first fleetd. */
async function serve(): Promise<{ readonly orrery: Orrery; readonly endpoint: string }> {
  const ports = ["--port", "0", "--fleet-port", "0", "--speed", "20", "--quiet"];
  const orrery = new Orrery("serve", "scenarios/serve-fleet.yaml", ...ports);
  const addresses = () => [...orrery.output.matchAll(/fleet (http:\/\/\S+)/g)];
  await until(60, "three fleetds", () => addresses().length === 3);
  return { orrery, endpoint: addresses()[0]?.[1] ?? "" };
}

/** What a command of ours prints and would exit with, without a process of its own for each. */
async function runOurs(words: readonly string[]): Promise<Printed> {
  const [out, err]: string[][] = [[], []];
  vi.spyOn(console, "log").mockImplementation((line: string) => void out?.push(`${line}\n`));
  vi.spyOn(console, "error").mockImplementation((line: string) => void err?.push(`${line}\n`));
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    out?.push(chunk.toString());
    return true;
  });
  try {
    process.exitCode = 0;
    await fleetCommand().parseAsync(words, { from: "user" });
    return { code: Number(process.exitCode), out: out?.join("") ?? "", err: err?.join("") ?? "" };
  } finally {
    process.exitCode = 0;
    vi.restoreAllMocks();
  }
}

/** The flags that a help of fleetctl's lists, long and short. */
function flagsIn(help: string): string[] {
  const options = help.slice(help.indexOf("OPTIONS:"));
  return [...options.matchAll(/^ +(?:(-\w), )?(--[\w-]+)/gm)].flatMap(([, short, long = ""]) =>
    // fleetctl writes its short flags with two dashes, too.
    [...(short === undefined ? [] : [short]), /^--\w$/.test(long) ? long.slice(1) : long],
  );
}

const MACHINE = /( on)?\s[0-9a-f]{8}\.\.\.\S+/;

/**
 * What can be compared. Which of two units goes to which of two equal machines is up to Go's map order, and
 * whether fleetctl knows the machine of one already depends on when it asked.
 * Several units come in the order in which they happen to be ready; fleetctl's
 * log lines have times; a hint of ours follows what fleetctl says of a unit that is late.
 */
function comparable({ code, out, err }: Printed): unknown {
  const lines = (text: string): string[] =>
    text
      .split("\n")
      .map((line) => line.replace(/; orrery fleet explain .*$/, ""))
      .map((line) => (line.includes("t@") ? line.replace(MACHINE, "") : line))
      .filter((line) => line !== "" && !/ (WARN|INFO) /.test(line));
  return { code, out: lines(out).sort(), err: lines(err) };
}

describe.skipIf(!hasGo())("fleetctl of fleet 1.0 itself, on a served fleet", () => {
  const folder = mkdtempSync(join(tmpdir(), "orrery-fleetctl-"));
  let fleetctl = "";
  let theirs: Awaited<ReturnType<typeof serve>>;
  let ours: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    fleetctl = buildFleet("github.com/coreos/fleet/fleetctl");
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
    [theirs, ours] = await Promise.all([serve(), serve()]);
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await Promise.all([theirs.orrery.end("SIGINT"), ours.orrery.end("SIGINT")]);
  });

  test("has no flag that orrery fleet has not", async () => {
    const fleet = fleetCommand();
    const missing: string[] = [];
    for (const command of [fleet, ...fleet.commands]) {
      const name = command === fleet ? [] : [command.name()];
      const known = [...command.options, ...fleet.options].flatMap(({ short, long, negate }) => [
        short,
        negate ? long?.replace("--no-", "--") : long,
        long,
      ]);
      const { out } = await run(fleetctl, [...name, "--help"], folder);
      for (const flag of flagsIn(out)) {
        if (!["-h", "--help", ...known].includes(flag)) missing.push([...name, flag].join(" "));
      }
    }
    expect(missing).toEqual([]);
  });

  test("prints what orrery fleet --compat prints on its twin, and exits alike", async () => {
    const differences: unknown[] = [];
    for (const command of COMMANDS) {
      const words = command.split(" ").map((word) => word.replace("FILE:", `${folder}/`));
      const [name = "", ...rest] = words;
      const [real, model] = await Promise.all([
        run(fleetctl, ["--endpoint", theirs.endpoint, ...words], folder),
        runOurs([name, "--compat", "--endpoint", ours.endpoint, ...rest]),
      ]);
      const [expected, found] = [comparable(real), comparable(model)];
      if (!isDeepStrictEqual(expected, found)) differences.push({ command, expected, found });
    }
    expect(differences).toEqual([]);
  });
});
