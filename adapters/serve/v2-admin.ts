import type { ClientReply, ClusterRequest, EtcdState, Member } from "../../core/etcd/index.js";
import { membersOf } from "../../core/etcd/index.js";
import { memberByRaftId } from "../../core/etcd/membership.js";
import type { Exchange } from "./http.js";
import { parseJson } from "./json.js";
import type { MemberPort } from "./port.js";
import { failureOf } from "./stream.js";

/** Answers `/v2/members` and what is below. Source: etcd 3.4 etcdserver/api/v2http/client.go. */
export async function v2Members(
  member: MemberPort,
  exchange: Exchange,
  rest: string,
): Promise<void> {
  const state = member.state();
  exchange.header("X-Etcd-Cluster-Id", state?.run?.clusterId ?? "");
  switch (exchange.method) {
    case "GET":
      return listMembers(member, exchange, state, rest);
    case "POST":
      return addMember(member, exchange);
    case "DELETE":
      return changeMember(member, exchange, { op: "member-remove", member: hex(rest) }, rest);
    case "PUT": {
      const peerUrls = await readPeerUrls(exchange);
      if (peerUrls === null) return;
      return changeMember(
        member,
        exchange,
        { op: "member-update", member: hex(rest), peerUrls },
        rest,
      );
    }
    default:
      return exchange.notAllowed("GET,POST,DELETE,PUT");
  }
}

function listMembers(
  member: MemberPort,
  exchange: Exchange,
  state: EtcdState | null,
  rest: string,
): void {
  const members = state === null ? [] : membersOf(state);
  const show = (one: Member) => memberJson(member, one);
  if (rest === "") {
    exchange.json(200, { members: members.map(show) }, "\n");
    return;
  }
  const lead = rest === "leader" ? leaderOf(state) : null;
  if (rest !== "leader") message(exchange, 404, "Not found");
  else if (lead === null) message(exchange, 503, "During election");
  else exchange.json(200, show(lead), "\n");
}

function leaderOf(state: EtcdState | null): Member | null {
  const run = state?.run ?? null;
  return run === null || run.node.lead === 0
    ? null
    : memberByRaftId(run.stores.membership, run.node.lead);
}

async function addMember(member: MemberPort, exchange: Exchange): Promise<void> {
  const peerUrls = await readPeerUrls(exchange);
  if (peerUrls === null) return;
  const reply = await ask(member, exchange, { op: "member-add", peerUrls });
  if (reply === null) return exchange.destroy();
  if ("result" in reply && "member" in reply.result && reply.result.member !== null) {
    exchange.json(201, memberJson(member, reply.result.member), "\n");
    return;
  }
  const text = "message" in reply ? reply.message : "";
  const conflict = EXISTS[text];
  if (conflict !== undefined) message(exchange, 409, conflict);
  else message(exchange, 500, "Internal Server Error");
}

/** What version 2 says for texts of version 3. */
const EXISTS: Readonly<Record<string, string>> = {
  "etcdserver: Peer URLs already exists": "membership: peerURL exists",
  "etcdserver: member ID already exist": "membership: ID exists",
};

async function changeMember(
  member: MemberPort,
  exchange: Exchange,
  request: ClusterRequest,
  id: string,
): Promise<void> {
  if (!/^[0-9a-f]{1,16}$/.test(id)) {
    message(exchange, 404, `No such member: ${id}`);
    return;
  }
  const reply = await ask(member, exchange, request);
  if (reply === null) return exchange.destroy();
  if (reply.ok) {
    exchange.end(204, "");
    return;
  }
  const text = "message" in reply ? reply.message : "";
  if (/not found/.test(text)) message(exchange, 404, `No such member: ${id}`);
  else if (/removed/.test(text)) message(exchange, 410, `Member permanently removed: ${id}`);
  else if (EXISTS[text] !== undefined) message(exchange, 409, EXISTS[text]);
  else message(exchange, 500, "Internal Server Error");
}

function ask(
  member: MemberPort,
  exchange: Exchange,
  request: ClusterRequest,
): Promise<ClientReply | null> {
  return new Promise((resolve) => {
    const conversation = member.ask(request, {}, (reply) =>
      resolve("unreachable" in reply ? null : reply),
    );
    exchange.signal.addEventListener("abort", () => {
      conversation.hangUp();
      resolve(null);
    });
  });
}

async function readPeerUrls(exchange: Exchange): Promise<readonly string[] | null> {
  const type = exchange.request.headers["content-type"] ?? "";
  if (type !== "application/json") {
    message(exchange, 415, `Bad Content-Type ${type}, accept application/json`);
    return null;
  }
  try {
    const body = await exchange.body();
    const json = parseJson(body?.toString("utf8") ?? "");
    const urls =
      json !== null && typeof json === "object" && "peerURLs" in json ? json.peerURLs : [];
    const texts = Array.isArray(urls) ? urls.filter((url) => typeof url === "string") : [];
    if (texts.length > 0) return texts;
    message(exchange, 400, "no valid URLs given");
  } catch (error) {
    message(exchange, 400, failureOf(error).message);
  }
  return null;
}

function memberJson(member: MemberPort, { id, name, peerUrls, clientUrls }: Member): object {
  return { id, name, peerURLs: peerUrls, clientURLs: member.reachable(clientUrls) };
}

function message(exchange: Exchange, status: number, text: string): void {
  exchange.json(status, { message: text });
}

function hex(id: string): string {
  return id.padStart(16, "0");
}

/** Answers `/v2/machines`. */
export function v2Machines(member: MemberPort, exchange: Exchange): void {
  if (exchange.method !== "GET" && exchange.method !== "HEAD") {
    exchange.notAllowed("GET,HEAD");
    return;
  }
  const state = member.state();
  const urls =
    state === null ? [] : membersOf(state).flatMap((one) => member.reachable(one.clientUrls));
  exchange.header("Content-Type", "text/plain; charset=utf-8").end(200, urls.sort().join(", "));
}

/**
 * Answers `/v2/stats/…` with what a model knows: roles, names, watchers. It counts neither requests nor bytes, and
 * leaves those numbers out.
 */
export function v2Stats(member: MemberPort, exchange: Exchange, what: string): void {
  if (exchange.method !== "GET") {
    exchange.notAllowed("GET");
    return;
  }
  const state = member.state();
  const run = state?.run ?? null;
  if (state === null || run === null) {
    exchange.destroy();
    return;
  }
  const leads = run.node.role === "leader";
  switch (what) {
    case "self":
      exchange.json(200, {
        name: state.config.name,
        id: run.memberId,
        state: leads ? "StateLeader" : "StateFollower",
        leaderInfo: { leader: leaderOf(state)?.id ?? "" },
      });
      return;
    case "leader": {
      if (!leads) {
        message(exchange, 403, "not current leader");
        return;
      }
      const others = membersOf(state).filter(({ id }) => id !== run.memberId);
      const followers = Object.fromEntries(others.map(({ id }) => [id, {}]));
      exchange.json(200, { leader: run.memberId, followers });
      return;
    }
    case "store":
      exchange.json(200, { watchers: run.watching.size });
      return;
    default:
      exchange.notFound();
  }
}
