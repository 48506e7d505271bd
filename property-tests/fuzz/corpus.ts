import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { directiveSeeds, directiveWords } from "./unit-seeds.js";

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
      ...repeat(5, [SERVICE, SOCKET, FLEET_UNIT, ...FLEET_LINES]),
      ...repeat(2, directiveSeeds()),
      ...filesOf("fleet-unit-files", ".service"),
      ...textsOf("fleet-units/unit-parse.jsonl"),
      ...textsOf("fleet-units/requirements.jsonl"),
    ],
    words: [...UNIT_WORDS, ...directiveWords()],
  };
}

/** Seeds of our own are few beside those of the witness. */
const repeat = (times: number, texts: readonly string[]): string[] =>
  Array.from({ length: times }, () => texts).flat();

export function cloudConfigCorpus(): Corpus {
  return {
    seeds: [
      CLOUD_CONFIG,
      ...repeat(5, CLOUD_CONFIGS),
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
  return { seeds: [...seeds, ...repeat(10, SCENARIOS)], words: [...YAML_WORDS, ...SCENARIO_WORDS] };
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

/** X-Fleet sections that demand one thing or another, or too much. */
const FLEET_LINES = [
  '[X-Fleet]\nMachineMetadata=region=us\nMachineMetadata="disk=ssd" "disk=hdd"\nGlobal=true\n',
  "[X-Fleet]\nMachineOf=a.service\nConflicts=*.service\nConflicts=b?.service [c-d]*\n",
  "[X-Fleet]\nReplaces=a.service\nConflicts=b.service\nMachineID=0123456789abcdef0123456789abcdef\n",
  "[X-Fleet]\nX-ConditionMachineID=m\nX-ConditionMachineOf=%p@%i\nX-Conflicts=%n\nX-ConditionMachineMetadata=a=b=c\n",
  "a\n[Service] x\n# c \\\n; d\nExecStart=a\\\n b\nTail",
];

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
  "*x",
  "&x ",
  "&x {a: b}",
  "<<: ",
  "<<: [*x, *a]",
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

/** Short ones: fewer parts of a long text are changed. */
const CLOUD_CONFIGS = [
  '{"ignition": {"version": "2.0.0"}}',
  '{"ignitionVersion": 1}',
  `#cloud-config
write_files:
  - &x {path: /a, content: "1", permissions: 0644}
  - {<<: *x, path: ../b}
  - <<: [*x, {owner: root, encoding: gz}]
    content: !!binary H4sIAAAAAAACAwMAAAAAAAAAAAA=
coreos:
  units: [&u {name: a.service, command: start, mask: false}, *u]
`,
  `#cloud-config
a: &a [x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d]
users: [*e, &f [*f]]
`,
  `#cloud-config
coreos:
  fleet: {engine_reconcile_interval: 1e-7, verbosity: -.inf, etcd_request_timeout: .nan}
  etcd: {discovery: "http://[::1%25eth0]:80/%zz", peer-addr: -0.0, snapshot: off}
  etcd: {name: 1e21, name: 0.00001}
write_files: [{encoding: b64, content: aGk=}, {encoding: "gz+b64", content: "H4sIAAAAAAACA4sOTi0qy0xOjeVyrUhNDi5JLCqx1U/KzNNPVNDVTbJNRhdOAguncEWP6sOqDwCU93V8UAEAAA=="}]
users: {name: a}
ssh_authorized_keys: !!str x
`,
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

/** Short ones, each about a part of the format: the files of `scenarios` are long, and slow to read. */
const SCENARIOS = [
  "orrery: 1\nname: a\nduration: 10m\nhosts:\n  - {group: core, count: 3, zones: [a, b], os: {version: 1000.0.0}}\n",
  "orrery: 1\nname: b\nduration: 1h\nhosts: [{name: h, os: {version: 1.0.0}}]\nreleases: [{version: 2.0.0, size: 300MB, defects: [{kind: panic-on-boot}]}]\nupdate: {version: 1.0.0}\ntimeline: [{at: 3m, do: publish, version: 2.0.0}]\n",
  'orrery: 1\nname: c\nduration: 5m\nhosts: [{group: c, count: 3}]\nunits:\n  web@.service: |\n    [Service]\n    ExecStart=/bin/a %i\ntimeline:\n  - {at: 1m, do: fleet-start, units: ["web@{1..2}.service"]}\n',
  "orrery: 1\nname: d\nduration: 5m\nhosts: [{group: c, count: 3}]\nfaults:\n  plan:\n    - {at: 2m, for: 40s, kind: partition, isolate: c-1}\n    - {at: 1m, for: 10s, kind: crash, host: c-2}\nexpect:\n  - {leader: exactly-one, by: 1m}\n",
  "orrery: 1\nname: e\nduration: 5m\nhosts: [{group: c, count: 3, zones: &z [a, b]}, {name: s, zones: *z, present: false}]\nnetwork:\n  default: {latency: 200us..400us}\n  links: [{between: [b, a], latency: 5ms, loss: 1%}]\n",
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
  "/metadata/",
  "m1",
  '"inactive"',
  "ZAACAA==",
  "ZAAAAA",
  '{"value":"b"}',
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
  "GET /fleet/v1/machines?nextPageToken=ZAACAA==\n\n",
  "GET /fleet/v1/state?nextPageToken=ZAD__w==\n\n",
  "GET /fleet/v1/state\n\n",
  "GET /fleet/v1/machines\n\n",
  "GET /fleet/v1/units/b.service\n\n",
  "GET /fleet/v1/units?nextPageToken=ZAABAA&nextPageToken=ZAAAAA\n\n",
  "GET /metrics\n\n",
  'PUT /fleet/v1/units/web@.service\napplication/json\n\n{"desiredState":"launched"}',
  'PUT /fleet/v1/units/b.service\napplication/json\n\n{"name":"b.service","desiredState":"loaded","options":[null,{"section":"X-Fleet","name":"Conflicts","value":"*"},{"section":"X-Fleet","name":"MachineOf","value":"a.service"}]}',
  'PUT /fleet/v1/units/c.service\napplication/json\n\n{"options":{},"name":1,"currentState":[],"machineID":null,"x":{"y":[1,-2.5e3,true]}}',
  'PUT /fleet/v1/units/@d.service\napplication/json\n\n{"Options":[{"NAME":"\\u017fection","value":"\\ud83d\\ude00\\udc00"}]}',
  'PATCH /fleet/v1/machines\napplication/json\n\n[{"op":"remove","path":"/m1/metadata/disk"},{"op":"add","path":"/m1/metadata/a","value":{"value":"b"}}]',
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
