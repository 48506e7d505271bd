import { expect, test } from "vitest";
import { PowerSupply } from "./power.js";

test("power reaches a host that is switched on while no outage lasts", () => {
  const power = new PowerSupply(2);
  expect(power.reaches(0)).toBe(false);
  power.turn(0, true);
  power.beginOutage(0);
  power.beginOutage(0);
  power.endOutage(0);
  expect(power.reaches(0)).toBe(false);
  power.endOutage(0);
  expect([power.reaches(0), power.reaches(1)]).toEqual([true, false]);
  power.turn(0, false);
  expect(power.reaches(0)).toBe(false);
});
