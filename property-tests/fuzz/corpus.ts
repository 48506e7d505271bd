import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Texts that a target's inputs are bred from, and words that its grammar knows. */
export interface Corpus {
  readonly seeds: readonly string[];
  readonly words: readonly string[];
}

/** The folder of witness data, as for `npm run conformance`; its texts are used where it is there. */
export const WITNESS_DIR = process.env.ORRERY_WITNESS_DIR ?? join(ROOT, "..", "shared", "data");

/** Unit files: those of fleet's tests and of the witness, and some with every kind of line. */
export function unitCorpus(): Corpus {
  return {
    seeds: [
      SERVICE,
      SOCKET,
      FLEET_UNIT,
      ...filesOf("fleet-unit-files", ".service"),
      ...textsOf("fleet-units/unit-parse.jsonl"),
      ...textsOf("fleet-units/requirements.jsonl"),
    ],
    words: UNIT_WORDS,
  };
}

export function cloudConfigCorpus(): Corpus {
  return {
    seeds: [
      CLOUD_CONFIG,
      ...textsOf("cloud-config/validate.jsonl"),
      ...textsOf("cloud-config/substitute.jsonl"),
    ],
    words: [...YAML_WORDS, ...CLOUD_WORDS],
  };
}

export function scenarioCorpus(): Corpus {
  const folder = join(ROOT, "scenarios");
  const seeds = readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => readFileSync(join(folder, name), "utf8"));
  return { seeds, words: [...YAML_WORDS, ...SCENARIO_WORDS] };
}

/** Requests to fleet's API: request line, content types, an empty line, the body. */
export function fleetApiCorpus(): Corpus {
  return { seeds: FLEET_REQUESTS, words: [...UNIT_WORDS, ...FLEET_WORDS] };
}

/** Requests to the discovery service, one a line: operation, key, options. */
export function discoveryCorpus(): Corpus {
  return {
    seeds: DISCOVERY,
    words: ["new", "get", "put", "delete", "watch", "/", "_config", "size", "-1", "0", "3"],
  };
}

function filesOf(folder: string, suffix: string): string[] {
  const path = join(WITNESS_DIR, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(suffix))
    .sort()
    .map((name) => readFileSync(join(path, name), "utf8"));
}

/** The member `text` of every line of a file of JSON lines. */
function textsOf(file: string): string[] {
  const path = join(WITNESS_DIR, file);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .flatMap((line) => {
      const row: unknown = JSON.parse(line);
      if (row === null || typeof row !== "object" || !("text" in row)) return [];
      return typeof row.text === "string" ? [row.text] : [];
    });
}

const SERVICE = `[Unit]
Description=A web server
Requires=db.service network.target
After=db.service \\
  network.target
ConditionPathExists=|!/etc/off
StartLimitIntervalSec=1min 30s

[Service]
Type=notify
Environment="A=b c" D=e
EnvironmentFile=-/etc/web
ExecStartPre=-/usr/bin/docker rm %n
ExecStart=/usr/bin/web --name "\${NAME}" -p %i ; /bin/echo $X
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=250ms
SuccessExitStatus=143 SIGTERM
KillMode=mixed
TimeoutStartSec=0

[Install]
WantedBy=multi-user.target
Alias=www.service
`;

const SOCKET = `[Socket]
ListenStream=8080
ListenStream=[::1]:80
Accept=yes
[X-Custom]
Key=value
; a comment
[Timer]
OnCalendar=Mon *-*-* 12:00
`;

const FLEET_UNIT = `[Service]
ExecStart=/bin/sleep 1
[X-Fleet]
MachineMetadata="region=us" "disk=ssd"
MachineOf=%p@1.service
Conflicts=web@*.service [ab]?.service
Global=true
MachineID=148a18ff
Replaces=old.service
`;

const UNIT_WORDS = [
  "[",
  "]",
  "=",
  "\\",
  "\\\n",
  "\n",
  "\r\n",
  '"',
  "'",
  ";",
  "#",
  " ",
  "  ",
  "\t",
  "%n",
  "%i",
  "%%",
  "%",
  "$",
  "$" + "{A}",
  "$$",
  "-",
  "+",
  "!",
  "@",
  ":",
  "|",
  "*",
  "?",
  "[a-",
  "[^",
  "[]",
  "\\x41",
  "\\u0",
  "\\777",
  "\\s",
  "infinity",
  "-1",
  "99999999999999999999",
  "0x7f",
  "1y 2w",
  "yes",
  "no",
  "[Unit]\n",
  "[Service]\n",
  "[X-Fleet]\n",
  "[Install]\n",
  "[Socket]\n",
  "ExecStart=",
  "ExecStart=\n",
  "Restart=always",
  "Type=",
  "MachineMetadata=",
  "MachineOf=",
  "Conflicts=",
  "Global=",
  "After=",
  "Environment=",
  "WantedBy=",
  "constructor=1\n",
  "__proto__=1\n",
  "[__proto__]\n",
  "[constructor]\n",
  "\0",
  "\u00a0",
  "\u2028",
  "\ufeff",
  "é",
  "\u{1f600}",
  "\ud800",
];

const YAML_WORDS = [
  ..."{}[]:,&*!|>-#%@`'\"\\\n\t 0?~",
  "- ",
  ": ",
  "\n  ",
  "\n    ",
  "<<: *x",
  "&a ",
  "*a",
  "&a [*a, *a]",
  "!!binary ",
  "!!js/function ",
  "!!str ",
  "!!float ",
  "!<x> ",
  "---\n",
  "...\n",
  "null",
  "~",
  "NaN",
  ".inf",
  "-1",
  "1e999",
  "0x7fffffffffffffff",
  "0b1",
  "0o7",
  "017",
  "1_000",
  "190:20:30",
  "2001-01-01",
  "99999999999999999999",
  "__proto__: ",
  "constructor: ",
  "? ",
  "| \n",
  "|+1\n",
  ">-\n",
  "yes",
  "on",
  "\u2028",
  "\u0085",
  "\ufeff",
  "\r",
  "\r\n",
  "é",
  "\u{1f600}",
  "\0",
  "\\x41",
  "\\u263a",
  "\\U0001F600",
  '"\\',
  "''",
  "%YAML 1.1\n",
  "%TAG ! x\n",
];

const CLOUD_CONFIG = `#cloud-config
hostname: $private_ipv4
ssh_authorized_keys: ["ssh-rsa AAAA"]
users:
  - name: elroy
    passwd: "$6$x"
    groups: [sudo, docker]
    coreos-ssh-import-github-users: [a, b]
coreos:
  update: { reboot-strategy: etcd-lock, group: stable, server: "http://x" }
  etcd2:
    discovery: https://discovery.etcd.io/0123456789abcdef0123456789abcdef
    initial-advertise-peer-urls: http://$private_ipv4:2380
    heartbeat-interval: 100
  fleet: { metadata: "region=us", verbosity: 1, engine-reconcile-interval: 2.5 }
  flannel: { etcd_prefix: /coreos.com }
  locksmith: { window-start: "Thu 04:00", window-length: 1h30m }
  units:
    - name: etcd2.service
      command: start
      drop-ins:
        - name: 10.conf
          content: |
            [Service]
            Environment=A=b
    - name: 00-eth0.network
      runtime: true
      content: |
        [Match]
        Name=eth0
write_files:
  - path: /etc/motd
    permissions: "0644"
    owner: root
    encoding: gzip+base64
    content: H4sIAIDb/U8C/1NW1E/KzNMvzuAqLkksSVUw5AIAtKzlFRAAAAA=
manage_etc_hosts: localhost
`;

const CLOUD_WORDS = [
  "#cloud-config\n",
  "#!",
  "$private_ipv4",
  "$public_ipv4",
  "\\$public_ipv6",
  "coreos:",
  "units:",
  "- name: ",
  "command: ",
  "content: |\n",
  "drop-ins:",
  "write_files:",
  "permissions: ",
  "encoding: b64",
  "encoding: gzip",
  "etcd2:",
  "discovery: ",
  "reboot-strategy: ",
  "H4sI",
  "====",
  '{"ignition":',
];

const SCENARIO_WORDS = [
  "orrery: 1\n",
  "hosts:",
  "- group: ",
  "count: ",
  "cloud_config: |\n",
  "faults:",
  "budget:",
  "timeline:",
  "expect:",
  "at: ",
  "5s",
  "1h",
  "5m..10m",
  "1..0",
  "all",
  "zone:",
  "*",
  "50%",
  "1ppm",
  "10MiB",
  "clients:",
];

const FLEET_WORDS = [
  "GET ",
  "PUT ",
  "DELETE ",
  "PATCH ",
  "POST ",
  "/fleet/v1/units",
  "/fleet/v1/machines",
  "/fleet/v1/state",
  "?nextPageToken=",
  "?unitName=",
  "&machineID=",
  "%2F",
  "%",
  "%zz",
  "//",
  "/../",
  "{",
  "}",
  "[",
  "]",
  ",",
  "null",
  "true",
  "1e999",
  "-0",
  '"name":',
  '"desiredState":',
  '"options":',
  '"launched"',
  '"op":',
  '"add"',
  '"remove"',
  '"path":',
  '"value":',
  "\\u0000",
  "\\ud800",
  "application/json",
  "; charset=",
];

const unitJson = JSON.stringify({
  name: "a.service",
  desiredState: "launched",
  options: [
    { section: "Service", name: "ExecStart", value: "/bin/true" },
    { section: "X-Fleet", name: "MachineMetadata", value: "a=b" },
  ],
});

const FLEET_REQUESTS = [
  `PUT /fleet/v1/units/a.service\napplication/json\n\n${unitJson}`,
  `PUT /fleet/v1/units/web@1.service\napplication/json; charset=utf-8\n\n{"options":[]}`,
  `PUT /fleet/v1/units/a.service\napplication/json\n\n{"desiredState":"inactive"}`,
  "GET /fleet/v1/units\n\n",
  "GET /fleet/v1/units/a.service\n\n",
  "GET /fleet/v1/state?unitName=a.service&machineID=m1\n\n",
  "GET /fleet/v1/machines?nextPageToken=eyJsaW1pdCI6MTAwLCJwYWdlIjoyfQ==\n\n",
  "GET /fleet/v1/discovery.json\n\n",
  "GET /v1-alpha/units/a.service\n\n",
  "DELETE /fleet/v1/units/a.service\n\n",
  'PATCH /fleet/v1/machines\napplication/json\n\n[{"op":"add","path":"/m1/metadata/region","value":"us"}]',
];

const TOKEN = "0123456789abcdef0123456789abcdef";

const DISCOVERY = [
  `new 3\nput /${TOKEN}/_config/size 3\nput /${TOKEN}/a a=http://a:2380\nget /${TOKEN}\nwatch /${TOKEN} 1\n`,
  `put /${TOKEN}/_config/size 1\nput /${TOKEN}/b b=http://b:2380,b=http://c:1\ndelete /${TOKEN}/b\nwatch /${TOKEN} 9\n`,
];
