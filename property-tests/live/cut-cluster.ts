import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A cluster of five real etcds, each in a network namespace of its own, whose links can be cut one
 * by one. A program of its own, for `unshare --net`, so that nothing of the machine's network is
 * touched: `cut-cluster.ts PRE_VOTE SECONDS` prints one line of JSON for each topology.
 */
export interface CutResult {
  readonly topology: string;
  /** By how many the highest term of any member grew while the links were cut. */
  readonly terms: number;
  /** Longest time without an answered write, ms. */
  readonly outageMs: number;
  readonly writes: number;
}

type Link = readonly [number, number];

const MEMBERS = [1, 2, 3, 4, 5];
const EVERY_MS = 250;

/** Links of member 1 before the rest is cut, and links cut for the whole time. Member 3 leads. */
const TOPOLOGIES: Readonly<
  Record<string, { readonly before: readonly Link[]; readonly cut: readonly Link[] }>
> = {
  "quorum-loss": { before: [], cut: among([2, 3, 4, 5]) },
  chained: { before: [], cut: among(MEMBERS).filter(([a, b]) => b - a > 1) },
  "constrained-election": {
    before: [
      [1, 2],
      [1, 3],
      [1, 4],
      [1, 5],
    ],
    cut: [[1, 3], ...among([2, 3, 4, 5])],
  },
};

function among(members: readonly number[]): Link[] {
  return members.flatMap((a) => members.filter((b) => b > a).map((b): Link => [a, b]));
}

const space = (member: number): string => `orrery-${process.pid}-${member}`;
const address = (member: number): string => `10.77.0.${member}`;
const ip = (...words: readonly string[]): void => void execFileSync("ip", words, { stdio: "pipe" });
const within = (member: number, ...words: readonly string[]): void =>
  ip("netns", "exec", space(member), "ip", ...words);

class CutCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), "orrery-cut-"));
  readonly #children: ChildProcess[] = [];
  readonly #written: number[] = [];

  async start(preVote: boolean): Promise<void> {
    ip("link", "add", "cut0", "type", "bridge");
    ip("addr", "add", "10.77.0.254/24", "dev", "cut0");
    ip("link", "set", "cut0", "up");
    const cluster = MEMBERS.map((m) => `etcd-${m}=http://${address(m)}:2380`).join(",");
    for (const member of MEMBERS) {
      ip("netns", "add", space(member));
      ip(
        "link",
        "add",
        `cut${member}`,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        space(member),
      );
      ip("link", "set", `cut${member}`, "master", "cut0", "up");
      within(member, "addr", "add", `${address(member)}/24`, "dev", "eth0");
      within(member, "link", "set", "eth0", "up");
      // etcd's HTTP gateway calls its own member.
      within(member, "link", "set", "lo", "up");
      const url = (port: number): string => `http://${address(member)}:${port}`;
      const log = openSync(this.#log(member), "w");
      const options = {
        name: `etcd-${member}`,
        "data-dir": join(this.#folder, String(member)),
        "initial-cluster": cluster,
        "listen-peer-urls": url(2380),
        "initial-advertise-peer-urls": url(2380),
        "listen-client-urls": url(2379),
        "advertise-client-urls": url(2379),
        "pre-vote": String(preVote),
      };
      const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
      const command = ["netns", "exec", space(member), "etcd", ...flags];
      this.#children.push(spawn("ip", command, { stdio: ["ignore", log, log] }));
      closeSync(log);
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await sleep(200);
    for (const member of MEMBERS) {
      try {
        ip("netns", "del", space(member));
      } catch {
        // It was not made.
      }
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Cuts what a topology says for `seconds`, with member 3 leading before, and mends it. */
  async run(topology: string, seconds: number): Promise<CutResult> {
    const { before, cut } = TOPOLOGIES[topology] ?? { before: [], cut: [] };
    await this.#moveLead(3);
    const writer = setInterval(() => this.#write(), EVERY_MS);
    await sleep(2_000);
    for (const link of before) this.#cut(link, "add");
    if (before.length > 0) await sleep(800);
    const also = before.filter(([a, b]) => !cut.some(([x, y]) => x === a && y === b));
    for (const link of cut)
      if (!before.some(([a, b]) => a === link[0] && b === link[1])) this.#cut(link, "add");
    for (const link of also) this.#cut(link, "del");
    // Answers that came while the commands ran.
    await sleep(100);
    const term = this.#term();
    const from = Date.now();
    await sleep(seconds * 1_000);
    const until = Date.now();
    const terms = this.#term() - term;
    clearInterval(writer);
    for (const link of cut) this.#cut(link, "del");
    const written = this.#written.filter((at) => at >= from && at <= until);
    const ends = [from, ...written, until];
    const outageMs = Math.max(...ends.slice(1).map((at, i) => at - (ends[i] ?? at)));
    return { topology, terms, outageMs, writes: written.length };
  }

  #log(member: number): string {
    return join(this.#folder, `${member}.log`);
  }

  #cut([a, b]: Link, how: "add" | "del"): void {
    within(a, "route", how, "blackhole", `${address(b)}/32`);
    within(b, "route", how, "blackhole", `${address(a)}/32`);
  }

  /** From the logs, as a status tells of a candidate's term only when it has a leader again. */
  #term(): number {
    const terms = MEMBERS.flatMap((member) => {
      const text = readFileSync(this.#log(member), "utf8");
      return [...text.matchAll(/became (?:candidate|leader|follower) at term (\d+)/g)].map((m) =>
        Number(m[1]),
      );
    });
    return Math.max(0, ...terms);
  }

  #write(): void {
    for (const member of MEMBERS) {
      post(member, "kv/put", { key: "cA==", value: "dw==" }).then(
        () => this.#written.push(Date.now()),
        () => undefined,
      );
    }
  }

  async #moveLead(to: number): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (Date.now() < deadline) {
      try {
        const all = await Promise.all(
          MEMBERS.map((member) => post(member, "maintenance/status", {})),
        );
        const ids = all.map((status) => status.header?.member_id ?? "");
        const leader = ids.indexOf(all[0]?.leader ?? "?");
        if (all.every((status) => status.leader === ids[to - 1])) return;
        if (leader >= 0)
          await post(leader + 1, "maintenance/transfer-leadership", { targetID: ids[to - 1] });
      } catch {
        // Not up yet, or between two leaders.
      }
      await sleep(500);
    }
    throw new Error(`member ${to} does not become leader`);
  }
}

interface Answer {
  readonly header?: { readonly member_id?: string };
  readonly leader?: string;
}

async function post(member: number, path: string, body: unknown): Promise<Answer> {
  const answer = await fetch(`http://${address(member)}:2379/v3/${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(8_000),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as Answer;
}

const [preVote, seconds] = process.argv.slice(2);
if (preVote !== undefined && seconds !== undefined) {
  const cluster = new CutCluster();
  try {
    await cluster.start(preVote === "true");
    for (const topology of Object.keys(TOPOLOGIES)) {
      console.log(JSON.stringify(await cluster.run(topology, Number(seconds))));
    }
  } finally {
    await cluster.stop();
  }
  process.exit(0);
}
