import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { hostKeyAlgorithms, knownHost } from "./index.js";

const KEY = Buffer.from("a key").toString("base64");
const types = (text: string, host: string, port = 22): string[] =>
  knownHost(text, host, port).keys.map(({ type }) => type);

test("names, wildcards and negations match as sshd(8) says", () => {
  const text = `# comment\n*.example.com,!bad.example.com ssh-ed25519 ${KEY}\n10.77.0.1? ssh-rsa ${KEY}\n`;
  expect(types(text, "web.example.com")).toEqual(["ssh-ed25519"]);
  expect(types(text, "WEB.example.com")).toEqual(["ssh-ed25519"]);
  expect(types(text, "bad.example.com")).toEqual([]);
  expect(types(text, "webxexample.com")).toEqual([]);
  expect(types(text, "10.77.0.11")).toEqual(["ssh-rsa"]);
  expect(types(text, "10.77.0.111")).toEqual([]);
});

test("a port other than 22 is another host", () => {
  const text = `h1 ssh-rsa ${KEY}\n[h1]:2222 ssh-ed25519 ${KEY}\n`;
  expect(types(text, "h1")).toEqual(["ssh-rsa"]);
  expect(types(text, "h1", 2222)).toEqual(["ssh-ed25519"]);
});

test("hashed names match the name they hash and no other", () => {
  const salt = Buffer.from("0123456789abcdefghij");
  const hash = createHmac("sha1", salt).update("h1").digest("base64");
  const text = `|1|${salt.toString("base64")}|${hash} ssh-ed25519 ${KEY}\n`;
  expect(types(text, "h1")).toEqual(["ssh-ed25519"]);
  expect(types(text, "h2")).toEqual([]);
});

test("a revoked key is told apart, and an authority's key is no host's", () => {
  const known = knownHost(`@revoked * ssh-rsa ${KEY}\n@cert-authority * ssh-rsa ${KEY}\n`, "h", 22);
  expect(known.keys).toEqual([]);
  expect(known.revoked).toHaveLength(1);
});

test("an RSA key is asked for with SHA-2 signatures only", () => {
  const keys = [{ type: "ssh-rsa", key: Buffer.from("") }];
  expect(hostKeyAlgorithms(keys)).toEqual(["rsa-sha2-512", "rsa-sha2-256"]);
});
