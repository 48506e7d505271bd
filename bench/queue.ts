import { createGenerator, nextBelow } from "../core/kernel/index.js";
import { EventQueue } from "../sim/index.js";
import { figure, print, secondsOf } from "./report.js";

/** The floor under every event: one pop and one push at constant size. */
export function benchQueue(): void {
  console.log("queue: one pop + one push");
  for (const size of [100, 1_000, 100_000]) {
    const operations = 2_000_000;
    const seconds = secondsOf(5, () => {
      const draws = createGenerator(1, "queue");
      const queue = new EventQueue(size + 1);
      for (let i = 0; i < size; i++) queue.push(nextBelow(draws, 1_000_000));
      for (let i = 0; i < operations; i++) {
        const time = queue.peekTime();
        queue.pop();
        queue.push(time + nextBelow(draws, 1_000_000));
      }
    });
    print(`${size} events waiting`, `${figure(operations / seconds)} ops/s`);
  }
}
