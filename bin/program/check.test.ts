import { describe, expect, test } from "vitest";
import { FAILS, HOLDS, orrery, scratch, smallScenario } from "../testing/program.js";

const { file } = scratch();

const small = file("small.yaml", smallScenario(HOLDS));

describe.concurrent("check", () => {
  test("over seeds that hold exits with 0", async () => {
    const { code, out } = await orrery("check", small, "--seeds", "3", "--workers", "2");
    expect(out).toContain("3 seeds from 1, 0 failed");
    expect(code).toBe(0);
  });

  test("makes the first failure small, and its last line brings it back", async () => {
    const budget = `faults: { budget: { crash: { count: 3..5, for: 1s..5s } } }\n`;
    const path = file("budget.yaml", smallScenario(budget + FAILS));
    const checked = await orrery("check", path, "--seeds", "2", "--workers", "1");
    expect(checked.code).toBe(1);
    expect(checked.out).toContain("0 left");
    const line = /reproduce:\n {2}orrery (.*)\n/.exec(checked.out)?.[1] ?? "";
    expect(line).toContain(path);
    const again = await orrery(...line.split(" "));
    expect(again.code).toBe(1);
    expect(again.out).toContain("VIOLATED");
  });
});
