import { createGenerator, type Micros } from "../kernel/index.js";
import { bootstrap, createRawNode, type Peer } from "../raft/index.js";
import { applierFor } from "./alarm.js";
import { createTokens, enableTokens } from "./auth-token.js";
import type { ResolvedEtcdConfig } from "./config.js";
import { type DiskIdentity, storageFrom, sync, write } from "./disk.js";
import { proposePublish } from "./due.js";
import { createLeaseCalls } from "./lease-calls.js";
import { type LogData, logDataBytes } from "./log-data.js";
import { clusterIdOf, type Member, memberIdOf, raftIdOf } from "./membership.js";
import { createMoments } from "./moments.js";
import { REQUESTS_PER_START } from "./propose.js";
import type { EtcdOut } from "./reply.js";
import { restoredDisk } from "./restore.js";
import { createStores, restoreStores, type StoreImage } from "./snapshot.js";
import type { EtcdState, Running } from "./state.js";
import { createWatchHub } from "./watch.js";

/** The timer of raft's ticks. */
export const TICK_TIMER = "etcd-tick";

/** etcd's maxSizePerMsg. */
const APPEND_BYTES_MAX = 1024 * 1024;

/** What etcd allows gRPC on top of the largest request. */
const GRPC_OVERHEAD_BYTES = 512 * 1024;

/** Starts the process on what its disk holds; null, with an `exit`, if it cannot. */
export function startMember(state: EtcdState, now: Micros, out: EtcdOut): Running | null {
  const { config, disk } = state;
  const { durable } = disk;
  const fresh = durable.identity === null;
  const identity = durable.identity ?? newIdentity(config);
  if (identity === null) {
    const reason = "cannot find the member in its initial cluster, or its id in the existing one";
    out.facts.push({ kind: "etcd.stopped", reason });
    out.effects.push({ kind: "exit", code: 1, reason });
    return null;
  }
  if (fresh) {
    // wal.Create syncs before etcd goes on.
    write(disk, { kind: "identity", identity });
    if (config.restore !== null) {
      const { snapshot, hardState } = restoredDisk(config.restore, initialMembers(config));
      write(disk, { kind: "snapshot", snapshot });
      write(disk, { kind: "hard-state", hardState });
    }
    sync(disk, disk.written);
  }
  disk.starts++;
  const { memberId, clusterId } = identity;
  out.facts.push({
    kind: "etcd.started",
    member: memberId,
    cluster: clusterId,
    version: config.version,
  });
  const run = newRunning(state, identity, now, out);
  if (fresh && config.clusterState === "new" && config.restore === null) {
    bootstrap(run.node, initialPeers(config), out.facts);
  }
  state.run = run;
  if (run.stores.auth.enabled) enableTokens(run.tokens, now);
  run.nextDue = now;
  out.effects.push(run.tickTimer);
  proposePublish(state, run, now, out);
  return state.run;
}

function newIdentity(config: ResolvedEtcdConfig): DiskIdentity | null {
  if (config.clusterState === "existing") return config.existing;
  const members = initialMembers(config);
  const own = members.find((member) => member.name === config.name);
  if (own === undefined) return null;
  return { memberId: own.id, clusterId: clusterIdOf(members.map((member) => member.id)) };
}

function initialMembers(config: ResolvedEtcdConfig): Member[] {
  const members = config.initialCluster.map(({ name, peerUrls }): Member => {
    const id = memberIdOf(peerUrls, config.clusterToken, null);
    return { id, name, peerUrls: [...peerUrls].sort(), clientUrls: [], learner: false };
  });
  return members.sort((left, right) => (left.id < right.id ? -1 : 1));
}

/** The members a new cluster begins with, in the order of their ids. */
function initialPeers(config: ResolvedEtcdConfig): Peer<LogData>[] {
  return initialMembers(config).map((member) => {
    const context: LogData = {
      kind: "member-change",
      origin: { member: 0, request: 0 },
      change: { change: "add", member },
    };
    return { id: raftIdOf(member.id), context, contextBytes: logDataBytes(context) };
  });
}

function newRunning(state: EtcdState, identity: DiskIdentity, now: Micros, out: EtcdOut): Running {
  const { config, disk } = state;
  const { snapshot, hardState } = disk.durable;
  const id = raftIdOf(identity.memberId);
  const stores = createStores();
  if (snapshot !== null && snapshot.data !== null) {
    restoreStores(stores, snapshot.data);
    out.facts.push({ kind: "etcd.restored", index: snapshot.index, from: "disk" });
  }
  const storage = storageFrom(disk.durable);
  const node = createRawNode<LogData, StoreImage>(
    {
      id,
      electionTick: config.electionTicks,
      heartbeatTick: config.heartbeatTicks,
      maxSizePerMsg: APPEND_BYTES_MAX,
      maxInflightMsgs: config.maxInflight,
      checkQuorum: config.checkQuorum,
      preVote: config.preVote,
      trace: config.trace,
    },
    storage,
    // Every start draws timeouts of its own.
    createGenerator(config.seed, `etcd/${config.name}/${disk.starts}`),
    out.facts,
  );
  return {
    id,
    memberId: identity.memberId,
    clusterId: identity.clusterId,
    node,
    stores,
    snapshotIndex: snapshot?.index ?? 0,
    saving: null,
    snapshotting: null,
    requests: new Map(),
    unsent: [],
    nextRequest: disk.starts * REQUESTS_PER_START,
    reads: { current: null, next: [] },
    caughtUp: [],
    waiting: [],
    moments: createMoments(),
    tokens: createTokens(),
    tokenLetters: createGenerator(config.seed, `etcd/${config.name}/${disk.starts}/token`),
    applier: applierFor(stores.alarms),
    watches: createWatchHub(
      {
        profile: config.profile,
        startedAt: now,
        progressInterval: config.watchProgressInterval,
        fragmentBytes: config.requestBytesMax + GRPC_OVERHEAD_BYTES,
      },
      createGenerator(config.seed, `etcd/${config.name}/${disk.starts}/watch`),
    ),
    leaseCalls: createLeaseCalls(),
    revokes: [],
    leaderless: { count: 0, checkAt: now + config.electionTicks * config.tick },
    watching: new Map(),
    published: false,
    ready: false,
    held: [],
    replayUntil: hardState.commit,
    toldRole: null,
    toldTerm: 0,
    toldLead: 0,
    electedAt: null,
    transfer: null,
    snapshotsSent: new Map(),
    connections: new Map(),
    versionCheckAt: now,
    stats: {
      startedAt: now,
      leaderSince: null,
      appendsReceived: 0,
      appendsSent: 0,
      peers: new Map(),
    },
    linkHeartbeatAt: now,
    removed: new Set([...stores.membership.removed].map(raftIdOf)),
    stopsAt: null,
    nextDue: 0,
    tickTimer: { kind: "arm-timer", timer: TICK_TIMER, delay: config.tick },
  };
}
