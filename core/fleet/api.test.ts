import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toBytes } from "../go/index.js";
import { pageOf, pageTokenText, readPageToken } from "./api-page.js";
import { PREFIX, Registry, shown } from "./testing/registry.js";

const OPTION = { section: "Service", name: "ExecStart", value: "/bin/true" };
const error = (code: number, message = "") =>
  `${code} {"error":{"code":${code},"message":${JSON.stringify(message)}}}`;

describe("a PUT of a unit", () => {
  test("creates it in three writes: file, object, target state", () => {
    const registry = new Registry();
    const body = { name: "a.service", desiredState: "loaded", options: [OPTION] };
    expect(shown(registry.put("a.service", body))).toBe("201");
    const writes = registry.requests.filter(({ op }) => op === "put").map(({ key }) => key);
    expect(writes.map((key) => key.replace(PREFIX, "").replace(/[0-9a-f]{40}/, "HASH"))).toEqual([
      "/unit/HASH",
      "/job/a.service/object",
      "/job/a.service/target-state",
    ]);
    expect(shown(registry.get("/units/a.service"))).toBe(
      '200 {"currentState":"inactive","desiredState":"loaded","name":"a.service","options":[{"name":"ExecStart","section":"Service","value":"/bin/true"}]}',
    );
  });

  test("takes the name from the path where the body has none, and inactive for a state", () => {
    const registry = new Registry();
    expect(shown(registry.put("a.service", { options: [OPTION] }))).toBe("201");
    expect(shown(registry.get("/units/a.service"))).toContain('"desiredState":"inactive"');
  });

  test("changes the state of a unit that is there, and nothing else", () => {
    const registry = new Registry();
    registry.submit("a.service");
    expect(shown(registry.put("a.service", { desiredState: "launched" }))).toBe("204");
    expect(shown(registry.get("/units/a.service"))).toContain('"desiredState":"launched"');
    const same = { desiredState: "loaded", options: [OPTION] };
    expect(shown(registry.put("a.service", same))).toBe("204");
  });

  test("replaces the content of a unit that is there, without looking at its options", () => {
    const registry = new Registry();
    registry.submit("a.service");
    const forbidden = [
      { section: "X-Fleet", name: "Conflicts", value: "b.service" },
      { section: "X-Fleet", name: "Replaces", value: "c.service" },
    ];
    expect(shown(registry.put("a.service", { options: forbidden }))).toBe("201");
    expect(shown(registry.put("b.service", { options: forbidden }))).toBe(
      error(400, "Conflicts cannot be used with Replaces"),
    );
  });

  test("is checked in fleet's order: content type, body, name, then what etcd holds", () => {
    const registry = new Registry();
    const ask = (contentTypes: readonly string[], body: string, unit = "a.service") =>
      shown(registry.ask({ method: "PUT", target: `/fleet/v1/units/${unit}`, contentTypes, body }));
    const json = ["application/json; charset=utf-8"];
    expect(ask([], "")).toBe(error(415, "expected 1 Content-Type, got 0"));
    expect(ask(["a/b", "a/b"], "")).toBe(error(415, "expected 1 Content-Type, got 2"));
    expect(ask(["text/plain"], "")).toBe(
      error(415, "only acceptable Content-Type is application/json"),
    );
    expect(ask(json, "")).toBe(error(400, "unable to decode body: EOF"));
    expect(ask(json, '{"name":"b.service"}')).toBe(
      error(400, 'name in URL "a.service" differs from unit name in request body "b.service"'),
    );
    expect(ask(json, "{}", "a")).toBe(error(400, 'unit name must contain "."'));
    expect(registry.requests).toEqual([]);
    expect(ask(json, "{}")).toBe(error(409, "unit does not exist and options field empty"));
    registry.submit("a.service");
    expect(ask(json, "{}")).toBe(error(409, "must provide DesiredState to update existing unit"));
  });

  test("may not activate a template that is there, but creates one that is active", () => {
    const registry = new Registry();
    registry.submit("a@.service");
    expect(shown(registry.put("a@.service", { desiredState: "loaded" }))).toBe(
      error(400, 'cannot activate template "a@.service"'),
    );
    expect(shown(registry.put("a@.service", { desiredState: "inactive" }))).toBe("204");
    const launched = { desiredState: "launched", options: [OPTION] };
    expect(shown(registry.put("b@.service", launched))).toBe("201");
  });

  test("that creates with an unknown state is an internal error and stores nothing", () => {
    const registry = new Registry();
    const body = { desiredState: "running", options: [OPTION] };
    expect(shown(registry.put("a.service", body))).toBe(error(500));
    expect(shown(registry.get("/units"))).toBe("200 {}");
  });

  test("that updates to an unknown state poisons the unit for good; fixed refuses it", () => {
    const faithful = new Registry();
    faithful.submit("a.service");
    faithful.submit("b.service", "[Service]\nExecStart=/bin/false\n");
    expect(shown(faithful.put("a.service", { desiredState: "running" }))).toBe("204");
    expect(shown(faithful.get("/units"))).not.toContain("a.service");
    expect(shown(faithful.get("/units"))).toContain("b.service");
    expect(shown(faithful.get("/units/a.service"))).toBe(error(500));
    expect(shown(faithful.put("a.service", { desiredState: "loaded" }))).toBe(error(500));
    expect(shown(faithful.destroy("a.service"))).toBe(error(500));
    const fixed = new Registry("fixed");
    fixed.submit("a.service");
    expect(shown(fixed.put("a.service", { desiredState: "running" }))).toBe(
      error(400, 'invalid value "running" for JobState'),
    );
    fixed.target("a.service", "running");
    expect(shown(fixed.destroy("a.service"))).toBe("204");
  });

  test("whose options hold a null drops the connection; fixed refuses it", () => {
    expect(shown(new Registry().put("a.service", { options: [null] }))).toBe("dropped");
    expect(shown(new Registry("fixed").put("a.service", { options: [null] }))).toMatch(/^400 /);
  });
});

describe("a unit", () => {
  test("has a state that follows from who beats for it and who has reported on it", () => {
    const registry = new Registry();
    registry.submit("a.service");
    const state = () => /"currentState":"(\w+)"/.exec(shown(registry.get("/units/a.service")))?.[1];
    registry.schedule("a.service", "m1");
    expect(state()).toBe("inactive");
    registry.report("a.service", "m1");
    expect(state()).toBe("loaded");
    registry.beat("a.service", "m2");
    expect(state()).toBe("loaded");
    registry.beat("a.service", "m1");
    expect(state()).toBe("launched");
    expect(shown(registry.get("/units"))).toContain('"currentState":"launched"');
    expect(shown(registry.get("/units/a.service"))).toContain('"machineID":"m1"');
  });

  test("that is global has no current state of its own, and one in lists", () => {
    const registry = new Registry();
    registry.submit("g.service", "[X-Fleet]\nGlobal=true\n");
    expect(shown(registry.get("/units/g.service"))).not.toContain("currentState");
    expect(shown(registry.get("/units"))).toContain('"currentState":"inactive"');
  });

  test("whose file is gone is missing from lists and an internal error by name", () => {
    const registry = new Registry();
    registry.submit("a.service");
    registry.submit("b.service", "[Service]\nExecStart=/bin/false\n");
    const file = registry.requests.find(({ key }) => key.startsWith(`${PREFIX}/unit/`));
    registry.etcd({ op: "delete", key: file?.key ?? "" });
    expect(shown(registry.get("/units"))).not.toContain("a.service");
    expect(shown(registry.get("/units/a.service"))).toBe(error(500));
  });

  test("of which only a heartbeat is left does not exist", () => {
    const registry = new Registry();
    registry.beat("a.service", "m1");
    expect(shown(registry.get("/units/a.service"))).toBe(error(404, "unit does not exist"));
    expect(shown(registry.destroy("a.service"))).toBe(error(404, "unit does not exist"));
  });

  test("is destroyed by DELETE, its file kept", () => {
    const registry = new Registry();
    registry.submit("a.service");
    expect(shown(registry.destroy("a.service"))).toBe("204");
    expect(shown(registry.get("/units/a.service"))).toBe(error(404, "unit does not exist"));
    const files = registry.etcd({ op: "get", key: `${PREFIX}/unit` });
    expect(files.ok && files.node.nodes?.length).toBe(1);
  });

  test("keeps characters that HTML takes for markup escaped", () => {
    const registry = new Registry();
    registry.submit("a.service", "[Service]\nExecStart=/bin/sh -c 'a && b > c'\n");
    expect(shown(registry.get("/units/a.service"))).toContain("a \\u0026\\u0026 b \\u003e c");
  });
});

describe("the states of units", () => {
  test("come by unit and machine, and can be filtered by either", () => {
    const registry = new Registry();
    registry.report("b.service", "m1");
    registry.report("a.service", "m2", "failed", "failed");
    registry.report("a.service", "m1");
    const names = (query: string) =>
      [...shown(registry.get(`/state${query}`)).matchAll(/"machineID":"(\w+)","name":"(\w)/g)].map(
        ([, machine, unit]) => `${unit}@${machine}`,
      );
    expect(names("")).toEqual(["a@m1", "a@m2", "b@m1"]);
    expect(names("?machineID=m1")).toEqual(["a@m1", "b@m1"]);
    expect(names("?unitName=a.service&machineID=m2")).toEqual(["a@m2"]);
    expect(shown(registry.get("/state?unitName=x"))).toBe("200 {}");
    expect(shown(registry.get("/state?unitName=a.service&machineID=m2"))).toBe(
      `200 {"states":[{"hash":"${"1".repeat(40)}","machineID":"m2","name":"a.service","systemdActiveState":"failed","systemdLoadState":"loaded","systemdSubState":"failed"}]}`,
    );
  });

  test("of a unit nobody has reported on drop the connection; fixed says 404", () => {
    expect(shown(new Registry().get("/state/a.service"))).toBe("dropped");
    expect(shown(new Registry("fixed").get("/state/a.service"))).toBe(
      error(404, "unit state does not exist"),
    );
    const registry = new Registry();
    registry.report("a.service", "m1");
    expect(shown(registry.get("/state/a.service"))).toContain('"name":"a.service"');
  });
});

describe("machines", () => {
  test("are listed with their metadata, patched or their own", () => {
    const registry = new Registry();
    registry.machine("XXX", { foo: "old" });
    registry.machine("YYY", {}, "1.2.3.4");
    const add = { op: "add", path: "/XXX/metadata/foo", value: { value: "bar" } };
    const replace = { op: "replace", path: "/YYY/metadata/ping", value: { value: "splat" } };
    expect(shown(registry.patch([add, replace]))).toBe("204");
    expect(shown(registry.get("/machines"))).toBe(
      '200 {"machines":[{"id":"XXX","metadata":{"foo":"bar"}},{"id":"YYY","metadata":{"ping":"splat"},"primaryIP":"1.2.3.4"}]}',
    );
    const remove = (path: string) => ({ op: "remove", path });
    const body = [remove("/XXX/metadata/foo"), remove("/YYY/metadata/ping")];
    expect(shown(registry.patch(body))).toBe("204");
    expect(shown(registry.get("/machines"))).toBe(
      '200 {"machines":[{"id":"XXX"},{"id":"YYY","primaryIP":"1.2.3.4"}]}',
    );
  });

  test("are not patched at all when one operation is out of order", () => {
    const registry = new Registry();
    const good = { op: "add", path: "/m/metadata/k", value: { value: "v" } };
    const refusals: readonly [unknown, string][] = [
      [{ ...good, op: "noop" }, "invalid op: expect add, remove, or replace"],
      [{ ...good, path: "/m/foo" }, "machine metadata path invalid"],
      [{ ...good, path: "/m/metadata/k/l" }, "machine metadata path invalid"],
      [{ op: "add", path: "/m/metadata/k" }, "invalid value: add and replace require a value"],
    ];
    for (const [bad, message] of refusals) {
      expect(shown(registry.patch([good, bad]))).toBe(error(400, message));
    }
    expect(registry.requests).toEqual([]);
    expect(shown(registry.patch("null"))).toBe("204");
  });

  test("say in which words Go refuses the value that fleet's own documents show", () => {
    const body = [{ op: "add", path: "/m/metadata/k", value: "v" }];
    expect(shown(new Registry().patch(body))).toBe(
      error(
        400,
        'json: cannot unmarshal string into Go struct field machineMetadataOp.Value of type struct { Value string "json:\\"value\\"" }',
      ),
    );
  });

  test("that are unknown are left with metadata alone, and are not listed", () => {
    const registry = new Registry();
    registry.patch([{ op: "add", path: "/ghost/metadata/k", value: { value: "v" } }]);
    expect(shown(registry.get("/machines"))).toBe("200 {}");
  });
});

test("paths and methods are told apart as fleet's mux does", () => {
  const registry = new Registry();
  const ask = (method: string, target: string) => shown(registry.ask({ method, target }));
  expect(ask("GET", "/")).toBe(error(405));
  expect(ask("GET", "/fleet/v1")).toBe(error(405));
  expect(ask("GET", "/v1-alpha/units")).toBe("200 {}");
  expect(ask("GET", "/fleet/v2/units")).toBe(error(404));
  expect(ask("GET", "/fleet/v1/units/")).toBe(error(404));
  expect(ask("GET", "/fleet/v1/units/a/b")).toBe(error(404));
  expect(ask("GET", "/fleet/v1/machines/x")).toBe(error(404));
  expect(ask("POST", "/fleet/v1/units")).toBe(
    error(405, "only GET supported against this resource"),
  );
  expect(ask("HEAD", "/fleet/v1/units/a.service")).toMatch(/^405 /);
  expect(ask("PUT", "/fleet/v1/machines")).toBe(
    error(405, "only GET and PATCH supported against this resource"),
  );
  expect(ask("POST", "/fleet/v1/discovery")).toBe(
    error(400, "only HTTP GET supported against this resource"),
  );
  const document: unknown = JSON.parse(ask("GET", "/fleet/v1/discovery").slice(4));
  expect(document).toMatchObject({ id: "fleet:v1", basePath: "/fleet/v1/" });
  expect(ask("GET", "/fleet//v1/units")).toMatch(/^301 /);
  expect(ask("GET", "/fleet/v1/units/%zz")).toMatch(/^400 /);
});

test("everything is an internal error while etcd does not answer, and says nothing more", () => {
  const registry = new Registry();
  registry.submit("a.service");
  registry.broken = { ok: false, unreachable: "timeout" };
  for (const path of ["/units", "/units/a.service", "/state", "/state/a.service", "/machines"]) {
    expect(shown(registry.get(path))).toBe(error(500));
  }
  expect(shown(registry.put("a.service", { desiredState: "loaded" }))).toBe(error(500));
});

describe("pages", () => {
  test("are named by limit and number, two little-endian 16 bit numbers in base64url", () => {
    expect(pageTokenText({ limit: 100, page: 1 })).toBe("ZAABAA==");
    expect(pageTokenText({ limit: 65_535, page: 1 })).toBe("__8BAA==");
  });

  test("are refused in the words of Go's base64 and binary packages", () => {
    // Seen with Go 1.26: encoding/base64's URLEncoding, then binary.Read.
    const seen: readonly [string, string][] = [
      ["", "EOF"],
      ["ZAABAA", "illegal base64 data at input byte 4"],
      ["ZAABAA=", "illegal base64 data at input byte 7"],
      ["ZAAB", "unexpected EOF"],
      ["Z", "illegal base64 data at input byte 0"],
      ["ZAAB*A==", "illegal base64 data at input byte 4"],
      ["====", "illegal base64 data at input byte 0"],
      ["ZAABAA==x", "illegal base64 data at input byte 8"],
      ["Z===", "illegal base64 data at input byte 1"],
      ["ZAA=AA==", "illegal base64 data at input byte 4"],
      ["ZAABA===", "illegal base64 data at input byte 5"],
      ["//8BAA==", "illegal base64 data at input byte 0"],
      ["__8BAA==", "token limit must be 100"],
      ["ZAAAAA==", "token page must be greater than zero"],
    ];
    for (const [text, message] of seen) {
      expect(readPageToken([text], 100)).toEqual({ ok: false, error: message });
    }
    for (const text of ["ZAABAA==", "ZAABAAAA", "ZA\nABAA==", "ZAABAB=="]) {
      expect(readPageToken([text], 100)).toMatchObject({ ok: true, token: { page: 1 } });
    }
    expect(readPageToken(["a", "b"], 100)).toMatchObject({
      error: "too many values for page token",
    });
  });

  test("that are full to the last item are followed by an empty one", () => {
    const registry = new Registry();
    for (let i = 0; i < 200; i++) registry.report(`u${i}.service`, "m");
    const sizes: number[] = [];
    for (let token = ""; ; ) {
      const page = shown(registry.get(`/state${token === "" ? "" : `?nextPageToken=${token}`}`));
      sizes.push(page.split('"hash"').length - 1);
      token = /"nextPageToken":"([^"]+)"/.exec(page)?.[1] ?? "";
      if (token === "") break;
    }
    expect(sizes).toEqual([100, 100, 0]);
  });

  test("wrap around after 65535 items, unless told not to", () => {
    const all = Array.from({ length: 300 }, (_, index) => index);
    expect(pageOf(all, { limit: 100, page: 657 }, true)?.items[0]).toBe(64);
    expect(pageOf(all, { limit: 100, page: 657 }, false)?.items).toEqual([]);
    const long = Array.from({ length: 65_600 }, (_, index) => index);
    expect(pageOf(long, { limit: 100, page: 656 }, true)).toBeNull();
    expect(pageOf(long, { limit: 100, page: 656 }, false)?.items).toHaveLength(100);
  });

  test("are read as they are written", () => {
    const number = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(number, number, (limit, page) => {
        const text = pageTokenText({ limit, page });
        expect(readPageToken([text], limit)).toEqual({ ok: true, token: { limit, page } });
      }),
    );
  });
});

const BODIES = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.json({ maxDepth: 3 }),
  fc
    .record(
      {
        name: fc.oneof(fc.constant("a.service"), fc.string({ maxLength: 8 }), fc.integer()),
        desiredState: fc.constantFrom("inactive", "loaded", "launched", "x", null, 1),
        options: fc.array(
          fc.oneof(fc.constant(null), fc.record({ section: fc.string(), name: fc.string() })),
          { maxLength: 3 },
        ),
      },
      { requiredKeys: [] },
    )
    .map((body) => JSON.stringify(body)),
);

// Would have caught a body that throws inside the server.
test("whatever a client sends is answered, in JSON", () => {
  const methods = fc.constantFrom("GET", "PUT", "DELETE", "PATCH", "POST");
  const paths = ["units/a.service", "units", "machines", "state", "state/a.service", "x"];
  fc.assert(
    fc.property(methods, fc.constantFrom(...paths), BODIES, fc.boolean(), (...drawn) => {
      const [method, path, text, there] = drawn;
      const registry = new Registry("fixed");
      if (there) registry.submit("a.service");
      const contentTypes = ["application/json"];
      const body = toBytes(text);
      const response = registry.ask({ method, target: `/fleet/v1/${path}`, contentTypes, body });
      if (response.kind !== "answer") throw new Error(response.kind);
      expect([200, 201, 204, 400, 404, 405, 409, 500]).toContain(response.status);
      if (response.body !== "") expect(() => JSON.parse(response.body)).not.toThrow();
    }),
    { numRuns: 300 },
  );
});
