import { expect, test } from "vitest";
import { embeddedUnits, findTraps, type Trap } from "./traps.js";

/** `LINE trap` of each finding. */
const traps = (body: string): string[] =>
  findTraps(`#cloud-config\n${body}`).map(({ line, trap }) => `${line} ${trap}`);

const cases: readonly (readonly [string, string, readonly `${number} ${Trap}`[]])[] = [
  [
    "a variable directly behind itself stays",
    "hostname: $private_ipv4$private_ipv4",
    ["2 variable-adjacent"],
  ],
  ["two different variables side by side are replaced", "hostname: $private_ipv4$public_ipv4", []],
  ["a variable whose name goes on", "hostname: $private_ipv4x", ["2 variable-prefix"]],
  ["a variable that is escaped is meant to stay", "hostname: \\$private_ipv4x", []],
  ["a variable in braces", "hostname: $" + "{private_ipv4}", ["2 variable-braced"]],
  [
    "a command for a unit of networkd",
    "coreos:\n  units:\n    - name: a.network\n      command: start",
    ["5 network-command"],
  ],
  [
    "options of a service that nothing starts",
    "coreos:\n  fleet:\n    metadata: a=b",
    ["3 configured-not-started"],
  ],
  [
    "options of a service that is started",
    "coreos:\n  fleet:\n    metadata: a=b\n  units:\n    - { name: fleet.service, command: start }",
    [],
  ],
  [
    "a unit that nothing is done about",
    "coreos:\n  units:\n    - name: a.service",
    ["4 unit-without-effect"],
  ],
  [
    "permissions that are no octal number stop the application",
    "write_files:\n  - path: /a\n    permissions: '0999'",
    ["4 apply-fails"],
  ],
];

test.each(cases)("%s", (_, body, expected) => {
  expect(traps(body)).toEqual(expected);
});

const STARTED = "  units:\n    - { name: etcd2.service, command: start }";

test.each([
  ["https://discovery.etcd.io/<token>", ["3 discovery-url"]],
  ["https://discovery.etcd.io/abc", ["3 discovery-url"]],
  ["disco", ["3 discovery-url"]],
  [`https://discovery.etcd.io/${"0a".repeat(16)}`, []],
  ["http://$private_ipv4:8087/mine", []],
])("the discovery URL %s", (url, expected) => {
  expect(traps(`coreos:\n  etcd2: { discovery: "${url}" }\n${STARTED}`)).toEqual(expected);
});

test("discovery and a static cluster at once", () => {
  const url = `https://discovery.etcd.io/${"0a".repeat(16)}`;
  const etcd2 = `  etcd2:\n    discovery: ${url}\n    initial-cluster: a=http://a:1\n`;
  expect(traps(`coreos:\n${etcd2}${STARTED}`)).toEqual(["4 discovery-and-cluster"]);
});

test("what is no cloud-config, or not YAML, has no traps", () => {
  for (const text of ["", "#!/bin/sh\necho $private_ipv4x", "#cloud-config\na: [", "{}"]) {
    expect(findTraps(text)).toEqual([]);
    expect(embeddedUnits(text)).toEqual([]);
  }
});

test("units within a cloud-config know the line that they begin on", () => {
  const text = `#cloud-config
coreos:
  units:
    - name: a.service
      content: |

        [Service]
        ExecStart=/bin/a
    - name: b.service
      content: "[Service]\\nExecStart=/bin/b\\n"
    - name: c.service
      drop-ins:
        - name: 10.conf
          content: |
            [Service]
            ExecStart=/bin/c
`;
  const found = embeddedUnits(text).map(({ unit, dropIn, line }) => [unit, dropIn, line]);
  expect(found).toEqual([
    ["a.service", null, 6],
    ["b.service", null, 9],
    ["c.service", "10.conf", 15],
  ]);
});

test.each([
  ["#!/bin/bash", 0],
  ["#!/bin/sh\necho", 0],
  ["#! /usr/bin/env bash", 0],
  ["#!/bin/bash -ex", 1],
  ["#!/usr/bin/env python", 1],
  ["#!/usr/bin/perl", 1],
  ["#!", 1],
])("a script that begins with %s", (text, found) => {
  expect(findTraps(text).map(({ trap }) => trap)).toEqual(Array(found).fill("script-interpreter"));
});
