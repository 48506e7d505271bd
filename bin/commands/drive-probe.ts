import type { EtcdV2Client } from "../../adapters/etcd/index.js";
import type { V2Node } from "../../core/etcd/client.js";
import { SECOND } from "../../core/kernel/index.js";
import { refuse } from "./live-flags.js";

/** Reads fleet's registry: null when there is none yet. @throws FlagError when there is no v2 API to read it from */
export async function probeV2(
  client: EtcdV2Client,
  etcd: string,
  keyPrefix: string,
): Promise<V2Node | null> {
  const reply = await client.ask({ op: "get", key: keyPrefix, recursive: true }, 5 * SECOND);
  if (reply.ok) return reply.node;
  if ("unreachable" in reply) {
    const found = { refused: "no connection", timeout: "no answer in 5 s", closed: "no answer" };
    const advice = "Check the URL, and that etcd runs and is reachable from here";
    refuse("E_CONNECT", etcd, found[reply.unreachable], "an answer of etcd", advice);
  }
  if (reply.errorCode === KEY_NOT_FOUND) return null;
  const found = `status ${reply.status}, ${reply.message}`;
  const advice = "Start etcd (3.5 and older) with --enable-v2=true; fleet's registry needs it";
  return refuse("E_CONNECT", etcd, found, "etcd's v2 keys API", advice);
}

const KEY_NOT_FOUND = 100;
