import { expect, test } from "vitest";
import { readStatus, unitOfPath } from "./index.js";

test("object paths give back the names they escape", () => {
  const folder = "/org/freedesktop/systemd1/unit";
  expect(unitOfPath(`${folder}/web_401_2eservice`)).toBe("web@1.service");
  expect(unitOfPath(`${folder}/a_5fb_2dc_2eservice`)).toBe("a_b-c.service");
  expect(unitOfPath(`${folder}/dev_2dsda_5cx2d1_2edevice`)).toBe("dev-sda\\x2d1.device");
  expect(unitOfPath("/org/freedesktop/systemd1/job/12")).toBeNull();
});

test("states that the model lacks become their nearest", () => {
  const row = ["a.service", "A", "merged", "maintenance", "dead", "", "/", 0, "", "/"];
  expect(readStatus(row)).toMatchObject({ loadState: "loaded", activeState: "inactive" });
  expect(() => readStatus(["a.service"])).toThrow(TypeError);
});
