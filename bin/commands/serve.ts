import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { LogWriter } from "../../adapters/logfile/index.js";
import { cannotBeHad, PortTaken, reservePorts } from "../../adapters/serve/index.js";
import { formatDiagnostic, type LogHeader, type LogRecord } from "../../core/kernel/index.js";
import type { FaultPlan, Scenario } from "../../sim/index.js";
import { formatTime } from "../../viz/index.js";
import { CONTROL_FOLDER, CONTROL_SOCKET, listenForControl } from "./control-socket.js";
import { keepScenario } from "./output.js";
import { PORT_STEP, ServedCluster, withoutEnd } from "./serve-cluster.js";
import { Control, SPEED_MAX } from "./serve-control.js";
import {
  accept,
  choosePlan,
  collect,
  EXIT,
  openScenario,
  type PlanFlags,
  type ScenarioFlags,
  SEED_MAX,
  wholeNumber,
} from "./shared.js";

interface ServeFlags extends ScenarioFlags, PlanFlags {
  readonly seed: number;
  readonly speed: number;
  readonly port: number;
  readonly fleetPort?: number;
  readonly discoveryPort?: number;
  readonly control?: string;
  readonly out?: string;
  readonly overwrite?: true;
  readonly quiet?: true;
}

/** `orrery serve SCENARIO`: a simulated cluster that real clients can use. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("run a scenario at the pace of the clock and serve its etcd to real clients")
    .argument("<scenario>", "scenario file (YAML)")
    .option("-s, --seed <n>", "seed of everything random", wholeNumber(0, SEED_MAX), 1)
    .option("--speed <x>", "simulated seconds in a real one (0 to 1000)", speedNumber, 1)
    .option(
      "--port <n>",
      "first member's port, the next 10 further; 0: any free ones",
      wholeNumber(0, 65_535),
      2379,
    )
    .option(
      "--fleet-port <n>",
      "first host's fleet API, the next 10 further; 0: any free ones (default: 49153, or any)",
      wholeNumber(0, 65_535),
    )
    .option(
      "--discovery-port <n>",
      "the scenario's discovery service; 0: any free one (default: 8087, or any)",
      wholeNumber(0, 65_535),
    )
    .option(
      "--control <path>",
      "control socket for orrery ctl (default: one in a temporary folder)",
    )
    .option("-o, --out <file>", "write the log to a file; orrery verify executes it again")
    .option("--overwrite", "replace the file if it is there")
    .option("-q, --quiet", "tell nothing but addresses")
    .option("--counterfactual", "the scenario with its safeguards on")
    .option("--variant <name>", "the scenario as one of its variants has it")
    .option("--safeguard <name[=value]>", "switch a safeguard on (or off: name=off)", collect)
    .option("--bug <name>", "switch a deliberate protocol bug on", collect)
    .option("--faults <ids>", "only these faults of the seed's plan: 3,7 or 0-4 or none")
    .option("--fault-plan <yaml>", "another fault plan, as a scenario writes it")
    .addHelpText(
      "after",
      `
It runs until it is interrupted, whatever the scenario's duration. Only this machine can connect.

Examples:
  orrery serve scenarios/serve-three.yaml
  etcdctl --endpoints 127.0.0.1:2379,127.0.0.1:2389,127.0.0.1:2399 put greeting hello
  orrery ctl partition n1 --for 20s
  orrery serve scenarios/first-light.yaml --speed 10 --out served.orlog && orrery verify served.orlog`,
    )
    .action(serve);
}

async function serve(path: string, flags: ServeFlags): Promise<void> {
  keepScenario(path, flags.out);
  const asked = openScenario(path, flags);
  const plan = choosePlan(asked, flags.seed, flags);
  const scenario = withoutEnd(asked);
  const ports = await choosePorts(scenario, flags.port);
  const log = openOutput(flags, scenario, plan);
  const say = (text: string): void => {
    if (flags.quiet !== true) console.log(text);
  };
  const cluster = new ServedCluster({
    scenario,
    seed: flags.seed,
    plan,
    speed: flags.speed,
    ports,
    ...(flags.fleetPort === undefined ? {} : { fleetPort: flags.fleetPort }),
    ...(flags.discoveryPort === undefined ? {} : { discoveryPort: flags.discoveryPort }),
    portFailed: (error) => {
      const { message } = error instanceof Error ? error : new Error(String(error));
      console.error(`${message}; choose another --fleet-port or --discovery-port, or 0 for any`);
      void stop(EXIT.badInput);
    },
    discoveryOpened: (address) => {
      const token = scenario.discovery?.token ?? "";
      console.log(`  discovery  http://${address} (the scenario's token is /${token})`);
    },
    fleetOpened: (node, address) =>
      console.log(`  ${scenario.hosts[node]?.name ?? ""}  fleet http://${address}`),
    observer: {
      record: (record) => {
        if ((log?.write(record) ?? null) !== null) void stop(EXIT.badInput);
        const line = lineOf(record);
        if (line !== null) say(`${formatTime(record.at)}  ${line}`);
      },
    },
    failed: (error) => {
      console.error(error);
      console.error(`seed ${flags.seed}: this is a defect of Orrery's. The run ends here.`);
      void stop(EXIT.violated);
    },
  });
  const { world } = cluster;
  const addressOf = (node: number): string => cluster.addressOf(node);
  const folder = flags.control === undefined ? mkdtempSync(join(tmpdir(), CONTROL_FOLDER)) : null;
  const socket = flags.control ?? join(folder ?? "", CONTROL_SOCKET);
  let stopping = false;
  const stop = async (code?: number): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await cluster.stop();
    const summary = world.simulation.finish();
    server.close();
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
    const problem = log?.close() ?? null;
    if (problem !== null) console.error(formatDiagnostic(problem));
    say(
      `${formatTime(summary.at)}  stopped; ${summary.events} events, ${summary.violations.length} invariants violated`,
    );
    const violated = summary.violations.length > 0 ? EXIT.violated : EXIT.held;
    process.exit(code ?? (problem === null ? violated : EXIT.badInput));
  };
  const control = new Control(
    {
      world,
      addressOf,
      saveLog: (to) => saveLog(log, flags.out, to),
      stop: () => setImmediate(() => void stop()),
    },
    1 + Math.max(0, ...plan.faults.map(({ id }) => id)),
  );
  const server = await listenForControl(socket, (words) => control.run(words)).catch(
    (error: NodeJS.ErrnoException) =>
      badPlace(`${socket} ${cannotBeHad(error)}`, "another --control"),
  );
  chmodSync(socket, 0o600);
  process.on("SIGINT", () => void stop());
  process.on("SIGTERM", () => void stop());
  console.log(`${scenario.name}, seed ${flags.seed}, speed ${flags.speed}`);
  for (const { index, name } of scenario.hosts)
    console.log(`  ${name}  http://${addressOf(index)}`);
  console.log(
    `  etcdctl --endpoints ${scenario.hosts.map(({ index }) => addressOf(index)).join(",")}`,
  );
  console.log(`  orrery ctl --socket ${socket} status`);
  cluster.start();
}

function speedNumber(text: string): number {
  const speed = Number(text);
  if (text.trim() !== "" && Number.isFinite(speed) && speed >= 0 && speed <= SPEED_MAX)
    return speed;
  throw new InvalidArgumentError(`expected a number from 0 to ${SPEED_MAX}.`);
}

/** One free port for each host; the program ends when one is taken. */
async function choosePorts(scenario: Scenario, base: number): Promise<readonly number[]> {
  const wanted = scenario.hosts.map((_, index) => (base === 0 ? 0 : base + index * PORT_STEP));
  const last = wanted.at(-1) ?? 0;
  if (last > 65_535) {
    console.error(`--port ${base}: the last of ${wanted.length} hosts would have port ${last}`);
    process.exit(EXIT.badInput);
  }
  return reservePorts(wanted).catch((error: unknown) => {
    if (!(error instanceof PortTaken)) throw error;
    badPlace(error.message, "another --port, or --port 0");
  });
}

function badPlace(what: string, advice: string): never {
  console.error(`${what}; choose ${advice}`);
  process.exit(EXIT.badInput);
}

function openOutput(flags: ServeFlags, scenario: Scenario, plan: FaultPlan): LogWriter | null {
  if (flags.out === undefined) return null;
  const origin = { program: "serve", scenario, seed: flags.seed, plan };
  const header: LogHeader = { orrery: 1, kind: "run", origin };
  return accept(LogWriter.create(flags.out, header, { overwrite: flags.overwrite === true }));
}

function saveLog(log: LogWriter | null, from: string | undefined, to: string): string {
  if (log === null || from === undefined) {
    return "there is no log: orrery serve was started without --out";
  }
  const problem = log.sync();
  if (problem !== null) return formatDiagnostic(problem);
  try {
    copyFileSync(from, to);
  } catch (error) {
    return `${to}: ${error instanceof Error ? error.message : String(error)}`;
  }
  return `saved ${to}`;
}

/** What is worth a line to whoever looks on. */
function lineOf({ host, kind, data }: LogRecord): string | null {
  const text = (field: string): string => {
    const value: unknown =
      data !== null && typeof data === "object"
        ? Object.entries(data).find(([name]) => name === field)?.[1]
        : "";
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  };
  switch (kind) {
    case "etcd.role":
      return text("role") === "leader" ? `${host} leads, term ${text("term")}` : null;
    case "etcd.ready":
      return `${host} serves clients`;
    case "etcd.stopped":
      return `${host}: etcd stopped: ${text("reason")}`;
    case "host.up":
      return `${host} up`;
    case "host.down":
      return `${host} down: ${text("reason")}`;
    case "invariant.violated":
      return `VIOLATED ${text("invariant")}: ${text("detail")}`;
    default:
      return null;
  }
}
