/**
 * The description of the API that Google's client generators read. The resources, their paths and
 * their schemas are those of fleet 1.0's own; the descriptions are ours.
 */
export function discoveryDocument(): string {
  document ??= JSON.stringify(describe(), null, 2);
  return document;
}

let document: string | null = null;

const text = { type: "string" };
const state = { type: "string", enum: ["inactive", "loaded", "launched"] };

function describe(): unknown {
  return {
    kind: "discovery#restDescription",
    discoveryVersion: "v1",
    id: "fleet:v1",
    name: "schema",
    version: "v1",
    title: "fleet API",
    description: "",
    documentationLink: "http://github.com/coreos/fleet",
    protocol: "rest",
    icons: { x16: "", x32: "" },
    labels: [],
    baseUrl: "$ENDPOINT/fleet/v1/",
    basePath: "/fleet/v1/",
    rootUrl: "$ENDPOINT/",
    servicePath: "fleet/v1/",
    batchPath: "batch",
    parameters: {},
    auth: {},
    schemas: {
      Machine: schema("Machine", {
        id: text,
        primaryIP: text,
        metadata: { type: "object", properties: {}, additionalProperties: text },
      }),
      MachinePage: pageSchema("MachinePage", "machines", "Machine"),
      UnitOption: schema("UnitOption", { section: text, name: text, value: text }),
      Unit: schema("Unit", {
        name: text,
        options: { type: "array", items: { $ref: "UnitOption" } },
        desiredState: state,
        currentState: state,
        machineID: { ...text, required: true },
      }),
      UnitPage: pageSchema("UnitPage", "units", "Unit"),
      UnitState: schema("UnitState", {
        name: text,
        hash: text,
        machineID: text,
        systemdLoadState: text,
        systemdActiveState: text,
        systemdSubState: text,
      }),
      UnitStatePage: pageSchema("UnitStatePage", "states", "UnitState"),
    },
    resources: {
      Machines: {
        methods: { List: list("Machine", "machines", "The machines, page by page.") },
      },
      Units: {
        methods: {
          List: list("Unit", "units", "The units, page by page."),
          Get: { ...one("Unit", "Get", "GET", "units", "One unit."), response: { $ref: "Unit" } },
          Delete: one("Unit", "Delete", "DELETE", "units", "Destroys a unit."),
          Set: {
            ...one("Unit", "Set", "PUT", "units", "Creates a unit or changes it."),
            request: { $ref: "Unit" },
          },
        },
      },
      UnitState: {
        methods: {
          Get: {
            ...one("UnitState", "Get", "GET", "state", "The state of one unit."),
            response: { $ref: "UnitState" },
          },
          List: list("UnitState", "state", "The states of units, page by page.", [
            "unitName",
            "machineID",
          ]),
        },
      },
    },
  };
}

function schema(id: string, properties: Readonly<Record<string, unknown>>): unknown {
  return { id, type: "object", properties };
}

function pageSchema(id: string, collection: string, item: string): unknown {
  const items = { type: "array", items: { $ref: item } };
  return schema(id, { [collection]: items, nextPageToken: text });
}

function list(
  type: string,
  path: string,
  description: string,
  filters: readonly string[] = [],
): unknown {
  const query = { ...text, location: "query" };
  const names = ["nextPageToken", ...filters];
  return {
    id: `fleet.${type}.List`,
    description,
    httpMethod: "GET",
    path,
    parameters: Object.fromEntries(names.map((name) => [name, query])),
    response: { $ref: `${type}Page` },
  };
}

function one(type: string, verb: string, httpMethod: string, path: string, description: string) {
  return {
    id: `fleet.${type}.${verb}`,
    description,
    httpMethod,
    path: `${path}/{unitName}`,
    parameters: { unitName: { ...text, location: "path", required: true } },
    parameterOrder: ["unitName"],
  };
}
