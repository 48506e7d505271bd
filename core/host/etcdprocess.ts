import {
  type DiscoveredPeer,
  type DiscoveryEffect,
  type DiscoveryReply,
  type DiscoveryRequest,
  type DiscoveryStimulus,
  discoveryClient,
} from "../discovery/index.js";
import {
  type ClientReply,
  type EtcdConfig,
  type EtcdEffect,
  type EtcdFact,
  type EtcdStimulus,
  etcd,
  type InitialMember,
  memberIdOf,
  membersOf,
  peerUrlsOf,
} from "../etcd/index.js";
import { type Micros, type NodeIndex, SECOND, unreachable, without } from "../kernel/index.js";
import { armTimer, FewEffects, type HostStep } from "./context.js";
import { etcdAnswered, etcdClosed } from "./etcdlink.js";
import { type Packet, packetBytes } from "./packet.js";
import { takenAs, toldAs } from "./planted.js";
import type { Daemon } from "./state.js";

/**
 * The etcd process of a host. It finds its cluster as its data directory or its environment says
 * (a discovery token, a list of members new or existing), then runs a member, or a proxy.
 */
export function startEtcd(step: HostStep, daemon: Daemon): void {
  const { host } = step;
  const { environment, pid } = daemon;
  host.etcd = {
    pid,
    environment,
    discovery: null,
    discoveryWatch: null,
    joining: false,
    serving: false,
    proxyFor: null,
    peers: new Map(),
  };
  const initial = parseInitialCluster(environment.ETCD_INITIAL_CLUSTER ?? "");
  if (host.member !== null) {
    runMember(step);
  } else if ((environment.ETCD_DISCOVERY ?? "") !== "") {
    discover(step, environment.ETCD_DISCOVERY ?? "", environment.ETCD_PROXY === "on");
  } else if (environment.ETCD_PROXY === "on") {
    runProxy(step, initial);
  } else if (environment.ETCD_INITIAL_CLUSTER_STATE === "existing") {
    askToJoin(step);
  } else {
    bootstrap(
      step,
      initial.length > 0 ? initial : [self(step)],
      environment.ETCD_INITIAL_CLUSTER_TOKEN,
    );
  }
}

/** The process ends; what it had written stays in the page cache of the host. */
export function stopEtcd(step: HostStep): void {
  const { host } = step;
  if (host.etcd === null) return;
  if (host.etcd.serving) {
    stepMember(step, { kind: "crash", surviving: Number.MAX_SAFE_INTEGER });
  }
  host.etcd = null;
  for (const client of host.clients.values()) {
    if (client.node === host.config.index) continue;
    answerRemote(step, client.node, client.call, { ok: false, unreachable: "closed" });
  }
  host.clients.clear();
  armTimer(step, "host", { kind: "cancel-timer", timer: JOIN_TIMER });
  etcdClosed(step);
}

export function stepMember(step: HostStep, stimulus: EtcdStimulus): void {
  const { host } = step;
  if (host.member === null || host.etcd === null || !host.etcd.serving) return;
  const out = new FewEffects<EtcdFact, EtcdEffect>();
  etcd.step(host.member, stimulus, step.now, out);
  const { facts, first, rest } = out;
  for (let i = 0; i < facts.length; i++) noteFact(step, facts[i] as EtcdFact);
  if (first !== null) performMember(step, first);
  if (rest === null) return;
  for (let i = 0; i < rest.length; i++) performMember(step, rest[i] as EtcdEffect);
}

/** A raft message or a note of a peer has come. */
export function receivePeer(step: HostStep, packet: Packet & { kind: "peer" }): void {
  stepMember(step, { kind: "peer-message", from: packet.from, message: packet.message });
}

/** A client on another host, or an operator, asks the local member. */
export function receiveClient(
  step: HostStep,
  from: NodeIndex,
  packet: Packet & { kind: "etcd-request" | "etcd-cancel" | "etcd-message" | "etcd-flow" },
): void {
  const { host } = step;
  if (packet.kind !== "etcd-request") {
    for (const [id, client] of host.clients) {
      if (client.node !== from || client.call !== packet.call) continue;
      if (packet.kind === "etcd-message") {
        stepMember(step, { kind: "client-message", id, message: packet.message });
        return;
      }
      if (packet.kind === "etcd-flow") {
        stepMember(step, { kind: "client-flow", id, blocked: packet.blocked });
        return;
      }
      host.clients.delete(id);
      stepMember(step, { kind: "client-cancel", id });
      return;
    }
    return;
  }
  if (host.etcd === null || !host.etcd.serving) {
    answerRemote(step, from, packet.call, { ok: false, unreachable: "refused" });
    return;
  }
  const id = host.nextCall++;
  host.clients.set(id, { node: from, call: packet.call });
  const request = takenAs(host.config.etcd.bugs, packet.request);
  const { token, requireLeader } = packet;
  const said = {
    ...(token === undefined ? {} : { token }),
    ...(requireLeader === undefined ? {} : { requireLeader }),
  };
  stepMember(step, { kind: "client-request", id, from: "", request, ...said });
}

/** Tells a joining member who the members of this host's cluster are. */
export function tellMembers(step: HostStep, to: NodeIndex): void {
  const { host } = step;
  const run = host.member?.run ?? null;
  if (host.member === null || run === null) return;
  const packet = {
    kind: "members-response",
    clusterId: run.clusterId,
    members: membersOf(host.member),
  } as const;
  step.out.effects.push({ kind: "send", to, packet, bytes: packetBytes(packet) });
}

/** Time to ask again whether the cluster knows this member by now. */
export function joinAgain(step: HostStep): void {
  if (step.host.etcd?.joining === true) askToJoin(step);
}

export function stepDiscovery(step: HostStep, stimulus: DiscoveryStimulus): void {
  const discovery = step.host.etcd?.discovery ?? null;
  if (discovery === null) return;
  const effects: DiscoveryEffect[] = [];
  discoveryClient.step(discovery, stimulus, step.now, { facts: step.out.facts, effects });
  for (const effect of effects) performDiscovery(step, effect);
}

export function discoveryAnswered(step: HostStep, id: number, reply: DiscoveryReply): void {
  armTimer(step, "host", { kind: "cancel-timer", timer: `discovery:${id}` });
  const { etcd } = step.host;
  if (etcd?.discoveryWatch?.id === id) etcd.discoveryWatch = null;
  stepDiscovery(step, { kind: "discovery-reply", id, reply });
}

/** No answer yet: a call with a limit has timed out; of a watch TCP would resend what was lost. */
export function discoverySilent(step: HostStep, id: number): void {
  const watch = step.host.etcd?.discoveryWatch ?? null;
  if (watch?.id === id) sendDiscovery(step, id, watch.request, DISCOVERY_RESEND);
  else discoveryAnswered(step, id, { ok: false, unreachable: "timeout" });
}

/** Name of the timer that asks the cluster again. */
export const JOIN_TIMER = "join";

const JOIN_RETRY = SECOND;

/** Packets stand for what TCP carries: a watch that was lost on the way is sent again. */
const DISCOVERY_RESEND = 15 * SECOND;

/** A proxy only reads who the members are; a member to be registers itself. */
function discover(step: HostStep, url: string, observer: boolean): void {
  const { host } = step;
  if (host.etcd === null) return;
  const me = self(step);
  host.etcd.discovery = discoveryClient.create({
    url,
    memberId: memberIdOf(me.peerUrls, url, null),
    name: me.name,
    peerUrls: me.peerUrls,
    observer,
  });
  stepDiscovery(step, { kind: "start" });
}

function performDiscovery(step: HostStep, effect: DiscoveryEffect): void {
  const { host } = step;
  switch (effect.kind) {
    case "discovery-call": {
      if (host.config.discoveryNode === null) {
        const reply = { ok: false, unreachable: "refused" } as const;
        step.inbox.push({
          to: "discovery",
          stimulus: { kind: "discovery-reply", id: effect.id, reply },
        });
        return;
      }
      const { id, request, timeout } = effect;
      if (timeout === null && host.etcd !== null) host.etcd.discoveryWatch = { id, request };
      sendDiscovery(step, id, request, timeout ?? DISCOVERY_RESEND);
      return;
    }
    case "joined":
      discovered(step, groupPeers(effect.initialCluster));
      return;
    case "failed":
      discoveryFailed(step, effect.error);
      return;
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "discovery", effect);
      return;
    default:
      unreachable(effect);
  }
}

function discovered(step: HostStep, members: readonly InitialMember[]): void {
  const { etcd } = step.host;
  if (etcd === null) return;
  const observer = etcd.discovery?.observer === true;
  etcd.discovery = null;
  if (observer) runProxy(step, members);
  else bootstrap(step, members, etcd.environment.ETCD_DISCOVERY);
}

function sendDiscovery(step: HostStep, id: number, request: DiscoveryRequest, delay: Micros): void {
  const node = step.host.config.discoveryNode;
  if (node === null) return;
  const packet = { kind: "discovery-request", id, request } as const;
  step.out.effects.push({ kind: "send", to: node, packet, bytes: packetBytes(packet) });
  armTimer(step, "host", { kind: "arm-timer", timer: `discovery:${id}`, delay });
}

/**
 * A full cluster makes a proxy of who comes late, as `discovery-fallback=proxy` has it; it asks the
 * service once more who the members are. The rest is fatal.
 */
function discoveryFailed(step: HostStep, error: string): void {
  const { host } = step;
  const { etcd } = host;
  if (etcd === null) return;
  etcd.discovery = null;
  if (error === "full-cluster" && etcd.environment.ETCD_DISCOVERY_FALLBACK !== "exit") {
    discover(step, etcd.environment.ETCD_DISCOVERY ?? "", true);
    return;
  }
  step.inbox.push({ to: "exit", pid: etcd.pid, code: 1 });
}

function bootstrap(
  step: HostStep,
  initial: readonly InitialMember[],
  token: string | undefined,
): void {
  createMember(step, { clusterState: "new", initialCluster: initial }, token);
}

/** Asks the hosts of the initial cluster who the members are: it starts once it is one of them. */
function askToJoin(step: HostStep): void {
  const { host, out } = step;
  const { etcd, config } = host;
  if (etcd === null) return;
  const peers = parseInitialCluster(etcd.environment.ETCD_INITIAL_CLUSTER ?? "");
  const nodes = peers.flatMap((peer) => nodesOfUrls(step, peer.peerUrls));
  const others = nodes.filter((node) => node !== config.index);
  etcd.joining = true;
  const packet = { kind: "members-request" } as const;
  for (const node of others) {
    out.effects.push({ kind: "send", to: node, packet, bytes: packetBytes(packet) });
  }
  armTimer(step, "host", { kind: "arm-timer", timer: JOIN_TIMER, delay: JOIN_RETRY });
}

/** The cluster has said who is in it: a member that is becomes one of them. */
export function joinCluster(step: HostStep, answer: Packet & { kind: "members-response" }): void {
  const process = step.host.etcd;
  if (process === null || !process.joining) return;
  const { members, clusterId } = answer;
  const me = self(step);
  const mine = members.find((member) => member.peerUrls.some((url) => me.peerUrls.includes(url)));
  if (mine === undefined) return;
  process.joining = false;
  armTimer(step, "host", { kind: "cancel-timer", timer: JOIN_TIMER });
  const initialCluster = members.map((member) => ({
    name: member.id === mine.id ? me.name : member.name,
    peerUrls: member.peerUrls,
  }));
  createMember(
    step,
    {
      clusterState: "existing",
      initialCluster,
      existing: {
        memberId: mine.id,
        clusterId,
        members: members.map(({ id, peerUrls }) => ({ id, peerUrls })),
      },
    },
    undefined,
  );
}

function createMember(
  step: HostStep,
  cluster: Pick<EtcdConfig, "clusterState" | "initialCluster"> &
    Pick<Partial<EtcdConfig>, "existing">,
  token: string | undefined,
): void {
  const { host } = step;
  const { config } = host;
  host.member = etcd.create({
    ...cluster,
    ...(token === undefined || token === "" ? {} : { clusterToken: token }),
    name: self(step).name,
    seed: config.seed * 64 + config.index,
    clientUrls: [`http://${config.address}:2379`],
    tick: config.etcd.heartbeat,
    electionTicks: Math.max(2, Math.round(config.etcd.election / config.etcd.heartbeat)),
    preVote: config.etcd.preVote,
    checkQuorum: config.etcd.checkQuorum,
    strictReconfigCheck: strictReconfigCheck(step),
    snapshotCount: config.etcd.snapshotCount,
    version: config.etcd.version,
    bugs: config.etcd.bugs,
    trace: config.etcd.trace ?? false,
  });
  runMember(step);
}

function strictReconfigCheck({ host }: HostStep): boolean {
  const flag = host.etcd?.environment.ETCD_STRICT_RECONFIG_CHECK ?? "";
  return flag === "" ? host.config.etcd.strictReconfigCheck : flag === "true" || flag === "1";
}

function runMember(step: HostStep): void {
  const { etcd } = step.host;
  if (etcd === null) return;
  etcd.serving = true;
  stepMember(step, { kind: "start" });
}

function runProxy(step: HostStep, peers: readonly InitialMember[]): void {
  const { etcd } = step.host;
  if (etcd === null) return;
  etcd.proxyFor = peers.flatMap((peer) => nodesOfUrls(step, peer.peerUrls));
  step.inbox.push({ to: "systemd", stimulus: { kind: "process-ready", pid: etcd.pid } });
}

function noteFact(step: HostStep, fact: EtcdFact): void {
  const { host } = step;
  step.out.facts.push(fact);
  switch (fact.kind) {
    case "etcd.ready":
      if (host.etcd !== null) {
        step.inbox.push({ to: "systemd", stimulus: { kind: "process-ready", pid: host.etcd.pid } });
      }
      return;
    case "etcd.role":
      if (fact.lead !== "" && host.locksmith !== null) {
        step.inbox.push({ to: "locksmith", stimulus: { kind: "healthy" } });
      }
      return;
    default:
      return;
  }
}

function performMember(step: HostStep, effect: EtcdEffect): void {
  const { host, out } = step;
  switch (effect.kind) {
    case "send": {
      if (host.member === null) return;
      const node = nodeOfPeer(step, effect.to);
      if (node === null) return;
      const packet: Packet = {
        kind: "peer",
        from: host.member.run?.id ?? 0,
        message: effect.message,
      };
      out.effects.push({ kind: "send", to: node, packet, bytes: effect.sizeBytes });
      return;
    }
    case "fsync":
      out.effects.push(effect);
      return;
    case "disk-write":
      return;
    case "client-reply":
      answerClient(step, effect.id, effect.reply, effect.last);
      return;
    case "exit":
      if (host.etcd !== null)
        step.inbox.push({ to: "exit", pid: host.etcd.pid, code: effect.code });
      return;
    case "arm-timer":
    case "cancel-timer":
      armTimer(step, "etcd", effect);
      return;
    default:
      unreachable(effect);
  }
}

function answerClient(step: HostStep, id: number, answer: ClientReply, last: boolean): void {
  const { host } = step;
  const client = host.clients.get(id);
  if (client === undefined) return;
  if (last) host.clients = without(host.clients, id);
  const reply = toldAs(host.config.etcd.bugs, id, answer);
  if (reply === null) return;
  if (client.node === host.config.index) etcdAnswered(step, client.call, reply);
  else answerRemote(step, client.node, client.call, reply);
}

function answerRemote(step: HostStep, node: NodeIndex, call: number, reply: ClientReply): void {
  const packet = { kind: "etcd-response", call, reply } as const;
  step.out.effects.push({ kind: "send", to: node, packet, bytes: packetBytes(packet) });
}

/** Node of a peer, by its raft id; null for one this host has no address of. */
export function nodeOfPeer(step: HostStep, id: number): NodeIndex | null {
  const { host } = step;
  const known = host.etcd?.peers.get(id);
  if (known !== undefined) return known;
  if (host.member === null) return null;
  const node = nodesOfUrls(step, peerUrlsOf(host.member).get(id) ?? [])[0] ?? null;
  if (node !== null) host.etcd?.peers.set(id, node);
  return node;
}

function nodesOfUrls(step: HostStep, urls: readonly string[]): NodeIndex[] {
  return urls.flatMap((url) => {
    const address = /^https?:\/\/([^:/]+)/.exec(url)?.[1] ?? "";
    const node = step.host.config.directory[address];
    return node === undefined ? [] : [node];
  });
}

/** What the environment says of this member: its name and where peers find it. */
function self(step: HostStep): InitialMember {
  const { host } = step;
  const environment = host.etcd?.environment ?? {};
  const urls = environment.ETCD_INITIAL_ADVERTISE_PEER_URLS ?? "";
  return {
    name: environment.ETCD_NAME ?? host.config.name,
    peerUrls: urls === "" ? [`http://${host.config.address}:2380`] : urls.split(","),
  };
}

/** `name=url,name=url`; several URLs of one name belong to one member. */
function parseInitialCluster(text: string): InitialMember[] {
  const peers = text.split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at <= 0 ? [] : [{ name: pair.slice(0, at).trim(), peerUrl: pair.slice(at + 1).trim() }];
  });
  return groupPeers(peers);
}

function groupPeers(peers: readonly DiscoveredPeer[]): InitialMember[] {
  const urls = new Map<string, string[]>();
  for (const { name, peerUrl } of peers) urls.set(name, [...(urls.get(name) ?? []), peerUrl]);
  return [...urls].map(([name, peerUrls]) => ({ name, peerUrls }));
}
