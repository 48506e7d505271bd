import { DURATION_MAX } from "../scenario/quantity.js";
import type { Expectation, MeasureKind, Scenario } from "../scenario/scenario.js";

/** Where an open end of a count stands. */
const COUNT_MAX = 1_000_000;

type Counted = Extract<Expectation, { readonly count: unknown }>;

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
    case "outage":
    case "errors":
    case "requests":
    case "facts": {
      const { low, high } = expectation.value;
      const show = (value: number) => showValue(expectation.kind, value);
      const most = expectation.kind === "outage" ? DURATION_MAX : COUNT_MAX;
      return `${measureName(expectation)} ${range(low, high, most, show)} ${moment}`;
    }
    default: {
      const { count } = expectation;
      const wanted =
        count === "all" ? "all" : range(count.low, count.high, COUNT_MAX, (value) => `${value}`);
      return `${wanted} ${whatIsCounted(expectation, scenario)} ${moment}`;
    }
  }
}

function whatIsCounted(expectation: Counted, scenario: Scenario): string {
  switch (expectation.kind) {
    case "unit-active": {
      const { unit, on } = expectation;
      const hosts = on?.map((host) => scenario.hosts[host]?.name ?? "").join(", ");
      return `active ${unit}${hosts === undefined ? "" : ` on ${hosts}`}`;
    }
    case "unit-copies":
      return `copies of one ${expectation.unit}`;
    case "unit-spread":
      return `hosts with ${expectation.unit}`;
    case "containers": {
      const { containers, on } = expectation;
      const hosts = on?.map((host) => scenario.hosts[host]?.name ?? "").join(", ");
      return `containers ${containers}${hosts === undefined ? "" : ` on ${hosts}`}`;
    }
    case "keys": {
      const { keys, holding } = expectation;
      return `keys ${keys}${holding === null ? "" : ` = ${holding}`}`;
    }
    case "hosts-on":
      return `hosts on ${expectation.version}`;
    default:
      return expectation.kind.replace("-", " ");
  }
}

function measureName(measure: MeasureKind): string {
  switch (measure.kind) {
    case "terms":
      return "terms begun";
    case "led":
      return "time with a leader";
    case "outage":
      return "longest time without a write";
    case "errors":
      return "requests of users that failed";
    case "requests":
      return "requests to members";
    case "facts":
      return `facts ${measure.fact}${measure.of === null ? "" : ` of ${measure.of}`}`;
  }
}

/** A measured value in its unit. */
export function showValue(kind: MeasureKind["kind"], value: number): string {
  switch (kind) {
    case "terms":
    case "errors":
    case "requests":
    case "facts":
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
