import { benchFleet } from "./fleet.js";
import { benchLinearizability } from "./linearizability.js";
import { benchMvcc } from "./mvcc.js";
import { benchQueue } from "./queue.js";
import { benchRaft } from "./raft.js";
import { machine } from "./report.js";
import { benchDay, benchSimulation } from "./simulation.js";
import { benchWatch } from "./watch.js";

/** `npm run bench [-- NAME …]`: figures with the machine they were taken on. */
const BENCHES: Readonly<Record<string, () => void | Promise<void>>> = {
  queue: benchQueue,
  raft: benchRaft,
  mvcc: benchMvcc,
  watch: benchWatch,
  fleet: benchFleet,
  simulation: benchSimulation,
  memory: benchDay,
  linearizability: benchLinearizability,
};

const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const unknown = names.filter((name) => BENCHES[name] === undefined);
if (unknown.length > 0) {
  console.error(
    `no benchmark ${unknown.join(", ")}; there are: ${Object.keys(BENCHES).join(", ")}`,
  );
  process.exit(2);
}
console.log(machine());
for (const [name, bench] of Object.entries(BENCHES)) {
  if (names.length === 0 || names.includes(name)) await bench();
}
