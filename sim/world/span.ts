import { type Generator, nextBetween } from "../../core/kernel/index.js";
import type { Span } from "../faults/plan.js";

/** An integer from a span, both ends included; draws nothing when there is nothing to choose. */
export function drawSpan(generator: Generator, span: Span): number {
  return span.low >= span.high ? span.low : nextBetween(generator, span.low, span.high);
}
