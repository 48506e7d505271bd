import {
  applyV2Command,
  createV2Store,
  type EtcdReply,
  parseV2Request,
  type V2Request,
} from "../core/etcd/index.js";
import { engineReplied, ordered, runEngine } from "../core/fleet/engine-loop.js";
import {
  createState,
  createUnitFile,
  FLEET_DEFAULTS,
  type FleetEffect,
  type FleetState,
  heartbeat,
  parseUnit,
  schedule,
  unitText,
  writeJob,
  writeMachine,
  writeTargetState,
} from "../core/fleet/index.js";
import type { Step } from "../core/fleet/step.js";
import { figure, print, secondsOf } from "./report.js";

const PREFIX = FLEET_DEFAULTS.keyPrefix;
const PER_RACK = 20;
const UNITS_PER_MACHINE = 10;

/** Whole passes of a fleetd that leads, over an etcd that answers at once. */
export function benchFleetPass(sizes: readonly number[]): void {
  console.log(
    "fleet: a whole pass of a leading fleetd, faithful: what etcd's store takes to answer, what fleetd takes",
  );
  for (const machines of sizes) {
    const bench = new PassBench(machines);
    const label = `${figure(machines)} machines, ${figure(machines * UNITS_PER_MACHINE)} units`;
    print(`${label}, the first pass`, shown(bench.pass()));
    print(`${label}, nothing changed`, shown(best(() => bench.pass())));
    print(
      `${label}, a machine lost, 10 units new`,
      shown(
        best((nth) => {
          bench.change(nth);
          return bench.pass();
        }),
      ),
    );
  }
}

const NO_ANSWER: EtcdReply = { ok: false, unreachable: "closed" };

interface Spent {
  readonly etcd: number;
  readonly fleetd: number;
}

/** Of eight passes the one in which fleetd took least. */
function best(pass: (nth: number) => Spent): Spent {
  const spent = Array.from({ length: 8 }, (_, nth) => pass(nth));
  return spent.reduce((left, right) => (left.fleetd <= right.fleetd ? left : right));
}

function shown({ etcd, fleetd }: Spent): string {
  return `${(etcd * 1_000).toFixed(1)} ms, ${(fleetd * 1_000).toFixed(1)} ms`;
}

class PassBench {
  readonly #store = createV2Store();
  readonly #state: FleetState;
  readonly #machines: number;
  readonly #hashes: readonly string[];
  #units = 0;
  #now = 1_000_000;

  constructor(machines: number) {
    this.#machines = machines;
    this.#state = createState({ ...FLEET_DEFAULTS, machineId: "f".repeat(32) });
    this.#state.phase = "running";
    const racks = this.#racks;
    for (let i = 0; i < machines; i++) {
      const metadata = { rack: `r${i % racks}` };
      this.#etcd(writeMachine(PREFIX, { id: idOf(i), publicIp: "", metadata }, 30, false));
    }
    // One file for each rack: units of a real fleet are instances of few templates, too.
    this.#hashes = Array.from({ length: racks }, (_, rack) => {
      const parsed = parseUnit(
        `[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=rack=r${rack}\n`,
      );
      if (!parsed.ok) throw new Error(parsed.error);
      this.#etcd(createUnitFile(PREFIX, parsed.unit.hash, unitText(parsed.unit)));
      return parsed.unit.hash;
    });
    for (let i = 0; i < machines * UNITS_PER_MACHINE; i++) {
      const place = (i % racks) + racks * (Math.floor(i / racks) % (machines / racks));
      this.#submit(idOf(place));
    }
  }

  get #racks(): number {
    return Math.max(1, Math.floor(this.#machines / PER_RACK));
  }

  #submit(machine: string | null): void {
    const unit = `unit-${String(this.#units).padStart(7, "0")}.service`;
    const hash = this.#hashes[this.#units % this.#racks] ?? "";
    this.#units++;
    this.#etcd(writeJob(PREFIX, unit, hash));
    this.#etcd(writeTargetState(PREFIX, unit, "launched"));
    if (machine === null) return;
    this.#etcd(schedule(PREFIX, unit, machine));
    this.#etcd(heartbeat(PREFIX, unit, machine, 30));
  }

  /** Another machine is gone, and ten units are new. */
  change(nth: number): void {
    this.#etcd({ op: "delete", key: `${PREFIX}/machines/${idOf(nth)}`, recursive: true });
    for (let i = 0; i < 10; i++) this.#submit(null);
  }

  /** A pass, with the writes of its tasks. */
  pass(): Spent {
    const effects: FleetEffect[] = [];
    const step: Step = { state: this.#state, now: this.#now, out: { facts: [], effects } };
    let [etcd, fleetd] = [0, secondsOf(1, () => runEngine(step))];
    for (let effect = effects.shift(); effect !== undefined; effect = effects.shift()) {
      if (effect.kind === "order") {
        const { id, counts } = effect;
        // The world's business: what it costs to draw is not counted.
        const orders = counts.map((count) =>
          Array.from({ length: count }, (_, i) => count - 1 - i),
        );
        fleetd += secondsOf(1, () => ordered(step, id, orders));
      } else if (effect.kind === "etcd-call") {
        const { id, request } = effect;
        const replies: EtcdReply[] = [];
        etcd += secondsOf(1, () => {
          replies.push(this.#etcd(request));
        });
        this.#state.calls.delete(id);
        const [answer = NO_ANSWER] = replies;
        fleetd += secondsOf(1, () => engineReplied(step, answer));
      }
    }
    return { etcd, fleetd };
  }

  #etcd(request: V2Request): EtcdReply {
    const parsed = parseV2Request(request, this.#now);
    if (!parsed.ok) return parsed.failure;
    if (parsed.command.op === "watch") throw new Error("not a watch");
    return applyV2Command(this.#store, parsed.command, this.#now, []);
  }
}

function idOf(machine: number): string {
  return machine.toString(16).padStart(32, "0");
}
