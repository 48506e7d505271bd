import { quote, toBytes } from "../go/index.js";
import { type MetadataOperation, readMetadataOperations, readUnitBody } from "./api-bodies.js";
import { discoveryDocument } from "./api-discovery.js";
import {
  badRequestAnswer,
  cleanPath,
  errorAnswer,
  type FleetHttpRequest,
  type FleetHttpResponse,
  jsonAnswer,
  movedAnswer,
  queryValues,
  splitTarget,
  textAnswer,
} from "./api-http.js";
import { type PageToken, readPageToken } from "./api-page.js";
import type { UnitOption } from "./unit-lexer.js";
import { validateUnitName } from "./unit-name.js";

/**
 * What a request demands of the registry, after everything that can be said without it. Plain data:
 * it is part of fleetd's state while the request is under way.
 */
export type ApiPlan =
  | { readonly kind: "list-units"; readonly token: PageToken }
  | { readonly kind: "get-unit"; readonly unit: string }
  | {
      readonly kind: "set-unit";
      readonly unit: string;
      readonly desiredState: string;
      readonly options: readonly (UnitOption | null)[];
    }
  | { readonly kind: "destroy-unit"; readonly unit: string }
  | {
      readonly kind: "list-states";
      readonly token: PageToken;
      /** "" for all. */
      readonly machine: string;
      readonly unit: string;
    }
  | { readonly kind: "get-state"; readonly unit: string }
  | { readonly kind: "list-machines"; readonly token: PageToken }
  | { readonly kind: "patch-machines"; readonly writes: readonly MetadataWrite[] };

/** A value of dynamic metadata; "" takes a static one away. */
export interface MetadataWrite {
  readonly machine: string;
  readonly key: string;
  readonly value: string;
}

export type Planned =
  | { readonly plan: ApiPlan; readonly response: null }
  | { readonly plan: null; readonly response: FleetHttpResponse };

/** Items of a page, unless fleet.conf says otherwise. */
const TOKEN_LIMIT = 100;

const PREFIXES = ["/fleet/v1", "/v1-alpha"];

/**
 * The API's mux and what its handlers check before they ask etcd, in their order. Source: fleet 1.0,
 * api/mux.go, units.go, state.go, machines.go.
 *
 * @param metrics - the text of `/metrics`
 */
export function planRequest(request: FleetHttpRequest, metrics: () => string): Planned {
  const { path, query } = splitTarget(request.target);
  if (path === null) return answered(badRequestAnswer());
  const clean = cleanPath(path);
  if (clean !== path && request.method !== "CONNECT") {
    const location = encodeURI(clean) + (query === "" ? "" : `?${query}`);
    return answered(movedAnswer(location, request.method));
  }
  if (path === "/metrics") return answered(textAnswer(METRICS, metrics()));
  const prefix = PREFIXES.find((one) => path === one || path.startsWith(`${one}/`));
  if (path === "/" || path === prefix) return answered(errorAnswer(405));
  if (prefix === undefined) return answered(errorAnswer(404));
  const [resource = "", item, ...more] = path.slice(prefix.length + 1).split("/");
  if (item !== undefined && (item === "" || more.length > 0)) return answered(errorAnswer(404));
  if (resource === "units") return item === undefined ? units(request, query) : unit(request, item);
  if (resource === "state") {
    if (request.method !== "GET") return only("GET");
    return item === undefined ? states(query) : planned({ kind: "get-state", unit: item });
  }
  if (item !== undefined) return answered(errorAnswer(404));
  if (resource === "machines") return machines(request, query);
  if (resource === "discovery") return discovery(request);
  return answered(errorAnswer(404));
}

const METRICS = "text/plain; version=0.0.4";

function planned(plan: ApiPlan): Planned {
  return { plan, response: null };
}

function answered(response: FleetHttpResponse): Planned {
  return { plan: null, response };
}

function refused(status: number, message?: string): Planned {
  return answered(errorAnswer(status, message));
}

function only(methods: string): Planned {
  return refused(405, `only ${methods} supported against this resource`);
}

function units({ method }: FleetHttpRequest, query: string): Planned {
  if (method !== "GET") return only("GET");
  const token = readPageToken(queryValues(query, "nextPageToken"), TOKEN_LIMIT);
  return token.ok ? planned({ kind: "list-units", token: token.token }) : refused(400, token.error);
}

function states(query: string): Planned {
  const token = readPageToken(queryValues(query, "nextPageToken"), TOKEN_LIMIT);
  if (!token.ok) return refused(400, token.error);
  const [machine = ""] = queryValues(query, "machineID");
  const [name = ""] = queryValues(query, "unitName");
  return planned({ kind: "list-states", token: token.token, machine, unit: name });
}

function machines(request: FleetHttpRequest, query: string): Planned {
  switch (request.method) {
    case "GET": {
      const token = readPageToken(queryValues(query, "nextPageToken"), TOKEN_LIMIT);
      return token.ok
        ? planned({ kind: "list-machines", token: token.token })
        : refused(400, token.error);
    }
    case "PATCH":
      return patch(request);
    default:
      return only("GET and PATCH");
  }
}

function discovery({ method }: FleetHttpRequest): Planned {
  if (method === "GET") return answered(jsonAnswer(200, discoveryDocument()));
  return refused(400, "only HTTP GET supported against this resource");
}

function unit(request: FleetHttpRequest, item: string): Planned {
  switch (request.method) {
    case "GET":
      return planned({ kind: "get-unit", unit: item });
    case "DELETE":
      return planned({ kind: "destroy-unit", unit: item });
    case "PUT":
      return put(request, item);
    default:
      return only("GET, PUT and DELETE");
  }
}

function put({ contentTypes, body }: FleetHttpRequest, item: string): Planned {
  const wrongType = validateContentType(contentTypes);
  if (wrongType !== null) return refused(415, wrongType);
  const read = readUnitBody(body);
  if (!read.ok) return refused(400, `unable to decode body: ${read.error}`);
  const { desiredState, options } = read.body;
  const name = read.body.name === "" ? item : read.body.name;
  if (item !== name) {
    const names = `${quote(toBytes(item))} differs from unit name in request body ${quote(toBytes(name))}`;
    return refused(400, `name in URL ${names}`);
  }
  const invalid = validateUnitName(name);
  if (invalid !== null) return refused(400, invalid);
  return planned({ kind: "set-unit", unit: name, desiredState, options });
}

function validateContentType(values: readonly string[]): string | null {
  const [value] = values;
  if (value === undefined || values.length > 1) {
    return `expected 1 Content-Type, got ${values.length}`;
  }
  const type = (value.split(";")[0] ?? "").trim();
  return type === "application/json" ? null : "only acceptable Content-Type is application/json";
}

const METADATA_PATH = /^\/([^/]+)\/metadata\/([A-Za-z0-9_.-]+)$/;

/** Nothing is written unless every operation is in order. */
function patch({ body }: FleetHttpRequest): Planned {
  const read = readMetadataOperations(body);
  if (!read.ok) return refused(400, read.error);
  const writes: MetadataWrite[] = [];
  for (const operation of read.body) {
    const write = metadataWrite(operation);
    if (typeof write === "string") return refused(400, write);
    writes.push(write);
  }
  return planned({ kind: "patch-machines", writes });
}

/** What an operation writes, or what is wrong with it. */
function metadataWrite({ op, path, value }: MetadataOperation): MetadataWrite | string {
  if (op !== "add" && op !== "remove" && op !== "replace") {
    return "invalid op: expect add, remove, or replace";
  }
  const [, machine, key] = METADATA_PATH.exec(path) ?? [];
  if (machine === undefined || key === undefined) return "machine metadata path invalid";
  if (op === "remove") return { machine, key, value: "" };
  if (value === "") return "invalid value: add and replace require a value";
  return { machine, key, value };
}
