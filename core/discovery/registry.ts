import type { V2Response } from "../etcd/client.js";
import {
  applyV2Command,
  createV2Store,
  parseV2Request,
  removeWatcher,
  type V2Notice,
  type V2Store,
  v2Expire,
  v2Watch,
} from "../etcd/index.js";
import {
  createGenerator,
  type Generator,
  type Machine,
  type Micros,
  nextUint32,
  type Out,
  unreachable,
} from "../kernel/index.js";
import type {
  DiscoveryReply,
  RegistryConfig,
  RegistryFact,
  RegistryKeysRequest,
  RegistryResponse,
  RegistryStimulus,
} from "./types.js";

/** Where the service keeps its tokens in the store behind it. */
const PREFIX = "/_etcd/registry";

const DEFAULT_SIZE = "3";

/** The service and the etcd store behind it, of one member without a disk. */
export interface RegistryState {
  readonly host: string;
  readonly generator: Generator;
  readonly store: V2Store;
}

export type RegistryEffect = RegistryResponse;

type Sinks = Out<RegistryFact, RegistryEffect>;

const TOKEN_KEY = /^\/([0-9a-f]{32})(\/.*)?$/;

function create(config: RegistryConfig): RegistryState {
  return {
    host: config.host.replace(/\/+$/, ""),
    generator: createGenerator(config.seed, "discovery-tokens"),
    store: createV2Store(),
  };
}

function step(state: RegistryState, stimulus: RegistryStimulus, now: Micros, out: Sinks): void {
  switch (stimulus.kind) {
    case "registry-hangup":
      removeWatcher(state.store.watchers, stimulus.id);
      return;
    case "registry-request": {
      const { id, request } = stimulus;
      const notices: V2Notice[] = [];
      v2Expire(state.store, now, now, notices);
      const reply = answer(state, request, id, now, notices, out);
      if (reply !== null) out.effects.push({ kind: "registry-response", id, reply });
      for (const { id: watcher, response } of notices) {
        out.effects.push({ kind: "registry-response", id: watcher, reply: response });
      }
      return;
    }
    default:
      unreachable(stimulus);
  }
}

/** @returns null for a watch that has to wait */
function answer(
  state: RegistryState,
  request: RegistryStimulusRequest,
  id: number,
  now: Micros,
  notices: V2Notice[],
  out: Sinks,
): DiscoveryReply | null {
  if (request.op === "new") return newToken(state, request.size, now, notices, out);
  if (request.op === "health") {
    const token = drawToken(state);
    write(state, `/${token}/_config/size`, "0", now, notices);
    apply(state, { op: "delete", key: `/${token}`, recursive: true }, now, notices);
    return { ok: true, token: "" };
  }
  const match = TOKEN_KEY.exec(request.key);
  if (match === null) return { ok: false, status: 404, body: "404 page not found\n" };
  if (request.op === "watch") {
    const { key, recursive = false, stream = false, waitIndex = 0 } = request;
    return v2Watch(state.store, id, PREFIX + withoutSlash(key), recursive, stream, waitIndex);
  }
  const reply = apply(state, request, now, notices);
  if (reply.ok) tellOf(reply, match[1] ?? "", out);
  return reply;
}

type RegistryStimulusRequest = Extract<
  RegistryStimulus,
  { readonly kind: "registry-request" }
>["request"];

/** `/new?size=N`: any integer will do, also 0 and negative ones. */
function newToken(
  state: RegistryState,
  size: string | null,
  now: Micros,
  notices: V2Notice[],
  out: Sinks,
): DiscoveryReply {
  const text = size === null || size === "" ? DEFAULT_SIZE : size;
  const number = /^[-+]?[0-9]{1,30}$/.test(text) ? BigInt(text.replace(/^\+/, "")) : null;
  if (number === null || BigInt.asIntN(64, number) !== number) {
    const why = number === null ? "invalid syntax" : "value out of range";
    const body = `strconv.Atoi: parsing ${JSON.stringify(text)}: ${why}\n`;
    return { ok: false, status: 400, body };
  }
  const token = drawToken(state);
  write(state, `/${token}/_config/size`, String(number), now, notices);
  out.facts.push({ kind: "discovery.token-created", token, size: safe(number) });
  return { ok: true, token: `${state.host}/${token}` };
}

/** Facts hold no larger numbers; nobody waits for so many members. */
function safe(number: bigint): number {
  const max = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(number > max ? max : number < -max ? -max : number);
}

/** 32 hex digits. */
function drawToken(state: RegistryState): string {
  let token = "";
  for (let i = 0; i < 4; i++) token += nextUint32(state.generator).toString(16).padStart(8, "0");
  return token;
}

function write(
  state: RegistryState,
  key: string,
  value: string,
  now: Micros,
  notices: V2Notice[],
): void {
  apply(state, { op: "put", key, value, prevExist: false }, now, notices);
}

/** Hands a request on to the store. */
function apply(
  state: RegistryState,
  request: Exclude<RegistryKeysRequest, { readonly op: "watch" }>,
  now: Micros,
  notices: V2Notice[],
): V2Response {
  const parsed = parseV2Request({ ...request, key: PREFIX + request.key }, now);
  if (!parsed.ok) return parsed.failure;
  const { command } = parsed;
  if (command.op === "watch") throw new Error("a watch is no command");
  return applyV2Command(state.store, command, now, notices);
}

const withoutSlash = (key: string): string => key.replace(/\/+$/, "");

/** Members are what stands directly under a token and is not hidden. */
function tellOf(reply: V2Response & { readonly ok: true }, token: string, out: Sinks): void {
  const member = reply.node.key.slice(`${PREFIX}/${token}/`.length);
  if (reply.action === "get" || member === "" || /^_|\//.test(member)) return;
  const isGone = reply.action === "delete" || reply.action === "compareAndDelete";
  const kind = isGone ? "discovery.member-removed" : "discovery.member-registered";
  out.facts.push({ kind, token, member });
}

/**
 * The discovery service (coreos/discovery.etcd.io) with the etcd store behind it, to which it hands
 * requests on. Tokens never expire: the code of the service has no expiry, whoever runs it clears
 * them away by hand. `_config/size` can be written here too: the public service does not offer it
 * (its edge refuses), but whoever runs a registry of their own makes tokens that way.
 *
 * Keys with a time to live go when the next request comes.
 */
export const discoveryRegistry: Machine<
  RegistryConfig,
  RegistryState,
  RegistryStimulus,
  RegistryFact,
  RegistryEffect
> = { name: "discovery-registry", create, step };
