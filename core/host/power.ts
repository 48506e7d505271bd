import { containersDown } from "./containers.js";
import type { HostStep } from "./context.js";
import { stepMember } from "./etcdprocess.js";

/** The kernel has stopped; nothing was synced that was not before. */
export function panic(step: HostStep): void {
  stopMember(step, 0);
  goDown(step, "panic");
}

/** The etcd that runs is gone; of what it had written and not synced the first `surviving` writes last. */
export function stopMember(step: HostStep, surviving: number): void {
  if (step.host.etcd?.serving === true) stepMember(step, { kind: "crash", surviving });
}

/** Everything volatile is gone. Whether the host comes up again by itself is said by the reason. */
export function goDown(
  step: HostStep,
  reason: "power-loss" | "power-off" | "reboot" | "panic",
): void {
  const { host, out } = step;
  host.power = "off";
  host.halting = null;
  host.running = null;
  host.daemons.clear();
  host.etcd = null;
  host.fleet = null;
  host.locksmith = null;
  host.cloudInit = null;
  host.updateRunning = false;
  containersDown(host.containers);
  host.calls.clear();
  host.clients.clear();
  host.probe = null;
  out.facts.push({ kind: "host.down", reason });
  if (reason === "power-off") out.effects.push({ kind: "switched-off" });
  else if (reason !== "power-loss") out.effects.push({ kind: "reset" });
}
