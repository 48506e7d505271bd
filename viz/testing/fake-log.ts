import {
  chance,
  createGenerator,
  type Generator,
  LogEncoder,
  type LogHeader,
  type LogRecord,
  MINUTE,
  type Micros,
  nextBelow,
  nextBetween,
  pick,
  type RecordType,
  SECOND,
} from "../../core/kernel/index.js";

/** What to fake. */
export interface FakeLogOptions {
  readonly seed: number;
  readonly hosts: number;
  /** Ends at the first event after it. */
  readonly duration: Micros;
  readonly units: number;
  /** Break an invariant once, halfway. */
  readonly violation: boolean;
  /** Roll a new OS version out. */
  readonly rollout: boolean;
  /** Stop after this many records at the latest. */
  readonly recordsMax: number;
}

export interface FakeLog {
  readonly header: LogHeader;
  readonly records: readonly LogRecord[];
}

const DEFAULTS: FakeLogOptions = {
  seed: 42,
  hosts: 5,
  duration: 10 * MINUTE,
  units: 6,
  violation: true,
  rollout: true,
  recordsMax: 2_000_000,
};

const OLD = "1235.4.0";
const NEW = "1235.8.0";

/**
 * A made-up log with the plot of a real one: boot, election, scheduling, crashes and partitions
 * with elections and rescheduling behind them, a rollout under a reboot lock, a violation. It is
 * no simulation: nothing in it follows from a protocol. For developing and testing what reads logs.
 */
export function fakeLog(options: Partial<FakeLogOptions> = {}): FakeLog {
  const plot = new Plot({ ...DEFAULTS, ...options });
  plot.play();
  return { header: plot.header, records: plot.records };
}

/** The log as the text of its file, as the kernel's encoder writes it. */
export function fakeLogText(log: FakeLog): string {
  const encoder = new LogEncoder();
  const lines = [encoder.header(log.header)];
  for (const record of log.records) lines.push(encoder.record(record));
  return lines.join("");
}

interface Host {
  readonly name: string;
  readonly zone: string;
  up: boolean;
  boot: number;
  slot: "USR-A" | "USR-B";
  version: string;
  staged: boolean;
  upAgain: Micros;
  readonly units: Set<string>;
}

class Plot {
  readonly records: LogRecord[] = [];
  readonly header: LogHeader;
  readonly #options: FakeLogOptions;
  readonly #random: Generator;
  readonly #hosts: Host[];
  readonly #faults = new Map<string, Micros>();
  #at: Micros = 0;
  #seq = 0;
  #term = 1;
  #leader = -1;
  #faultCount = 0;
  #holder = "";
  #violated = false;

  constructor(options: FakeLogOptions) {
    this.#options = options;
    this.#random = createGenerator(options.seed, "fake-log");
    this.#hosts = Array.from({ length: options.hosts }, (_, i) => ({
      name: `a${i + 1}`,
      zone: `z${(i % 3) + 1}`,
      up: false,
      boot: 0,
      slot: "USR-A" as const,
      version: OLD,
      staged: false,
      upAgain: 0,
      units: new Set<string>(),
    }));
    const hosts = this.#hosts.map(({ name, zone }, i) => ({
      name,
      zone,
      group: i < 3 ? "core" : "web",
      os: { version: OLD },
    }));
    const scenario = { name: "first light", duration: options.duration, hosts };
    this.header = { orrery: 1, kind: "run", origin: { scenario, seed: options.seed } };
  }

  play(): void {
    this.#boot();
    const { duration, recordsMax } = this.#options;
    while (this.#at < duration && this.records.length < recordsMax - 40) {
      this.#at += nextBetween(this.#random, 20_000, 4 * SECOND);
      this.#event();
    }
    for (const id of this.#faults.keys()) this.#fact("", "fault.end", { id });
    this.#expectations();
    const records = this.records.length + 1;
    const verdict = this.#violated ? "violated" : "held";
    this.#record("", "end", "end", { records, verdict, sum: "00c0ffee00c0ffee" }, null);
  }

  #boot(): void {
    for (const host of this.#hosts) {
      this.#at += nextBelow(this.#random, 400_000);
      this.#up(host);
    }
    this.#at += 1_200_000;
    this.#elect(0);
    this.#at += 400_000;
    this.#fact(this.#host(0).name, "fleet.engine-leader", { machine: this.#host(0).name });
    for (let i = 0; i < this.#options.units; i++) this.#start(`web@${i + 1}.service`, this.#random);
  }

  #event(): void {
    for (const host of this.#hosts) {
      if (!host.up && host.upAgain <= this.#at) this.#up(host);
    }
    for (const [id, until] of this.#faults) {
      if (until > this.#at) continue;
      this.#fact("", "fault.end", { id });
      this.#faults.delete(id);
    }
    if (this.#leader < 0 || !this.#host(this.#leader).up) this.#electAny();
    const { violation, duration } = this.#options;
    if (violation && !this.#violated && this.#at > duration / 2) this.#violate();
    const draw = nextBelow(this.#random, 100);
    if (draw < 6) this.#crash();
    else if (draw < 10) this.#partition();
    else if (draw < 60) this.#flap();
    else if (draw < 90 && this.#options.rollout) this.#advanceRollout();
    else this.#checkpoint();
  }

  #up(host: Host): void {
    host.up = true;
    host.boot++;
    if (host.staged) {
      host.slot = host.slot === "USR-A" ? "USR-B" : "USR-A";
      host.version = NEW;
      host.staged = false;
    }
    const { name, version, slot, boot } = host;
    const cause = this.#fact(name, "host.up", { version, slot, boot });
    this.#slots(host, cause);
    for (const unit of ["etcd.service", "fleet.service", "locksmithd.service"]) {
      this.#unit(host, unit, "active", "running", cause);
    }
    this.#fact(name, "etcd.started", {}, cause);
    const lead = this.#leader < 0 ? "" : this.#host(this.#leader).name;
    this.#fact(name, "etcd.role", { role: "follower", term: this.#term, lead }, cause);
    this.#fact(name, "fleet.registered", {}, cause);
    if (this.#holder === name) {
      this.#fact(name, "update.marked-good", { slot }, cause);
      this.#fact(name, "lock.released", { holder: name }, cause);
      this.#holder = "";
    }
  }

  #slots(host: Host, cause: number): void {
    const other = host.slot === "USR-A" ? "USR-B" : "USR-A";
    const version = host.version === NEW ? OLD : NEW;
    const slots = [
      {
        name: host.slot,
        version: host.version,
        priority: 1,
        tries: 0,
        successful: true,
        complete: true,
      },
      {
        name: other,
        version: host.staged || host.version === NEW ? version : "",
        priority: host.staged ? 2 : 0,
        tries: host.staged ? 1 : 0,
        successful: false,
        complete: host.staged || host.version === NEW,
      },
    ];
    this.#fact(host.name, "update.slots", { running: host.slot, slots }, cause);
  }

  #electAny(): void {
    const up = this.#hosts.filter((host) => host.up);
    if (up.length * 2 <= this.#hosts.length) return;
    this.#elect(this.#hosts.indexOf(pick(this.#random, up)));
  }

  #elect(index: number): void {
    this.#term++;
    const candidate = this.#host(index);
    const term = this.#term;
    let cause = this.#fact(candidate.name, "etcd.role", {
      role: "pre-candidate",
      term: term - 1,
      lead: "",
    });
    this.#at += 8_000;
    cause = this.#fact(candidate.name, "etcd.role", { role: "candidate", term, lead: "" }, cause);
    this.#at += 12_000;
    const lead = candidate.name;
    const won = this.#fact(lead, "etcd.role", { role: "leader", term, lead }, cause);
    for (const host of this.#hosts) {
      if (!host.up || host === candidate) continue;
      this.#at += 1_500;
      this.#fact(host.name, "etcd.role", { role: "follower", term, lead }, won);
    }
    this.#leader = index;
  }

  #start(unit: string, random: Generator): void {
    const up = this.#hosts.filter((host) => host.up);
    if (up.length === 0) return;
    const host = pick(random, up);
    this.#at += 30_000;
    const reason = "target state launched and unit not scheduled";
    const scheduled = this.#fact("", "fleet.scheduled", { unit, machine: host.name, reason });
    const task = this.#fact(
      host.name,
      "fleet.task",
      { task: "StartUnit", unit, reason },
      scheduled,
    );
    this.#at += 90_000;
    this.#unit(host, unit, "activating", "start-pre", task);
    this.#at += 250_000;
    this.#unit(host, unit, "active", "running", task);
    host.units.add(unit);
  }

  #unit(host: Host, unit: string, active: string, sub: string, cause: number | null): void {
    const data = {
      unit,
      load: "loaded",
      active,
      sub,
      result: active === "failed" ? "exit-code" : "success",
    };
    this.#fact(host.name, "systemd.unit", data, cause);
  }

  #down(
    host: Host,
    kind: "host.down" | "host.rebooting",
    reason: string,
    cause: number | null,
  ): void {
    const down = this.#fact(host.name, kind, { reason }, cause);
    if (kind === "host.rebooting") this.#fact(host.name, "host.down", { reason: "reboot" }, down);
    host.up = false;
    const orphans = [...host.units];
    host.units.clear();
    this.#at += 2 * SECOND;
    for (const unit of orphans) {
      this.#fact(
        "",
        "fleet.unscheduled",
        { unit, machine: host.name, reason: "machine went away" },
        down,
      );
      this.#start(unit, this.#random);
    }
  }

  #crash(): void {
    const up = this.#hosts.filter((host) => host.up);
    if ((up.length - 1) * 2 <= this.#hosts.length) return;
    const host = pick(this.#random, up);
    const id = this.#faultId();
    const until = this.#at + nextBetween(this.#random, 5, 30) * SECOND;
    const begun = this.#fact("", "fault.begin", {
      id,
      fault: { kind: "power-loss", host: host.name },
    });
    this.#faults.set(id, until);
    host.upAgain = until;
    this.#down(host, "host.down", "power loss", begun);
  }

  #partition(): void {
    const side = pick(this.#random, this.#hosts).name;
    const id = this.#faultId();
    this.#faults.set(id, this.#at + nextBetween(this.#random, 3, 20) * SECOND);
    const others = this.#hosts.map((host) => host.name).filter((name) => name !== side);
    this.#fact("", "fault.begin", {
      id,
      fault: { kind: "partition", sides: [[side], others], oneWay: false },
    });
  }

  #flap(): void {
    const host = pick(this.#random, this.#hosts);
    const unit = [...host.units][0];
    if (!host.up || unit === undefined) return;
    const died = this.#fact(host.name, "systemd.job", { unit, job: "restart", result: "done" });
    this.#unit(host, unit, "failed", "failed", died);
    this.#at += 100_000;
    this.#unit(host, unit, "active", "running", died);
  }

  #advanceRollout(): void {
    const host = this.#hosts.find((h) => h.up && h.version === OLD && !h.staged);
    const ready = this.#hosts.find((h) => h.up && h.staged);
    if (ready !== undefined && this.#holder === "") {
      this.#holder = ready.name;
      this.#fact(ready.name, "locksmith.state", { state: "locking" });
      const cause = this.#fact(ready.name, "lock.acquired", { holder: ready.name });
      this.#at += SECOND;
      ready.upAgain = this.#at + nextBetween(this.#random, 15, 45) * SECOND;
      this.#down(ready, "host.rebooting", "update to be activated", cause);
    } else if (host !== undefined && chance(this.#random, 500_000)) {
      const granted = this.#fact("update", "service.granted", { host: host.name, version: NEW });
      this.#fact(host.name, "update.status", { status: "DOWNLOADING", version: NEW }, granted);
      this.#at += 3 * SECOND;
      this.#fact(
        host.name,
        "update.status",
        { status: "UPDATED_NEED_REBOOT", version: NEW },
        granted,
      );
      host.staged = true;
      this.#slots(host, granted);
    }
  }

  #violate(): void {
    this.#violated = true;
    const hosts = this.#hosts.slice(0, 2).map((host) => host.name);
    const cause = this.#seq - 1;
    const detail = "two engine leaders at once: both believe they hold the lease";
    this.#fact("", "invariant.violated", { invariant: "one-engine-leader", detail, hosts }, cause);
  }

  #expectations(): void {
    this.#fact("", "expectation.met", { expectation: "converges", detail: "after 12.4 s" });
    if (!this.#options.rollout) return;
    const detail = "1 host still runs 1235.4.0";
    this.#fact("", "expectation.failed", { expectation: "all-updated", detail });
  }

  #checkpoint(): void {
    const hosts = this.#hosts.map((host, i) => {
      const role = i === this.#leader ? "leader" : "follower";
      const etcd = { term: this.#term, commit: this.#seq, applied: this.#seq - 1, role };
      return {
        name: host.name,
        up: host.up,
        hash: "0123456789abcdef",
        etcd: host.up ? etcd : null,
      };
    });
    this.#record("", "checkpoint", "checkpoint", { hosts, hash: "fedcba9876543210" }, null);
  }

  #faultId(): string {
    return String(++this.#faultCount);
  }

  #host(index: number): Host {
    const host = this.#hosts[index];
    if (host === undefined) throw new RangeError(`no host ${index}`);
    return host;
  }

  #fact(host: string, kind: string, data: object, cause: number | null = null): number {
    return this.#record(host, "fact", kind, data, cause);
  }

  #record(
    host: string,
    type: RecordType,
    kind: string,
    data: object,
    cause: number | null,
  ): number {
    // A run's log leaves stimuli out, so its numbers have gaps.
    this.#seq += 1 + nextBelow(this.#random, 5);
    this.records.push({ seq: this.#seq, at: this.#at, host, type, kind, data, cause });
    return this.#seq;
  }
}
