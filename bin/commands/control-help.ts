/** Every command, its words and what it does; in the order of `orrery ctl help`. */
export const CONTROL_COMMANDS: readonly (readonly [string, string])[] = [
  ["status", "the hosts, who leads, which faults last"],
  [
    "partition A,B [| C,D] [--one-way] [--for 10s]",
    "cut hosts off from the others, or from C,D; 'clients' is a side, too",
  ],
  [
    "link A,B [| C,D] [--delay 50ms] [--loss 10%] [--for 10s]",
    "make the links between hosts worse",
  ],
  ["heal [ID ...]", "end partitions and bad links: all of them, or these"],
  ["crash HOST ... [--lose-disk] [--for 10s]", "cut the power; what was not synced may be lost"],
  ["start HOST ...", "power for hosts that crashed"],
  [
    "kill-process HOST [UNIT] [--for 10s]",
    "SIGKILL (etcd unless told otherwise); systemd starts it again",
  ],
  ["pause HOST ... [--for 10s]", "the host stands still, as a paused virtual machine"],
  ["resume HOST ...", "paused hosts go on"],
  [
    "slow-disk HOST DELAY [--for 10s]",
    "every sync takes that much longer, such as 20ms or 5ms..80ms",
  ],
  ["clock HOST BY [--for 10s]", "the host's clock jumps, such as 5s or -200ms"],
  ["discovery-down [--for 10s]", "an outage of the discovery service; its port closes"],
  ["update-down [--for 10s]", "an outage of the update service"],
  ["registry-down [--for 10s]", "an outage of the registry that images come from"],
  ["reboot HOST ...", "systemctl reboot"],
  ["end ID ... | end all", "end faults by number"],
  ["speed X", "simulated seconds in a real one; 0 stands still"],
  ["log FILE", "save the run's log as it is now (serve it with --out)"],
  ["stop", "end the run"],
];

/** The commands as a table. */
export function controlHelp(): string {
  const width = Math.max(...CONTROL_COMMANDS.map(([usage]) => usage.length));
  return CONTROL_COMMANDS.map(([usage, what]) => `  ${usage.padEnd(width)}  ${what}`).join("\n");
}
