import { expect, test } from "vitest";
import { diagnoseUnit } from "./diagnose.js";

const diagnose = (name: string, ...lines: string[]) => {
  const found = diagnoseUnit(name, `${lines.join("\n")}\n`);
  return {
    load: found?.load,
    said: found?.findings.map(({ endLine, fault }) => `${endLine} ${fault}`),
  };
};

test("each complaint names the line and what is wrong with it", () => {
  const lines = ["early", "[Unit]", "Colour=red", "no equals", "[Odd]", "x", "[Service]"];
  expect(diagnose("a.service", ...lines, "ExecStart=/bin/true", "Type=simpel", "=x")).toEqual({
    load: "loaded",
    said: [
      "1 outside-section",
      "3 unknown-key",
      "4 no-equals",
      "5 unknown-section",
      "9 value",
      "10 no-key",
    ],
  });
});

test("a value that goes on is complained about where it ends", () => {
  const lines = ["[Unit]", "After=a.service \\", "  nonsense", "[Service]", "ExecStart=/bin/true"];
  expect(diagnose("a.service", ...lines).said).toEqual(["3 value"]);
});

test("a command that cannot be run costs the unit, and what follows is not read", () => {
  const lines = ["[Service]", "ExecStart=bin/true", "Type=simpel"];
  expect(diagnose("a.service", ...lines)).toEqual({ load: "bad-setting", said: ["2 value"] });
  expect(diagnose("a.service", "[Service]", "ExecStart=/bin/true", "ExecStop=-x/y").load).toBe(
    "loaded",
  );
});

test("a unit without what its type needs cannot be started", () => {
  expect(diagnose("a.timer", "[Timer]").load).toBe("bad-setting");
  expect(diagnose("a.socket", "[Socket]").load).toBe("bad-setting");
  expect(diagnose("a.target", "[Unit]").load).toBe("loaded");
});

test("a broken section header costs the file", () => {
  expect(diagnose("a.service", "[Service", "ExecStart=/bin/true").load).toBe("error");
});

test("a unit that is named by its instance is a unit, in a template too", () => {
  const lines = [
    "[Unit]",
    "BindsTo=a@%i.service",
    "After=%p@b.service",
    "[Service]",
    "ExecStart=/a",
  ];
  expect(diagnose("s@.service", ...lines).said).toEqual([]);
  expect(diagnose("s@1.service", ...lines).said).toEqual([]);
  expect(diagnose("s.service", "[Unit]", "After=a%i.x", "[Service]", "ExecStart=/a").said).toEqual([
    "2 value",
  ]);
});

test("of a line of which each word is wrong each word is quoted once, and of a long one its beginning", () => {
  const words = Array.from({ length: 20_000 }, (_, i) => `wrong${i}`).join(" ");
  const lines = ["[Unit]", `After=${words}`, "[Service]", `SuccessExitStatus=${words}`];
  const text = `${lines.join("\n")}\nEnvironment=${words}\nExecStartPre=/bin/a${" ; b".repeat(9_000)}\n`;
  const findings = diagnoseUnit("a.service", text)?.findings ?? [];
  expect(findings.length).toBeGreaterThan(40_000);
  expect(findings[1]?.found).toBe("After=wrong1");
  const quoted = findings.reduce((sum, { found }) => sum + found.length, 0);
  expect(quoted).toBeLessThan(110 * findings.length);
});
