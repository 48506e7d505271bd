import { activeState, announce, type Dispatch } from "./context.js";
import type { MountConfig } from "./mount-config.js";
import type { StartOutcome } from "./outcome.js";
import { type KillPurpose, killProcesses, spawnProcess } from "./process-table.js";
import type { MountRuntime, MountState, Unit } from "./state.js";
import type { UnitResult } from "./types.js";
import { armUnitTimer, noteState, rearmUnitTimer } from "./unit-timer.js";
import { dumpsCore } from "./value.js";

/** A mount unit with its settings and what it does. */
export interface Mount {
  readonly dispatch: Dispatch;
  readonly unit: Unit;
  readonly config: MountConfig;
  readonly runtime: MountRuntime;
}

/** The mount behind a unit; null when the unit is none or is not loaded as one. */
export function mountOf(dispatch: Dispatch, unit: Unit): Mount | null {
  const { config, mount } = unit;
  return mount === null || config.mount === null
    ? null
    : { dispatch, unit, config: config.mount, runtime: mount };
}

/** States that may last: no process of the unit runs in them. */
const LASTING: ReadonlySet<MountState> = new Set<MountState>(["dead", "mounted", "failed"]);

/** Moves to a state and tells (mount_set_state). */
function setState(mount: Mount, state: MountState): void {
  const { dispatch, unit, runtime } = mount;
  const before = activeState(unit);
  runtime.state = state;
  noteState(dispatch, unit, runtime, LASTING.has(state));
  if (LASTING.has(state)) runtime.controlPid = 0;
  announce(dispatch, unit);
  const { reloadFailed } = runtime;
  dispatch.changed(unit, before, { reloadFailed, willRestart: false });
}

/** mount_spawn: mount(8) or umount(8) begins, and with it a state. */
function run(
  { dispatch, unit, runtime, config }: Mount,
  role: "mount" | "unmount",
  argv: string[],
): void {
  armUnitTimer(dispatch, unit, runtime, config.timeout);
  runtime.controlPid = spawnProcess(dispatch, unit, role, argv, {});
}

/** mount_start: runs mount(8). */
export function startMount(mount: Mount): StartOutcome {
  const { runtime, config } = mount;
  switch (runtime.state) {
    case "unmounting":
    case "unmounting-sigterm":
    case "unmounting-sigkill":
      return "again";
    case "mounting":
    case "mounting-done":
      return "started";
    default:
  }
  const { what, where, type, options } = config;
  const argv = ["/usr/bin/mount", what, where];
  if (type !== "") argv.push("-t", type);
  if (options !== "") argv.push("-o", options);
  runtime.result = "success";
  runtime.reloadFailed = false;
  run(mount, "mount", argv);
  setState(mount, "mounting");
  return "started";
}

/** mount_reload: mounts again with the unit's options. */
export function reloadMount(mount: Mount): StartOutcome {
  const { what, where, type, options } = mount.config;
  const again = options === "" ? "remount" : `remount,${options}`;
  const argv = ["/usr/bin/mount", what, where, "-o", again, ...(type === "" ? [] : ["-t", type])];
  mount.runtime.reloadFailed = false;
  run(mount, "mount", argv);
  setState(mount, "remounting");
  return "started";
}

/** mount_stop: runs umount(8), or ends a mount that is under way. */
export function stopMount(mount: Mount): StartOutcome {
  switch (mount.runtime.state) {
    case "unmounting":
    case "unmounting-sigterm":
    case "unmounting-sigkill":
      return "started";
    case "mounting":
    case "mounting-done":
    case "remounting":
      enterSignal(mount, "unmounting-sigterm", "success");
      return "started";
    case "remounting-sigterm":
      setState(mount, "unmounting-sigterm");
      return "started";
    case "remounting-sigkill":
      setState(mount, "unmounting-sigkill");
      return "started";
    default:
      run(mount, "unmount", ["/usr/bin/umount", mount.config.where, "-c"]);
      setState(mount, "unmounting");
      return "started";
  }
}

function note({ runtime }: Mount, result: UnitResult): void {
  if (runtime.result === "success") runtime.result = result;
}

/** mount_enter_dead */
export function enterMountDead(mount: Mount, result: UnitResult): void {
  note(mount, result);
  setState(mount, mount.runtime.result === "success" ? "dead" : "failed");
}

/** What the kernel says decides, whatever became of the program (mount_enter_dead_or_mounted). */
function enterDeadOrMounted(mount: Mount, result: UnitResult): void {
  if (!mount.runtime.mounted) {
    enterMountDead(mount, result);
    return;
  }
  note(mount, result);
  setState(mount, "mounted");
}

type SignalState =
  | "remounting-sigterm"
  | "remounting-sigkill"
  | "unmounting-sigterm"
  | "unmounting-sigkill";

const PURPOSES: Readonly<Record<SignalState, KillPurpose>> = {
  "remounting-sigterm": "restart",
  "remounting-sigkill": "kill",
  "unmounting-sigterm": "terminate",
  "unmounting-sigkill": "kill",
};

/** mount_enter_signal: signals what is there and waits, or goes on when nothing is. */
function enterSignal(mount: Mount, state: SignalState, result: UnitResult): void {
  const { dispatch, unit, config, runtime } = mount;
  note(mount, result);
  if (killProcesses(dispatch, unit, [runtime.controlPid], config, PURPOSES[state])) {
    armUnitTimer(dispatch, unit, runtime, config.timeout);
    setState(mount, state);
  } else if (state === "remounting-sigterm" && config.sendSigkill) {
    enterSignal(mount, "remounting-sigkill", "success");
  } else if (state === "unmounting-sigterm" && config.sendSigkill) {
    enterSignal(mount, "unmounting-sigkill", "success");
  } else if (state === "remounting-sigterm" || state === "remounting-sigkill") {
    setState(mount, "mounted");
  } else enterDeadOrMounted(mount, "success");
}

/** mount(8) or umount(8) ended (mount_sigchld_event). */
export function mountProcessExited(
  mount: Mount,
  pid: number,
  code: number | null,
  signal: string | null,
): void {
  const { runtime } = mount;
  if (pid !== runtime.controlPid) return;
  runtime.controlPid = 0;
  const result = resultOf(code, signal);
  switch (runtime.state) {
    case "mounting":
      if (result !== "success") enterMountDead(mount, result);
      else {
        // The kernel's table shows the mount before mount(8) has ended.
        runtime.mounted = true;
        setState(mount, "mounting-done");
        setState(mount, "mounted");
      }
      return;
    case "remounting":
    case "remounting-sigterm":
    case "remounting-sigkill":
      if (result !== "success") runtime.reloadFailed = true;
      enterDeadOrMounted(mount, "success");
      return;
    case "unmounting":
    case "unmounting-sigterm":
    case "unmounting-sigkill":
      // What cannot be unmounted is still there.
      if (result === "success") runtime.mounted = false;
      enterDeadOrMounted(mount, result);
      return;
    case "dead":
    case "mounting-done":
    case "mounted":
    case "failed":
  }
}

function resultOf(code: number | null, signal: string | null): UnitResult {
  if (code !== null) return code === 0 ? "success" : "exit-code";
  return dumpsCore(signal ?? "") ? "core-dump" : "signal";
}

/** The timer of the state is due (mount_dispatch_timer). */
export function mountTimer(mount: Mount): void {
  const { runtime, config } = mount;
  delete runtime.timed;
  switch (runtime.state) {
    case "mounting":
    case "mounting-done":
    case "unmounting":
      enterSignal(mount, "unmounting-sigterm", "timeout");
      return;
    case "remounting":
      runtime.reloadFailed = true;
      enterSignal(mount, "remounting-sigterm", "success");
      return;
    case "remounting-sigterm":
      if (config.sendSigkill) enterSignal(mount, "remounting-sigkill", "success");
      else enterDeadOrMounted(mount, "success");
      return;
    case "remounting-sigkill":
      enterDeadOrMounted(mount, "success");
      return;
    case "unmounting-sigterm":
      if (config.sendSigkill) enterSignal(mount, "unmounting-sigkill", "timeout");
      else enterDeadOrMounted(mount, "timeout");
      return;
    case "unmounting-sigkill":
      enterDeadOrMounted(mount, "timeout");
      return;
    case "dead":
    case "mounted":
    case "failed":
  }
}

/** Puts a mount back after a daemon-reload (mount_coldplug). */
export function coldplugMount({ dispatch, unit, runtime, config }: Mount): void {
  if (runtime.controlPid > 0) rearmUnitTimer(dispatch, unit, runtime, config.timeout);
}
