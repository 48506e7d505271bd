import { status } from "@grpc/grpc-js";
import type { StoreImage } from "../../core/etcd/index.js";
import { CallFailure } from "./status.js";

/** Writes the stores as `etcdctl snapshot restore` reads them. */
export function snapshotFile(_image: StoreImage): Uint8Array {
  throw new CallFailure(status.UNIMPLEMENTED, "orrery: the file of a snapshot is not written yet");
}
