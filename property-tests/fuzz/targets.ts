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
  hasSection,
  isGlobalUnit,
  parseUnit,
  parseUnitBytes,
  parseUnitHash,
  requirements,
  type UnitFile,
  unitText,
  unknownRequirements,
  validateOptions,
  validateUnitName,
} from "../../core/fleet/index.js";
import { stepInPlace } from "../../core/kernel/index.js";
import { readConfig } from "../../core/systemd/config.js";
import { DEPENDENCIES } from "../../core/systemd/dependency.js";
import { diagnoseUnit, parseUnitFile } from "../../core/systemd/index.js";
import { parseUnitName, type UnitName } from "../../core/systemd/names.js";
import { lintText, parseScenario } from "../../sim/index.js";
import {
  type Corpus,
  cloudConfigCorpus,
  discoveryCorpus,
  fleetApiCorpus,
  scenarioCorpus,
  unitCorpus,
} from "./corpus.js";
import { askFleetApi, rawBytes } from "./fleet-api.js";
import { checkDiagnostics, gist, promise, size } from "./promises.js";

/** Something that takes text from outside. */
export interface Target {
  readonly name: string;
  readonly about: string;
  readonly corpus: () => Corpus;
  /**
   * Gives it an input. Throws where it breaks its word, as it may not throw itself.
   *
   * @returns traits of the answer: short texts, bounded in number. An input that shows a new one is
   * worth breeding from
   */
  readonly run: (text: string) => readonly string[];
}

const SERVICES = ["a.service", "web@.service", "web@1.service"];
const OTHERS = ["a.target", "a.mount", "a.path", "a.socket", "a.timer", "a.slice"];

/** A name of the type that the text has a section for; else any. */
function fileFor(text: string): string {
  const type = /^\[(Service|Socket|Timer|Mount|Path)\]/m.exec(text)?.[1]?.toLowerCase();
  const names = type === "service" ? SERVICES : type === undefined ? OTHERS : [`a.${type}`];
  return names[text.length % names.length] ?? "a.service";
}

const CONTEXT = { hostname: "h", machineId: "0", bootId: "0" };

const unit: Target = {
  name: "unit",
  about: "systemd's diagnosis of a unit file, and its settings",
  corpus: unitCorpus,
  run(text) {
    const file = fileFor(text);
    const diagnosis = diagnoseUnit(file, text);
    const name = parseUnitName(file);
    promise(diagnosis !== null && name !== null, `${file} is the name of a unit`);
    // A NUL ends a line too.
    const lines = text.split(/[\n\r\0]/).length;
    const traits = new Set([file, `${diagnosis.load} ${gist(diagnosis.reason)}`]);
    for (const { fault, line, endLine, found } of diagnosis.findings) {
      promise(
        line >= 1 && line <= endLine && endLine <= lines + 1,
        `lines ${line} to ${endLine} of ${lines}`,
      );
      traits.add(fault === "value" ? `value ${found.split("=", 1)[0]?.slice(0, 40)}` : fault);
    }
    traits.add(size("findings", diagnosis.findings.length));
    if (now(text, 4)) for (const trait of checkSettings(text, file, name)) traits.add(trait);
    return [...traits];
  },
};

/** Once in so many texts: for promises that take as long to check as all the rest. */
const now = (text: string, times: number): boolean => text.length % times === 0;

/** Settings are a machine's state: plain data, of the kinds there are. */
function checkSettings(text: string, file: string, name: UnitName): string[] {
  const { options } = parseUnitFile(text, file);
  const assignments = options.map((option) => ({ ...option, file }));
  const config = readConfig(assignments, name, CONTEXT, { start: 90, stop: 90 });
  for (const { kind } of config.dependencies) {
    promise(Object.hasOwn(DEPENDENCIES, kind), "a dependency is of a kind there is");
  }
  if (now(text, 16)) structuredClone(config);
  const chosen = Object.entries(config.service ?? {}).flatMap(([key, value]) =>
    typeof value === "boolean" || typeof value === "string" ? [`${key} ${value}`.slice(0, 40)] : [],
  );
  return [
    ...chosen,
    ...config.dependencies.map(({ kind }) => `dependency ${kind}`),
    size("ignored", config.ignored.length),
    size("unsupported", config.unsupported.length),
  ];
}

const fleetUnit: Target = {
  name: "fleet-unit",
  about: "fleet's reading of a unit file, its checks, and that what it writes reads as it was",
  corpus: unitCorpus,
  run(text) {
    const first = (text.split("\n", 1)[0] ?? "").slice(0, 255);
    const traits = [`name ${gist(validateUnitName(first) ?? "")}`];
    const hash = parseUnitHash(first);
    if (!hash.ok) traits.push(`hash ${gist(hash.error)}`);
    const readings = [parseUnit(text)];
    if (/[\x80-\xff]/.test(text)) readings.push(parseUnitBytes(rawBytes(text)));
    for (const read of readings) {
      if (read.ok) traits.push(...checkUnit(read.unit, first));
      else {
        promise(read.error !== "", "an error has words");
        traits.push(gist(read.error));
      }
    }
    return traits;
  },
};

function checkUnit(unit: UnitFile, name: string): string[] {
  const traits = [size("options", unit.options.length), `global ${isGlobalUnit(unit)}`];
  const names = ["web@1.service", "plain.service", name];
  const demanded = requirements(names[unit.serialized.length % 3] ?? name, unit);
  const { requiredTarget, metadata, peers, conflicts, replaces } = demanded;
  traits.push(
    `target ${requiredTarget !== null}`,
    size("metadata", metadata.length),
    size("peers", peers.length),
    size("conflicts", conflicts.length),
    size("replaces", replaces.length),
  );
  traits.push(`fleet ${hasSection(unit, "X-Fleet")}`, ...validateOptions(unit).map(gist));
  traits.push(size("unknown", unknownRequirements(unit).length));
  promise(/^[0-9a-f]{40}$/.test(unit.hash), "a hash is 40 hex digits");
  unitText(unit);
  if (now(unit.serialized, 4) && !unit.options.some(isWrittenDifferently)) {
    const again = parseUnitBytes(unit.serialized);
    promise(again.ok, "what is written can be read");
    promise(again.unit.hash === unit.hash, "what is written reads as it was");
  }
  return traits;
}

/** A line that is as long as this may be refused, whatever was before it in the buffer. */
const LINE_BYTES = 2_000;

/** A value that goes on over lines, and one that is too long for where it comes to stand, are not read back. */
const isWrittenDifferently = ({ section, name, value }: UnitFile["options"][number]): boolean =>
  /[\n\r\\]/.test(section + name + value) ||
  section.length + name.length + value.length > LINE_BYTES;

const METADATA = { public_ipv4: "192.0.2.7", private_ipv4: "10.0.0.7", public_ipv6: "2001:db8::7" };

const cloudConfig: Target = {
  name: "cloud-config",
  about: "coreos-cloudinit's validator, substitution, reading and steps",
  corpus: cloudConfigCorpus,
  run(text) {
    const traits: string[] = [];
    const [first = "", ...others] = substitute(text, { metadata: METADATA, env: {} });
    traits.push(size("substituted", others.length));
    const parsed = parseCloudConfig(first, "user-data");
    // The reading of a text that needs no substitution has asked the validator already.
    if (first !== text || !parsed.ok) {
      const { kind, entries, failed } = validateCloudConfig(text);
      traits.push(kind, gist(failed ?? ""), size("entries", entries.length));
      for (const { line, message } of entries) {
        promise(line >= 0 && message !== "", "an entry has a line and words");
        traits.push(gist(message));
      }
    }
    if (!parsed.ok) {
      checkDiagnostics(parsed.diagnostics, first, true);
      return [...traits, ...parsed.diagnostics.map(({ code, found }) => `${code} ${gist(found)}`)];
    }
    checkDiagnostics(parsed.warnings, first, false);
    for (const { found } of parsed.warnings) {
      traits.push(gist(found), /key "([a-z_]{1,30})"/.exec(found)?.[1] ?? "");
    }
    const steps = applySteps(parsed.value, { addresses: METADATA });
    for (const step of steps) traits.push(`step ${step.step}`);
    traits.push(size("steps", steps.length));
    const { coreos, users, writeFiles } = parsed.value;
    traits.push(size("users", users.length), size("files", writeFiles.length));
    for (const block of ["etcd", "etcd2", "flannel", "fleet", "locksmith"] as const) {
      traits.push(...[...coreos[block].keys()].map((key) => `${block} ${key}`));
    }
    if (checkUpdate(coreos.update) === null) {
      renderUpdateConf(coreos.update, "GROUP=beta\nSERVER=x\n");
      traits.push("update");
    }
    return traits;
  },
};

const lint: Target = {
  name: "lint",
  about: "orrery lint, over cloud-configs with units in them and over unit files",
  corpus: cloudConfigCorpus,
  run(text) {
    const traits: string[] = [];
    const lines = text.split("\n").length;
    for (const [file, kind] of [
      ["user-data", "cloud-config"],
      ["a.service", "fleet-unit"],
    ] as const) {
      for (const { position, code, message } of lintText(file, text, kind)) {
        promise(position.line >= 1 && position.line <= lines, `line ${position.line} of ${lines}`);
        promise(position.column >= 1 && message !== "", "a finding has a column and words");
        traits.push(`${kind} ${code} ${gist(message)}`);
      }
    }
    return traits;
  },
};

const scenario: Target = {
  name: "scenario",
  about: "the scenario format",
  corpus: scenarioCorpus,
  run(text) {
    const parsed = parseScenario(text, { file: "fuzz.yaml" });
    const diagnostics = parsed.ok ? parsed.warnings : parsed.diagnostics;
    checkDiagnostics(diagnostics, text, !parsed.ok);
    const said = diagnostics.map(({ code, expected }) => `${code} ${gist(expected)}`);
    if (!parsed.ok) return said;
    const { timeline, faults, expect, hosts } = parsed.value;
    return [
      ...said,
      size("hosts", hosts.length),
      size("timeline", timeline.length),
      `faults ${faults.kind}`,
      size("expect", expect.length),
    ];
  },
};

const fleetApi: Target = {
  name: "fleet-api",
  about: "requests to fleet's HTTP API, over a registry that earlier ones have filled",
  corpus: fleetApiCorpus,
  run: askFleetApi,
};

const discovery: Target = {
  name: "discovery",
  about: "requests to the discovery service",
  corpus: discoveryCorpus,
  run(text) {
    const state = discoveryRegistry.create({ host: "https://d", seed: 1 });
    const traits: string[] = [];
    let id = 0;
    let waiting = 0;
    for (const line of text.split("\n")) {
      const stimulus = { kind: "registry-request", id: ++id, request: requestOf(line) } as const;
      const { effects } = stepInPlace(discoveryRegistry, state, stimulus, id * 1_000);
      const own = effects.filter((effect) => effect.id === id).length;
      const isWatch = stimulus.request.op === "watch";
      promise(own === 1 || (own === 0 && isWatch), `request ${id} has ${own} answers`);
      waiting += (own === 0 ? 1 : 0) - (effects.length - own);
      for (const { reply } of effects)
        traits.push(`${stimulus.request.op} ${"status" in reply ? reply.status : reply.ok}`);
    }
    promise(waiting === state.store.watchers.keys.size, "who waits is known");
    traits.push(size("waiting", waiting));
    return traits;
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
