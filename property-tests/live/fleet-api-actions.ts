import fc from "fast-check";
import type { V2Request } from "../../core/etcd/client.js";
import type { FleetHttpRequest, FleetHttpResponse } from "../../core/fleet/index.js";
import { PREFIX } from "../../core/fleet/testing/registry.js";

/** A request to the API, or what engines and agents write meanwhile. */
export type ApiAction = { readonly http: FleetHttpRequest } | { readonly etcd: V2Request };

const UNITS = ["a.service", "b.service", "t@.service", "t@1.service"];
const MACHINES = ["m1", "m2"];
const unit = fc.constantFrom(...UNITS);
const machine = fc.constantFrom(...MACHINES);

const option = fc.constantFrom(
  { section: "Service", name: "ExecStart", value: "/bin/true" },
  { section: "Service", name: "ExecStart", value: "/bin/sh -c 'a && b > \"c\" \u00e9'" },
  { section: "X-Fleet", name: "Global", value: "true" },
  { section: "X-Fleet", name: "Conflicts", value: "b*" },
  { section: "X-Fleet", name: "Replaces", value: "t@1.service" },
  { section: "X-Fleet", name: "MachineOf", value: "b.service" },
  { section: "X-Fleet", name: "MachineID", value: "m1" },
  { section: "Unit", name: "Description", value: "" },
);

const body = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record(
        {
          name: fc.oneof({ weight: 4, arbitrary: fc.constant("") }, { weight: 1, arbitrary: unit }),
          desiredState: fc.constantFrom("inactive", "loaded", "launched", "running", "", null, 3),
          options: fc.oneof(
            { weight: 9, arbitrary: fc.array(option, { maxLength: 3 }) },
            { weight: 1, arbitrary: fc.constantFrom(null, {}, [null], [1], "x") },
          ),
        },
        { requiredKeys: [] },
      )
      .map((json) => JSON.stringify(json)),
  },
  { weight: 1, arbitrary: fc.json({ maxDepth: 2 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", "{", '{"a" 1}', "[", "nulx", '{"NAME":"a.service"}', "{}x"),
  },
);

const types = fc.oneof(
  { weight: 8, arbitrary: fc.constant(["application/json"]) },
  { weight: 1, arbitrary: fc.constantFrom([], ["text/plain"], ["application/json; charset=x"]) },
);

const operation = fc.record(
  {
    op: fc.constantFrom("add", "replace", "remove", "x"),
    path: fc.constantFrom("/m1/metadata/k", "/m2/metadata/l", "/m1/k", "/ghost/metadata/k"),
    value: fc.oneof(
      fc.record({ value: fc.constantFrom("v", "w", "") }),
      fc.constantFrom("v", null, { value: 1 }),
    ),
  },
  { requiredKeys: ["op", "path"] },
);

const request = (
  method: string,
  path: string,
  rest: Partial<FleetHttpRequest> = {},
): ApiAction => ({
  http: { method, target: path, contentTypes: [], body: "", ...rest },
});

const bytes = (text: string): string => Buffer.from(text).toString("latin1");

const PATHS = [
  ...["/units", "/state", "/machines", "/", "/units/", "/machines/m1", "/nothing", "/state/a/b"],
  ...["/state?unitName=a.service", "/state?machineID=m1&unitName=b.service", "/discovery/x"],
  ...["/units?nextPageToken=ZAABAA==", "/units?nextPageToken=ZAACAA==", "/state?nextPageToken="],
  ...["/machines?nextPageToken=ZAAAAA==", "/units?nextPageToken=a&nextPageToken=b"],
  ...["/units?nextPageToken=%zz", "/units?nextPageToken=AAABAA==", "/units?nextPageToken=a+b"],
];

/** Requests to the API, most of which make sense. */
export const http: fc.Arbitrary<ApiAction> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(...PATHS).map((path) => request("GET", `/fleet/v1${path}`)),
  },
  { weight: 3, arbitrary: unit.map((name) => request("GET", `/fleet/v1/units/${name}`)) },
  { weight: 1, arbitrary: unit.map((name) => request("GET", `/v1-alpha/state/${name}`)) },
  { weight: 2, arbitrary: unit.map((name) => request("DELETE", `/fleet/v1/units/${name}`)) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.oneof(
          { weight: 9, arbitrary: unit },
          {
            weight: 1,
            arbitrary: fc.constantFrom("x", "@.service", "a.foo", "%C3%A9.service", "t@.mount"),
          },
        ),
        body,
        types,
      )
      .map(([name, text, contentTypes]) =>
        request("PUT", `/fleet/v1/units/${name}`, { contentTypes, body: bytes(text) }),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(operation, { maxLength: 3 })
      .map((all) => request("PATCH", "/fleet/v1/machines", { body: JSON.stringify(all) })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom("POST", "PUT", "DELETE"),
        fc.constantFrom(
          "/units",
          "/state",
          "/machines",
          "/discovery",
          "/state/a.service",
          "/units/a.service/b",
        ),
      )
      .map(([method, path]) => request(method, `/fleet/v1${path}`)),
  },
);

/** What engines, agents and accidents write, besides the API. */
export const etcd: fc.Arbitrary<ApiAction> = fc
  .tuple(fc.constantFrom("target", "job-state", "state", "object", "forget", "junk"), unit, machine)
  .map(([what, name, at]): ApiAction => {
    const put = (key: string, value: string): ApiAction => ({
      etcd: { op: "put", key: `${PREFIX}/${key}`, value },
    });
    switch (what) {
      case "target":
        return put(`job/${name}/target`, at);
      case "job-state":
        return put(`job/${name}/job-state`, at);
      case "state":
        return put(
          `states/${name}/${at}`,
          `{"loadState":"loaded","activeState":"active","subState":"running","machineState":{"ID":"${at}"},"unitHash":"abc"}`,
        );
      case "object":
        return put(`machines/${at}/object`, `{"ID":"${at}","PublicIP":"","Metadata":{"k":"<s>"}}`);
      case "forget":
        return { etcd: { op: "delete", key: `${PREFIX}/job/${name}`, recursive: true } };
      default:
        return put(`states/${name}/${at}`, "no json");
    }
  });

/** What can be compared: etcd's index in an error, and which of several pairs an error names, cannot. */
export function comparable(response: FleetHttpResponse): string {
  if (response.kind !== "answer") return response.kind;
  const type = response.headers["Content-Type"] ?? "";
  const text = response.body.replace(/\[\d+\]/g, "[INDEX]");
  return `${response.status} ${type} ${text}`;
}

/** A unit's state is asked for: of several states fleet answers any, as etcd and Go have no order for them. */
const ONE_STATE = /^\/(fleet\/v1|v1-alpha)\/state\/([^/?]+)$/;

/**
 * Our answer, or theirs if it could as well be ours.
 *
 * @param ask - asks the model, which must not be changed by it
 */
export function ourAnswer(
  request: FleetHttpRequest,
  ours: string,
  theirs: string,
  ask: (request: FleetHttpRequest) => FleetHttpResponse,
): string {
  const [, , unit] = ONE_STATE.exec(request.target) ?? [];
  if (ours === theirs || request.method !== "GET" || unit === undefined) return ours;
  const all = ask({ ...request, target: `/fleet/v1/state?unitName=${unit}` });
  if (all.kind !== "answer" || all.status !== 200) return ours;
  const { states = [] }: { states?: readonly unknown[] } = JSON.parse(all.body);
  const others = states.map((state) => `200 application/json ${JSON.stringify(state)}`);
  return others.includes(theirs) ? theirs : ours;
}
