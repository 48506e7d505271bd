import type { ClientReply, ClientRequest, Member, V2Request } from "../../core/etcd/index.js";
import {
  type FleetctlCommand,
  type FleetHttpRequest,
  type FleetHttpResponse,
  fleetctl,
  fleetctlApi,
  writeMachineMetadata,
} from "../../core/fleet/index.js";
import type { Packet } from "../../core/host/index.js";
import { type NodeIndex, SECOND, unreachable } from "../../core/kernel/index.js";
import {
  createSemaphoreRequest,
  getSemaphoreRequest,
  type LocksmithctlCommand,
  locksmithctl,
} from "../../core/update/index.js";
import type { Action, Scenario } from "../scenario/scenario.js";
import { PatientClient, type Protocol } from "./patient-client.js";
import type { World } from "./world.js";

/** etcdctl and locksmithctl. */
const ETCD: Protocol<ClientRequest, ClientReply> = {
  noAnswer: "no member answered",
  patience: 2 * SECOND,
  runsOn: (host) => host.etcd !== null,
  packet: (call, request) => ({ kind: "etcd-request", call, request }),
  isTransient,
};

/** fleetctl with the API of a fleetd: it waits three seconds for an answer. */
const FLEET: Protocol<FleetHttpRequest, FleetHttpResponse> = {
  noAnswer: "no fleet answered",
  patience: 3 * SECOND,
  runsOn: (host) => host.fleet !== null,
  packet: (call, request) => ({ kind: "fleet-request", call, request }),
  isTransient: (response) => response.kind !== "answer" || response.status >= 500,
};

/** Where fleet keeps its keys unless told otherwise. */
const FLEET_PREFIX = "/_coreos.com/fleet";

/** Read after the drop-in that a cloud-config makes of its `etcd2` section. */
const JOIN_DROP_IN = "/etc/systemd/system/etcd2.service.d/30-member-add.conf";

/** A member on its way out, and whether it is to come back. */
interface Removal {
  readonly id: string;
  done: boolean;
  again: { readonly learner: boolean } | null;
}

/** An operator's dealings with etcd: yields requests, is sent the replies, returns what to print. */
type Session = Generator<ClientRequest, string, ClientReply>;

/**
 * The people and tools that act on a cluster from outside: they perform the scenario's timeline,
 * some at the hosts themselves, some as clients of etcd over the network.
 */
export class Operator {
  readonly #world: World;
  readonly #removals = new Map<NodeIndex, Removal>();
  readonly #etcd: PatientClient<ClientRequest, ClientReply>;
  readonly #fleets: PatientClient<FleetHttpRequest, FleetHttpResponse>;
  readonly #cuts: {
    readonly from: readonly number[];
    readonly to: readonly number[];
    readonly oneWay: boolean;
  }[] = [];

  constructor(world: World, node: NodeIndex) {
    this.#world = world;
    this.#etcd = new PatientClient(world, node, ETCD);
    this.#fleets = new PatientClient(world, node, FLEET);
    if (world.scenario.safeguards.maxReboots !== 1) world.schedule(0, () => this.#setMaxReboots());
  }

  /** An answer came. */
  receive(_from: NodeIndex, packet: Packet, _cause: number): void {
    if (packet.kind === "fleet-response") this.#fleets.receive(packet.call, packet.response);
    else if (packet.kind === "etcd-response") this.#etcd.receive(packet.call, packet.reply);
  }

  /** Performs one action of the timeline, now. */
  perform(action: Action): void {
    const world = this.#world;
    world.record("", "operator.action", describeAction(action, world), null);
    switch (action.kind) {
      case "fleet-submit":
      case "fleet-load":
      case "fleet-start":
      case "fleet-stop":
      case "fleet-unload":
      case "fleet-destroy":
        this.#fleet(action);
        return;
      case "lock":
      case "unlock": {
        const holder = world.scenario.hosts[action.host]?.machineId ?? "";
        this.#locksmith({ command: action.kind, holder }, action.via);
        return;
      }
      case "set-max":
        this.#locksmith({ command: "set-max", max: action.max }, action.via);
        return;
      case "power-off":
        for (const host of action.hosts) world.powerOff(host, action.loseUnsyncedPpm, false);
        return;
      case "power-on":
      case "add-host":
        for (const host of action.hosts) world.powerOn(host);
        return;
      case "terminate":
        for (const host of action.hosts) world.powerOff(host, 0, true);
        return;
      case "reboot":
      case "attempt-update":
        for (const host of action.hosts) {
          world.deliver(host, { kind: "operator", action: action.kind }, -1);
        }
        return;
      case "systemctl":
        for (const host of action.hosts) {
          const { verb, unit } = action;
          world.deliver(host, { kind: "systemctl", verb, unit }, -1);
        }
        return;
      case "fleet-metadata": {
        const machine = world.scenario.hosts[action.host]?.machineId ?? "";
        const writes = Object.entries(action.set).map(([key, value]) =>
          writeMachineMetadata(FLEET_PREFIX, machine, key, value),
        );
        this.#run(keysSession(writes), action.via, "PATCH /machines");
        return;
      }
      case "etcd-set": {
        const { key, value } = action;
        this.#run(keysSession([{ op: "put", key, value }]), action.via, `etcdctl set ${key}`);
        return;
      }
      case "etcd-delete": {
        const { key } = action;
        const request = { op: "delete", key, recursive: true } as const;
        this.#run(keysSession([request]), action.via, `etcdctl rm ${key}`);
        return;
      }
      case "move-leader":
        this.#run(moveLeader(this.#peerUrl(action.to)), null, "move-leader");
        return;
      case "member-add":
        this.#run(
          memberAdd(this.#peerUrl(action.host), () => {}),
          action.via,
          "member-add",
        );
        return;
      case "member-remove":
        this.#run(memberRemove(this.#peerUrl(action.host)), action.via, "member-remove");
        return;
      case "replace-host":
        this.#replace(action);
        return;
      case "publish":
        world.services.publish(action.channel, action.version);
        return;
      case "set-policy":
        world.services.setPolicy(action.policy);
        return;
      case "partition":
        this.#cuts.push(action);
        for (const node of hostsOf(action, world)) world.invariants.beginExcuse(node);
        world.cut(action.from, action.to, action.oneWay, 1);
        return;
      case "heal":
        for (const cut of this.#cuts.splice(0)) {
          world.cut(cut.from, cut.to, cut.oneWay, -1);
          for (const node of hostsOf(cut, world)) world.invariants.endExcuse(node, world.at);
        }
        return;
      case "mark":
        return;
      default:
        unreachable(action);
    }
  }

  /** Where fleet's registry may be elsewhere than in etcd, through fleet's API. */
  #fleet(action: Extract<Action, { readonly units: readonly string[] }>): void {
    const { scenario } = this.#world;
    for (const unit of action.units) {
      const command = action.kind.slice("fleet-".length) as FleetctlCommand;
      const text = unitText(scenario, unit);
      const what = `${command} ${unit}`;
      if (scenario.fleet.enableGrpc) {
        this.#fleets.run(fleetctlApi(command, unit, text), action.via, this.#done(what));
        continue;
      }
      const { fleetProfile } = scenario.safeguards;
      const session = fleetctl(FLEET_PREFIX, command, unit, text, fleetProfile);
      this.#run(session, action.via, what);
    }
  }

  #locksmith(command: LocksmithctlCommand, via: NodeIndex | null): void {
    this.#run(locksmithSession(command), via, `locksmithctl ${command.command}`);
  }

  /**
   * Puts another host in the place of one: `member add`, whose output goes into the new host's
   * etcd unit, then its first boot; the old host is terminated after the overlap, whatever became
   * of the new one, as whoever replaces instances does not look into etcd. A member that cannot
   * be added is not started: alone it would begin a cluster of its own.
   */
  #replace({ host, by, overlap }: Extract<Action, { readonly kind: "replace-host" }>): void {
    const world = this.#world;
    world.schedule(world.at + overlap, () => world.powerOff(host, 0, true));
    const start = (members: readonly Member[]) => {
      const text = joinDropIn(world.name(by), this.#peerUrl(by), members);
      world.deliver(by, { kind: "install-file", path: JOIN_DROP_IN, text }, -1);
      world.powerOn(by);
    };
    const add = () => this.#run(memberAdd(this.#peerUrl(by), start), null, "member-add");
    if (!world.scenario.safeguards.removeBeforeAdd) add();
    else this.#run(memberRemove(this.#peerUrl(host)), null, "member-remove", add);
  }

  /** Removes a host's member; a host that runs none is left alone, now and when it is to be added again. */
  removeMember(host: NodeIndex): void {
    const world = this.#world;
    const id = world.hosts[host]?.member?.run?.memberId;
    if (id === undefined) return;
    const removal: Removal = { id, done: false, again: null };
    this.#removals.set(host, removal);
    this.#run(removeById(id), null, "member-remove", (result) => {
      if (result !== "removed") return;
      world.powerOff(host, 0, true);
      removal.done = true;
      if (removal.again !== null) this.#addAgain(host, removal, removal.again);
    });
  }

  /** Adds it again as a new member with nothing on its disk, as soon as it was removed. */
  addMemberAgain(host: NodeIndex, learner: boolean): void {
    const removal = this.#removals.get(host);
    if (removal === undefined) return;
    removal.again = { learner };
    if (removal.done) this.#addAgain(host, removal, { learner });
  }

  /**
   * Only once every other member knows that the old one is gone: who joins asks any of them for its
   * id, and one that is behind would tell the old one.
   */
  #addAgain(host: NodeIndex, removal: Removal, again: { readonly learner: boolean }): void {
    const world = this.#world;
    const known = world.hosts.every(({ member }, node) => {
      if (node === host || member === null) return true;
      return member.run !== null && !member.run.stores.membership.members.has(removal.id);
    });
    if (!known) {
      world.schedule(world.at + SECOND, () => this.#addAgain(host, removal, again));
      return;
    }
    this.#removals.delete(host);
    const start = (members: readonly Member[]) => {
      const text = joinDropIn(world.name(host), this.#peerUrl(host), members);
      const boot = () => {
        world.deliver(host, { kind: "install-file", path: JOIN_DROP_IN, text }, -1);
        world.powerOn(host);
      };
      boot();
      this.#settle(host, removal.id, boot, again.learner);
    };
    this.#run(memberAdd(this.#peerUrl(host), start, again.learner), null, "member-add");
  }

  /**
   * Looks after a member that was added again until it runs under its new id, and promotes a learner.
   * A member that lost the removal in a crash may still have told it the old id: then it ends as
   * removed at every start, until somebody empties its disk and boots it once more.
   */
  #settle(host: NodeIndex, removed: string, boot: () => void, learner: boolean): void {
    const world = this.#world;
    const id = world.hosts[host]?.member?.run?.memberId;
    if (id !== undefined && id !== removed) {
      if (learner) this.#run(promote(id), null, "member-promote");
      return;
    }
    if (id === removed) {
      world.powerOff(host, 0, true);
      boot();
    }
    world.schedule(world.at + SECOND, () => this.#settle(host, removed, boot, learner));
  }

  #peerUrl(host: NodeIndex): string {
    return `http://${this.#world.scenario.hosts[host]?.address ?? ""}:2380`;
  }

  /** The cluster's reboot lock lets more hosts go at once from the time its etcd answers. */
  #setMaxReboots(): void {
    const max = this.#world.scenario.safeguards.maxReboots;
    const session = locksmithSession({ command: "set-max", max });
    this.#run(session, null, "locksmithctl set-max", (result) => {
      if (result === ETCD.noAnswer) this.#setMaxReboots();
    });
  }

  /** Runs a session with etcd. */
  #run(
    session: Session,
    via: NodeIndex | null,
    what: string,
    then?: (result: string) => void,
  ): void {
    this.#etcd.run(session, via, this.#done(what, then));
  }

  /** What is done at the end of a session: it is told, and then whatever follows. */
  #done(what: string, then?: (result: string) => void): (result: string) => void {
    return (result) => {
      this.#world.record("", "operator.done", { what, result }, null);
      then?.(result);
    };
  }
}

/** The hosts on both sides of a cut. */
function hostsOf(
  cut: { readonly from: readonly number[]; readonly to: readonly number[] },
  world: World,
): number[] {
  const hosts = world.hosts.length;
  return [...new Set([...cut.from, ...cut.to])].filter((node) => node < hosts);
}

/** The text of a unit: its own, or its template's. */
function unitText(scenario: Scenario, unit: string): string | null {
  const template = unit.replace(/@[^.]*\./, "@.");
  const named = (name: string) => scenario.units.find((candidate) => candidate.name === name);
  return (named(unit) ?? named(template))?.text ?? null;
}

/** Errors that pass: nobody there, no leader, too busy. */
function isTransient(reply: ClientReply): boolean {
  if (reply.ok) return false;
  if ("unreachable" in reply) return true;
  if ("errorCode" in reply) return reply.errorCode === 300 || reply.errorCode === 301;
  return /unhealthy cluster|no leader|not leader|timed out|not enough|in sync|for learner|stopped/.test(
    reply.message,
  );
}

/** `etcdctl member add`; `added` gets the members as they are then. An add tried again may have been done before. */
function* memberAdd(
  peerUrl: string,
  added: (members: readonly Member[]) => void,
  learner = false,
): Session {
  const reply = yield { op: "member-add", peerUrls: [peerUrl], learner };
  const error = "message" in reply ? reply.message : "no members in the answer";
  if (!reply.ok && !/exist/.test(error)) return error;
  const members = membersIn(reply.ok ? reply : yield { op: "member-list" });
  if (members === null) return error;
  added(members);
  return "added";
}

/** What `etcdctl member add` prints, as a drop-in of the unit that it is for. */
function joinDropIn(name: string, peerUrl: string, members: readonly Member[]): string {
  const cluster = members.flatMap((member) =>
    member.peerUrls.map((url) => `${url === peerUrl ? name : member.name}=${url}`),
  );
  return `[Service]
Environment="ETCD_NAME=${name}"
Environment="ETCD_INITIAL_CLUSTER=${cluster.join(",")}"
Environment="ETCD_INITIAL_CLUSTER_STATE=existing"
`;
}

function* memberRemove(peerUrl: string): Session {
  const members = membersIn(yield { op: "member-list" });
  if (members === null) return "no member list";
  const member = members.find((candidate) => candidate.peerUrls.includes(peerUrl));
  if (member === undefined) return "no such member";
  const reply = yield { op: "member-remove", member: member.id };
  return reply.ok ? "removed" : "message" in reply ? reply.message : "failed";
}

/** `etcdctl move-leader`: a member that does not lead says so, and the next one is asked. */
function* moveLeader(peerUrl: string): Session {
  const members = membersIn(yield { op: "member-list" });
  const member = members?.find((candidate) => candidate.peerUrls.includes(peerUrl));
  if (member === undefined) return "no such member";
  const reply = yield { op: "move-leader", to: member.id };
  return reply.ok ? "moved" : "message" in reply ? reply.message : "failed";
}

/** The members that an answer of the Cluster service lists, or null. */
function membersIn(reply: ClientReply): readonly Member[] | null {
  return reply.ok && "result" in reply && "members" in reply.result ? reply.result.members : null;
}

/** Removes a member by its id, which no other ever gets: who is told that it is not there has removed it before. */
function* removeById(id: string): Session {
  const reply = yield { op: "member-remove", member: id };
  if (reply.ok) return "removed";
  const error = "message" in reply ? reply.message : "failed";
  return /not found|permanently removed/.test(error) ? "removed" : error;
}

function* promote(id: string): Session {
  const reply = yield { op: "member-promote", member: id };
  return reply.ok ? "promoted" : "message" in reply ? reply.message : "failed";
}

function* locksmithSession(command: LocksmithctlCommand): Session {
  yield createSemaphoreRequest("");
  const reply = yield getSemaphoreRequest("");
  if (!isV2(reply)) return "not an answer of the keys API";
  const next = locksmithctl(command, "", reply);
  if (!next.ok) return next.error;
  if (next.request === null) return next.output;
  const written = yield next.request;
  return written.ok ? "done" : "compare failed";
}

/** Writes of the v2 keys API, one after the other, until one fails. */
function* keysSession(writes: readonly V2Request[]): Session {
  for (const write of writes) {
    const reply = yield write;
    if (!reply.ok) return "message" in reply ? reply.message : "failed";
  }
  return "done";
}

type V2Reply = Extract<ClientReply, { readonly errorCode: number } | { readonly node: unknown }>;

function isV2(reply: ClientReply): reply is V2Reply {
  return "node" in reply || "errorCode" in reply;
}

/** The action as the log shows it: nodes by name. */
function describeAction(action: Action, world: World): Record<string, unknown> {
  const { kind, ...rest } = action;
  const named = Object.entries(rest).map(([key, value]): [string, unknown] => {
    if (["host", "by", "via"].includes(key) || (key === "to" && kind === "move-leader")) {
      return [key, typeof value === "number" ? world.name(value) : null];
    }
    if (["hosts", "from", "to"].includes(key) && Array.isArray(value)) {
      return [key, value.map((node: number) => world.name(node))];
    }
    return [key, value];
  });
  return { do: kind, ...Object.fromEntries(named) };
}
