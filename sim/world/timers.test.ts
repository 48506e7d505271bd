import fc from "fast-check";
import { expect, test } from "vitest";
import { type TimerSlot, Timers } from "./timers.js";

interface Armed {
  readonly slot: TimerSlot;
  readonly generation: number;
}

test("of all the times a timer was armed only the last one counts, and none after a cancel", () => {
  // Slots of the host's own timers are dropped when done: an old event must not pass for a new one.
  const owner = fc.constantFrom("host" as const, "etcd" as const);
  const name = fc.constantFrom("a", "b");
  const action = fc.constantFrom("arm", "cancel", "fire", "power-loss");
  fc.assert(
    fc.property(fc.array(fc.tuple(action, owner, name)), (actions) => {
      const timers = new Timers();
      const events: (Armed & { readonly id: string })[] = [];
      const last = new Map<string, Armed>();
      for (const [what, whose, timer] of actions) {
        const id = `${whose} ${timer}`;
        const armed = last.get(id);
        if (what === "arm") {
          const slot = timers.slot(whose, timer);
          const event = { slot, generation: ++slot.generation };
          events.push({ ...event, id });
          last.set(id, event);
        } else if (what === "cancel") {
          timers.cancel(whose, timer);
          last.delete(id);
        } else if (what === "power-loss") {
          timers.cancelAll();
          last.clear();
        } else if (armed !== undefined) {
          timers.fired(armed.slot);
          last.delete(id);
          events.splice(
            events.findIndex(
              ({ slot, generation }) => slot === armed.slot && generation === armed.generation,
            ),
            1,
          );
        }
        for (const { slot, generation, id: of } of events) {
          const expected = last.get(of);
          const counts = expected?.slot === slot && expected.generation === generation;
          expect(slot.generation === generation).toBe(counts);
        }
      }
    }),
  );
});
