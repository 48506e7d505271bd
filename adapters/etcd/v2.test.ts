import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import { SECOND } from "../../core/kernel/index.js";
import { EtcdV2Client, readV2, v2Http } from "./index.js";

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A server on loopback that answers by `handle`; its URL. */
async function serve(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handle);
  open.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

function client(...endpoints: string[]): EtcdV2Client {
  const made = new EtcdV2Client({ endpoints });
  open.push(() => made.close());
  return made;
}

const get: V2Request = { op: "get", key: "/a" };
const found =
  '{"action":"get","node":{"key":"/a","value":"1","modifiedIndex":3,"createdIndex":2}}\n';

test("options that are absent stay absent, and keys and values are escaped", () => {
  expect(v2Http({ op: "get", key: "/a b/ü@1.service" })).toEqual({
    method: "GET",
    path: "/v2/keys/a%20b/%C3%BC%401.service",
    form: "",
  });
  expect(v2Http({ op: "put", key: "/a", value: "x&y=z", ttl: "", prevExist: false })).toEqual({
    method: "PUT",
    path: "/v2/keys/a?prevExist=false",
    form: "value=x%26y%3Dz&ttl=",
  });
  expect(v2Http({ op: "watch", key: "/a", recursive: true, waitIndex: 7 }).path).toBe(
    "/v2/keys/a?wait=true&recursive=true&waitIndex=7",
  );
});

test("an empty value is a value, and an absent one is not", () => {
  const empty = readV2(200, "3", found.replace('"1"', '""'));
  expect(empty).toMatchObject({ node: { value: "" } });
  const refresh = readV2(200, "3", found.replace('"value":"1",', ""));
  expect(refresh.ok && "value" in refresh.node).toBe(false);
});

test("an expiration keeps its microseconds", () => {
  const body = found.replace(
    '"value"',
    '"expiration":"2026-11-20T22:48:26.813351702Z","ttl":100,"value"',
  );
  expect(readV2(200, "3", body)).toMatchObject({
    node: { expiration: Date.UTC(2026, 10, 20, 22, 48, 26) * 1_000 + 813_351, ttl: 100 },
  });
});

test("errors of etcd come through as they are, and pages that are no etcd's are told apart", () => {
  const body = '{"errorCode":101,"message":"Compare failed","cause":"[1 != 2]","index":9}';
  expect(readV2(412, "9", body)).toEqual({
    ok: false,
    status: 412,
    errorCode: 101,
    message: "Compare failed",
    cause: "[1 != 2]",
    index: 9,
  });
  expect(readV2(404, null, "404 page not found\n")).toMatchObject({ status: 404, errorCode: 0 });
  expect(readV2(200, "9", "")).toEqual({ ok: false, unreachable: "closed" });
});

test("an endpoint that refuses is passed over, for what was never sent may be sent elsewhere", async () => {
  const url = await serve((_request, response) => response.end(found));
  const reply = await client("http://127.0.0.1:1", url).ask(get, SECOND);
  expect(reply).toMatchObject({ ok: true, node: { value: "1" } });
});

test("a write whose answer is lost is not repeated at another endpoint", async () => {
  let writes = 0;
  const dies = await serve((request) => request.socket.destroy());
  const other = await serve((_request, response) => {
    writes++;
    response.end(found);
  });
  const both = client(dies, other);
  const reply = await both.ask({ op: "put", key: "/a", value: "1" }, SECOND);
  expect(reply).toEqual({ ok: false, unreachable: "closed" });
  expect(writes).toBe(0);
  expect(await both.ask(get, SECOND)).toMatchObject({ ok: true });
});

test("a silent server is a timeout, and a refusal by all is told as such", async () => {
  const silent = await serve(() => {});
  expect(await client(silent).ask(get, 20_000)).toEqual({ ok: false, unreachable: "timeout" });
  const nobody = await client("http://127.0.0.1:1").ask(get, SECOND);
  expect(nobody).toEqual({ ok: false, unreachable: "refused" });
});

test("a cancelled watch is dropped at the server and never answered here", async () => {
  const dropped = new Promise<void>((resolve) => {
    void serve((request, response) => {
      response.writeHead(200, { "x-etcd-index": "3" });
      response.flushHeaders();
      request.once("close", resolve);
    }).then((url) => {
      const replies: EtcdReply[] = [];
      const watch = client(url).call({ op: "watch", key: "/a" }, null, (reply) => {
        replies.push(reply);
        throw new Error("answered after it was cancelled");
      });
      setTimeout(() => watch.cancel(), 20);
    });
  });
  await dropped;
});
