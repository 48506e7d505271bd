import type { Parsed } from "../kernel/index.js";
import { type ApplyEnvironment, applySteps } from "./apply.js";
import type { CloudConfig } from "./config.js";
import { parseCloudConfig } from "./parse.js";
import type { Step } from "./step.js";
import { classifyUserData } from "./validate.js";

/** Where coreos-cloudinit keeps what it has been given (its flag -workspace). */
const SCRIPTS = "/var/lib/coreos-cloudinit/scripts";

const RUN_UNITS = "/run/systemd/system";

/**
 * What coreos-cloudinit does with user-data of any kind, in order (coreos-cloudinit.go, `main`). It
 * ends with exit status 1 at the first step that fails, with 0 after the last. Text that is
 * neither a cloud-config nor a script fails only after the host's metadata has been applied; an
 * Ignition config is left to Ignition.
 *
 * @param text - after substitution, which scripts undergo too
 * @param serial - what sets the names of a script's file and unit apart from those of earlier
 *   boots: nine digits, which the program draws
 */
export function userDataSteps(
  text: string,
  environment: ApplyEnvironment,
  serial: string,
): readonly Step[] {
  const kind = classifyUserData(text);
  switch (kind) {
    case "empty":
    case "ignition":
      return [];
    case "script":
      return [...applySteps(NO_CONFIG, environment), ...scriptSteps(text, serial)];
    case "none":
      return withoutConfig(environment, "Unrecognized user-data format");
    case "cloud-config": {
      const parsed = parsedBefore(text);
      if (parsed.ok) return applySteps(parsed.value, environment);
      const found = parsed.diagnostics[0]?.found ?? "not a cloud-config";
      return withoutConfig(environment, found);
    }
  }
}

/** Texts that were read lately, by themselves: in a campaign the same hosts boot thousands of times. */
const PARSED = new Map<string, Parsed<CloudConfig>>();
const PARSED_MAX = 64;

function parsedBefore(text: string): Parsed<CloudConfig> {
  const known = PARSED.get(text);
  if (known !== undefined) return known;
  const parsed = parseCloudConfig(text, "user_data");
  if (PARSED.size >= PARSED_MAX) PARSED.clear();
  PARSED.set(text, parsed);
  return parsed;
}

function withoutConfig(environment: ApplyEnvironment, error: string): readonly Step[] {
  return [...applySteps(NO_CONFIG, environment), { step: "fail", error }];
}

/**
 * A script is kept in a file and handed to systemd as a unit of its own (`runScript`; system/systemd.go,
 * `ExecuteScript`). The unit is of type simple: its job is done when bash has begun, so what becomes of
 * the script is the unit's affair alone. systemd would keep such a transient unit in memory; here it is
 * a file in /run, which the next boot does not find either. bash is given the file by name: the
 * interpreter and the options on its first line mean nothing.
 */
function scriptSteps(text: string, serial: string): readonly Step[] {
  const path = `${SCRIPTS}/${serial}`;
  const unit = `coreos-cloudinit-${serial}.service`;
  const unitText = [
    "[Unit]",
    "Description=Unit generated and executed by coreos-cloudinit on behalf of user",
    "[Service]",
    `ExecStart=/bin/bash ${path}`,
    "",
  ].join("\n");
  return [
    file(path, text, 0o744),
    { step: "write-unit", unit, text: unitText, directory: RUN_UNITS },
    { step: "unit-command", unit, command: "start" },
    file(`${SCRIPTS}/unit-name`, unit, 0o644),
  ];
}

function file(path: string, content: string, mode: number): Step {
  return { step: "write-file", file: { path, content, encoding: "", owner: "", mode } };
}

const UNSET = new Map<string, string>();

/** What remains when there is no cloud-config to merge the host's metadata with. */
const NO_CONFIG: CloudConfig = {
  sshAuthorizedKeys: [],
  coreos: {
    etcd: UNSET,
    etcd2: UNSET,
    flannel: UNSET,
    fleet: UNSET,
    locksmith: UNSET,
    oem: { id: "", name: "", versionId: "", homeUrl: "", bugReportUrl: "" },
    update: { rebootStrategy: "", group: "", server: "" },
    units: [],
  },
  writeFiles: [],
  hostname: "",
  users: [],
  manageEtcHosts: "",
};
