import type { EtcdCall, EtcdReplied, EtcdReply, V2Node, V2Request } from "../etcd/client.js";
import {
  createGenerator,
  DAY,
  type Generator,
  type Machine,
  MINUTE,
  type Micros,
  nextBelow,
  type Out,
  SECOND,
  type TimerEffect,
  type TimerFired,
} from "../kernel/index.js";
import {
  freeSubnets,
  isCompatible,
  type Network,
  type NetworkConfig,
  parseConfig,
  parseNetwork,
  publicIpOf,
  showNetwork,
} from "./subnet.js";

/** How a flanneld is started. */
export interface FlannelConfig {
  /** What its leases name. */
  readonly publicIp: string;
  /** Where its keys are: `/coreos.com/network`. */
  readonly prefix: string;
  /** Time before the end of a lease at which it is renewed: an hour. */
  readonly renewMargin: Micros;
  /** It watches its own lease, and ends when that is gone: 0.5.0 did not, 0.6 does. */
  readonly watchesLease: boolean;
  /** FLANNEL_SUBNET of `/run/flannel/subnet.env`, which it asks for again (since 0.7); "" when there is none. */
  readonly previous: string;
  readonly seed: number;
}

export interface FlannelState {
  readonly config: FlannelConfig;
  generator: Generator;
  doing: "config" | "leases" | "write" | "serving" | "renewing";
  network: NetworkConfig | null;
  /** The lease that is being written, or that it has. */
  subnet: Network | null;
  /** How it came by that. */
  how: "own" | "previous" | "new";
  /** A lease without an end, made by an operator. */
  reserved: boolean;
  /** Races that it lost for a subnet. */
  races: number;
  /** What is wrong was told already. */
  complained: boolean;
  /** The call that counts; others are of the past. */
  call: number;
  watch: number;
  nextCall: number;
}

export type FlannelStimulus = { readonly kind: "start" } | EtcdReplied | TimerFired;

export type FlannelEffect =
  | EtcdCall
  | TimerEffect
  | { readonly kind: "write-file"; readonly path: string; readonly text: string }
  /** sd_notify(READY=1) */
  | { readonly kind: "ready" }
  | { readonly kind: "exit"; readonly code: number };

export type FlannelFact =
  | {
      readonly kind: "flannel.leased";
      readonly subnet: string;
      /** `own`: a lease of this address; `previous`: the subnet it had, whoever has it now. */
      readonly how: "own" | "previous" | "new";
      readonly reserved: boolean;
    }
  | { readonly kind: "flannel.renewed"; readonly subnet: string }
  /** It could not be renewed; told once until it can. */
  | { readonly kind: "flannel.renew-failed"; readonly subnet: string }
  /** The lease has ended, or someone deleted it. */
  | { readonly kind: "flannel.revoked"; readonly subnet: string }
  /** No subnet to be had: no configuration, none free, no etcd. Told once. */
  | {
      readonly kind: "flannel.no-subnet";
      readonly reason: "no-config" | "none-free" | "lost-races" | "unreachable";
    };

/** How long a lease lasts (subnet/subnet.go). */
const TTL: Micros = DAY;

const RACES_MAX = 10;
const RETRY: Micros = SECOND;
const RENEW_RETRY: Micros = MINUTE;
const PATIENCE: Micros = 5 * SECOND;

/** Packets stand for what TCP carries: a watch that was lost on its way is asked for again. */
const WATCH_AGAIN: Micros = MINUTE;

/** The file that docker's start options are read from, and flannel's own. */
export const SUBNET_FILE = "/run/flannel/subnet.env";
export const DOCKER_OPTIONS_FILE = "/run/flannel_docker_opts.env";

interface Step {
  readonly state: FlannelState;
  readonly now: Micros;
  readonly out: Out<FlannelFact, FlannelEffect>;
}

/**
 * flanneld over etcd's v2 keys (flannel 0.5 to 0.7, local_manager.go and what calls it): it leases a
 * subnet for its host and keeps the lease. A renewal is a plain set, which asks nobody whose lease
 * it is by now.
 */
export const flanneld: Machine<
  FlannelConfig,
  FlannelState,
  FlannelStimulus,
  FlannelFact,
  FlannelEffect
> = {
  name: "flannel",
  create: (config) => ({
    config,
    generator: createGenerator(config.seed, "flannel"),
    doing: "config",
    network: null,
    subnet: null,
    how: "new",
    reserved: false,
    races: 0,
    complained: false,
    call: 0,
    watch: 0,
    nextCall: 1,
  }),
  step(state, stimulus, now, out) {
    const step: Step = { state, now, out };
    switch (stimulus.kind) {
      case "start":
        begin(step);
        return;
      case "timer":
        onTimer(step, stimulus.timer);
        return;
      case "etcd-reply":
        if (stimulus.id === state.watch) watched(step, stimulus.reply);
        else if (stimulus.id === state.call) answered(step, stimulus.reply);
    }
  },
};

function begin(step: Step): void {
  step.state.races = 0;
  step.state.doing = "config";
  ask(step, { op: "get", key: `${step.state.config.prefix}/config` });
}

function onTimer(step: Step, timer: string): void {
  if (timer === "retry") begin(step);
  else if (timer === "renew") renew(step);
  else if (timer === "watch") watch(step, null);
}

function answered(step: Step, reply: EtcdReply): void {
  const { state } = step;
  switch (state.doing) {
    case "config":
      configCame(step, reply);
      return;
    case "leases":
      leasesCame(step, reply);
      return;
    case "write":
      leaseWritten(step, reply);
      return;
    case "renewing":
      renewed(step, reply);
      return;
    case "serving":
      return;
  }
}

function configCame(step: Step, reply: EtcdReply): void {
  const { state } = step;
  const network = reply.ok ? parseConfig(reply.node.value ?? "") : null;
  if (network === null) {
    complain(step, "unreachable" in reply ? "unreachable" : "no-config");
    return;
  }
  state.network = network;
  lookAtLeases(step);
}

function lookAtLeases(step: Step): void {
  step.state.doing = "leases";
  ask(step, { op: "get", key: `${step.state.config.prefix}/subnets`, recursive: true });
}

interface Lease {
  readonly subnet: Network;
  readonly publicIp: string | null;
  readonly node: V2Node;
}

function leasesCame(step: Step, reply: EtcdReply): void {
  const { state } = step;
  const { network } = state;
  // Before the first lease there is no such directory.
  const none = !reply.ok && "errorCode" in reply && reply.errorCode === 100;
  if ((!reply.ok && !none) || network === null) {
    complain(step, "unreachable");
    return;
  }
  const leases = reply.ok ? leasesIn(reply.node) : [];
  const own = leases.find(({ publicIp }) => publicIp === state.config.publicIp);
  if (own !== undefined && isCompatible(own.subnet, network)) {
    write(step, own.subnet, "own", own.node.expiration === undefined);
    return;
  }
  const previous = subnetOf(state.config.previous);
  if (previous !== null && isCompatible(previous, network)) {
    const now = leases.find(({ subnet }) => subnet.ip === previous.ip);
    // flannel 0.7 takes the subnet that it had before, whoever has it by now.
    if (now !== undefined) {
      write(step, previous, "previous", now.node.expiration === undefined);
      return;
    }
    create(step, previous, "previous");
    return;
  }
  const bag = freeSubnets(
    network,
    leases.map(({ subnet }) => subnet),
  );
  const chosen = bag.length === 0 ? undefined : bag[nextBelow(state.generator, bag.length)];
  if (chosen === undefined) complain(step, "none-free");
  else create(step, chosen, "new");
}

/** The subnet that an address such as `10.1.15.1/24` is in. */
function subnetOf(text: string): Network | null {
  const address = parseNetwork(text);
  if (address === null) return null;
  return { ip: address.ip - (address.ip % 2 ** (32 - address.length)), length: address.length };
}

/** Leases are keys such as `10.1.15.0-24`. */
function leasesIn(directory: V2Node): Lease[] {
  return (directory.nodes ?? []).flatMap((node) => {
    const name = node.key.slice(node.key.lastIndexOf("/") + 1);
    const subnet = parseNetwork(name.replace("-", "/"));
    return subnet === null ? [] : [{ subnet, publicIp: publicIpOf(node.value ?? ""), node }];
  });
}

/** Writes a lease that is there, no matter what it says. */
function write(step: Step, subnet: Network, how: FlannelState["how"], reserved: boolean): void {
  const { state } = step;
  state.doing = "write";
  state.subnet = subnet;
  state.how = how;
  state.reserved = reserved;
  ask(step, { op: "put", ...leaseOf(state, subnet), ttl: reserved ? "" : TTL / SECOND });
}

function create(step: Step, subnet: Network, how: FlannelState["how"]): void {
  const { state } = step;
  state.doing = "write";
  state.subnet = subnet;
  state.how = how;
  state.reserved = false;
  ask(step, { op: "put", ...leaseOf(state, subnet), ttl: TTL / SECOND, prevExist: false });
}

function leaseOf({ config }: FlannelState, subnet: Network): { key: string; value: string } {
  const key = `${config.prefix}/subnets/${showNetwork(subnet, "-")}`;
  return { key, value: JSON.stringify({ PublicIP: config.publicIp }) };
}

function leaseWritten(step: Step, reply: EtcdReply): void {
  const { state } = step;
  const { subnet, network } = state;
  if (subnet === null || network === null) return;
  if (!reply.ok) {
    const lost = "errorCode" in reply && reply.errorCode === 105;
    if (!lost) complain(step, "unreachable");
    else if (++state.races >= RACES_MAX) complain(step, "lost-races");
    else lookAtLeases(step);
    return;
  }
  state.complained = false;
  state.doing = "serving";
  const { how, reserved } = state;
  step.out.facts.push({ kind: "flannel.leased", subnet: showNetwork(subnet), how, reserved });
  tellDocker(step, network, subnet);
  step.out.effects.push({ kind: "ready" });
  awaitRenewal(step, reply.node);
  if (state.config.watchesLease) watch(step, reply.node.modifiedIndex + 1);
}

/** What flanneld writes, and what mk-docker-opts.sh makes of it for docker. */
function tellDocker(step: Step, { network }: NetworkConfig, subnet: Network): void {
  const bridge = showNetwork({ ip: subnet.ip + 1, length: subnet.length });
  const lines = [
    `FLANNEL_NETWORK=${showNetwork(network)}`,
    `FLANNEL_SUBNET=${bridge}`,
    "FLANNEL_MTU=1472",
  ];
  const text = `${lines.join("\n")}\n`;
  step.out.effects.push({ kind: "write-file", path: SUBNET_FILE, text });
  const options = `DOCKER_OPT_BIP="--bip=${bridge}"\nDOCKER_OPT_MTU="--mtu=1472"\n`;
  step.out.effects.push({ kind: "write-file", path: DOCKER_OPTIONS_FILE, text: options });
}

function awaitRenewal({ state, now, out }: Step, node: V2Node): void {
  if (node.expiration === undefined) return;
  const delay = Math.max(0, node.expiration - now - state.config.renewMargin);
  out.effects.push({ kind: "arm-timer", timer: "renew", delay });
}

function renew(step: Step): void {
  const { state } = step;
  if (state.subnet === null || state.reserved) return;
  state.doing = "renewing";
  ask(step, { op: "put", ...leaseOf(state, state.subnet), ttl: TTL / SECOND });
}

function renewed(step: Step, reply: EtcdReply): void {
  const { state, out } = step;
  const subnet = state.subnet === null ? "" : showNetwork(state.subnet);
  state.doing = "serving";
  if (reply.ok) {
    state.complained = false;
    out.facts.push({ kind: "flannel.renewed", subnet });
    awaitRenewal(step, reply.node);
    return;
  }
  if (!state.complained) out.facts.push({ kind: "flannel.renew-failed", subnet });
  state.complained = true;
  out.effects.push({ kind: "arm-timer", timer: "renew", delay: RENEW_RETRY });
}

/** Waits for the next change of its own lease; `from` null: the next there is. */
function watch(step: Step, from: number | null): void {
  const { state } = step;
  if (state.subnet === null) return;
  const { key } = leaseOf(state, state.subnet);
  const since = from === null ? {} : { waitIndex: from };
  state.watch = call(step, { op: "watch", key, ...since }, WATCH_AGAIN);
}

function watched(step: Step, reply: EtcdReply): void {
  const { state, out } = step;
  state.watch = 0;
  if (!reply.ok) {
    // Also when the history does not reach back so far: what happened meanwhile is not noticed.
    const delay = "unreachable" in reply && reply.unreachable === "timeout" ? 0 : RETRY;
    out.effects.push({ kind: "arm-timer", timer: "watch", delay });
    return;
  }
  const { action, node } = reply;
  if (action === "expire" || action === "delete" || action === "compareAndDelete") {
    const subnet = state.subnet === null ? "" : showNetwork(state.subnet);
    out.facts.push({ kind: "flannel.revoked", subnet });
    out.effects.push({ kind: "exit", code: 0 });
    return;
  }
  // Whose lease it is now flannel does not look at.
  if (state.doing === "serving") awaitRenewal(step, node);
  watch(step, node.modifiedIndex + 1);
}

function complain(
  step: Step,
  reason: "no-config" | "none-free" | "lost-races" | "unreachable",
): void {
  const { state, out } = step;
  if (!state.complained) out.facts.push({ kind: "flannel.no-subnet", reason });
  state.complained = true;
  out.effects.push({ kind: "arm-timer", timer: "retry", delay: RETRY });
}

function ask(step: Step, request: V2Request): void {
  step.state.call = call(step, request, PATIENCE);
}

function call({ state, out }: Step, request: V2Request, timeout: Micros): number {
  const id = state.nextCall++;
  out.effects.push({ kind: "etcd-call", id, request, timeout });
  return id;
}
