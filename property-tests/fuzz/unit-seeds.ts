import { directivesOf, type ValueKind } from "../../core/systemd/directives.js";

const SECTIONS = ["Unit", "Service", "Socket", "Timer", "Path", "Mount", "Install"];

/** Values that a kind of directive takes, and some that it does not. */
const VALUES: Readonly<Partial<Record<ValueKind, readonly string[]>>> = {
  boolean: ["yes", "0", "maybe"],
  calendar: ["Mon..Fri *-*-~3/2,1 0/6:00:07.5", "2030-1..7/3-* 5:*", "weekly UTC", "24:00", ""],
  collectMode: ["inactive-or-failed"],
  command: ["/bin/a b", "-@/bin/a a b", "/bin/a ; /bin/b", "", "+!!/bin/a \\; ';'", ":/bin/a \\q"],
  conditionPath: ["/etc/a", "|!/etc/b", "", "a"],
  count: ["3", "0x10", "-1"],
  environment: ["A=b 'C=d e'", "", "1=2"],
  environmentFile: ["-/etc/a", "", "a"],
  emergencyAction: ["reboot-force", "none", "restart"],
  exitType: ["cgroup"],
  jobMode: ["isolate", "x"],
  killMode: ["mixed", "none", ""],
  mode: ["0644", "9"],
  notifyAccess: ["all"],
  path: ["/a//b/", "a"],
  pathSpec: ["/a//b/", "", "%h/a"],
  restart: ["always", "on-failure"],
  serviceType: ["oneshot", "dbus", "notify", "forking"],
  signal: ["SIGUSR1", "15", "SIGFOO"],
  socketService: ["b.service", "b"],
  span: ["1min 30s", "1.5h", "infinity", "5parsec", "9999999999y"],
  statuses: ["1 SIGTERM TEMPFAIL 255", "", "256 x"],
  timeoutFailureMode: ["abort"],
  timer: ["5min", ""],
  trigger: ["b.service", "a.service"],
  units: ["b.service c@1.service d", "%P-%I-%j-%J-%b.service"],
};

/** Directives that one seed holds. */
const TOGETHER = 8;

/** Unit files in which every directive that systemd knows has values of its kind. */
export function directiveSeeds(): string[] {
  return [0, 1, 2].flatMap(seedsWith);
}

/** @param turn - which of the values come first */
function seedsWith(turn: number): string[] {
  return SECTIONS.flatMap((section) => {
    const lines = [...directivesOf(section)].flatMap(([key, kind], i) => {
      const values = VALUES[kind] ?? ["text %n"];
      return kind === "other" ? [] : [`${key}=${values[(i + turn) % values.length]}\n`];
    });
    const first = section === "Service" ? "ExecStart=/bin/a\n" : "";
    const seeds: string[] = [];
    for (let at = 0; at < lines.length; at += TOGETHER) {
      seeds.push(`[${section}]\n${first}${lines.slice(at, at + TOGETHER).join("")}`);
    }
    return seeds;
  });
}

/** The directives, as beginnings of lines, and the values that are there for them. */
export function directiveWords(): string[] {
  const keys = SECTIONS.flatMap((section) =>
    [...directivesOf(section)].flatMap(([key, kind]) => (kind === "other" ? [] : [`${key}=`])),
  );
  return [...new Set([...keys, ...Object.values(VALUES).flat()])];
}
