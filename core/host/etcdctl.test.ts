import fc from "fast-check";
import { expect, test } from "vitest";
import { etcdctlRequest, isEtcdctlModelled } from "./etcdctl.js";

const request = (line: string) => etcdctlRequest(line.split(" "));

test("command lines of etcdctl become the requests that it makes", () => {
  expect(request("set /a b --ttl 60")).toEqual({ op: "put", key: "/a", value: "b", ttl: 60 });
  expect(request("--peers http://x:4001 set --ttl=60 a b")).toEqual({
    ...{ op: "put", key: "/a", value: "b", ttl: 60 },
  });
  expect(request("mk /a b")).toEqual({ op: "put", key: "/a", value: "b", prevExist: false });
  expect(request("update /a b")).toEqual({ op: "put", key: "/a", value: "b", prevExist: true });
  expect(request("set --swap-with-value c /a b")).toMatchObject({ prevValue: "c" });
  expect(request("rm --recursive /a")).toEqual({ op: "delete", key: "/a", recursive: true });
  expect(request("mkdir /a")).toEqual({ op: "put", key: "/a", dir: true, prevExist: false });
  expect(request("ls")).toEqual({ op: "get", key: "/" });
  expect(request("set /a -- -1")).toEqual({ op: "put", key: "/a", value: "-1" });
});

test("what lacks an argument is refused, and what takes more than one request is not modelled", () => {
  for (const line of ["set /a", "get", "rm", "set /a b --ttl x"]) expect(request(line)).toBeNull();
  for (const line of ["watch /a", "exec-watch /a", "member list", "-h"]) {
    expect(isEtcdctlModelled(line.split(" "))).toBe(false);
  }
});

test("whatever the arguments are, they are a request or refused", () => {
  const word = fc.oneof(
    fc.constantFrom("set", "rm", "ls", "--ttl", "--ttl=5", "--", "-", "/a", "--peers", "=", "--="),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      const made = etcdctlRequest(args);
      expect(made === null || isEtcdctlModelled(args)).toBe(true);
    }),
  );
});
