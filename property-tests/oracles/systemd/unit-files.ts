import { createGenerator, type Generator, nextBetween, pick } from "../../../core/kernel/index.js";
import { percent } from "./themes.js";

/** A unit file, good or bad. */
export interface GeneratedFile {
  readonly name: string;
  readonly text: string;
}

const TYPES = [
  "service",
  "service",
  "service",
  "target",
  "timer",
  "path",
  "socket",
  "mount",
] as const;

/** File `number` of a seed: sound, but for the mistakes that are put in. Every fourth has none. */
export function generateUnitFile(seed: number, number: number): GeneratedFile {
  const g = createGenerator(seed, `unit-file/${number}`);
  const type = pick(g, TYPES);
  const stem = `f${number}`;
  const template = (type === "service" || type === "timer") && percent(g, 10) ? "@" : "";
  const name = `${stem}${template}.${type}`;
  let lines = soundFile(g, type, stem);
  const mistakes = number % 4 === 0 ? 0 : nextBetween(g, 1, 3);
  for (let left = mistakes; left > 0; left--) lines = withMistake(g, lines, type);
  for (let left = nextBetween(g, 0, 2); left > 0; left--) lines = withForm(g, lines);
  return { name, text: `${lines.join("\n")}${percent(g, 95) ? "\n" : ""}` };
}

function soundFile(g: Generator, type: (typeof TYPES)[number], stem: string): string[] {
  const lines = ["[Unit]", "Description=A unit of the oracle", "Documentation=man:systemd(1)"];
  for (let left = nextBetween(g, 0, 5); left > 0; left--) lines.push(soundUnitLine(g));
  switch (type) {
    case "service":
      lines.push("[Service]", "ExecStart=/bin/true one two", ...some(g, SERVICE, 7));
      break;
    case "timer": {
      const first = pick(g, ["OnBootSec=5min", "OnCalendar=weekly"]);
      lines.push("[Timer]", first, ...some(g, TIMER, 3));
      break;
    }
    case "path":
      lines.push("[Path]", "PathExists=/run/nowhere", ...some(g, PATH, 3));
      break;
    case "socket":
      lines.push("[Socket]", `ListenFIFO=/run/${stem}.fifo`, ...some(g, SOCKET, 4));
      break;
    case "mount":
      lines.push("[Mount]", "What=tmpfs", `Where=/${stem}`, ...some(g, MOUNT, 3));
      break;
    default:
  }
  if (percent(g, 30)) lines.push("[Install]", "WantedBy=multi-user.target");
  return lines;
}

const some = (g: Generator, lines: readonly string[], most: number): string[] =>
  Array.from({ length: nextBetween(g, 0, most) }, () => pick(g, lines));

const soundUnitLine = (g: Generator): string => pick(g, UNIT);

const UNIT = [
  "After=basic.target network.target",
  "Wants=network-online.target",
  "Requires=basic.target",
  "Before=shutdown.target",
  "After=",
  "Conflicts=rescue.target",
  "OnFailure=rescue.target",
  "OnFailureJobMode=replace",
  "FailureAction=reboot",
  "SuccessAction=exit-force",
  "StartLimitAction=none",
  "JobTimeoutAction=poweroff-immediate",
  "StartLimitIntervalSec=1min 30s",
  "StartLimitIntervalSec=0",
  "StartLimitBurst=7",
  "StartLimitBurst=0x10",
  "JobTimeoutSec=infinity",
  "JobRunningTimeoutSec=1.5h",
  "ConditionPathExists=/etc/passwd",
  "ConditionPathExists=|!/nowhere",
  "ConditionPathExists=",
  "AssertPathExists=/etc",
  "ConditionPathIsDirectory=%t",
  "StopWhenUnneeded=off",
  "RefuseManualStart=FALSE",
  "AllowIsolate=y",
  "CollectMode=inactive-or-failed",
  "X-Something=whatever",
  "ConditionHost=!nowhere",
  "Upholds=basic.target",
];

const SERVICE = [
  "Type=exec",
  "Type=notify",
  "Type=oneshot",
  "Type=forking",
  "Type=idle",
  "Restart=on-failure",
  "Restart=always",
  "Restart=no",
  "RestartSec=100ms",
  "TimeoutStartSec=1min",
  "TimeoutStopSec=0",
  "TimeoutSec=5",
  "TimeoutAbortSec=3s",
  "RuntimeMaxSec=1d 2h",
  "RemainAfterExit=yes",
  "GuessMainPID=no",
  "KillMode=mixed",
  "KillSignal=SIGINT",
  "KillSignal=15",
  "SendSIGKILL=no",
  "FinalKillSignal=ABRT",
  "NotifyAccess=all",
  "SuccessExitStatus=1 2 SIGKILL",
  "SuccessExitStatus=TEMPFAIL",
  "RestartPreventExitStatus=255",
  "RestartForceExitStatus=SIGTERM",
  "ExecStartPre=-/bin/false",
  "ExecStartPre=/bin/sh -c 'exit 0'",
  'ExecStartPre=/bin/echo "a b" c',
  "ExecStartPost=@/bin/true true",
  "ExecStartPost=/bin/true ; /bin/true",
  "ExecStartPost=/bin/echo a \\; b",
  "ExecStop=:/bin/echo $X",
  "ExecStop=!/bin/true",
  "ExecStopPost=!!/bin/true",
  "ExecStopPost=+/bin/true",
  "ExecReload=/bin/kill -HUP $MAINPID",
  "ExecStopPost=",
  "ExecCondition=true",
  "Environment=A=1 B=2",
  'Environment="C=d e" F=%n',
  "EnvironmentFile=-/etc/default/nothing",
  "EnvironmentFile=",
  "WorkingDirectory=/",
  "User=root",
  "PrivateTmp=yes",
  "UMask=0022",
  "LimitNOFILE=1024",
  "MemoryMax=1G",
  "CPUWeight=50",
  "TimeoutStopFailureMode=abort",
  "SyslogIdentifier=x%i",
];

const TIMER = [
  "OnCalendar=daily",
  "OnCalendar=Mon..Fri,Sun *-*-* 06:30",
  "OnCalendar=*-*~3..5 0/6:00:07.5",
  "OnCalendar=2030-02-30 UTC",
  "OnCalendar=*:0/15 Europe/Berlin",
  "OnCalendar=",
  "OnClockChange=yes",
  "OnActiveSec=10",
  "OnUnitActiveSec=1h",
  "OnUnitInactiveSec=1min",
  "AccuracySec=1us",
  "Persistent=true",
  "RemainAfterElapse=no",
  "RandomizedDelaySec=5",
  "Unit=basic.target",
];
const PATH = [
  "PathChanged=/etc/passwd",
  "PathModified=/etc",
  "DirectoryNotEmpty=/tmp",
  "MakeDirectory=no",
  "DirectoryMode=0700",
  "TriggerLimitBurst=3",
  "Unit=basic.target",
];
const SOCKET = [
  "ListenStream=/run/oracle.sock",
  "ListenDatagram=/run/oracle.dgram",
  "SocketMode=0600",
  "Accept=no",
  "Backlog=5",
  "TriggerLimitIntervalSec=1s",
  "RemoveOnStop=yes",
  "Service=basic.service",
  "KeepAlive=yes",
  "TimeoutSec=3",
];
const MOUNT = [
  "Type=tmpfs",
  "Options=mode=0755",
  "TimeoutSec=5s",
  "DirectoryMode=0755",
  "LazyUnmount=no",
];

type Mistake = (g: Generator, lines: readonly string[], type: (typeof TYPES)[number]) => string[];

const MISTAKES: readonly Mistake[] = [
  (g, lines) =>
    inserted(
      g,
      lines,
      pick(g, ["Colour=blue", "afterwards=x", "description=low", "Exec=/bin/true"]),
    ),
  (g, lines) => inserted(g, lines, pick(g, BAD_VALUES_UNIT)),
  (g, lines, type) =>
    type === "service" ? appended(lines, pick(g, BAD_VALUES_SERVICE), "[Service]") : lines.slice(),
  (g, lines, type) =>
    type === "service" ? appended(lines, pick(g, BAD_COMMANDS), "[Service]") : lines.slice(),
  (g, lines, type) =>
    type === "timer" ? appended(lines, pick(g, BAD_VALUES_TIMER), "[Timer]") : lines.slice(),
  (g, lines, type) =>
    type === "path" ? appended(lines, pick(g, BAD_VALUES_PATH), "[Path]") : lines.slice(),
  (g, lines, type) =>
    type === "socket" ? appended(lines, pick(g, BAD_VALUES_SOCKET), "[Socket]") : lines.slice(),
  (g, lines) =>
    inserted(g, lines, pick(g, ["no equals here", "Description", "= nothing", "=", "a b c"])),
  (g, lines) => [pick(g, ["Description=early", "early", "X-Early=1"]), ...lines],
  (g, lines) =>
    inserted(
      g,
      lines,
      pick(g, ["[Unknown]", "[service]", "[Timers]", "[X-Own]", "[ Unit ]", "[]"]),
    ),
  (g, lines) => inserted(g, lines, pick(g, ["[Unit", '[Ser"vice]', "[Unit] x", "[Back\\slash]"])),
  (g, lines, type) =>
    type === "service"
      ? without(lines, "ExecStart=")
      : without(
          lines,
          pick(g, ["On", "OnBootSec=", "PathExists=", "ListenFIFO=", "What=", "Where="]),
        ),
  (g, lines, type) =>
    type === "service" ? appended(lines, pick(g, BAD_SERVICES), "[Service]") : lines.slice(),
  (g, lines) =>
    inserted(g, lines, pick(g, ["IgnoreOnSnapshot=yes", "KillMode=none", "SysVStartPriority=3"])),
];

const BAD_VALUES_UNIT = [
  "After=not a name",
  "After=nodot basic.target",
  "Wants=a/b.service",
  "Requires=x.servce",
  "StopWhenUnneeded=perhaps",
  "AllowIsolate=",
  "StartLimitIntervalSec=soon",
  "StartLimitIntervalSec=5 parsecs",
  "StartLimitIntervalSec=",
  "StartLimitIntervalSec=-1",
  "StartLimitBurst=-3",
  "StartLimitBurst=many",
  "StartLimitBurst=1.5",
  "JobTimeoutSec=1..5s",
  "OnFailureJobMode=maybe",
  "FailureAction=restart",
  "SuccessAction=Reboot",
  "StartLimitAction=",
  "JobTimeoutAction=exit-immediate",
  "ConditionPathExists=relative/path",
  "AssertPathExists=!relative",
  "CollectMode=all",
  "DefaultDependencies=2",
];
const BAD_VALUES_SERVICE = [
  "Type=simpel",
  "Type=",
  "Restart=sometimes",
  "RestartSec=abc",
  "TimeoutStartSec=10 apples",
  "RuntimeMaxSec=",
  "RemainAfterExit=maybe",
  "KillMode=control_group",
  "KillSignal=SIGNOPE",
  "KillSignal=",
  "SuccessExitStatus=256",
  "SuccessExitStatus=1 NOPE SIGFOO 3",
  "NotifyAccess=everyone",
  "FailureAction=off",
  "StartLimitAction=reboot --force",
  "Environment=1A=x",
  "Environment=A=1 novalue",
  'Environment="A=open',
  "EnvironmentFile=relative",
  "PIDFile=",
  "UMask=99",
  "UMask=077777",
  "PrivateTmp=si",
  "TimeoutStopFailureMode=explode",
  "SendSIGHUP=",
];
const BAD_COMMANDS = [
  "ExecStartPre=relative/true",
  "ExecStartPre=-relative/true",
  "ExecStartPost=/bin/",
  "ExecStop=",
  "ExecStop=-",
  "ExecStop=@/bin/true",
  'ExecStartPre=/bin/echo "open',
  "ExecStartPre=-/bin/echo 'open",
  'ExecStartPre="/bin/true',
  "ExecStartPre=/bin/echo \\q",
  "ExecStartPre=/bin/echo \\xzz a",
  "ExecReload=--/bin/true",
  "ExecReload=+!/bin/true",
  'ExecReload=/bin/tr"u\'e" x',
  "ExecStopPost=; /bin/true",
];
const BAD_VALUES_TIMER = [
  "OnCalendar=dayly",
  "OnCalendar=Fri..Mon",
  "OnCalendar=*-13-01",
  "OnCalendar=24:00",
  "OnCalendar=*:0/0",
  "OnCalendar=12:00 Nowhere",
  "OnCalendar=*-*~29",
  "OnBootSec=never",
  "OnActiveSec=-5",
  "OnBootSec=",
  "AccuracySec=fine",
  "Unit=nonsense",
  "Persistent=2",
];
const BAD_VALUES_PATH = [
  "PathExists=here",
  "PathChanged=",
  "Unit=x",
  "DirectoryMode=rwx",
  "TriggerLimitBurst=x",
];
const BAD_VALUES_SOCKET = [
  "SocketMode=8",
  "Accept=x",
  "Backlog=-1",
  "Service=x.target",
  "TimeoutSec=?",
  "ListenFIFO=",
];
const BAD_SERVICES = [
  "ExecStart=/bin/true",
  "Type=dbus",
  "Type=oneshot\nRestart=always",
  "Type=oneshot\nRestartForceExitStatus=3",
  "ExecStart=",
  "ExecStart=\nExecStop=/bin/true",
];

function withMistake(
  g: Generator,
  lines: readonly string[],
  type: (typeof TYPES)[number],
): string[] {
  return pick(g, MISTAKES)(g, lines, type);
}

function inserted(g: Generator, lines: readonly string[], line: string): string[] {
  const at = nextBetween(g, 1, lines.length);
  return [...lines.slice(0, at), ...line.split("\n"), ...lines.slice(at)];
}

function appended(lines: readonly string[], line: string, section: string): string[] {
  const at = lines.indexOf(section);
  const end = lines.findIndex((other, index) => index > at && other.startsWith("["));
  const to = end < 0 ? lines.length : end;
  return [...lines.slice(0, to), ...line.split("\n"), ...lines.slice(to)];
}

const without = (lines: readonly string[], start: string): string[] =>
  lines.filter((line) => !line.startsWith(start));

/** Blank lines, comments, blanks around `=` and values that go on: what changes the lines, not what they say. */
function withForm(g: Generator, lines: readonly string[]): string[] {
  const at = nextBetween(g, 0, lines.length - 1);
  const line = lines[at] ?? "";
  const equals = line.indexOf("=");
  const put = (...others: string[]) => [...lines.slice(0, at), ...others, ...lines.slice(at + 1)];
  switch (nextBetween(g, 0, 5)) {
    case 0:
      return put("", line);
    case 1:
      return put("# a comment \\", "; another", line);
    case 2:
      return equals > 0
        ? put(`  ${line.slice(0, equals)} =  ${line.slice(equals + 1)}  `)
        : put(line);
    case 3:
      return line.includes(" ") && equals > 0 ? put(line.replace(" ", " \\\n  ")) : put(line);
    case 4:
      return line.includes(" ") && equals > 0
        ? put(line.replace(" ", " \\\n# between\n"))
        : put(line);
    default:
      return put(`${line}\r`);
  }
}
