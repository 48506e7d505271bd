import { Command } from "commander";
import { EtcdV3Client } from "../../adapters/etcd/index.js";
import {
  type Divergence,
  LiveWorld,
  Recorder,
  Rederiver,
  realClock,
  type Seat,
} from "../../adapters/live/index.js";
import { ObservePerformer } from "../../adapters/observe/index.js";
import type { Micros } from "../../core/kernel/index.js";
import {
  OBSERVER_DEFAULTS,
  type ObserveEffect,
  type ObserveFact,
  type ObserverConfig,
  type ObserverState,
  type ObserveStimulus,
  observer,
} from "../../core/observe/index.js";
import {
  guarded,
  readCountFlag,
  readDurationFlag,
  readEndpoints,
  readTls,
  refuse,
  type TlsFlags,
} from "./live-flags.js";
import { openRecording, type Recording } from "./recording.js";

interface ObserveFlags extends TlsFlags {
  readonly etcd: string;
  readonly prefix: string;
  readonly out: string;
  readonly json?: boolean;
  readonly for?: string;
  readonly startTimeout: string;
  readonly valueLimit: string;
}

/** `orrery observe`: follows a real etcd's keys into a log. */
export function observeCommand(): Command {
  return new Command("observe")
    .description("follow the keys of a real etcd (v3) into a log that replay, log and verify open")
    .requiredOption("--etcd <urls>", "client URLs of members, separated by commas")
    .requiredOption("--out <file>", "where the log goes; one that was cut short is continued")
    .option("--prefix <prefix>", "keys that begin with it", OBSERVER_DEFAULTS.prefix)
    .option("--for <duration>", "stop after this long; otherwise at SIGINT")
    .option("--json", "print every fact as a line of JSON")
    .option("--start-timeout <duration>", "give up when etcd has not answered by then", "10s")
    .option("--value-limit <bytes>", "keep this much of a value, and size and hash of it", "4096")
    .option("--cacert <file>", "authority that signed etcd's certificate (PEM)")
    .option("--cert <file>", "client certificate (PEM)")
    .option("--key <file>", "key of the client certificate (PEM)")
    .addHelpText(
      "after",
      `
Every put and delete becomes a fact; a lost connection is taken up again from the last revision
told, and what etcd has compacted meanwhile is named (observe.gap). Only reads are made.

Examples:
  orrery observe --etcd http://127.0.0.1:2379 --out cluster.log
  orrery observe --etcd http://10.0.0.1:2379,http://10.0.0.2:2379 --prefix /config/ --for 10m --out config.log
  orrery observe --etcd https://10.0.0.1:2379 --cacert ca.pem --json --out cluster.log | jq .kind

Exit codes: 0 stopped (SIGINT, SIGTERM, --for), log complete; 2 bad flag, etcd never answered, or
the log cannot be written.`,
    )
    .action((flags: ObserveFlags) => guarded(() => observe(flags)));
}

async function observe(flags: ObserveFlags): Promise<number> {
  const endpoints = readEndpoints(flags.etcd);
  const config: ObserverConfig = {
    ...OBSERVER_DEFAULTS,
    prefix: flags.prefix,
    startTimeout: readDurationFlag("--start-timeout", flags.startTimeout),
  };
  const length = flags.for === undefined ? null : readDurationFlag("--for", flags.for);
  const valueLimit = readCountFlag("--value-limit", flags.valueLimit, 16, 1 << 20);
  const client = new EtcdV3Client({ endpoints, tls: readTls(flags) });
  const began = new Date();
  const past = new Rederiver();
  const origin = { program: "orrery observe", started: began.toISOString(), etcd: endpoints };
  const machines = [{ host: "", machine: observer.name, config }];
  const recording = openRecording(flags.out, { ...origin, machines }, (record) => {
    const divergence = past.push(record);
    if (divergence !== null) refuseDiverged(flags.out, divergence);
  });
  try {
    return await follow(recording, past, client, config, { valueLimit, length, flags });
  } finally {
    client.close();
  }
}

function refuseDiverged(path: string, { seq, derived }: Divergence): never {
  const expected = `what this version's observer concludes (at seq ${seq}: ${derived})`;
  refuse(
    "E_LOG_WRITE",
    "--out",
    `a log of another observer, ${path}`,
    expected,
    "Write to a new file",
  );
}

interface FollowOptions {
  readonly valueLimit: number;
  readonly length: Micros | null;
  readonly flags: ObserveFlags;
}

/** Runs the observer until it is told to stop, or gives up. The exit code. */
function follow(
  recording: Recording,
  past: Rederiver,
  client: EtcdV3Client,
  config: ObserverConfig,
  { valueLimit, length, flags }: FollowOptions,
): Promise<number> {
  return new Promise((resolve) => {
    const recorder = new Recorder(recording.sink, recording.seq, recording.at);
    const clock = realClock(recording.at);
    const performer = new ObservePerformer(client, valueLimit);
    const undone: (() => void)[] = [];
    const done = (code: number): void => {
      world.stop();
      performer.close();
      for (const undo of undone.splice(0)) undo();
      resolve(code);
    };
    const fail = (error: unknown): void => {
      console.error(error instanceof Error ? error.message : String(error));
      done(2);
    };
    const world = new LiveWorld(recorder, clock, fail);
    const perform = (effect: ObserveEffect, cause: number): void => {
      if (effect.kind === "exit") {
        // One that gave up may be started again with the same log, as a service manager does.
        if (effect.code === 0) recorder.end();
        else recording.sink.close();
        done(effect.code);
      } else if (effect.kind !== "arm-timer" && effect.kind !== "cancel-timer") {
        performer.perform(effect, (stimulus) => seat.deliver(stimulus, cause));
      }
    };
    const seat = takeSeat(world, recorder, past, config, perform, printer(flags));
    const stop = (): void => seat.deliver({ kind: "stop" }, null);
    if (length !== null) undone.push(clock.after(length, stop));
    for (const signal of SIGNALS) {
      process.on(signal, stop);
      undone.push(() => process.off(signal, stop));
    }
    const known = past.state("", observer.name);
    if (isObserverState(known) && known.cluster !== "") {
      const message = "the observer was started again";
      seat.deliver({ kind: "failed", id: known.id, failure: "unreachable", message }, null);
    } else seat.deliver({ kind: "start" }, null);
  });
}

/** A fresh observer, or the one that the recording was cut short of. */
function takeSeat(
  world: LiveWorld,
  recorder: Recorder,
  past: Rederiver,
  config: ObserverConfig,
  perform: (effect: ObserveEffect, cause: number) => void,
  heard: (fact: ObserveFact) => void,
): Seat<ObserveStimulus> {
  const known = past.state("", observer.name);
  if (!isObserverState(known) || known.cluster === "") {
    world.started("orrery observe", new Date());
    return world.seat("", observer, config, perform, heard);
  }
  const { untold } = past;
  for (const outcome of untold?.outcomes ?? [])
    recorder.write(outcome, "", untold?.cause.seq ?? null);
  return world.resume("", observer, known, perform, heard);
}

/** What a log of `observe` leads to; the rederiver made it with the observer itself. */
function isObserverState(state: unknown): state is ObserverState {
  return typeof state === "object" && state !== null && "cluster" in state;
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Shows facts: all as JSON lines, or what a person wants to know while it runs. */
function printer(flags: ObserveFlags): (fact: ObserveFact) => void {
  return (fact) => {
    if (flags.json === true) console.log(JSON.stringify(fact));
    const line = news(fact, flags);
    if (line !== null) console.error(line);
  };
}

function news(fact: ObserveFact, { etcd, out }: ObserveFlags): string | null {
  switch (fact.kind) {
    case "observed.put":
    case "observed.delete":
      return null;
    case "observe.connected":
      return `connected to ${fact.endpoint}, cluster ${fact.cluster}, at revision ${fact.revision}`;
    case "observe.synced":
      return `${fact.keys} keys at revision ${fact.revision}; watching`;
    case "observe.lost":
      return `lost (${fact.message}); everything up to revision ${fact.revision} is in the log; trying again`;
    case "observe.gap":
      return `revisions ${fact.from} to ${fact.to} cannot be told (${fact.reason}); comparing keys instead`;
    case "observe.gave-up":
      return `${etcd}:1:1: error E_CONNECT: found ${fact.message}; expected an answer of etcd within ${fact.after / 1_000_000} s. Check the URL, and that etcd runs and is reachable from here`;
    case "observe.stopped":
      return `${fact.puts} puts and ${fact.deletes} deletes up to revision ${fact.revision}, in ${out}`;
  }
}
