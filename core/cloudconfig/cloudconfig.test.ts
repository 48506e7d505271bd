import fc from "fast-check";
import { expect, test } from "vitest";
import { gunzip } from "./gzip.js";
import {
  applySteps,
  type CloudConfig,
  formatEntry,
  parseCloudConfig,
  renderUpdateConf,
  substitute,
  validateCloudConfig,
} from "./index.js";
import { canonicalIp } from "./ip.js";
import { formatFloat, resolvePlain } from "./scalar.js";
import { isRequestUri } from "./uri.js";
import { directoryOf } from "./validate.js";

function config(...lines: string[]): CloudConfig {
  const parsed = parseCloudConfig(`#cloud-config\n${lines.join("\n")}\n`, "user-data");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
  return parsed.value;
}

const entries = (...lines: string[]) =>
  validateCloudConfig(`#cloud-config\n${lines.join("\n")}\n`).entries.map(formatEntry);

test("options of a service become a drop-in that hands them to it", () => {
  const steps = applySteps(
    config("coreos:", "  etcd2:", "    name: n1", "    election-timeout: 1200", "    debug: false"),
  );
  expect(steps).toEqual([
    {
      step: "write-drop-in",
      unit: "etcd2.service",
      name: "20-cloudinit.conf",
      text: '[Service]\nEnvironment="ETCD_ELECTION_TIMEOUT=1200"\nEnvironment="ETCD_NAME=n1"\n',
      directory: "/run/systemd/system",
    },
    { step: "unmask", unit: "etcd2.service", runtime: true },
    { step: "daemon-reload" },
  ]);
});

test("units are placed first, then comes one reload, then the commands in their order", () => {
  const steps = applySteps(
    config(
      "coreos:",
      "  units:",
      "    - name: b.service",
      "      command: start",
      "      enable: true",
      "      content: |",
      "        [Service]",
      "    - name: a.service",
      "      command: stop",
      "      mask: true",
      "    - name: 10-eth.network",
      "      runtime: true",
      "      command: start",
      "      content: x",
      "    - command: start",
    ),
  );
  expect(steps.map((step) => ("unit" in step ? `${step.step} ${step.unit}` : step.step))).toEqual([
    "write-unit b.service",
    "enable b.service",
    "mask a.service",
    "write-unit 10-eth.network",
    "unmask 10-eth.network",
    "daemon-reload",
    "unit-command systemd-networkd.service",
    "unit-command b.service",
    "unit-command a.service",
  ]);
});

test("a file that cannot be rendered ends the application where it is written, a bad strategy before any file", () => {
  const file = [
    "write_files:",
    "  - path: /a",
    "    content: x",
    "  - path: /b",
    "    permissions: rw",
  ];
  expect(applySteps(config("hostname: h", ...file)).map((step) => step.step)).toEqual([
    "set-hostname",
    "write-file",
    "fail",
  ]);
  const steps = applySteps(
    config(...file, "coreos:", "  update:", "    reboot_strategy: best-effort"),
  );
  expect(steps.map((step) => step.step)).toEqual(["fail"]);
});

test("an unknown command fails only when its turn comes", () => {
  const steps = applySteps(
    config(
      "coreos:",
      "  units:",
      "    - {name: a.service, command: start}",
      "    - {name: b.service, command: kill}",
    ),
  );
  expect(steps.map((step) => step.step)).toEqual(["unit-command", "fail"]);
});

test("a strategy of off stops locksmith and masks it, any other restarts it", () => {
  const commands = (strategy: string) =>
    applySteps(config("coreos:", "  update:", `    reboot_strategy: ${strategy}`)).flatMap(
      (step) => ("unit" in step ? [step.step === "unit-command" ? step.command : step.step] : []),
    );
  expect(commands('"off"')).toEqual(["mask", "stop"]);
  expect(commands("etcd-lock")).toEqual(["unmask", "restart"]);
});

test("update.conf keeps its lines and gains the options it lacked", () => {
  const update = { rebootStrategy: "off", group: "beta", server: "" };
  expect(renderUpdateConf(update, "A=1\nGROUP=stable\n# c\n")).toBe(
    "A=1\nGROUP=beta\n# c\nREBOOT_STRATEGY=off\n",
  );
});

test("addresses go to /etc/environment unless a file of the user is written there", () => {
  const addresses = { private_ipv4: "10.0.0.1" };
  expect(applySteps(config("hostname: h"), { addresses }).at(-1)).toEqual({
    step: "merge-env-file",
    path: "/etc/environment",
    variables: [["COREOS_PRIVATE_IPV4", "10.0.0.1"]],
  });
  const own = config("write_files:", "  - path: /etc/../etc/environment", "    content: A=1");
  expect(applySteps(own, { addresses }).map((step) => step.step)).toEqual(["write-file"]);
});

test("a block given twice is read twice, a list given twice is one list", () => {
  const read = config(
    "coreos:",
    "  units:",
    "    - name: a.service",
    "coreos:",
    "  update:",
    "    group: beta",
    "  units:",
    "    - name: b.service",
  );
  expect(read.coreos.units.map((unit) => unit.name)).toEqual(["a.service", "b.service"]);
  expect(read.coreos.update.group).toBe("beta");
});

test("an unexpandable alias, a bomb and deep nesting are refused with a diagnostic", () => {
  const bomb = Array.from({ length: 9 }, (_, i) => {
    const items = Array.from({ length: 9 }, () => (i === 0 ? "x" : `*a${i - 1}`)).join(",");
    return `a${i}: &a${i} [${items}]`;
  });
  const refused = (text: string) => {
    const parsed = parseCloudConfig(text, "f");
    return parsed.ok ? "" : (parsed.diagnostics[0]?.code ?? "");
  };
  expect(refused(`ssh_authorized_keys: *nobody`)).toBe("E_YAML_SYNTAX");
  expect(refused(`users: ${"[".repeat(300)}${"]".repeat(300)}`)).toBe("E_YAML_SYNTAX");
  const users = bomb.join("\n").replace(/^a8:/m, "users:");
  const messages = validateCloudConfig(`#cloud-config\n${users}`).entries.map((e) => e.message);
  expect(messages).toContain("aliases expand to too much");
});

test("the validator finds a key by the text of its line, from its parent's line on", () => {
  expect(entries("coreos:", "  etcd2:", "    nmae: x", "hostnam: x")).toEqual([
    'line 3: warning: deprecated key "etcd2" (etcd2 is no longer shipped in Container Linux)',
    'line 4: warning: unrecognized key "nmae"',
    'line 5: warning: unrecognized key "hostnam"',
  ]);
});

test("numbers and booleans are those of YAML 1.1", () => {
  expect(resolvePlain("0644")).toEqual({ kind: "int", value: 420n });
  expect(resolvePlain("off")).toEqual({ kind: "bool", value: false });
  expect(resolvePlain("1_000")).toEqual({ kind: "int", value: 1000n });
  expect(resolvePlain("2001-01-01").kind).toBe("string");
  expect(resolvePlain("0888")).toEqual({ kind: "float64", value: 888 });
});

test.each([
  [0.5, "0.5"],
  [1e21, "1e+21"],
  [1e20, "100000000000000000000"],
  [1e-5, "1e-05"],
  [0.0001, "0.0001"],
  [888, "888"],
])("%d prints as %s", (value, text) => {
  expect(formatFloat(value)).toBe(text);
});

test.each([
  ["/usr/../etc/x", "/etc"],
  ["/usr/x", "/usr"],
  ["x", "."],
  ["a/../../b", ".."],
  ["//usr//x", "/usr"],
  ["/../x", "/"],
])("the directory of %s is %s", (path, directory) => {
  expect(directoryOf(path)).toBe(directory);
});

test.each([
  ["https://discovery.etcd.io/xx", true],
  ["disco", false],
  ["/path", true],
  ["", false],
  ["http://h:port/", false],
  ["http://[::1]:2379/", true],
  ["mailto:x", true],
  ["http://h/%zz", false],
])("%s is a request URI: %s", (text, is) => {
  expect(isRequestUri(text)).toBe(is);
});

test.each([
  ["::ffff:1.2.3.4", "1.2.3.4"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["::", "::"],
  ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
  ["1.2.3", null],
  ["1::2::3", null],
])("the address %s prints as %s", (text, printed) => {
  expect(canonicalIp(text)).toBe(printed);
});

test("the second of two adjacent variables stays", () => {
  const source = { metadata: { private_ipv4: "10.0.0.1" }, env: {} };
  expect(substitute("$private_ipv4$private_ipv4", source)).toEqual(["10.0.0.1$private_ipv4"]);
  expect(substitute("\\$private_ipv4", source)).toEqual(["$private_ipv4"]);
});

test("a gzip stream with a wrong checksum is not one", () => {
  const stored = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 1, 0, 0xfe, 0xff, 0x61];
  const good = [...stored, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0];
  expect(gunzip(good, 10)).toEqual([0x61]);
  expect(gunzip([...stored, 0x44, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0], 10)).toBeNull();
});

test("gzip streams may follow one another, as many as there are", () => {
  const one = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 1, 0, 0xfe, 0xff, 0x61];
  const many = Array.from({ length: 30_000 }, () => [...one, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0]);
  expect(gunzip(many.flat(), 30_000)).toHaveLength(30_000);
  expect(gunzip(many.flat(), 29_999)).toBeNull();
  // A stream does not reach back into the one before it.
  const back = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x03, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  expect(gunzip([...(many[0] ?? []), ...back], 100)).toBeNull();
});

const GOOD = `#cloud-config
hostname: h
users:
  - name: &n core
    groups: [sudo, docker]
write_files:
  - path: /etc/x
    permissions: 0644
    encoding: gz+b64
    content: H4sIAAAAAAAAA8tIzcnJVyjPL8pJAQCFEUoNCwAAAA==
coreos:
  etcd: {discovery: "https://d/x"}
  units:
    - name: *n
      content: |
        [Service]
        X=$private_ipv4
      <<: {command: start}
`;

const mutated = fc
  .array(
    fc.record({
      at: fc.nat({ max: GOOD.length }),
      cut: fc.nat({ max: 30 }),
      insert: fc.oneof(
        fc.constantFrom(
          "&",
          "*a",
          "? ",
          ": ",
          "- ",
          "{",
          "]",
          "|",
          "!!int ",
          "---\n",
          "...\n",
          "\t",
          "%",
          "\r",
          "\0",
          "'",
        ),
        fc.string({ unit: "binary", maxLength: 8 }),
      ),
    }),
    { maxLength: 6 },
  )
  .map((edits) =>
    edits.reduce(
      (text, { at, cut, insert }) => text.slice(0, at) + insert + text.slice(at + cut),
      GOOD,
    ),
  );

const anything = fc.oneof(
  mutated,
  fc.string({ unit: "binary", maxLength: 300 }).map((text) => `#cloud-config\n${text}`),
  fc
    .uint8Array({ maxLength: 300 })
    .map(
      (array) =>
        `#cloud-config\n${Array.from(array, (byte) => String.fromCharCode(byte)).join("")}`,
    ),
);

test("no text makes the reader, the validator, the substitution or the steps throw", () => {
  fc.assert(
    fc.property(anything, (text) => {
      for (const entry of validateCloudConfig(text).entries) {
        expect(entry.line).toBeGreaterThanOrEqual(0);
        expect(entry.line).toBeLessThanOrEqual(text.split(/\r\n|\n|\r/).length + 1);
      }
      const parsed = parseCloudConfig(text, "f");
      if (parsed.ok) applySteps(parsed.value);
      expect(substitute(text, { metadata: {}, env: { COREOS_PRIVATE_IPV4: "$1" } })).not.toEqual(
        [],
      );
      gunzip(
        Array.from(text, (character) => character.charCodeAt(0) & 0xff),
        1000,
      );
      isRequestUri(text);
      canonicalIp(text);
    }),
    { numRuns: 400 },
  );
});

test("long texts of every hostile shape are read in reasonable time", () => {
  for (const piece of [
    "a: b\n",
    "- a\n",
    "- ",
    "? ",
    "[",
    "{a: ",
    "&a ",
    "*a ",
    "'",
    '"',
    "#",
    "$private_ipv4",
    "a: b: ",
    "\t",
  ]) {
    const text = `#cloud-config\n${piece.repeat(20_000 / piece.length)}`;
    validateCloudConfig(text);
    substitute(text, { metadata: { private_ipv4: "10.0.0.1" }, env: {} });
  }
});
