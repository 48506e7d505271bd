import { spawnSync } from "node:child_process";
import { Command } from "commander";
import { labDown, labKill, labStatus, labUp } from "./lab.js";
import { type LabHost, labPaths, labSettings } from "./settings.js";
import { LabError } from "./shell.js";

const settings = labSettings(process.env);
const paths = labPaths(settings);
const say = (line: string): void => console.error(line);

const driveFlags = (hosts: readonly LabHost[]): string =>
  [
    ...hosts.map((host) => `--host ${host.name}=ssh://root@${host.address}`),
    `--identity ${paths.identity}`,
    `--known-hosts ${paths.knownHosts}`,
  ].join(" ");

const program = new Command("lab")
  .enablePositionalOptions()
  .description("Real hosts on this machine: containers that boot systemd, reached over SSH.")
  .addHelpText(
    "after",
    `
Examples:
  npm run lab -- up --hosts 3
  npm run lab -- status
  npm run lab -- ssh h1 systemctl list-units
  npm run lab -- kill h2          as if its power were cut
  npm run lab -- down
ORRERY_LAB_DIR says where the root file system and the keys are kept (now ${settings.directory}).`,
  );

program
  .command("up")
  .description("boot the hosts that do not run")
  .option("--hosts <count>", "how many", "3")
  .action(async (flags: { hosts: string }) => {
    const hosts = await labUp(settings, Number(flags.hosts), say);
    for (const host of hosts) console.log(`${host.name} ${host.address} ${host.machineId}`);
    say(`flags for drive: ${driveFlags(hosts)}`);
  });

program
  .command("down")
  .description("end all hosts and remove the network; the root file system stays for next time")
  .action(() => labDown(settings));

program
  .command("status")
  .description("hosts and whether they answer")
  .action(async () => {
    for (const host of await labStatus(settings)) {
      const state = host.running ? (host.ssh ? "up" : "booting") : "dead";
      console.log(`${host.name} ${host.address} ${host.machineId} ${state}`);
    }
  });

program
  .command("kill <name>")
  .description("cut a host's power")
  .action(async (name: string) => {
    if (!(await labKill(settings, name))) throw new LabError(`${name} does not run`);
  });

program
  .command("ssh <name> [words...]")
  .description("a command on a host")
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (name: string, words: string[]) => {
    const host = (await labStatus(settings)).find((one) => one.name === name);
    if (host === undefined) throw new LabError(`there is no host ${name}`);
    const options = ["-i", paths.identity, "-o", `UserKnownHostsFile=${paths.knownHosts}`];
    const done = spawnSync(
      "ssh",
      [...options, "-o", "StrictHostKeyChecking=yes", `root@${host.address}`, ...words],
      { stdio: "inherit" },
    );
    process.exitCode = done.status ?? 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  say(`lab: ${error.message}`);
  process.exitCode = 2;
}
