import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import type { Micros } from "../../core/kernel/index.js";
import type { V2Call } from "../etcd/index.js";
import type { EtcdPort } from "./ports.js";

/**
 * An etcd in which a machine may take over its own presence.
 *
 * fleetd registers with a create-only write, so after a kill it waits until its old presence has
 * expired, and in that gap the engine of another host moves its units. `drive` plays all hosts, so
 * they would all be gone at once and whoever registers first would take every unit. Therefore a
 * registration that meets a presence that says exactly the same (id, address, metadata) replaces
 * it, by compare-and-swap; anything else in its place is refused as ever.
 */
export function withTakeover(etcd: EtcdPort, presenceKey: string): EtcdPort {
  return {
    call(request, timeout, replied) {
      if (!registers(request, presenceKey)) return etcd.call(request, timeout, replied);
      let current: V2Call;
      const take = (refusal: EtcdReply): void => {
        current = etcd.call({ op: "get", key: presenceKey, quorum: true }, timeout, (found) => {
          if (!found.ok || found.node.value !== request.value) replied(refusal);
          else current = replace(etcd, request, found.node.modifiedIndex, timeout, replied);
        });
      };
      current = etcd.call(request, timeout, (reply) => {
        if (!reply.ok && "errorCode" in reply && reply.errorCode === EXISTS) take(reply);
        else replied(reply);
      });
      return { cancel: () => current.cancel() };
    },
  };
}

const EXISTS = 105;

type Put = Extract<V2Request, { readonly op: "put" }>;

function registers(request: V2Request, presenceKey: string): request is Put {
  return request.op === "put" && request.key === presenceKey && request.prevExist === false;
}

function replace(
  etcd: EtcdPort,
  { key, value = "", ttl }: Put,
  prevIndex: number,
  timeout: Micros | null,
  replied: (reply: EtcdReply) => void,
): V2Call {
  const lifetime = ttl === undefined ? {} : { ttl };
  return etcd.call({ op: "put", key, value, prevIndex, ...lifetime }, timeout, replied);
}
