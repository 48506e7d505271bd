import { expect, test } from "vitest";
import {
  createUnitFile,
  isTrigger,
  parseJobObject,
  parseLease,
  parseMachine,
  parseUnitValue,
  readJobDirectory,
  readTarget,
  unschedule,
  writeJob,
  writeMachine,
} from "./registry.js";

const node = (key: string, value: string) => ({ key, value, modifiedIndex: 1, createdIndex: 1 });
const directory = (key: string, nodes: object[]) =>
  ({ key, dir: true, nodes, modifiedIndex: 1, createdIndex: 1 }) as never;

test("unit files are written as Go writes JSON, and read back", () => {
  const request = createUnitFile("/f", "h", "a<b>&c\n");
  expect(request).toMatchObject({
    key: "/f/unit/h",
    value: '{"Raw":"a\\u003cb\\u003e\\u0026c\\n"}',
    prevExist: false,
  });
  expect(parseUnitValue('{"Raw":"a\\u003cb"}')).toBe("a<b");
  expect(parseUnitValue("no json")).toBeNull();
});

test("a job's object holds its hash as twenty decimal bytes", () => {
  const hash = "00ff10a3ee5e6b4b0d3255bfef95601890afd807";
  const request = writeJob("/f", "web.service", hash);
  const value = request.op === "put" ? (request.value ?? "") : "";
  expect(value.startsWith('{"Name":"web.service","UnitHash":[0,255,16,163,')).toBe(true);
  expect(parseJobObject(value)).toEqual({ name: "web.service", hash });
});

test("a machine says who it is, its metadata sorted", () => {
  const presence = { id: "A", publicIp: "10.0.0.1", metadata: { zone: "z", disk: "ssd" } };
  expect(writeMachine("/f", presence, 30, false)).toEqual({
    op: "put",
    key: "/f/machines/A/object",
    value:
      '{"ID":"A","PublicIP":"10.0.0.1","Metadata":{"disk":"ssd","zone":"z"},"Capabilities":{"DISABLE_ENGINE":false,"GRPC":false},"Version":"1.0.0"}',
    ttl: 30,
    prevExist: false,
  });
});

test("dynamic metadata overrides, adds and takes away", () => {
  const machine = parseMachine(
    directory("/f/machines/A", [
      node("/f/machines/A/object", '{"ID":"A","Metadata":{"a":"1","b":"2","c":"3"}}'),
      directory("/f/machines/A/metadata", [
        node("/f/machines/A/metadata/b", "x"),
        node("/f/machines/A/metadata/c", ""),
        node("/f/machines/A/metadata/d", "4"),
      ]),
    ]),
  );
  expect(machine).toEqual({ id: "A", metadata: { a: "1", b: "x", d: "4" } });
});

test("a machine of which only metadata is left has no ID", () => {
  expect(parseMachine(directory("/f/machines/A", []))).toEqual({ id: "", metadata: {} });
});

test("a job's directory is read as far as it is written", () => {
  const read = (nodes: object[]) => {
    const into = { object: null, targetState: "" };
    const job = directory("/f/job/a.service", nodes);
    readJobDirectory(job, into);
    return { ...into, target: readTarget(job) };
  };
  const object = node("/f/job/a.service/object", "o");
  const state = node("/f/job/a.service/target-state", "launched");
  const target = node("/f/job/a.service/target", "A");
  const beat = node("/f/job/a.service/job-state", "A");
  expect(read([object])).toEqual({ object: "o", targetState: "", target: null });
  expect(read([beat, target, state])).toEqual({
    object: null,
    targetState: "launched",
    target: "A",
  });
  expect(read([state, beat, object])).toEqual({
    object: "o",
    targetState: "launched",
    target: null,
  });
});

test("a lease that is not JSON belongs to the machine it names, at version 0", () => {
  expect(parseLease(node("k", "some-machine"))).toEqual({
    machine: "some-machine",
    version: 0,
    index: 1,
  });
  expect(parseLease(node("k", '{"MachineID":"A","Version":1}'))).toEqual({
    machine: "A",
    version: 1,
    index: 1,
  });
});

test("a unit is taken from the machine it is believed to be on, and from no other", () => {
  expect(unschedule("/f", "a", "A")).toEqual({
    op: "delete",
    key: "/f/job/a/target",
    prevValue: "A",
  });
});

test("only targets and target states make anyone look again", () => {
  expect(isTrigger("/f/job/a/target")).toBe(true);
  expect(isTrigger("/f/job/a/target-state")).toBe(true);
  expect(isTrigger("/f/job/a/job-state")).toBe(false);
  expect(isTrigger("/f/job/a")).toBe(false);
});
