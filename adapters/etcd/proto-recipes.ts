import { enumeration, header, message } from "./proto-table.js";

/** Package v3lockpb. */
export const lockMessages = {
  LockRequest: message({ name: [1, "bytes"], lease: [2, "int64"] }),
  LockResponse: message({ header, key: [2, "bytes"] }),
  UnlockRequest: message({ key: [1, "bytes"] }),
  UnlockResponse: message({ header }),
};

/** Package v3electionpb. */
export const electionMessages = {
  CampaignRequest: message({ name: [1, "bytes"], lease: [2, "int64"], value: [3, "bytes"] }),
  CampaignResponse: message({ header, leader: [2, "LeaderKey"] }),
  LeaderKey: message({
    name: [1, "bytes"],
    key: [2, "bytes"],
    rev: [3, "int64"],
    lease: [4, "int64"],
  }),
  LeaderRequest: message({ name: [1, "bytes"] }),
  LeaderResponse: message({ header, kv: [2, "mvccpb.KeyValue"] }),
  ResignRequest: message({ leader: [1, "LeaderKey"] }),
  ResignResponse: message({ header }),
  ProclaimRequest: message({ leader: [1, "LeaderKey"], value: [2, "bytes"] }),
  ProclaimResponse: message({ header }),
};

/** Package grpc.health.v1. */
export const healthMessages = {
  HealthCheckResponse_ServingStatus: enumeration(
    "UNKNOWN",
    "SERVING",
    "NOT_SERVING",
    "SERVICE_UNKNOWN",
  ),
  HealthCheckRequest: message({ service: [1, "string"] }),
  HealthCheckResponse: message({ status: [1, "HealthCheckResponse_ServingStatus"] }),
};
