import { parentPort, workerData } from "node:worker_threads";
import type { FaultPlan } from "../faults/index.js";
import type { WorkerTask } from "./campaign.js";
import { judge } from "./run.js";

/** A worker of a campaign: seeds (and perhaps a plan) in, verdicts out. */
const { scenario, invariants } = workerData as WorkerTask;
const port = parentPort;
if (port === null) throw new Error("campaign/worker runs as a worker thread only");
port.on("message", (task: { seed: number; plan: FaultPlan | null }) => {
  const { seed, plan } = task;
  port.postMessage(judge({ scenario, seed, invariants, ...(plan === null ? {} : { plan }) }));
});
