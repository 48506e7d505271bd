import type { V2Node, V2Request } from "../etcd/client.js";
import { type Machine, type Micros, type Out, SECOND, unreachable } from "../kernel/index.js";
import type {
  DiscoveredPeer,
  DiscoveryClientConfig,
  DiscoveryEffect,
  DiscoveryError,
  DiscoveryFact,
  DiscoveryReply,
  DiscoveryStimulus,
} from "./types.js";
import { checkPeerUrl, parseTokenUrl } from "./url.js";

/** How far a member has come; each phase but the last two has one request under way, or waits to retry. */
export type DiscoveryPhase =
  | "idle"
  | "size"
  | "list"
  | "register"
  | "confirm"
  | "wait"
  | "backoff"
  | "joined"
  | "failed";

/** A registration, as read from the service. */
export interface Registration {
  readonly key: string;
  readonly value: string;
}

/** One member's way through the token. */
export interface DiscoveryState {
  readonly endpoint: string;
  /** Path of the token on the service, such as `/<32 hex>`; "" when the URL has none. */
  readonly token: string;
  readonly memberId: string;
  readonly contents: string;
  readonly requestTimeout: Micros;
  readonly maxRetries: number;
  readonly observer: boolean;
  phase: DiscoveryPhase;
  registered: boolean;
  call: number;
  nextCall: number;
  retries: number;
  size: number;
  found: Registration[];
  watchIndex: number;
}

/** etcd gives up after this many attempts: at 256 s each, never. */
const RETRIES_MAX = Number.MAX_SAFE_INTEGER;

/** 2^8 s is the longest pause. */
const BACKOFF_DOUBLINGS_MAX = 8;

const RETRY_TIMER = "retry";

type Sinks = Out<DiscoveryFact, DiscoveryEffect>;

function create(config: DiscoveryClientConfig): DiscoveryState {
  const url = parseTokenUrl(config.url);
  return {
    endpoint: url?.endpoint ?? "",
    token: url?.path ?? "",
    memberId: config.memberId,
    contents: config.peerUrls.map((peerUrl) => `${config.name}=${peerUrl}`).join(","),
    requestTimeout: config.requestTimeout ?? 5 * SECOND,
    maxRetries: config.maxRetries ?? RETRIES_MAX,
    observer: config.observer ?? false,
    phase: "idle",
    registered: false,
    call: 0,
    nextCall: 1,
    retries: 0,
    size: 0,
    found: [],
    watchIndex: 0,
  };
}

function step(state: DiscoveryState, stimulus: DiscoveryStimulus, _now: Micros, out: Sinks): void {
  switch (stimulus.kind) {
    case "start":
      if (state.phase !== "idle") return;
      if (state.token === "") fail(state, "invalid-url", "the discovery URL has no token", out);
      else checkCluster(state, out);
      return;
    case "timer":
      if (state.phase === "backoff" && stimulus.timer === RETRY_TIMER) checkCluster(state, out);
      return;
    case "discovery-reply":
      if (state.call === 0 || stimulus.id !== state.call) return;
      state.call = 0;
      onReply(state, stimulus.reply, out);
      return;
    default:
      unreachable(stimulus);
  }
}

type KeysRequest = Extract<V2Request, { readonly op: "get" | "put" | "watch" }>;

function ask(state: DiscoveryState, phase: DiscoveryPhase, request: KeysRequest, out: Sinks): void {
  const id = state.nextCall++;
  state.phase = phase;
  state.call = id;
  const timeout = request.op === "watch" ? null : state.requestTimeout;
  out.effects.push({ kind: "discovery-call", id, endpoint: state.endpoint, request, timeout });
}

/** Steps 1 and 2: how many are wanted, and who is there. */
function checkCluster(state: DiscoveryState, out: Sinks): void {
  ask(state, "size", { op: "get", key: `${state.token}/_config/size` }, out);
}

const selfKey = (state: DiscoveryState) => `${state.token}/${state.memberId}`;

function onReply(state: DiscoveryState, reply: DiscoveryReply, out: Sinks): void {
  const node = nodeOf(reply);
  if (node === null) {
    onFailure(state, reply, out);
    return;
  }
  switch (state.phase) {
    case "size":
      onSize(state, node.value ?? "", out);
      return;
    case "list":
      onList(state, node, indexOf(reply), out);
      return;
    case "register":
      // The member waits until it sees itself on the server it talks to.
      state.registered = true;
      out.facts.push({ kind: "discovery.registered", memberId: state.memberId });
      ask(
        state,
        "confirm",
        { op: "watch", key: selfKey(state), waitIndex: node.createdIndex },
        out,
      );
      return;
    case "confirm":
      checkCluster(state, out);
      return;
    case "wait":
      // Whatever happens under the token counts as another member: a deletion, too.
      addFound(state, node, out);
      state.watchIndex = node.modifiedIndex + 1;
      waitForMembers(state, out);
      return;
    default:
  }
}

function nodeOf(reply: DiscoveryReply): V2Node | null {
  return reply.ok && "node" in reply ? reply.node : null;
}

function indexOf(reply: DiscoveryReply): number {
  return reply.ok && "etcdIndex" in reply ? reply.etcdIndex : 0;
}

function onSize(state: DiscoveryState, text: string, out: Sinks): void {
  const size = readSize(text);
  if (size === null) {
    fail(state, "bad-size-key", `discovery size key is bad: ${JSON.stringify(text)}`, out);
    return;
  }
  if (state.size !== size) out.facts.push({ kind: "discovery.size-found", size });
  state.size = size;
  ask(state, "list", { op: "get", key: state.token }, out);
}

/** An unsigned number of 64 bits; what no member could wait for counts as the largest we can tell. */
function readSize(text: string): number | null {
  if (!/^[0-9]{1,20}$/.test(text) || BigInt(text) > 0xffff_ffff_ffff_ffffn) return null;
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

function onList(state: DiscoveryState, directory: V2Node, index: number, out: Sinks): void {
  const nodes = [...(directory.nodes ?? [])]
    .filter((node) => baseName(node.key) !== "_config")
    .sort((a, b) => a.createdIndex - b.createdIndex);
  const own = nodes.findIndex((node) => baseName(node.key) === state.memberId);
  // Full when the first `size` are others; a size of 0 is never reached.
  const others = own < 0 ? nodes.length : own;
  const full = state.size > 0 && others >= state.size;
  if (full && !state.observer) {
    fail(state, "full-cluster", "cluster is full", out);
    return;
  }
  if (!state.registered && !state.observer) {
    const { contents } = state;
    const request = { op: "put", key: selfKey(state), value: contents, prevExist: false } as const;
    ask(state, "register", request, out);
    return;
  }
  const before = new Set(state.found.map((peer) => peer.key));
  state.found = [];
  for (const node of nodes.slice(0, state.size)) addFound(state, node, out, before);
  state.watchIndex = index + 1;
  waitForMembers(state, out);
}

const baseName = (key: string) => key.slice(key.lastIndexOf("/") + 1);

function addFound(
  state: DiscoveryState,
  node: V2Node,
  out: Sinks,
  known: ReadonlySet<string> = new Set(),
): void {
  const { key, value = "" } = node;
  state.found.push({ key, value });
  if (!known.has(key)) out.facts.push({ kind: "discovery.peer-found", key: baseName(key), value });
}

/** Step 5: watch until there are enough. */
function waitForMembers(state: DiscoveryState, out: Sinks): void {
  const missing = state.size - state.found.length;
  if (missing <= 0) {
    join(state, out);
    return;
  }
  out.facts.push({ kind: "discovery.waiting", missing });
  const { token: key, watchIndex: waitIndex } = state;
  ask(state, "wait", { op: "watch", key, recursive: true, waitIndex }, out);
}

/** Step 6: the values of those found are the initial cluster. */
function join(state: DiscoveryState, out: Sinks): void {
  const peers: DiscoveredPeer[] = [];
  const names = new Set<string>();
  for (const pair of state.found.flatMap(({ value }) => value.split(","))) {
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const peerUrl = equals < 0 ? "" : pair.slice(equals + 1);
    const url = checkPeerUrl(peerUrl);
    if (url === null) {
      fail(state, "invalid-url", `the registration ${JSON.stringify(pair)} has no peer URL`, out);
      return;
    }
    peers.push({ name, peerUrl: url });
    names.add(name);
  }
  if (names.size !== state.found.length) {
    fail(state, "duplicate-name", "found duplicate name", out);
    return;
  }
  state.phase = "joined";
  out.facts.push({ kind: "discovery.joined", initialCluster: peers });
  out.effects.push({ kind: "joined", initialCluster: peers });
}

/** No answer, or an error. What is no answer is tried again, but for the registration. */
function onFailure(state: DiscoveryState, reply: DiscoveryReply, out: Sinks): void {
  const detail = describe(reply);
  if (state.phase === "register") {
    const duplicate = !reply.ok && "errorCode" in reply && reply.errorCode === 105;
    fail(state, duplicate ? "duplicate-id" : "registration-failed", detail, out);
    return;
  }
  if (state.phase === "confirm") {
    fail(state, "registration-failed", detail, out);
    return;
  }
  if (isTransient(reply)) {
    retry(state, detail, out);
    return;
  }
  const missing = !reply.ok && "errorCode" in reply && reply.errorCode === 100;
  fail(state, missing ? "token-not-found" : "bad-discovery-endpoint", detail, out);
}

/** What etcd's client takes for trouble with the cluster behind the URL: silence and 5xx. */
function isTransient(reply: DiscoveryReply): boolean {
  if (reply.ok) return false;
  return "unreachable" in reply || reply.status >= 500;
}

function describe(reply: DiscoveryReply): string {
  if (reply.ok) return "an answer of the wrong kind";
  if ("unreachable" in reply) return reply.unreachable;
  return "errorCode" in reply
    ? `${reply.errorCode}: ${reply.message} (${reply.cause}) [${reply.index}]`
    : `status ${reply.status}`;
}

function retry(state: DiscoveryState, detail: string, out: Sinks): void {
  if (state.retries >= state.maxRetries) {
    fail(state, "too-many-retries", detail, out);
    return;
  }
  state.retries++;
  const delay = 2 ** Math.min(state.retries, BACKOFF_DOUBLINGS_MAX) * SECOND;
  state.phase = "backoff";
  out.facts.push({ kind: "discovery.retrying", attempt: state.retries, delay });
  out.effects.push({ kind: "arm-timer", timer: RETRY_TIMER, delay });
}

function fail(state: DiscoveryState, error: DiscoveryError, detail: string, out: Sinks): void {
  state.phase = "failed";
  out.facts.push({ kind: "discovery.failed", error, detail });
  out.effects.push({ kind: "failed", error, detail });
}

/**
 * A member's side of the discovery protocol (etcd 3.4, etcdserver/api/v2discovery). It runs once, on
 * a member without data; whoever dies half way cannot come back with the same id.
 *
 * An observer follows etcd's GetCluster, as proxies do: it waits until the token is full.
 */
export const discoveryClient: Machine<
  DiscoveryClientConfig,
  DiscoveryState,
  DiscoveryStimulus,
  DiscoveryFact,
  DiscoveryEffect
> = { name: "discovery-client", create, step };
