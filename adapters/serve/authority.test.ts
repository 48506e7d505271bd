import { createServer } from "node:http2";
import { connect, createServer as createTcp } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { AuthorityRewriter, withAuthority } from "./authority.js";

/** HPACK's Huffman codes of what hosts and URLs have. RFC 7541, appendix B. */
const CODES: Readonly<Record<string, string>> = {
  ...codes(5, 0b00000, "012aceiost"),
  ...codes(6, 0b010100, " %-./3456789=A_bdfghlmnpru"),
  ...codes(7, 0b1011100, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
};

function codes(bits: number, first: number, characters: string): Record<string, string> {
  return Object.fromEntries(
    [...characters].map((one, i) => [one, (first + i).toString(2).padStart(bits, "0")]),
  );
}

function huffman(text: string): Buffer {
  const bits = [...text].map((one) => CODES[one] ?? "").join("");
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from((padded.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** A literal header field that is added to the table, with a name of the static one. */
function field(name: number, value: string, coded: boolean): Buffer {
  const bytes = coded ? huffman(value) : Buffer.from(value);
  return Buffer.concat([Buffer.from([0x40 | name, (coded ? 0x80 : 0) | bytes.length]), bytes]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const PREFACE = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  frame(4, 0, 0, Buffer.alloc(0)),
]);

/** GET / over http with an authority; the second request refers to what the first has put into the table. */
function requests(authority: string, coded: boolean): Buffer {
  const first = Buffer.concat([Buffer.from([0x82, 0x86, 0x84]), field(1, authority, coded)]);
  const second = Buffer.from([0x82, 0x86, 0x84, 0xbe]);
  return Buffer.concat([PREFACE, frame(1, 5, 1, first), frame(1, 5, 3, second)]);
}

/** What Node's HTTP/2 makes of bytes that a client sends. */
async function authorities(bytes: Buffer): Promise<(string | undefined)[]> {
  const heard: (string | undefined)[] = [];
  const http2 = createServer();
  const tcp = createTcp((socket) => {
    socket.once("data", (begun) => http2.emit("connection", withAuthority(socket, begun)));
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const address = tcp.address();
  const client = connect(address !== null && typeof address === "object" ? address.port : 0);
  const done = new Promise<void>((resolve) => {
    http2.on("stream", (stream, headers) => {
      heard.push(headers[":authority"]);
      stream.respond({}, { endStream: true });
      if (heard.length === 2) resolve();
    });
    client.on("close", resolve);
  });
  client.on("error", () => {});
  client.write(bytes);
  await done;
  client.destroy();
  tcp.close();
  http2.close();
  return heard;
}

test("an authority with a scheme reaches Node's HTTP/2, now and when it is referred to again", async () => {
  for (const coded of [true, false]) {
    expect(await authorities(requests("http://127.0.0.1:2379", coded))).toEqual([
      "http:..127.0.0.1:2379",
      "http:..127.0.0.1:2379",
    ]);
  }
});

test("nothing but the slashes of an authority changes, however the bytes come", () => {
  const character = fc.constantFrom(...Object.keys(CODES));
  fc.assert(
    fc.property(
      fc.string({ unit: character, maxLength: 60 }),
      fc.string({ unit: character, maxLength: 60 }),
      fc.boolean(),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (authority, path, coded, cuts) => {
        const build = (host: string): Buffer => {
          const block = Buffer.concat([
            field(4, path, coded),
            field(1, host, coded),
            field(4, path, coded),
          ]);
          const data = frame(0, 0, 1, Buffer.from(`http://${path}`));
          return Buffer.concat([PREFACE, frame(1, 4, 1, block), data, frame(1, 4, 3, block)]);
        };
        const rewriter = new AuthorityRewriter();
        const given = build(authority);
        const passed: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          passed.push(rewriter.pass(given.subarray(at, at + cut)));
          at += cut;
        }
        passed.push(rewriter.pass(given.subarray(at)));
        expect(Buffer.concat(passed)).toEqual(build(authority.replaceAll("/", ".")));
      },
    ),
  );
});

test("bytes that are no HTTP/2 pass or wait, and none are lost or made up", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const rewriter = new AuthorityRewriter();
      const given = Buffer.concat([PREFACE.subarray(0, 24), Buffer.from(bytes)]);
      expect(rewriter.pass(given).length).toBeLessThanOrEqual(given.length);
    }),
    { numRuns: 1_000 },
  );
});
