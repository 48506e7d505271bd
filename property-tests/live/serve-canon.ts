/**
 * What must differ between two clusters that are asked the same, and stands for the same: who is where,
 * what ids come from that and from the time, how far the log is, how long things took.
 */
export class Canon {
  readonly #names: readonly (readonly [RegExp, string])[];

  /** @param members - of one cluster: name, address of the client port, id in hex */
  constructor(
    clusterId: string,
    members: readonly {
      readonly name: string;
      readonly address: string;
      readonly peerUrl: string;
      readonly id: string;
    }[],
  ) {
    const names: (readonly [RegExp, string])[] = [];
    const name = (text: string, as: string): void => {
      names.push([new RegExp(text.replace(/[.]/g, "\\."), "g"), as]);
    };
    for (const member of members) {
      name(member.peerUrl, `<peer of ${member.name}>`);
      name(member.address, `<${member.name}>`);
      name(member.id.replace(/^0+/, ""), `<id of ${member.name}>`);
      name(BigInt(`0x${member.id}`).toString(), `<id of ${member.name}>`);
    }
    name(clusterId.replace(/^0+/, ""), "<cluster>");
    name(BigInt(`0x${clusterId}`).toString(), "<cluster>");
    this.#names = names;
  }

  /** The output of a command in words that do not differ. */
  text(run: string, output: string): string {
    let text = output;
    for (const [pattern, as] of this.#names) text = text.replace(pattern, as);
    for (const [pattern, as] of RULES) text = text.replace(pattern, as);
    text = text.replace(LEASE_KEYS, (_, before: string, keys: string, after: string) => {
      return before + keys.split(/[, ]/).sort().join(" ") + after;
    });
    return UNORDERED.test(run) ? sorted(unaligned(text)) : text;
  }
}

/** Members come in the order of their ids, or of their answers; unsorted listings in no order. */
const UNORDERED = /^(endpoint (health|status)|member|cluster-health|ls)/;

/** The keys of a lease come in the order of a Go map. */
const LEASE_KEYS = /("keys":\[|attached keys\(\[)([^\]]*)(\])/g;

const RULES: readonly (readonly [RegExp, string])[] = [
  // Times, of logs and of calls.
  [/"ts":"?[^",]*"?,/g, '"ts":<time>,'],
  [/"took":[\d.]+/g, '"took":<time>'],
  [/\d+(\.\d+)?(µs|ms|s)\b/g, "<time>"],
  [/endpoint:\/\/client-[0-9a-f-]+/g, "endpoint://client"],
  // Leases and ids that are made from the time: 15 or 16 hex digits, or as many decimal ones as they have.
  [/\b[0-9a-f]{15,16}\b/g, "<id>"],
  [/\b\d{17,20}\b/g, "<id>"],
  // Where the log is: every member and every election adds entries of its own.
  [/"(raft_term|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse)":\d+/g, '"$1":<n>'],
  [/"(RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse)" : \d+/g, '"$1" : <n>'],
  [/\d+ k?B\b/g, "<size>"],
  // A snapshot holds ids of leases and members, in a file that is laid out anew.
  [/"(Hash|Size)" : \d+/g, '"$1" : <n>'],
  [/, \d+, \d+, \d+, (?=\n|$)/g, ", <term>, <index>, <applied>, "],
  [/\| +\d+ \| +\d+ \| +\d+ \| +\|/g, "| <term> | <index> | <applied> | |"],
  // Remaining seconds of a lease of 600, and of version 2's times to live.
  [/remaining\(\d+<?\w*>?\)/g, "remaining(<time>)"],
  [/"ttl":5\d\d,/g, '"ttl":<time>,'],
  [/"expiration":"[^"]*"/g, '"expiration":<time>'],
  [/TTL: \d+/g, "TTL: <time>"],
  // Version 2 counts changes of the membership, which a restart repeats.
  [/(Created-Index|Modified-Index|X-Etcd-Index): ?\d+/g, "$1: <n>"],
];

/** Tables are as wide as their widest cell. */
function unaligned(text: string): string {
  return text.replace(/ {2,}/g, " ").replace(/-{3,}/g, "---");
}

function sorted(text: string): string {
  return text
    .replace(/"members":\[(.*)\](?=\})/g, (_, list: string) => `"members":[${sortedList(list)}]`)
    .replace(/(ETCD_INITIAL_CLUSTER=")([^"]*)/g, (_, name: string, list: string) => {
      return name + list.split(",").sort().join(",");
    })
    .split("\n")
    .sort()
    .join("\n");
}

function sortedList(objects: string): string {
  return objects
    .split(/(?<=\}),(?=\{)/)
    .sort()
    .join(",");
}
