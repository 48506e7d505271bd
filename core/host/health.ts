import type { NodeIndex } from "../kernel/index.js";
import { armTimer, type HostStep } from "./context.js";
import { nodeOfPeer } from "./etcdprocess.js";
import { packetBytes } from "./packet.js";
import type { HostState } from "./state.js";

/** Whether the host's etcd member takes part: it runs and knows a leader. A host without one is healthy. */
export function isHealthy(host: HostState): boolean {
  if (host.power !== "up") return false;
  const { etcd, member } = host;
  if (member === null) return true;
  return etcd?.serving === true && (member.run?.node.lead ?? 0) !== 0;
}

/**
 * Whether a release has proved itself on this host: it is healthy and systemd has not had to restart
 * its etcd in this boot. The second part matters: a process that crashes every few seconds is healthy
 * whenever one happens to look in between.
 */
export function isProven(host: HostState): boolean {
  if (!isHealthy(host)) return false;
  for (const { name, unit } of host.daemons.values()) {
    if (name === "etcd") return (host.systemd.units.get(unit)?.service?.restarts ?? 0) === 0;
  }
  return true;
}

/** Asks the other voters of etcd whether they are healthy, before this host goes down. */
export function askQuorum(step: HostStep): void {
  const { host, out } = step;
  const { member } = host;
  const run = member?.run ?? null;
  if (run === null || host.etcd?.serving !== true) {
    step.inbox.push({ to: "locksmith", stimulus: { kind: "quorum-checked", ok: true } });
    return;
  }
  const voters = run.node.tracker.config.incoming;
  const call = host.nextCall++;
  host.probe = { call, voters: voters.length, healthy: [] };
  const packet = { kind: "health-request", call } as const;
  for (const voter of voters) {
    const node = nodeOfPeer(step, voter);
    if (node === null || node === host.config.index) continue;
    out.effects.push({ kind: "send", to: node, packet, bytes: packetBytes(packet) });
  }
  armTimer(step, "host", { kind: "arm-timer", timer: "probe", delay: PROBE_TIMEOUT });
}

export function probeAnswered(
  step: HostStep,
  from: NodeIndex,
  call: number,
  healthy: boolean,
): void {
  const { probe } = step.host;
  if (probe === null || probe.call !== call) return;
  if (healthy && !probe.healthy.includes(from)) probe.healthy.push(from);
  if (probe.healthy.length >= quorumOf(probe.voters)) concludeProbe(step);
}

/** Says whether a quorum would remain without this host, from the answers that came. */
export function concludeProbe(step: HostStep): void {
  const { probe } = step.host;
  if (probe === null) return;
  step.host.probe = null;
  armTimer(step, "host", { kind: "cancel-timer", timer: "probe" });
  const ok = probe.healthy.length >= quorumOf(probe.voters);
  step.inbox.push({ to: "locksmith", stimulus: { kind: "quorum-checked", ok } });
}

const quorumOf = (voters: number): number => Math.floor(voters / 2) + 1;

/** How long a probe waits for answers, µs. */
const PROBE_TIMEOUT = 1_000_000;
