import { enterRunning, type Service, setMainPid } from "./service.js";

/**
 * Reads PIDFile= (service_load_pid_file).
 *
 * @returns `changed` when it names another main process, `same` when it names the one that is known,
 *   `none` when there is no file or no such process
 */
export function loadPidFile(service: Service): "changed" | "same" | "none" {
  const { config, runtime, dispatch } = service;
  const word =
    dispatch.state.files
      .get(config.pidFile ?? "")
      ?.split("\n", 1)[0]
      ?.trim() ?? "";
  const pid = /^[0-9]{1,10}$/.test(word) ? Number(word) : 0;
  if (pid === 0) return "none";
  if (runtime.mainPidKnown && pid === runtime.mainPid) return "same";
  if (pid === runtime.controlPid || !dispatch.state.processes.has(pid)) return "none";
  setMainPid(service, pid);
  return "changed";
}

/** Waits in the present state until the file is there (service_demand_pid_file). */
export function demandPidFile(service: Service): void {
  service.runtime.awaitsPidFile = true;
  retryPidFile(service);
}

/** The file was written while the service waits for it (service_retry_pid_file). */
export function pidFileWritten(service: Service, path: string): void {
  if (service.runtime.awaitsPidFile === true && service.config.pidFile === path)
    retryPidFile(service);
}

function retryPidFile(service: Service): void {
  if (loadPidFile(service) === "none") return;
  delete service.runtime.awaitsPidFile;
  enterRunning(service, "success");
}
