import {
  applySteps,
  checkUpdate,
  parseCloudConfig,
  renderUpdateConf,
  substitute,
  validateCloudConfig,
} from "../../core/cloudconfig/index.js";
import { type DiscoveryRequest, discoveryRegistry } from "../../core/discovery/index.js";
import {
  applyV2Command,
  createV2Store,
  parseV2Request,
  type V2Request,
  type V2Response,
  v2Watch,
} from "../../core/etcd/index.js";
import {
  beginRequest,
  fromBytes,
  hasSection,
  isGlobalUnit,
  nextStep,
  parseUnit,
  parseUnitHash,
  requirements,
  toBytes,
  unitText,
  unknownRequirements,
  validateOptions,
  validateUnitName,
} from "../../core/fleet/index.js";
import { DIAGNOSTIC_CODES, type Diagnostic, stepInPlace } from "../../core/kernel/index.js";
import { diagnoseUnit } from "../../core/systemd/index.js";
import { lintText, parseScenario } from "../../sim/index.js";
import {
  type Corpus,
  cloudConfigCorpus,
  discoveryCorpus,
  fleetApiCorpus,
  scenarioCorpus,
  unitCorpus,
} from "./corpus.js";

/** Something that takes text from outside. */
export interface Target {
  readonly name: string;
  readonly about: string;
  readonly corpus: () => Corpus;
  /** Gives it an input. Throws where it breaks its word, as it may not throw itself. */
  readonly run: (text: string) => void;
}

/** The answer is not one of those that are promised. */
class BrokenPromise extends Error {}

function promise(holds: boolean, what: string): void {
  if (!holds) throw new BrokenPromise(what);
}

const UNIT_NAMES = ["a.service", "web@.service", "web@1.service", "a.socket", "a.timer", "a.mount"];

const unit: Target = {
  name: "unit",
  about: "systemd's diagnosis of a unit file",
  corpus: unitCorpus,
  run(text) {
    const name = UNIT_NAMES[text.length % UNIT_NAMES.length] ?? "a.service";
    const diagnosis = diagnoseUnit(name, text);
    promise(diagnosis !== null, `${name} is the name of a unit`);
    // A NUL ends a line too.
    const lines = text.split(/[\n\r\0]/).length;
    for (const { line, endLine } of diagnosis?.findings ?? []) {
      promise(
        line >= 1 && line <= endLine && endLine <= lines + 1,
        `lines ${line} to ${endLine} of ${lines}`,
      );
    }
  },
};

const fleetUnit: Target = {
  name: "fleet-unit",
  about: "fleet's reading of a unit file, its checks, and that what it writes reads as it was",
  corpus: unitCorpus,
  run(text) {
    const [first = ""] = text.split("\n");
    validateUnitName(first);
    parseUnitHash(first);
    const parsed = parseUnit(text);
    if (!parsed.ok) return promise(parsed.error !== "", "an error has words");
    for (const name of ["web@1.service", "plain.service", first]) requirements(name, parsed.unit);
    isGlobalUnit(parsed.unit);
    hasSection(parsed.unit, "X-Fleet");
    validateOptions(parsed.unit);
    unknownRequirements(parsed.unit);
    promise(/^[0-9a-f]{40}$/.test(parsed.unit.hash), "a hash is 40 hex digits");
    unitText(parsed.unit);
  },
};

const METADATA = { public_ipv4: "192.0.2.7", private_ipv4: "10.0.0.7", public_ipv6: "2001:db8::7" };

const cloudConfig: Target = {
  name: "cloud-config",
  about: "coreos-cloudinit's validator, substitution, reading and steps",
  corpus: cloudConfigCorpus,
  run(text) {
    for (const { line, message } of validateCloudConfig(text).entries) {
      promise(line >= 0 && message !== "", "an entry has a line and words");
    }
    const texts = substitute(text, { metadata: METADATA, env: {} });
    promise(texts.length > 0, "substitution yields something");
    const parsed = parseCloudConfig(texts[0] ?? "", "user-data");
    if (!parsed.ok) return checkDiagnostics(parsed.diagnostics, text, true);
    checkDiagnostics(parsed.warnings, text, false);
    applySteps(parsed.value, { addresses: METADATA });
    const { update } = parsed.value.coreos;
    if (checkUpdate(update) === null) renderUpdateConf(update, "GROUP=beta\nSERVER=x\n");
  },
};

const lint: Target = {
  name: "lint",
  about: "orrery lint, over cloud-configs with units in them and over unit files",
  corpus: cloudConfigCorpus,
  run(text) {
    const lines = text.split("\n").length;
    for (const [file, kind] of [
      ["user-data", "cloud-config"],
      ["a.service", "fleet-unit"],
    ] as const) {
      for (const { position, message } of lintText(file, text, kind)) {
        promise(position.line >= 1 && position.line <= lines, `line ${position.line} of ${lines}`);
        promise(position.column >= 1 && message !== "", "a finding has a column and words");
      }
    }
  },
};

const scenario: Target = {
  name: "scenario",
  about: "the scenario format",
  corpus: scenarioCorpus,
  run(text) {
    const parsed = parseScenario(text, { file: "fuzz.yaml" });
    if (parsed.ok) checkDiagnostics(parsed.warnings, text, false);
    else checkDiagnostics(parsed.diagnostics, text, true);
  },
};

function checkDiagnostics(diagnostics: readonly Diagnostic[], text: string, failed: boolean): void {
  const lines = text.split(/\r\n|\r|\n|\u0085|\u2028|\u2029/).length;
  promise(
    !failed || diagnostics.some(({ severity }) => severity === "error"),
    "a refusal has an error",
  );
  for (const { code, position, found, expected } of diagnostics) {
    promise(Object.hasOwn(DIAGNOSTIC_CODES, code), `${code} is in the catalogue`);
    promise(position.line >= 1 && position.line <= lines + 1, `line ${position.line} of ${lines}`);
    promise(position.column >= 1, `column ${position.column}`);
    promise(found !== "" && expected !== "", `${code} says what was found and expected`);
  }
}

const fleetApi: Target = {
  name: "fleet-api",
  about: "requests to fleet's HTTP API, over a registry that earlier ones may have filled",
  corpus: fleetApiCorpus,
  run(text) {
    const store = createV2Store();
    for (const request of [...FILLING, text]) {
      const [head = "", ...rest] = request.split("\n\n");
      const [line = "", ...contentTypes] = head.split("\n");
      const [method = "", target = ""] = line.split(" ", 2);
      const body = toBytes(rest.join("\n\n"));
      ask(store, { method, target, contentTypes, body });
    }
  },
};

const FILLING = [
  'PUT /fleet/v1/units/a.service\napplication/json\n\n{"desiredState":"loaded","options":[{"section":"Service","name":"ExecStart","value":"/bin/a"}]}',
  'PUT /fleet/v1/units/web@.service\napplication/json\n\n{"options":[{"section":"X-Fleet","name":"Global","value":"true"}]}',
];

/** More calls than any request makes. */
const CALLS_MAX = 5_000;

function ask(
  store: ReturnType<typeof createV2Store>,
  request: Parameters<typeof beginRequest>[0],
): void {
  const { run, response } = beginRequest(request, true);
  if (run === null) {
    promise(response.kind !== "refused", "somebody listens");
    return;
  }
  for (let calls = 0; calls < CALLS_MAX; calls++) {
    const step = nextStep({ keyPrefix: "/_coreos.com/fleet", profile: "faithful" }, run);
    if (step.call === null) {
      if (step.response.kind === "answer") fromBytes(step.response.body);
      return;
    }
    run.replies.push(answer(store, step.call));
  }
  promise(false, `a request ends within ${CALLS_MAX} calls`);
}

function answer(store: ReturnType<typeof createV2Store>, request: V2Request): V2Response {
  const parsed = parseV2Request(request, 0);
  if (!parsed.ok) return parsed.failure;
  const { command } = parsed;
  if (command.op !== "watch") return applyV2Command(store, command, 0, []);
  const { key, recursive, sinceIndex } = command;
  const event = v2Watch(store, 1, key, recursive, false, sinceIndex);
  if (event === null) throw new BrokenPromise("the API never waits");
  return event;
}

const discovery: Target = {
  name: "discovery",
  about: "requests to the discovery service",
  corpus: discoveryCorpus,
  run(text) {
    const state = discoveryRegistry.create({ host: "https://d", seed: 1 });
    let id = 0;
    let waiting = 0;
    for (const line of text.split("\n")) {
      const stimulus = { kind: "registry-request", id: ++id, request: requestOf(line) } as const;
      const { effects } = stepInPlace(discoveryRegistry, state, stimulus, id * 1_000);
      const own = effects.filter((effect) => effect.id === id).length;
      const isWatch = stimulus.request.op === "watch";
      promise(own === 1 || (own === 0 && isWatch), `request ${id} has ${own} answers`);
      waiting += (own === 0 ? 1 : 0) - (effects.length - own);
    }
    promise(waiting === state.store.watchers.keys.size, "who waits is known");
  },
};

function requestOf(line: string): DiscoveryRequest {
  const [op = "", key = "", ...rest] = line.split(" ");
  const value = rest.join(" ");
  switch (op) {
    case "new":
      return { op, size: key };
    case "put":
      return { op, key, value, prevExist: false };
    case "delete":
      return { op, key, recursive: value !== "" };
    case "watch":
      return { op, key, recursive: true, waitIndex: Math.trunc(Math.abs(Number(value))) || 0 };
    default:
      return { op: "get", key: key === "" ? op : key };
  }
}

export const TARGETS: readonly Target[] = [
  unit,
  fleetUnit,
  cloudConfig,
  lint,
  scenario,
  fleetApi,
  discovery,
];
