import { type DockerCommand, parseDocker } from "../../core/container/index.js";
import { parseScript } from "../../core/shell/index.js";
import { parseUnitFile, type UnitOption } from "../../core/systemd/index.js";

/** A trap of a unit that runs a container or announces one, and the line it is on. */
export interface ContainerTrap {
  readonly line: number;
  readonly message: string;
}

/**
 * What systemd takes of a unit with docker or a sidekick's loop, and what does not do what it says. Each
 * trap is a scenario under `scenarios/service`.
 */
export function containerTraps(name: string, text: string): ContainerTrap[] {
  const options = parseUnitFile(text, name).options.filter(({ section }) => section === "Service");
  const last = (key: string) => options.filter((option) => option.key === key).at(-1)?.value ?? "";
  const before = options.filter(({ key }) => key === "ExecStartPre").flatMap(dockerCommands);
  const traps: ContainerTrap[] = [];
  for (const option of options.filter(({ key }) => key === "ExecStart")) {
    const { line } = option;
    for (const { command } of dockerCommands(option)) {
      if (command.command !== "run") continue;
      const { name: container, detach } = command;
      if (detach && !/^(oneshot|forking)$/.test(last("Type"))) {
        const message =
          "docker run -d ends as soon as the container runs, and with it the service; leave out -d";
        traps.push({ line, message });
      }
      const removes = before.some(
        (pre) => pre.command.command === "rm" && pre.command.names.includes(container ?? ""),
      );
      if (container !== null && !removes) {
        const message = `a container ${container} that is left of before, as after a power loss, keeps the name; put ExecStartPre=-/usr/bin/docker rm -f ${container} before`;
        traps.push({ line, message });
      }
    }
    traps.push(...shortTtls(option));
  }
  const pull = before.find(({ command }) => command.command === "pull");
  if (pull !== undefined && last("TimeoutStartSec") === "" && last("TimeoutSec") === "") {
    const message =
      "a pull that takes longer than 90 s is killed and begins again; set TimeoutStartSec=0";
    traps.push({ line: pull.line, message });
  }
  return traps;
}

interface OnLine {
  readonly line: number;
  readonly command: DockerCommand;
}

/** The docker commands of one line of a unit. */
function dockerCommands(option: UnitOption): OnLine[] {
  return programsOf(option).flatMap((argv) => {
    const line = isProgram(argv, "docker") ? parseDocker(argv.slice(1)) : null;
    return line?.kind === "command" ? [{ line: option.line, command: line.command }] : [];
  });
}

/** A loop that announces for no longer than it sleeps. */
function shortTtls(option: UnitOption): ContainerTrap[] {
  const [argv] = programsOf(option);
  const script = argv?.at(-1);
  if (argv === undefined || script === undefined || argv[1] !== "-c") return [];
  if (!isProgram(argv, "sh") && !isProgram(argv, "bash")) return [];
  const programs = programsIn(script);
  const sleeps = programs.flatMap((each) =>
    isProgram(each, "sleep") && /^\d+$/.test(each[1] ?? "") ? [Number(each[1])] : [],
  );
  const pause = sleeps.reduce((sum, seconds) => sum + seconds, 0);
  return programs.flatMap((each) => {
    const at = each.findIndex((arg) => /^--?ttl(=|$)/.test(arg));
    const ttl = Number(each[at]?.split("=")[1] ?? each[at + 1]);
    if (!isProgram(each, "etcdctl") || at < 0 || !(ttl <= pause)) return [];
    const message = `the key lasts ${ttl} s and is set again after ${pause} s; make the TTL longer than the loop takes`;
    return [{ line: option.line, message }];
  });
}

function programsOf({ value }: UnitOption): readonly (readonly string[])[] {
  return programsIn(value.replace(/^[-@:+!]*/, ""));
}

/** Command lines in a text, as far as a shell's rules tell them. */
function programsIn(text: string): readonly (readonly string[])[] {
  const script = parseScript(text);
  return script.ok ? script.code.flatMap((each) => (each.op === "run" ? [each.argv] : [])) : [];
}

function isProgram([path = ""]: readonly string[], name: string): boolean {
  return path.slice(path.lastIndexOf("/") + 1) === name;
}
