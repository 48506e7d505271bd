import type { Observable } from "rxjs";
import type { EtcdReply, V2Request } from "../../core/etcd/client.js";
import type { Micros } from "../../core/kernel/index.js";
import type { SystemdReply, SystemdRequest, UnitStatus } from "../../core/systemd/client.js";
import type { V2Call } from "../etcd/index.js";

/** An etcd that fleetd talks to: the real one, or its shadow in a dry run. */
export interface EtcdPort {
  call(request: V2Request, timeout: Micros | null, replied: (reply: EtcdReply) => void): V2Call;
}

/** A systemd that fleetd talks to: the real one, or its shadow in a dry run. */
export interface SystemdPort {
  request(request: SystemdRequest): Promise<SystemdReply>;
  readonly changes: Observable<UnitStatus>;
}

/** True for requests that change something. */
export function isWrite(request: V2Request): boolean {
  return request.op !== "get" && request.op !== "watch";
}

/** True for requests that change something on the host. */
export function isChange(request: SystemdRequest): boolean {
  return request.call !== "list-units" && request.call !== "read-units";
}
