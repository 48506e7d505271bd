import { randomInt } from "node:crypto";
import { Command } from "commander";
import { DiscoveryFront, RegistryDesk } from "../../adapters/discovery/index.js";
import {
  LiveWorld,
  Recorder,
  type RecordSink,
  Rederiver,
  realClock,
} from "../../adapters/live/index.js";
import {
  discoveryRegistry,
  type RegistryConfig,
  type RegistryEffect,
  type RegistryFact,
  type RegistryState,
  type RegistryStimulus,
} from "../../core/discovery/index.js";
import type { Machine, TimerFired } from "../../core/kernel/index.js";
import { guarded, readCountFlag, refuse } from "./live-flags.js";
import { openRecording, type Recording } from "./recording.js";

interface DiscoveryFlags {
  readonly port: string;
  readonly host?: string;
  readonly size?: string;
  readonly out?: string;
}

const PROGRAM = "orrery discovery";

/** `orrery discovery`: the discovery service, for real members. */
export function discoveryCommand(): Command {
  return new Command("discovery")
    .description("be a discovery service for real etcd members, on loopback")
    .option("-p, --port <port>", "port on 127.0.0.1; 0 is any that is free", "8087")
    .option("--host <url>", "what the URLs of tokens begin with; otherwise our own address")
    .option("--size <n>", "make a token for so many members, and print its URL")
    .option("-o, --out <file>", "where the log goes; one that was cut short is continued")
    .addHelpText(
      "after",
      `
Speaks the protocol of discovery.etcd.io: /new?size=N makes a token, members started with its URL
find each other, one too many is told that the cluster is full. Tokens live as long as the command,
and are there again when a log that was cut short is continued. ^C ends it.

Examples:
  orrery discovery --size 3
  etcd --name a --discovery http://127.0.0.1:8087/TOKEN --initial-advertise-peer-urls http://…
  orrery discovery --out tokens.orlog; orrery verify tokens.orlog

Exit codes: 0 stopped; 2 bad flag, the port is taken, or the log cannot be written.`,
    )
    .action((flags: DiscoveryFlags) => guarded(() => discovery(flags)));
}

const NO_LOG: RecordSink = { write() {}, flush() {}, close() {} };

async function discovery(flags: DiscoveryFlags): Promise<number> {
  const port = readCountFlag("--port", flags.port, 0, 65_535);
  const size = flags.size === undefined ? null : readCountFlag("--size", flags.size, 1, 1_000);
  const host = flags.host?.replace(/\/+$/, "");
  if (host !== undefined && !/^https?:\/\/[^/?#\s]+$/.test(host)) {
    const advice = "Leave it out to have members come to 127.0.0.1";
    refuse("E_FLAG", "--host", JSON.stringify(host), "a URL without a path", advice);
  }
  const past = new Rederiver();
  const recording = open(flags.out, past);
  const recorder = new Recorder(recording.sink, recording.seq, recording.at);
  const clock = realClock(recording.at);
  return new Promise((resolve, reject) => {
    let live: RegistryState | null = null;
    const desk = new RegistryDesk(
      (stimulus) => seat?.deliver(stimulus, null),
      () => live?.store.index ?? 0,
      recording.seq + 1,
    );
    const front = new DiscoveryFront(desk, { port, orAny: false });
    const end = (code: number): void => {
      world.stop();
      for (const signal of SIGNALS) process.off(signal, stop);
      front.close().then(() => resolve(code), reject);
    };
    const stop = (): void => {
      recorder.end();
      end(0);
    };
    const world = new LiveWorld(recorder, clock, (error) => {
      console.error(error instanceof Error ? error.message : String(error));
      end(2);
    });
    let seat: ReturnType<typeof sit> | null = null;
    const machine: ServedRegistry = {
      name: discoveryRegistry.name,
      create: (config) => {
        live = discoveryRegistry.create(config);
        return live;
      },
      step(state, stimulus, now, out) {
        if (stimulus.kind !== "timer") discoveryRegistry.step(state, stimulus, now, out);
      },
    };
    const sit = () => {
      const perform = (effect: RegistryEffect): void => desk.perform(effect);
      const known = past.state("", discoveryRegistry.name);
      if (!isRegistryState(known)) {
        world.started(PROGRAM, new Date());
        const config = { host: host ?? `http://${front.address}`, seed: randomInt(2 ** 47) };
        return world.seat("", machine, config, perform, tell);
      }
      live = known;
      const { untold } = past;
      for (const outcome of untold?.outcomes ?? []) {
        recorder.write(outcome, "", untold?.cause.seq ?? null);
      }
      return world.resume("", machine, known, perform, tell);
    };
    front.open().then(
      () => {
        for (const signal of SIGNALS) process.on(signal, stop);
        seat = sit();
        // Whoever waited for an answer of an earlier start waits no more.
        for (const id of live?.store.watchers.keys.keys() ?? []) {
          seat.deliver({ kind: "registry-hangup", id }, null);
        }
        console.log(`discovery service on http://${front.address} (/new?size=N makes a token)`);
        if (size === null) return;
        desk.ask({ op: "new", size: String(size) }, (reply) => {
          if (reply.ok && "token" in reply) console.log(reply.token);
        });
      },
      (error: Error) => {
        console.error(`${error.message}; choose another --port, or --port 0`);
        resolve(2);
      },
    );
  });
}

/** The registry where a world might bring timers, which it never asks for. */
type ServedRegistry = Machine<
  RegistryConfig,
  RegistryState,
  RegistryStimulus | TimerFired,
  RegistryFact,
  RegistryEffect
>;

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

function open(path: string | undefined, past: Rederiver): Recording {
  if (path === undefined) return { sink: NO_LOG, seq: 0, at: 0 };
  const origin = { program: PROGRAM, started: new Date().toISOString() };
  return openRecording(path, origin, (record) => {
    const divergence = past.push(record);
    if (divergence === null) return;
    const expected = `what this version concludes (at seq ${divergence.seq}: ${divergence.derived})`;
    refuse(
      "E_LOG_WRITE",
      "--out",
      `a log of another version, ${path}`,
      expected,
      "Write elsewhere",
    );
  });
}

/** What a log of `discovery` leads to; the rederiver made it with the machine itself. */
function isRegistryState(state: unknown): state is RegistryState {
  return typeof state === "object" && state !== null && "store" in state && "generator" in state;
}

function tell(fact: RegistryFact): void {
  switch (fact.kind) {
    case "discovery.token-created":
      console.error(`token ${fact.token} for ${fact.size}`);
      return;
    case "discovery.member-registered":
    case "discovery.member-removed": {
      const what = fact.kind === "discovery.member-registered" ? "registered" : "removed";
      console.error(`token ${fact.token}: member ${fact.member} ${what}`);
    }
  }
}
