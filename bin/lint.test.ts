import { describe, expect, test } from "vitest";
import { lintText } from "../sim/index.js";

/** `LINE:COLUMN CODE` of each finding in a unit file. */
const unit = (name: string, text: string): string[] =>
  lintText(name, text, "unit").map(
    ({ position, code }) => `${position.line}:${position.column} ${code}`,
  );

const SERVICE = "[Service]\nExecStart=/bin/a\n";

describe("a unit file", () => {
  test("that is good has no findings", () => {
    expect(unit("a.service", `${SERVICE}[X-Fleet]\nMachineMetadata="a=b" "c=d"\n`)).toEqual([]);
  });

  test.each([
    ["a key nobody knows", "a.service", `${SERVICE} Nope=1\n`, ["3:2 SYSTEMD_UNKNOWN"]],
    ["a value of the wrong kind", "a.service", `${SERVICE}Restart=ever\n`, ["3:1 SYSTEMD_VALUE"]],
    ["nothing to execute", "a.service", "[Unit]\n", ["1:1 SYSTEMD_LOAD"]],
    [
      "docker run -d of a name that nobody removes",
      "a.service",
      "[Service]\nExecStart=/usr/bin/docker run -d --name a b\n",
      ["2:1 ORRERY_CONTAINER", "2:1 ORRERY_CONTAINER"],
    ],
    [
      "a pull within the time of a start",
      "a.service",
      `[Service]\nExecStartPre=-/usr/bin/docker pull b\n${SERVICE.slice(10)}`,
      ["2:1 ORRERY_CONTAINER"],
    ],
    [
      "a key that is gone before it is set again",
      "a.service",
      '[Service]\nExecStart=/bin/sh -c "while true; do etcdctl set /a b --ttl 45; sleep 45; done"\n',
      ["2:1 ORRERY_CONTAINER"],
    ],
    [
      "metadata that is dropped",
      "a.service",
      `${SERVICE}[X-Fleet]\nMachineMetadata=a=b c=d\n`,
      ["4:1 ORRERY_FLEET"],
    ],
    [
      "two spaces between values",
      "a.service",
      `${SERVICE}[X-Fleet]\nMachineOf="a"  "b"\n`,
      ["4:1 ORRERY_FLEET"],
    ],
    [
      "a key fleet does not know",
      "a.service",
      `${SERVICE}[X-Fleet]\nMachine=a\n`,
      ["4:1 FLEET_UNKNOWN"],
    ],
    [
      "options that exclude each other",
      "a.service",
      `${SERVICE}[X-Fleet]\nGlobal=1\nMachineOf=b\n`,
      ["3:1 FLEET_OPTIONS"],
    ],
    [
      "a name that is none",
      "a b.service",
      `${SERVICE}[X-Fleet]\n`,
      ["1:1 SYSTEMD_LOAD", "1:1 FLEET_NAME"],
    ],
    [
      "a line that ends fleet's reading",
      "a.service",
      `${SERVICE}[X-Fleet]\nGlobal\nMachineOf=a\n`,
      ["4:1 FLEET_FILE"],
    ],
    [
      "a drop-in, which need not be whole",
      "a.service.d/10.conf",
      "[Service]\nNope=1\n",
      ["2:1 SYSTEMD_UNKNOWN"],
    ],
  ])("with %s", (_, name, text, expected) => {
    expect(unit(name, text)).toEqual(expected);
  });
});

test("a cloud-config brings the validator's entries, ours, and those of its units, by line", () => {
  const text = `#cloud-config
coreos:
  colour: red
  units:
    - name: a.service
      command: start
      content: |
        [Service]
        ExecStart=/bin/a
        Nope=1
`;
  const found = lintText("user-data", text, "cloud-config");
  expect(found.map(({ position, code, message }) => [position.line, code, message])).toEqual([
    [3, "CLOUDINIT_VALIDATE", 'unrecognized key "colour"'],
    [10, "SYSTEMD_UNKNOWN", expect.stringMatching(/^a\.service: .*Nope=1$/)],
  ]);
});
