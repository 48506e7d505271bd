import { DURATION_MAX } from "../scenario/quantity.js";
import type { Expectation, MeasureKind, Scenario } from "../scenario/scenario.js";

/** Where an open end of a count stands. */
const COUNT_MAX = 1_000_000;

/** An expectation in words. */
export function describe(expectation: Expectation, scenario: Scenario): string {
  const moment = momentOf(expectation, scenario);
  switch (expectation.kind) {
    case "quorum":
      return `quorum ${expectation.is} ${moment}`;
    case "invariant":
      return `${expectation.name} ${expectation.is}`;
    case "leads":
      return `${scenario.hosts[expectation.host]?.name ?? ""} leads ${moment}`;
    case "terms":
    case "led":
    case "outage": {
      const { low, high } = expectation.value;
      const show = (value: number) => showValue(expectation.kind, value);
      const most = { terms: COUNT_MAX, led: COUNT_MAX, outage: DURATION_MAX }[expectation.kind];
      return `${MEASURES[expectation.kind]} ${range(low, high, most, show)} ${moment}`;
    }
    default: {
      const { count } = expectation;
      const wanted =
        count === "all" ? "all" : range(count.low, count.high, COUNT_MAX, (value) => `${value}`);
      const what =
        expectation.kind === "unit-active"
          ? `active ${expectation.unit}`
          : expectation.kind === "hosts-on"
            ? `hosts on ${expectation.version}`
            : expectation.kind.replace("-", " ");
      return `${wanted} ${what} ${moment}`;
    }
  }
}

const MEASURES: Readonly<Record<MeasureKind["kind"], string>> = {
  terms: "terms begun",
  led: "time with a leader",
  outage: "longest time without a write",
};

/** A measured value in its unit. */
export function showValue(kind: MeasureKind["kind"], value: number): string {
  switch (kind) {
    case "terms":
      return `${value}`;
    case "led":
      return `${value / 10_000} %`;
    case "outage":
      return `${value / 1_000_000} s`;
  }
}

function range(low: number, high: number, most: number, show: (value: number) => string): string {
  if (low === high) return show(low);
  if (high >= most) return `at least ${show(low)}`;
  return low === 0 ? `at most ${show(high)}` : `${show(low)} to ${show(high)}`;
}

function momentOf({ when }: Expectation, scenario: Scenario): string {
  const seconds = (time: number) => `${time / 1_000_000} s`;
  switch (when.kind) {
    case "by":
    case "at":
      return `${when.kind} ${seconds(when.time)}`;
    case "end":
      return `at the end (${seconds(scenario.duration)})`;
    case "throughout":
    case "sometime":
      return `${when.kind} ${seconds(when.from)} to ${seconds(when.until)}`;
  }
}
