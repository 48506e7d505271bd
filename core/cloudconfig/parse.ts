import type { Diagnostic, Parsed } from "../kernel/index.js";
import type {
  CloudConfig,
  CoreOS,
  ServiceOptions,
  Unit,
  Update,
  User,
  WriteFile,
} from "./config.js";
import { decodeStrong, type Strong } from "./decode.js";
import { formatFloat } from "./scalar.js";
import { CLOUD_CONFIG, type Schema, SERVICE_BLOCKS } from "./schema.js";
import { type Entry, validateCloudConfig } from "./validate.js";
import { readYaml, YamlError, type YamlTree } from "./yaml.js";

/** User-data beyond this is refused; the services that hand it out take far less. */
export const CLOUD_CONFIG_MAX_CHARS = 1024 * 1024;

/**
 * Reads a cloud-config as it is applied: laxly. Unknown keys and values of the wrong type are left
 * out; the validator's findings on them come as warnings.
 *
 * @param text - user-data after substitution, with or without its `#cloud-config` line
 * @param file - its name in diagnostics
 */
export function parseCloudConfig(text: string, file: string): Parsed<CloudConfig> {
  if (text.length > CLOUD_CONFIG_MAX_CHARS) {
    return { ok: false, diagnostics: [tooLarge(text, file)] };
  }
  try {
    const tree = readYaml(text);
    const value = cloudConfigOf(tree);
    const warnings = validateCloudConfig(text, tree).entries.filter((entry) => !entry.syntax);
    return { ok: true, value, warnings: warnings.map((entry) => diagnostic(entry, file)) };
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return { ok: false, diagnostics: [syntaxError(error, file)] };
  }
}

/**
 * What a text says that has been read.
 *
 * @throws YamlError for an unknown anchor or a tag that does not fit
 */
export function cloudConfigOf(tree: YamlTree): CloudConfig {
  return toCloudConfig(decodeStrong(tree, CLOUD_CONFIG));
}

function tooLarge(text: string, file: string): Diagnostic {
  return {
    code: "E_FILE_TOO_LARGE",
    severity: "error",
    position: { file, line: 1, column: 1 },
    found: `${text.length} characters`,
    expected: `at most ${CLOUD_CONFIG_MAX_CHARS}`,
    advice: "Fetch large files from a unit instead of writing them out in the cloud-config.",
  };
}

function syntaxError(error: YamlError, file: string): Diagnostic {
  const aliases = error.message === "aliases expand to too much";
  return {
    code: aliases ? "E_YAML_ALIASES" : "E_YAML_SYNTAX",
    severity: "error",
    position: { file, line: error.line, column: error.column },
    found: error.message,
    expected: aliases ? "fewer than 100000 values" : "YAML 1.1",
    advice: "coreos-cloudinit would apply nothing of this file.",
  };
}

function diagnostic(entry: Entry, file: string): Diagnostic {
  return {
    code: "E_CLOUD_CONFIG",
    severity: "warning",
    position: { file, line: Math.max(1, entry.line), column: 1 },
    found: entry.message,
    expected: "what the cloud-config documentation lists",
    advice: "What does not fit is left out when the file is applied.",
  };
}

/** Reads fields of a decoded struct, the zero value for what was not set. */
class Fields {
  readonly #fields: ReadonlyMap<string, Strong>;

  constructor(value: Strong | undefined) {
    this.#fields = value?.kind === "struct" ? value.fields : new Map();
  }

  text(name: string): string {
    const value = this.#fields.get(name);
    return value?.kind === "string" ? value.value : "";
  }

  flag(name: string): boolean {
    const value = this.#fields.get(name);
    return value?.kind === "bool" && value.value;
  }

  struct(name: string): Fields {
    return new Fields(this.#fields.get(name));
  }

  texts(name: string): string[] {
    return this.#items(name).map((item) => (item.kind === "string" ? item.value : ""));
  }

  structs(name: string): Fields[] {
    return this.#items(name).map((item) => new Fields(item));
  }

  /** The options that are set, in the schema's order, as environment text. */
  options(schema: Schema): ServiceOptions {
    const options = new Map<string, string>();
    if (schema.kind !== "struct") return options;
    for (const field of schema.fields) {
      const text = environmentText(this.#fields.get(field.name));
      if (text !== null) options.set(field.name, text);
    }
    return options;
  }

  #items(name: string): readonly Strong[] {
    const value = this.#fields.get(name);
    return value?.kind === "slice" ? value.items : [];
  }
}

/** A value as `%v` prints it into an environment; null for a zero value, which is not rendered. */
function environmentText(value: Strong | undefined): string | null {
  switch (value?.kind) {
    case "string":
      return value.value === "" ? null : value.value;
    case "bool":
      return value.value ? "true" : null;
    case "int":
      return value.value === 0 ? null : BigInt(value.value).toString();
    case "float64":
      return value.value === 0 ? null : formatFloat(value.value);
    default:
      return null;
  }
}

function toCloudConfig(root: Strong): CloudConfig {
  const fields = new Fields(root);
  return {
    sshAuthorizedKeys: fields.texts("ssh_authorized_keys"),
    coreos: toCoreOS(fields.struct("coreos")),
    writeFiles: fields.structs("write_files").map(toWriteFile),
    hostname: fields.text("hostname"),
    users: fields.structs("users").map(toUser),
    manageEtcHosts: fields.text("manage_etc_hosts"),
  };
}

function toCoreOS(fields: Fields): CoreOS {
  const options = (name: keyof typeof SERVICE_BLOCKS) =>
    fields.struct(name).options(SERVICE_BLOCKS[name]);
  const oem = fields.struct("oem");
  return {
    etcd: options("etcd"),
    etcd2: options("etcd2"),
    flannel: options("flannel"),
    fleet: options("fleet"),
    locksmith: options("locksmith"),
    oem: {
      id: oem.text("id"),
      name: oem.text("name"),
      versionId: oem.text("version_id"),
      homeUrl: oem.text("home_url"),
      bugReportUrl: oem.text("bug_report_url"),
    },
    update: toUpdate(fields.struct("update")),
    units: fields.structs("units").map(toUnit),
  };
}

const toUpdate = (fields: Fields): Update => ({
  rebootStrategy: fields.text("reboot_strategy"),
  group: fields.text("group"),
  server: fields.text("server"),
});

const toUnit = (fields: Fields): Unit => ({
  name: fields.text("name"),
  mask: fields.flag("mask"),
  enable: fields.flag("enable"),
  runtime: fields.flag("runtime"),
  content: fields.text("content"),
  command: fields.text("command"),
  dropIns: fields
    .structs("drop_ins")
    .map((dropIn) => ({ name: dropIn.text("name"), content: dropIn.text("content") })),
});

const toWriteFile = (fields: Fields): WriteFile => ({
  encoding: fields.text("encoding"),
  content: fields.text("content"),
  owner: fields.text("owner"),
  path: fields.text("path"),
  permissions: fields.text("permissions"),
});

const toUser = (fields: Fields): User => ({
  name: fields.text("name"),
  passwordHash: fields.text("passwd"),
  sshAuthorizedKeys: fields.texts("ssh_authorized_keys"),
  sshImportGithubUser: fields.text("coreos_ssh_import_github"),
  sshImportGithubUsers: fields.texts("coreos_ssh_import_github_users"),
  sshImportUrl: fields.text("coreos_ssh_import_url"),
  gecos: fields.text("gecos"),
  homedir: fields.text("homedir"),
  noCreateHome: fields.flag("no_create_home"),
  primaryGroup: fields.text("primary_group"),
  groups: fields.texts("groups"),
  noUserGroup: fields.flag("no_user_group"),
  system: fields.flag("system"),
  noLogInit: fields.flag("no_log_init"),
  shell: fields.text("shell"),
});
