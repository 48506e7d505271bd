import type { Image } from "./image.js";
import { draw } from "./lifecycle.js";
import { leavePull, pullImage } from "./pull.js";
import { parseRkt } from "./rkt-command.js";
import { arm, type ContainerStep, disarm, type Pod } from "./state.js";

/** What rkt ends with when it fails before the app runs. */
const FAILED = 254;

/**
 * A process runs rkt. There is no daemon: `rkt run` is the pod, so that signals of systemd reach the
 * app, and nothing but its own end ends it.
 */
export function rktProcess(
  step: ContainerStep,
  pid: number,
  unit: string,
  args: readonly string[],
): void {
  const { state } = step;
  const command = parseRkt(args);
  if (command === null) {
    exit(step, pid, FAILED);
    return;
  }
  switch (command.command) {
    case "look":
      exit(step, pid, 0);
      return;
    case "gc":
      state.deadPods = 0;
      exit(step, pid, 0);
      return;
    case "fetch":
    case "run": {
      const pod: Pod = {
        pid,
        unit,
        image: command.image,
        ports: command.command === "run" ? command.ports : [],
        hostNetwork: command.command === "run" && command.hostNetwork,
        fetchOnly: command.command === "fetch",
        process: null,
        listens: [],
        ready: false,
        terminating: false,
      };
      state.pods.set(pid, pod);
      const image = state.rkt.images.get(pod.image);
      // What is in the store is not asked for again.
      if (image === undefined) pullImage(step, "rkt", pod.image, pid);
      else imageInStore(step, pod, image);
    }
  }
}

/** The image that a process fetches is here, or will not come. */
export function podImageArrived(step: ContainerStep, pid: number, ok: boolean): void {
  const pod = step.state.pods.get(pid);
  const image = pod === undefined ? undefined : step.state.rkt.images.get(pod.image);
  if (pod === undefined || pod.process !== null) return;
  if (ok && image !== undefined) imageInStore(step, pod, image);
  else endPod(step, pod, FAILED, null);
}

function imageInStore(step: ContainerStep, pod: Pod, image: Image): void {
  const { state, out } = step;
  const { pid, unit } = pod;
  if (pod.fetchOnly) {
    endPod(step, pod, 0, null);
    return;
  }
  const listens = pod.hostNetwork ? image.listens : pod.ports;
  const taken = [...state.pods.values()].some((other) =>
    other.listens.some((port) => listens.includes(port)),
  );
  if (taken) {
    out.facts.push({ kind: "container.refused", unit, name: pod.image, reason: "port-in-use" });
    endPod(step, pod, FAILED, null);
    return;
  }
  pod.process = image.process;
  pod.listens = listens;
  out.facts.push({
    ...{ kind: "container.started", unit, name: pod.image, image: pod.image, engine: "rkt" },
  });
  arm(step, `pod-ready ${pid}`, draw(state, image.process.readyAfter));
  const { exits } = image.process;
  if (exits !== null) arm(step, `pod-exit ${pid}`, draw(state, exits.after));
}

/** A signal for the pod's process: it goes to what runs in it, or ends a fetch. */
export function signalPod(step: ContainerStep, pid: number, signal: string): void {
  const pod = step.state.pods.get(pid);
  if (pod === undefined || signal === "SIGHUP") return;
  if (pod.process === null || signal === "SIGKILL") {
    if (pod.process === null) leavePull(step, "rkt", pod.image, pid);
    endPod(step, pod, null, signal);
    return;
  }
  const { stopTakes } = pod.process;
  if (stopTakes === null || pod.terminating) return;
  pod.terminating = true;
  arm(step, `pod-term ${pid}`, draw(step.state, stopTakes));
}

/** A timer of a pod: `pod-ready`, `pod-exit` or `pod-term`. */
export function podTimer(step: ContainerStep, what: string, pid: number): void {
  const pod = step.state.pods.get(pid);
  if (pod === undefined || pod.process === null) return;
  if (what === "pod-ready") pod.ready = true;
  else if (what === "pod-term") endPod(step, pod, pod.process.stopCode, null);
  else endPod(step, pod, pod.process.exits?.code ?? 0, null);
}

/** The app of a pod ends by itself; false when no pod runs under this process. */
export function endApp(step: ContainerStep, pid: number, code: number): boolean {
  const pod = step.state.pods.get(pid);
  if (pod === undefined) return false;
  endPod(step, pod, pod.process === null ? FAILED : code, null);
  return true;
}

function endPod(step: ContainerStep, pod: Pod, code: number | null, signal: string | null): void {
  const { state, out } = step;
  const { pid, unit, image } = pod;
  for (const timer of ["pod-ready", "pod-exit", "pod-term"]) disarm(step, `${timer} ${pid}`);
  state.pods.delete(pid);
  if (pod.process !== null) {
    state.deadPods++;
    const status = code ?? 137;
    out.facts.push({ kind: "container.exited", unit, name: image, code: status, engine: "rkt" });
  }
  out.effects.push({ kind: "client-exit", pid, code, signal });
}

function exit(step: ContainerStep, pid: number, code: number): void {
  step.out.effects.push({ kind: "client-exit", pid, code, signal: null });
}
