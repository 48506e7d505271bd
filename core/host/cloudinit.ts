import {
  classifyUserData,
  decodeContent,
  type FileToWrite,
  type Step,
  substitute,
  userDataSteps,
} from "../cloudconfig/index.js";
import { nextBetween } from "../kernel/index.js";
import type { SystemdReplied, SystemdRequest } from "../systemd/index.js";
import type { HostStep } from "./context.js";
import type { CloudInitRun, Daemon } from "./state.js";
import { OEM_CLOUDINIT } from "./vendor.js";

/**
 * coreos-cloudinit as a process: reads the OEM's config or the user data, then does what it says, step
 * by step. The first failure ends it with exit status 1 and leaves what was done. It runs at every
 * boot, and does it all again.
 */
export function startCloudInit(step: HostStep, daemon: Daemon): void {
  const { host } = step;
  const { config } = host;
  const addresses = { public_ipv4: config.address, private_ipv4: config.address };
  const data = isOem(daemon) ? (config.oemConfig ?? "") : config.cloudConfig;
  const text = [...substitute(data, { metadata: addresses, env: {} })][0] ?? "";
  const serial = classifyUserData(text) === "script" ? drawSerial(step) : "";
  host.cloudInit = {
    pid: daemon.pid,
    steps: userDataSteps(text, { addresses, hostname: config.name }, serial),
    next: 0,
    waitingFor: null,
    call: 0,
  };
  continueCloudInit(step);
}

const isOem = ({ unit }: Daemon): boolean => unit === OEM_CLOUDINIT;

/** Nine digits, as Go names temporary files. */
function drawSerial(step: HostStep): string {
  return String(nextBetween(step.host.generator, 0, 999_999_999)).padStart(9, "0");
}

/** systemd answered the call under way. */
export function cloudInitReplied(step: HostStep, replied: SystemdReplied): void {
  const run = step.host.cloudInit;
  if (run === null || run.call !== replied.id) return;
  run.call = 0;
  const { reply } = replied;
  if (!reply.ok) {
    fail(step, `${reply.error}: ${reply.message}`);
    return;
  }
  if (reply.call !== "queued") run.waitingFor = null;
  if (run.waitingFor === null) continueCloudInit(step);
}

/** A job of a unit ended; a command that was waiting for it goes on. */
export function cloudInitJobEnded(step: HostStep, unit: string): void {
  const run = step.host.cloudInit;
  if (run === null || run.waitingFor !== unit) return;
  // coreos-cloudinit reports the job's result, whatever it is, and goes on to the next command.
  run.waitingFor = null;
  if (run.call === 0) continueCloudInit(step);
}

function continueCloudInit(step: HostStep): void {
  const { host } = step;
  const run = host.cloudInit;
  if (run === null) return;
  while (run.next < run.steps.length) {
    const item = run.steps[run.next++] as Step;
    if (item.step === "fail" || item.step === "import-keys") {
      fail(step, item.step === "fail" ? item.error : `cannot fetch ${item.url}`);
      return;
    }
    const request = systemdRequest(step, item);
    if (request === null) continue;
    // Negative: fleetd numbers its own calls of the same systemd from 1.
    run.call = -host.nextCall++;
    run.waitingFor = item.step === "unit-command" ? item.unit : null;
    step.inbox.push({ to: "systemd", stimulus: { kind: "systemd-call", id: run.call, request } });
    return;
  }
  end(step, run, "applied", "");
}

function fail(step: HostStep, detail: string): void {
  const run = step.host.cloudInit;
  if (run !== null) end(step, run, "failed", detail);
}

function end(
  step: HostStep,
  { pid }: CloudInitRun,
  result: "applied" | "failed",
  detail: string,
): void {
  const daemon = step.host.daemons.get(pid);
  const whose = daemon !== undefined && isOem(daemon) ? ["OEM"] : [];
  step.host.cloudInit = null;
  step.out.facts.push({
    kind: "host.cloud-config",
    result,
    detail: [...whose, detail].filter((part) => part !== "").join(": "),
  });
  step.inbox.push({ to: "reaper", pid, code: result === "applied" ? 0 : 1, signal: null });
}

/** What a step asks of systemd; null when it is done here and now. */
function systemdRequest(step: HostStep, item: Step): SystemdRequest | null {
  switch (item.step) {
    case "write-file":
      writeFile(step, item.file.path, plainText(item.file));
      return null;
    case "merge-env-file":
      writeFile(
        step,
        item.path,
        mergeVariables(step.host.files.get(item.path) ?? "", item.variables),
      );
      return null;
    case "write-unit":
      return { call: "write-unit", unit: item.unit, text: item.text, directory: item.directory };
    case "write-drop-in": {
      const { unit, name, text, directory } = item;
      return { call: "write-drop-in", unit, name, text, directory };
    }
    case "mask":
      return { call: "mask", unit: item.unit, runtime: item.runtime, force: true };
    case "unmask":
    case "enable":
      return { call: item.step, unit: item.unit, runtime: item.runtime };
    case "daemon-reload":
      return { call: "daemon-reload" };
    case "unit-command":
      return unitCommand(item.unit, item.command);
    default:
      // Host name, users and keys change nothing that is modelled here.
      return null;
  }
}

function unitCommand(
  unit: string,
  command: Extract<Step, { step: "unit-command" }>["command"],
): SystemdRequest {
  const call = command === "reload-or-try-restart" ? "reload-or-restart" : command;
  return { call, unit, mode: "replace" };
}

/** A file's content without its encoding, one character a byte. */
function plainText(file: FileToWrite): string {
  if (file.encoding === "") return file.content;
  const bytes = decodeContent(file.content, file.encoding) ?? [];
  return bytes.map((byte) => String.fromCharCode(byte)).join("");
}

function writeFile(step: HostStep, path: string, text: string): void {
  step.host.files.set(path, text);
  step.inbox.push({ to: "systemd", stimulus: { kind: "file-changed", path, text } });
}

/** Lines of `KEY=value`; existing keys are replaced, the rest is kept. */
function mergeVariables(text: string, variables: readonly (readonly [string, string])[]): string {
  const lines = text.split("\n").filter((line) => line !== "");
  for (const [key, value] of variables) {
    const at = lines.findIndex((line) => line.startsWith(`${key}=`));
    if (at >= 0) lines[at] = `${key}=${value}`;
    else lines.push(`${key}=${value}`);
  }
  return `${lines.join("\n")}\n`;
}
