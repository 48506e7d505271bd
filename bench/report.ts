import { cpus, totalmem } from "node:os";

/** The machine a figure was taken on, in a line. */
export function machine(): string {
  const cpu = cpus()[0]?.model ?? "unknown CPU";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpu}, ${cpus().length} cores, ${memory} GiB, Node ${process.version}`;
}

/** Real seconds a piece of work takes, best of `runs`: noise only ever adds. */
export function secondsOf(runs: number, work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const start = process.hrtime.bigint();
    work();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e9);
  }
  return best;
}

/** `1234567` as `1.23 M`. */
export function figure(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`;
  return value.toFixed(1);
}

export function print(label: string, value: string): void {
  console.log(`  ${label.padEnd(58)} ${value}`);
}
