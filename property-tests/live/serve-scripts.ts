import type { Step } from "./etcdctl.js";

/** A few runs of etcdctl in a row, and what they are about. */
export interface Script {
  readonly about: string;
  readonly steps: readonly Step[];
}

const all = ["n-1", "n-2", "n-3"];
const run = (...lines: readonly string[]): Step[] => lines.map((line) => ({ run: line }));
const v2 = (...lines: readonly string[]): Step[] => lines.map((line) => ({ run: line, api: 2 }));

/** API 3: keys. */
const KEYS: readonly Script[] = [
  {
    about: "puts and gets, with every flag",
    steps: run(
      "put a 1",
      "put a 2 --prev-kv",
      "put b 3 -w json",
      "put c 4 -w fields",
      "put a --ignore-value",
      "put zz --ignore-value",
      "put a 5 --ignore-value",
      "put aa 6",
      "put ab 7",
      "get a",
      "get missing",
      "get a -w json",
      "get a -w fields",
      "get a --hex",
      "get a --print-value-only",
      "get a --prefix",
      "get a --prefix --keys-only",
      "get a --prefix --limit 2",
      "get a --prefix --limit 2 -w json",
      "get a c",
      "get aa --from-key",
      "get a --prefix --order DESCEND",
      "get a --prefix --order ASCEND --sort-by VERSION --limit 1",
      "get a --prefix --sort-by CREATE",
      "get a --prefix --sort-by MODIFY --order DESCEND",
      "get a --prefix --sort-by VALUE --order DESCEND",
      "get a --prefix --sort-by KEY --order DESCEND",
      "get a --consistency s",
      "get a --rev 2",
      "get a --rev 9999",
      "get c a",
      "get a --order UP",
      "put",
      "get",
      "put '' x",
      "get '' --prefix --keys-only",
      "put bytes -- -dash",
    ),
  },
  {
    about: "the same from each member, as all have it",
    steps: all.map((name) => ({ run: "get '' --prefix -w json --consistency l", at: [name] })),
  },
  {
    about: "deletes",
    steps: run(
      "put d/1 x",
      "put d/2 y",
      "put d/3 z",
      "del d/1",
      "del d/1",
      "del d/2 --prev-kv",
      "del d/ --prefix --prev-kv",
      "del zzz --from-key",
      "put e 1",
      "put f 2",
      "del e g -w json",
      "get d/ --prefix --rev 5",
    ),
  },
  {
    about: "transactions",
    steps: [
      { run: "txn", stdin: 'mod("a") > "0"\n\nput t yes\nget a\n\nput t no\n\n' },
      { run: "txn", stdin: 'value("a") = "nope"\n\nput t yes\n\nput t no\nget t\ndel b\n\n' },
      {
        run: "txn -w json",
        stdin:
          'create("nokey") = "0"\nversion("a") > "0"\n\nget a\nput u 1\nget u\ndel zz\n\nget b\n\n',
      },
      { run: "txn", stdin: "\nput x 1\nput x 2\n\n\n" },
      { run: "txn", stdin: "\nget a --rev 99999\n\n\n" },
    ],
  },
  {
    about: "compaction, reads at what is gone, and what all have in the end",
    steps: [
      ...run(
        "put k 1",
        "put k 2",
        "put k 3",
        "compaction 8",
        "get a --rev 3",
        "get a --rev 8 -w json",
        "compaction 8",
        "compaction 99999",
        "compaction x",
        "get k",
      ),
      // Leases have other ids here and there; so far none is attached to a key.
      { run: "endpoint hashkv", at: all },
      { run: "endpoint hashkv --rev 10", at: all },
    ],
  },
];

/** API 3: watches, leases, locks and elections. */
const STREAMS: readonly Script[] = [
  {
    about: "watches, from now and from the past",
    steps: [
      { run: "watch w --prev-kv", lines: 13 },
      { run: "watch w/ --prefix", lines: 12 },
      { run: "watch w x -w json", lines: 3 },
      ...run("put w 1", "put w 2", "put w/a 3", "del w", "put w/b 4", "del w/ --prefix"),
      { run: "watch k --rev 12", lines: 3 },
      { run: "watch k --rev 2", lines: 1 },
      { run: "watch w --rev 13 --prefix", at: ["n-3"], lines: 12 },
    ],
  },
  {
    about: "leases",
    steps: [
      { run: "lease grant 600", keep: /lease (\w+) granted/ },
      ...run(
        "put l1 x --lease $1",
        "put l2 y --lease $1",
        "put l2 z --ignore-lease",
        "get l1 -w fields",
        "lease timetolive $1",
        "lease timetolive $1 --keys",
        "lease timetolive $1 --keys -w json",
        "lease list",
        "lease keep-alive --once $1",
        "lease revoke $1",
        "lease revoke $1",
        "get l --prefix",
        "lease timetolive $1",
        "lease keep-alive --once $1",
        "put l3 x --lease 1234",
        "lease grant 0",
        "lease grant 99999999999",
        "lease grant x",
        "lease timetolive zz",
      ),
    ],
  },
  {
    about: "locks",
    steps: [
      { run: "lock l1 -- echo held" },
      { run: "lock l1", lines: 1 },
      { run: "lock l1", lines: 1, at: ["n-2"] },
      { run: "get l1 --prefix --print-value-only" },
    ],
  },
  {
    about: "elections",
    steps: [
      { run: "elect e first", lines: 2 },
      { run: "elect e -l", lines: 2, at: ["n-3"] },
      { run: "get e/ --prefix --print-value-only" },
    ],
  },
];

/** API 3: members, maintenance, auth. */
const ADMIN: readonly Script[] = [
  {
    about: "health, status and hashes of every member",
    steps: [
      { run: "endpoint health", at: all },
      { run: "endpoint health --cluster" },
      { run: "endpoint status", at: all },
      { run: "endpoint status -w table", at: all },
      { run: "endpoint status -w json", at: all },
      { run: "endpoint status -w fields" },
      { run: "endpoint status --cluster" },
      { run: "endpoint hashkv --rev 12 -w json", at: all },
      { run: "endpoint hashkv --rev 2" },
      { run: "endpoint hashkv --rev 99999" },
      { run: "endpoint health", at: ["127.0.0.1:1"] },
    ],
  },
  {
    about: "members",
    steps: [
      ...run("member list", "member list -w table", "member list -w json", "member list -w fields"),
      {
        run: "member add n-4 --peer-urls http://10.0.0.14:2380 --learner",
        keep: /Member\s+(\w+) added/,
      },
      ...run(
        "member list",
        "member add n-5 --peer-urls http://10.0.0.15:2380 --learner",
        "member promote $1",
        "member update $1 --peer-urls http://10.0.0.24:2380",
        "member list",
        "member add n-4 --peer-urls http://10.0.0.24:2380",
        "member remove $1",
        "member remove $1",
        "member remove 123",
        "member remove xyz",
        "member promote 123",
        "member add",
        "member list",
      ),
    ],
  },
  {
    about: "alarms, defragmentation, moving the lead",
    steps: [
      ...run("alarm list", "alarm disarm"),
      { run: "defrag", at: all },
      { run: "endpoint status", at: all },
      { run: "move-leader 123" },
      { run: "move-leader 123", at: ["n-2"] },
    ],
  },
  {
    about: "snapshots",
    steps: run("snapshot save $SNAPSHOT", "snapshot status $SNAPSHOT -w fields"),
  },
  {
    about: "roles and users, and what they may do",
    steps: [
      ...run(
        "auth enable",
        "user add root:pw",
        "role add root",
        "user grant-role root root",
        "role add reader",
        "role add reader",
        "role grant-permission reader read a",
        "role grant-permission reader readwrite w/ --prefix",
        "role grant-permission nobody read a",
        "role get reader",
        "role get nobody",
        "role list",
        "user add alice:secret",
        "user add bob --no-password",
        "user add alice:again",
        "user grant-role alice reader",
        "user grant-role alice nobody",
        "user get alice",
        "user get alice --detail",
        "user get nobody",
        "user list",
        "auth enable",
        "get a",
        "get a --user alice:secret",
        "get b --user alice:secret",
        "get a --user alice:wrong",
        "put w/1 x --user alice:secret",
        "put a x --user alice:secret",
        "get w/ --prefix --user alice:secret",
        "get '' --prefix --user alice:secret --keys-only",
        "user list --user alice:secret",
        "user list --user root:pw",
        "role revoke-permission reader a --user root:pw",
        "get a --user alice:secret",
        "user revoke-role alice reader --user root:pw",
        "user delete alice --user root:pw",
        "role delete reader --user root:pw",
        "user delete root --user root:pw",
        "put after auth --user root:pw",
        "auth disable --user root:pw",
        "get after",
        "user delete root",
        "user delete bob",
        "role delete root",
        "auth disable",
      ),
    ],
  },
];

/** API 2. */
const OLD: readonly Script[] = [
  {
    about: "the keys API of version 2",
    steps: v2(
      "set /m hello",
      "get /m",
      "-o extended get /m",
      "-o json get /m",
      "get /missing",
      "mk /m again",
      "mk /dir/new x",
      "mk --in-order /queue one",
      "mkdir /d",
      "mkdir /d",
      "setdir /d2",
      "set /d/x 1",
      "set --swap-with-value 1 /d/x 2",
      "set --swap-with-value 1 /d/x 3",
      "update /d/x 4",
      "update /d/nope 4",
      "ls /",
      "ls --recursive --sort /",
      "ls -p /",
      "rm /d",
      "rmdir /d",
      "rm --recursive /d",
      "rm --with-value nope /m",
      "rm /m",
      "rmdir /d2",
      "updatedir /dir --ttl 100",
      "set --ttl 100 /t x",
      "get --quorum /t",
    ),
  },
  {
    about: "watches of version 2",
    steps: [
      { run: "watch /v", api: 2, lines: 1 },
      { run: "watch --recursive --forever /v", api: 2, lines: 3 },
      ...v2("set /v 1", "set /v/x 2", "rm /v", "mkdir /v2", "set /v2/a 1"),
      { run: "watch --after-index 1 /v", api: 2 },
    ],
  },
  {
    about: "members and health by version 2",
    steps: v2("member list", "cluster-health", "member remove 123", "member add n-1 http://%n-1"),
  },
];

/** Every command that is compared, in the order in which they are run: each finds what those before have left. */
export const SCRIPTS: readonly Script[] = [...KEYS, ...STREAMS, ...ADMIN, ...OLD];
