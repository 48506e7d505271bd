import fc from "fast-check";
import { expect, test } from "vitest";
import { continueShell, parseScript, startShell } from "./index.js";

/** The programs that a script starts, when each ends as `statuses` says by its first word, and its end. */
function run(
  text: string,
  statuses: Readonly<Record<string, readonly number[]>> = {},
  environment: Readonly<Record<string, string>> = {},
): readonly string[] {
  const script = parseScript(text, environment);
  if (!script.ok) return [`not modelled: ${script.found}`];
  const shell = startShell(script.code);
  const left = new Map(Object.entries(statuses).map(([name, codes]) => [name, [...codes]]));
  const ran: string[] = [];
  let ended: number | null = null;
  for (let i = 0; i < 12; i++) {
    const move = continueShell(shell, ended);
    if (move.move === "spin") return [...ran, "spin"];
    if (move.move === "exit") return [...ran, `exit ${move.code}`];
    ran.push(move.argv.join(" "));
    if (move.replaces) return [...ran, "replaced"];
    ended = left.get(move.argv[0] ?? "")?.shift() ?? 0;
  }
  return [...ran, "…"];
}

test("the sidekick's loop announces and sleeps for ever, whether it could announce or not", () => {
  const loop = `while true; do etcdctl set /a '{ "port": 80 }' --ttl 60;sleep 45;done`;
  expect(run(loop, { etcdctl: [0, 4, 0] }).slice(0, 4)).toEqual([
    'etcdctl set /a { "port": 80 } --ttl 60',
    "sleep 45",
    'etcdctl set /a { "port": 80 } --ttl 60',
    "sleep 45",
  ]);
});

test("a loop over the announcement, and one under set -e, end with its first failure", () => {
  expect(run("while etcdctl set /a b; do sleep 1; done", { etcdctl: [0, 4] })).toEqual([
    "etcdctl set /a b",
    "sleep 1",
    "etcdctl set /a b",
    "exit 0",
  ]);
  expect(run("set -e; while true; do etcdctl set /a b; sleep 1; done", { etcdctl: [4] })).toEqual([
    "etcdctl set /a b",
    "exit 4",
  ]);
  expect(
    run("while true; do etcdctl set /a b || exit 1; sleep 1; done", { etcdctl: [0, 4] }),
  ).toEqual(["etcdctl set /a b", "sleep 1", "etcdctl set /a b", "exit 1"]);
});

test("connectives go from left to right, and set -e leaves alone what is looked at", () => {
  expect(run("a && b || c", { a: [1] })).toEqual(["a", "c", "exit 0"]);
  expect(run("a && b || c")).toEqual(["a", "b", "exit 0"]);
  expect(run("a || b && c", { a: [0] })).toEqual(["a", "c", "exit 0"]);
  expect(run("set -e; a || true; b", { a: [1] })).toEqual(["a", "b", "exit 0"]);
  expect(run("set -e; a && b; c", { a: [1] })).toEqual(["a", "c", "exit 0"]);
  expect(run("set -e; a && b; c", { b: [7] })).toEqual(["a", "b", "exit 7"]);
  expect(run("set -e; ! a; b", { a: [0] })).toEqual(["a", "b", "exit 0"]);
});

test("if, elif, else, until, break and continue go where a shell goes", () => {
  const branches = "if a; then b; elif c; then d; else e; fi; f";
  expect(run(branches)).toEqual(["a", "b", "f", "exit 0"]);
  expect(run(branches, { a: [1] })).toEqual(["a", "c", "d", "f", "exit 0"]);
  expect(run(branches, { a: [1], c: [1] })).toEqual(["a", "c", "e", "f", "exit 0"]);
  expect(run("if a; then b; fi", { a: [3] })).toEqual(["a", "exit 0"]);
  expect(run("until a; do b; done; c", { a: [1, 0] })).toEqual(["a", "b", "a", "c", "exit 0"]);
  expect(run("while true; do a || break; b; done; c", { a: [0, 1] })).toEqual([
    ...["a", "b", "a", "c", "exit 0"],
  ]);
  expect(run("while a; do b && continue; c; done", { a: [0, 0, 1], b: [0, 1] })).toEqual([
    ...["a", "b", "a", "b", "c", "a", "exit 0"],
  ]);
});

test("quotes keep words together, variables are put in, redirections are nobody's argument", () => {
  const environment = { PORT: "80", LIST: "x y", NONE: "" };
  expect(
    run(`a "$PORT" '$PORT' \${PORT}1 $LIST $NONE "$NONE" >/dev/null 2>&1`, {}, environment),
  ).toEqual(["a 80 $PORT 801 x y ", "exit 0"]);
  expect(run("exec a b")).toEqual(["a b", "replaced"]);
});

test("what a shell can do and this one cannot is named, not guessed", () => {
  for (const text of [
    "a | b",
    "a &",
    "x=1; a",
    "a $(b)",
    "a `b`",
    "f() { a; }",
    "for i in 1; do a; done",
  ]) {
    expect(run(text)[0]).toMatch(/^not modelled: /);
  }
  for (const text of ["'", '"', "while a", "if a; then b", "}", "a &&", "done"]) {
    expect(run(text)[0]).toMatch(/^not modelled: /);
  }
  expect(run("while true; do true; done")).toEqual(["spin"]);
});

test("whatever a script holds, it is compiled or refused, and comes to its next program or its end", () => {
  const piece = fc.constantFrom(
    ...[
      "while ",
      "do ",
      "done ",
      "if ",
      "then ",
      "else ",
      "fi ",
      "{ ",
      "} ",
      "! ",
      "; ",
      "&& ",
      "|| ",
    ],
    ...[
      "true ",
      "false ",
      "a ",
      "'q' ",
      '"d$X" ',
      "$X ",
      "> f ",
      "break ",
      "exit 3 ",
      "set -e ",
      "\\",
      "#",
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      expect(run(pieces.join(""), {}, { X: "v w" }).length).toBeGreaterThan(0);
    }),
    { numRuns: 500 },
  );
});
