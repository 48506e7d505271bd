import type { CloudConfig, Oem, ServiceOptions, Unit, User, WriteFile } from "./config.js";
import { decodeContent } from "./content.js";
import { quote } from "./scalar.js";
import { fieldOf, SERVICE_BLOCKS } from "./schema.js";
import type { Step, UnitCommand } from "./step.js";
import { VARIABLES, type Variable } from "./substitute.js";
import { checkUpdate, renderUpdateConf } from "./update-conf.js";
import { directoryOf } from "./validate.js";

/** What the host knows when a cloud-config is applied. Everything may be left out. */
export interface ApplyEnvironment {
  /** Addresses, as for substitution; they are written to /etc/environment. */
  readonly addresses?: Readonly<Partial<Record<Variable, string>>>;
  /** The present update.conf, from /etc/coreos or else /usr/share/coreos. */
  readonly updateConf?: string;
  /** The name the host has; it is used where the config sets none. */
  readonly hostname?: string;
}

const ETC_UNITS = "/etc/systemd/system";
const RUN_UNITS = "/run/systemd/system";

/** A failure that ends the application where it happens. */
class ApplyFailure extends Error {}

/**
 * What to do to a host, in order (initialize/config.go): host name, users, keys; then every file is
 * rendered, and only then is the first one written; then units, one reload, and the commands.
 * An error becomes a last step `fail`; what stands before it is done all the same.
 */
export function applySteps(config: CloudConfig, environment: ApplyEnvironment = {}): Step[] {
  const steps: Step[] = [];
  try {
    if (config.hostname !== "") steps.push({ step: "set-hostname", hostname: config.hostname });
    for (const user of config.users) userSteps(user, steps);
    if (config.sshAuthorizedKeys.length > 0) {
      steps.push({ step: "authorize-keys", user: "core", keys: config.sshAuthorizedKeys });
    }
    fileSteps(config, environment, steps);
    unitSteps(allUnits(config), steps);
  } catch (error) {
    if (!(error instanceof ApplyFailure)) throw error;
    steps.push({ step: "fail", error: error.message });
  }
  return steps;
}

function userSteps(user: User, steps: Step[]): void {
  const { name } = user;
  if (name === "") return;
  steps.push({
    step: "user",
    name,
    passwordHash: user.passwordHash,
    groups: user.groups,
    shell: user.shell,
    system: user.system,
  });
  if (user.sshAuthorizedKeys.length > 0) {
    steps.push({ step: "authorize-keys", user: name, keys: user.sshAuthorizedKeys });
  }
  const accounts = [user.sshImportGithubUser, ...user.sshImportGithubUsers];
  for (const [index, account] of accounts.entries()) {
    if (index === 0 && account === "") continue;
    const url = `https://api.github.com/users/${account}/keys`;
    steps.push({ step: "import-keys", user: name, url });
  }
  if (user.sshImportUrl !== "") {
    steps.push({ step: "import-keys", user: name, url: user.sshImportUrl });
  }
}

function fileSteps(config: CloudConfig, environment: ApplyEnvironment, steps: Step[]): void {
  const files = [...config.writeFiles, ...generatedFiles(config, environment)];
  for (const file of files) steps.push(writeFileStep(file));
  if (files.some((file) => cleanPath(file.path) === "/etc/environment")) return;
  const variables = VARIABLES.flatMap((name): (readonly [string, string])[] => {
    const value = environment.addresses?.[name] ?? "";
    return value === "" ? [] : [[`COREOS_${name.toUpperCase()}`, value]];
  });
  if (variables.length === 0) return;
  steps.push({ step: "merge-env-file", path: "/etc/environment", variables });
}

const plainFile = (path: string, content: string): WriteFile => ({
  path,
  content,
  encoding: "",
  owner: "",
  permissions: "0644",
});

/** @throws ApplyFailure on a reboot strategy or manage_etc_hosts that is not known */
function generatedFiles(config: CloudConfig, environment: ApplyEnvironment): WriteFile[] {
  const { oem, update, flannel } = config.coreos;
  const files: WriteFile[] = [];
  if (oem.id !== "") files.push(plainFile("/etc/oem-release", oemRelease(oem)));
  if (update.rebootStrategy !== "" || update.group !== "" || update.server !== "") {
    const wrong = checkUpdate(update);
    if (wrong !== null) throw new ApplyFailure(wrong);
    const text = renderUpdateConf(update, environment.updateConf ?? "");
    files.push(plainFile("/etc/coreos/update.conf", text));
  }
  if (config.manageEtcHosts !== "") {
    if (config.manageEtcHosts !== "localhost") {
      throw new ApplyFailure("Invalid option to manage_etc_hosts");
    }
    const hostname = config.hostname === "" ? (environment.hostname ?? "") : config.hostname;
    files.push(plainFile("/etc/hosts", `127.0.0.1 ${hostname}\n`));
  }
  const variables = environmentOf("flannel", flannel);
  if (variables.length > 0) {
    files.push(plainFile("/run/flannel/options.env", variables.join("\n")));
  }
  return files;
}

function oemRelease(oem: Oem): string {
  return [
    `ID=${oem.id}`,
    `VERSION_ID=${oem.versionId}`,
    `NAME=${quote(oem.name)}`,
    `HOME_URL=${quote(oem.homeUrl)}`,
    `BUG_REPORT_URL=${quote(oem.bugReportUrl)}`,
    "",
  ].join("\n");
}

/** @throws ApplyFailure on permissions or content that do not parse */
function writeFileStep(file: WriteFile): Step {
  const permissions = file.permissions === "" ? "0644" : file.permissions;
  if (!/^[-+]?[0-7]+$/.test(permissions)) {
    throw new ApplyFailure(`Unable to parse file permissions ${quote(permissions)} as integer`);
  }
  if (decodeContent(file.content, file.encoding) === null) {
    throw new ApplyFailure(`Unable to decode ${file.path} (${file.encoding})`);
  }
  return {
    step: "write-file",
    file: {
      path: cleanPath(`/${file.path}`),
      content: file.content,
      encoding: file.encoding,
      owner: file.owner,
      mode: Number.parseInt(permissions, 8),
    },
  };
}

function cleanPath(path: string): string {
  return directoryOf(`${path}/`);
}

/** `NAME=value` of every option that is set, in the schema's order. */
function environmentOf(block: keyof typeof SERVICE_BLOCKS, options: ServiceOptions): string[] {
  return [...options].map(([name, value]) => {
    const variable = fieldOf(SERVICE_BLOCKS[block], name)?.env ?? name.toUpperCase();
    return `${variable}=${value}`;
  });
}

/** The drop-in that hands a block's options to its service. */
function serviceUnit(
  block: keyof typeof SERVICE_BLOCKS,
  name: string,
  options: ServiceOptions,
): Unit[] {
  const variables = environmentOf(block, options);
  if (variables.length === 0) return [];
  const lines = variables.map((variable) => `Environment="${variable}"\n`);
  return [
    {
      ...unit(name, ""),
      runtime: true,
      dropIns: [{ name: "20-cloudinit.conf", content: `[Service]\n${lines.join("")}` }],
    },
  ];
}

const unit = (name: string, command: string): Unit => ({
  name,
  command,
  mask: false,
  enable: false,
  runtime: false,
  content: "",
  dropIns: [],
});

/** The user's units, then those that other blocks of the config stand for. */
function allUnits(config: CloudConfig): Unit[] {
  const { coreos } = config;
  const units = [
    ...coreos.units,
    ...serviceUnit("etcd", "etcd.service", coreos.etcd),
    ...serviceUnit("etcd2", "etcd2.service", coreos.etcd2),
    ...serviceUnit("fleet", "fleet.service", coreos.fleet),
    ...serviceUnit("locksmith", "locksmithd.service", coreos.locksmith),
  ];
  const { rebootStrategy, group, server } = coreos.update;
  if (rebootStrategy !== "") {
    const off = rebootStrategy === "off";
    const locksmith = unit("locksmithd.service", off ? "stop" : "restart");
    units.push({ ...locksmith, runtime: true, mask: off });
  }
  if (group !== "" || server !== "") units.push(unit("update-engine.service", "restart"));
  return units;
}

const NETWORK_TYPES = new Set(["network", "netdev", "link"]);

/** Whether a unit is networkd's: its file goes elsewhere, and it takes no command and no `enable`. */
export const isNetwork = (name: string): boolean =>
  NETWORK_TYPES.has(name.slice(name.lastIndexOf(".") + 1)) && name.includes(".");

/** @throws ApplyFailure on a command that systemd does not have, once it is reached */
function unitSteps(units: readonly Unit[], steps: Step[]): void {
  const named = units.filter((candidate) => candidate.name !== "");
  for (const item of named) placeUnit(item, steps);
  const placed = named.some(
    (item) => item.content !== "" || item.dropIns.some((d) => d.name !== "" && d.content !== ""),
  );
  if (placed) steps.push({ step: "daemon-reload" });
  if (named.some((item) => isNetwork(item.name))) {
    steps.push({ step: "unit-command", unit: "systemd-networkd.service", command: "restart" });
  }
  for (const item of named) {
    if (item.command === "" || isNetwork(item.name)) continue;
    if (!isUnitCommand(item.command)) {
      throw new ApplyFailure(`Unsupported systemd command ${quote(item.command)}`);
    }
    steps.push({ step: "unit-command", unit: item.name, command: item.command });
  }
}

function placeUnit(item: Unit, steps: Step[]): void {
  const { name, runtime } = item;
  const network = isNetwork(name);
  const base = runtime ? RUN_UNITS : ETC_UNITS;
  const directory = network ? base.replace(/system$/, "network") : base;
  if (item.content !== "") {
    steps.push({ step: "write-unit", unit: name, text: item.content, directory });
  }
  for (const dropIn of item.dropIns) {
    if (dropIn.name === "" || dropIn.content === "") continue;
    const { name: file, content: text } = dropIn;
    steps.push({ step: "write-drop-in", unit: name, name: file, text, directory });
  }
  if (item.mask) steps.push({ step: "mask", unit: name, runtime });
  else if (runtime) steps.push({ step: "unmask", unit: name, runtime });
  if (item.enable && !network) steps.push({ step: "enable", unit: name, runtime });
}

const COMMANDS: ReadonlySet<string> = new Set<UnitCommand>([
  "start",
  "stop",
  "restart",
  "reload",
  "try-restart",
  "reload-or-restart",
  "reload-or-try-restart",
]);

function isUnitCommand(command: string): command is UnitCommand {
  return COMMANDS.has(command);
}
