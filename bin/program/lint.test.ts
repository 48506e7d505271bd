import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { orrery, scratch } from "../testing/program.js";

const { folder, at, file } = scratch();
for (const name of ["tree/deep", "good", "odd"]) mkdirSync(at(name), { recursive: true });

const SERVICE = "[Service]\nExecStart=/bin/a\n";

describe.concurrent("orrery lint", () => {
  test("walks a folder, passes over what is nothing of its own, and exits with 1 on findings", async () => {
    file("tree/a.service", SERVICE);
    file("tree/deep/b.service", `${SERVICE}Nope=1\n`);
    file("tree/picture.png", new Uint8Array([0, 255, 1]));
    const { code, out, err } = await orrery("lint", join(folder, "tree"));
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out).toMatch(/deep\/b\.service:3:1: warning SYSTEMD_UNKNOWN: .*Nope=1\n$/);
  });

  test("prints JSON, and exits with 0 when nothing is found", async () => {
    const { code, out } = await orrery("lint", "--json", file("good/a.service", SERVICE));
    expect(JSON.parse(out)).toEqual({ files: 1, findings: [], problems: [] });
    expect(code).toBe(0);
  });

  test("says of each file that it cannot look at why, and exits with 2", async () => {
    const { code, out, err } = await orrery(
      "lint",
      file("odd/binary.service", new Uint8Array([0x5b, 0xff, 0xfe])),
      file("odd/huge.service", "#".repeat(1_100_000)),
      file("odd/nothing", ""),
      join(folder, "odd/missing"),
      file("odd/fine.service", SERVICE),
    );
    expect({ code, out }).toEqual({ code: 2, out: "" });
    const said = err.trimEnd().split("\n");
    for (const what of [
      /missing.*E_FILE_UNREADABLE/,
      /binary.*E_FILE_NOT_TEXT/,
      /huge.*E_FILE_TOO_LARGE/,
      /nothing.*--as/,
    ]) {
      expect(said.filter((line) => what.test(line))).toHaveLength(1);
    }
    expect(said).toHaveLength(4);
  });

  test("takes a file for what it is told", async () => {
    const path = file("plain.txt", "hello\n");
    const { code, out } = await orrery("lint", "--as", "cloud-config", path);
    expect(code).toBe(1);
    expect(out).toBe(
      `${path}:1:1: error CLOUDINIT_VALIDATE: must be "#cloud-config" or begin with "#!"\n`,
    );
  });
});
