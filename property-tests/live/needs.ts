import { hasProgram, whyNoLab } from "../../adapters/lab/index.js";

/**
 * Why a live test cannot run here, in a line; null when it can. With ORRERY_WITNESS_REQUIRED=1
 * (as CI has it) a missing tool is a failure instead.
 */
export function whyNot(needs: "etcd" | "lab"): string | null {
  const reason = !hasProgram("etcd")
    ? "etcd is not installed"
    : needs === "lab"
      ? whyNoLab()
      : null;
  if (reason !== null && process.env.ORRERY_WITNESS_REQUIRED === "1") {
    throw new Error(`ORRERY_WITNESS_REQUIRED=1, but ${reason}`);
  }
  if (reason !== null) console.log(`skipped: ${reason}`);
  return reason;
}
