import fc from "fast-check";
import { expect, test } from "vitest";
import { createGenerator } from "../../core/kernel/index.js";
import { type LinkDisturbance, type LinkModel, LOST, Network } from "./index.js";

const LINK: LinkModel = {
  latencyMin: 1_000,
  latencyMax: 9_000,
  lossPpm: 0,
  duplicatePpm: 0,
  bandwidth: null,
};

const CALM: LinkDisturbance = {
  delayLow: 0,
  delayHigh: 0,
  lossPpm: 0,
  duplicatePpm: 0,
  ordered: false,
};

function network(link: Partial<LinkModel> = {}, seed = 1): Network {
  return new Network(3, () => ({ ...LINK, ...link }), createGenerator(seed, "network"));
}

/** When packets sent 100 µs apart arrive; null for a lost one. */
function arrivals(net: Network, count: number, bytes = 100): (number | null)[] {
  return Array.from({ length: count }, (_, i) => {
    const delay = net.delay(0, 1, bytes, i * 100);
    return delay === LOST ? null : i * 100 + delay;
  });
}

const isAscending = (times: readonly (number | null)[]) =>
  times.every((time, i) => i === 0 || (time ?? 0) >= (times[i - 1] ?? 0));

test("a link keeps the order of its packets and each within its latency, unless one holds it up", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const times = arrivals(network({}, seed), 50);
      expect(isAscending(times)).toBe(true);
      for (const [i, time] of times.entries()) {
        expect(time).toBeGreaterThanOrEqual(i * 100 + LINK.latencyMin);
        expect(time).toBeLessThanOrEqual(i * 100 + LINK.latencyMax);
      }
    }),
  );
});

test("under a disturbance packets overtake each other, unless it is an ordered one", () => {
  const disturbed = network();
  disturbed.disturb(0, 1, CALM);
  expect(isAscending(arrivals(disturbed, 50))).toBe(false);
  const ordered = network();
  ordered.disturb(0, 1, { ...CALM, ordered: true });
  expect(isAscending(arrivals(ordered, 50))).toBe(true);
});

test("what a disturbance adds is added to the latency, and gone when it ends", () => {
  const net = network({ latencyMax: 1_000 });
  const slow = { ...CALM, delayLow: 5_000, delayHigh: 5_000 };
  const slower = { ...CALM, delayLow: 20_000, delayHigh: 20_000 };
  net.disturb(0, 1, slow);
  net.disturb(0, 1, slower);
  expect(net.delay(0, 1, 1, 0)).toBe(26_000);
  net.calm(0, 1, slow);
  expect(net.delay(0, 1, 1, 0)).toBe(21_000);
  net.calm(0, 1, slower);
  expect(net.delay(0, 1, 1, 0)).toBe(1_000);
  expect(net.delay(1, 0, 1, 0)).toBe(1_000);
});

test("packets are lost and doubled in the shares that links and disturbances add up to", () => {
  const net = network({ lossPpm: 100_000, duplicatePpm: 50_000 });
  net.disturb(0, 1, { ...CALM, lossPpm: 200_000, duplicatePpm: 250_000 });
  const count = 20_000;
  const lost = arrivals(net, count).filter((time) => time === null).length;
  const doubled = Array.from({ length: count }, () => net.duplicates(0, 1)).filter(Boolean).length;
  // Standard deviation of such a share is 65: eight of them.
  expect(Math.abs(lost - 6_000)).toBeLessThan(520);
  expect(Math.abs(doubled - 6_000)).toBeLessThan(520);
  expect(Array.from({ length: 50 }, () => network().duplicates(0, 1))).not.toContain(true);
});

test("a cut link takes nothing, in the direction that is cut, until every cut is mended", () => {
  const net = network();
  net.cut(0, 1, 1);
  net.cut(0, 1, 1);
  net.cut(0, 1, -1);
  expect([net.isCut(0, 1), net.isCut(1, 0)]).toEqual([true, false]);
  expect(net.delay(0, 1, 1, 0)).toBe(LOST);
  expect(net.delay(1, 0, 1, 0)).not.toBe(LOST);
  net.cut(0, 1, -1);
  expect(net.isCut(0, 1)).toBe(false);
  expect(() => net.cut(0, 1, -1)).toThrow("mended an uncut link 0 -> 1");
});

test("packets queue for a link's bandwidth, each direction for itself", () => {
  const net = network({ latencyMax: 1_000, bandwidth: 1_000_000 });
  const sent = [0, 0, 0].map((at) => net.delay(0, 1, 10_000, at));
  expect(sent).toEqual([11_000, 21_000, 31_000]);
  expect(net.delay(1, 0, 10_000, 0)).toBe(11_000);
  expect(net.delay(0, 1, 10_000, 100_000)).toBe(11_000);
});
