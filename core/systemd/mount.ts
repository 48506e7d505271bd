import { activeState, announce, type Dispatch } from "./context.js";
import type { StartOutcome } from "./outcome.js";
import { spawnProcess } from "./process-table.js";
import type { MountRuntime, Unit } from "./state.js";
import type { UnitResult } from "./types.js";

function setMountState(dispatch: Dispatch, unit: Unit, state: MountRuntime["state"]): void {
  if (unit.mount === null) return;
  const before = activeState(unit);
  unit.mount.state = state;
  announce(dispatch, unit);
  const { reloadFailed } = unit.mount;
  dispatch.changed(unit, before, { reloadFailed, willRestart: false });
}

/** mount_start: runs mount(8). */
export function startMount(dispatch: Dispatch, unit: Unit): StartOutcome {
  const { mount, config } = unit;
  if (mount === null || config.mount === null) return "failed";
  if (mount.state === "unmounting") return "again";
  if (mount.state === "mounting" || mount.state === "mounting-done") return "started";
  const { what, where, type, options } = config.mount;
  const argv = ["/usr/bin/mount", what, where];
  if (type !== "") argv.push("-t", type);
  if (options !== "") argv.push("-o", options);
  mount.result = "success";
  mount.reloadFailed = false;
  mount.controlPid = spawnProcess(dispatch, unit, "mount", argv, {});
  setMountState(dispatch, unit, "mounting");
  return "started";
}

/** mount_reload: mounts again with the unit's options. */
export function reloadMount(dispatch: Dispatch, unit: Unit): StartOutcome {
  const { mount, config } = unit;
  if (mount === null || config.mount === null) return "failed";
  const { what, where, type, options } = config.mount;
  const again = options === "" ? "remount" : `remount,${options}`;
  const argv = ["/usr/bin/mount", what, where, ...(type === "" ? [] : ["-t", type]), "-o", again];
  mount.controlPid = spawnProcess(dispatch, unit, "mount", argv, {});
  mount.reloadFailed = false;
  setMountState(dispatch, unit, "remounting");
  return "started";
}

/** mount_stop: runs umount(8), or ends a mount that is under way. */
export function stopMount(dispatch: Dispatch, unit: Unit): StartOutcome {
  const { mount, config } = unit;
  if (mount === null) return "failed";
  if (mount.state === "unmounting") return "started";
  if (mount.state === "mounting" || mount.state === "remounting") {
    dispatch.out.effects.push({ kind: "kill", pid: mount.controlPid, signal: "SIGTERM" });
    return "started";
  }
  const where = config.mount?.where ?? "/";
  mount.controlPid = spawnProcess(dispatch, unit, "unmount", ["/usr/bin/umount", where, "-c"], {});
  setMountState(dispatch, unit, "unmounting");
  return "started";
}

/** mount(8) or umount(8) ended (mount_sigchld_event). */
export function mountExited(
  dispatch: Dispatch,
  unit: Unit,
  pid: number,
  code: number | null,
): void {
  const { mount } = unit;
  if (mount === null || pid !== mount.controlPid) return;
  mount.controlPid = 0;
  const result: UnitResult = code === 0 ? "success" : code === null ? "signal" : "exit-code";
  if (mount.state === "remounting") {
    mount.reloadFailed = result !== "success";
    setMountState(dispatch, unit, "mounted");
    return;
  }
  if (mount.result === "success") mount.result = result;
  if (mount.state === "mounting") {
    if (result !== "success") setMountState(dispatch, unit, "failed");
    else {
      // The kernel's table shows the mount before mount(8) has ended.
      setMountState(dispatch, unit, "mounting-done");
      setMountState(dispatch, unit, "mounted");
    }
  } else if (mount.state === "unmounting") {
    // What cannot be unmounted is still there.
    setMountState(dispatch, unit, result === "success" ? "dead" : "mounted");
  }
}
