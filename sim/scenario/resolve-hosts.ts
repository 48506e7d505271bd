import { createGenerator, type Diagnostic, nextUint32 } from "../../core/kernel/index.js";
import { checkCloudConfig } from "./check-texts.js";
import type { Path, SourceDocument } from "./document.js";
import type { Includes } from "./include.js";
import type { HostSpec } from "./scenario.js";
import type { RawHostGroup, RawScenario } from "./schema.js";

/** Most hosts a scenario may have. */
export const HOSTS_MAX = 10_000;
const ZONES_MAX = 250;
/** Names that mean something else where hosts are named. */
const RESERVED = new Set(["discovery", "update", "all", "exactly-one", "none"]);

/** The host list of a scenario: groups multiplied out, dealt over their zones. */
export function resolveHosts(
  source: SourceDocument,
  raw: RawScenario,
  includes: Includes,
  warnings: Diagnostic[],
): { hosts: HostSpec[]; zones: string[] } {
  const zones: string[] = [];
  const hosts: HostSpec[] = [];
  raw.hosts.forEach((group, i) => {
    const path: Path = ["hosts", i];
    const name = group.group ?? group.name;
    const members = group.count ?? 1;
    if (name === undefined || (group.group !== undefined && group.name !== undefined)) {
      const found = name === undefined ? "neither" : "both group and name";
      source.report(
        path,
        "E_SCENARIO_MISSING_KEY",
        found,
        "either group (with count) or name",
        "Use group for hosts called group-1, group-2, …; name for a single host.",
      );
      return;
    }
    if (group.name !== undefined && group.count !== undefined) {
      source.report(
        [...path, "count"],
        "E_SCENARIO_VALUE",
        "a count for a single name",
        "group instead of name",
        `Write group: ${name}.`,
      );
      return;
    }
    if (hosts.length + members > HOSTS_MAX) {
      source.report(
        [...path, "count"],
        "E_SCENARIO_VALUE",
        `${hosts.length + members} hosts`,
        `at most ${HOSTS_MAX} hosts`,
        "Model a larger fleet with `orrery plan`.",
      );
      return;
    }
    const cloudConfig = groupCloudConfig(source, path, group, includes, warnings);
    if (group.oem_config !== undefined) {
      checkCloudConfig(source, [...path, "oem_config"], group.oem_config, null, warnings);
    }
    addGroup(source, path, group, name, members, raw, cloudConfig, zones, hosts);
  });
  reportTwins(source, hosts, raw);
  return { hosts, zones };
}

function groupCloudConfig(
  source: SourceDocument,
  path: Path,
  group: RawHostGroup,
  includes: Includes,
  warnings: Diagnostic[],
): string {
  const text = includes.text(
    path,
    group.cloud_config,
    "cloud_config",
    group.cloud_config_file,
    "cloud_config_file",
  );
  if (text === null || text === "") return "";
  const key = group.cloud_config === undefined ? "cloud_config_file" : "cloud_config";
  checkCloudConfig(source, [...path, key], text, group.cloud_config_file ?? null, warnings);
  return text;
}

function addGroup(
  source: SourceDocument,
  path: Path,
  group: RawHostGroup,
  name: string,
  members: number,
  raw: RawScenario,
  cloudConfig: string,
  zones: string[],
  hosts: HostSpec[],
): void {
  const dealt = (group.zones ?? ["a"]).map((zone) => zoneIndex(zones, zone));
  if (zones.length > ZONES_MAX) {
    const found = `${zones.length} zones`;
    source.report([...path, "zones"], "E_SCENARIO_VALUE", found, `at most ${ZONES_MAX}`, "");
    return;
  }
  const seats = raw.discovery?.size ?? HOSTS_MAX;
  let seated = hosts.filter((host) => host.member).length;
  for (let n = 0; n < members; n++) {
    const index = hosts.length;
    const zone = dealt[n % dealt.length] ?? 0;
    const hostName = group.name ?? `${name}-${n + 1}`;
    const member = group.member ?? (group.present && seated < seats);
    if (member) seated++;
    hosts.push({
      index,
      name: hostName,
      group: name,
      zone,
      address: address(group.address, zone, n, index),
      machineId: group.machine_id ?? machineId(hostName),
      present: group.present,
      member,
      osVersion: group.os.version,
      updateGroup: group.update_group ?? raw.update?.group ?? "default",
      metadata: group.metadata,
      cloudConfig,
      ...(group.oem_config === undefined ? {} : { oemConfig: group.oem_config }),
      boot: group.boot,
      disk: group.disk,
      clock: { offset: group.clock.offset, driftPpm: group.clock.drift },
    });
  }
}

function reportTwins(source: SourceDocument, hosts: readonly HostSpec[], raw: RawScenario): void {
  const groupOf = (host: HostSpec): Path => {
    const i = raw.hosts.findIndex((group) => (group.group ?? group.name) === host.group);
    return ["hosts", Math.max(i, 0)];
  };
  const names = new Set<string>();
  const groups = new Set(hosts.map((host) => host.group));
  const addresses = new Map<string, string>();
  for (const host of hosts) {
    if (RESERVED.has(host.name) || RESERVED.has(host.group)) {
      const found = `a host or group called ${host.group}`;
      const taken = [...RESERVED].join(", ");
      source.report(groupOf(host), "E_SCENARIO_DUPLICATE", found, `a name other than ${taken}`, "");
    }
    if (names.has(host.name) || (groups.has(host.name) && host.name !== host.group)) {
      source.report(
        groupOf(host),
        "E_SCENARIO_DUPLICATE",
        `a second ${host.name}`,
        "names of hosts and groups used once",
        "Rename one of the groups.",
      );
    }
    names.add(host.name);
    const twin = addresses.get(host.address);
    if (twin !== undefined) {
      source.report(
        [...groupOf(host), "address"],
        "E_SCENARIO_DUPLICATE",
        `address ${host.address} for ${host.name}, which ${twin} has`,
        "each address once",
        "Move one group's first address.",
      );
    }
    addresses.set(host.address, host.name);
  }
}

function zoneIndex(zones: string[], zone: string): number {
  const known = zones.indexOf(zone);
  return known >= 0 ? known : zones.push(zone) - 1;
}

/** The group's first address counted up, or 10.zone.x.y from the host's index. */
function address(first: string | undefined, zone: number, n: number, index: number): string {
  if (first === undefined) {
    const low = index + 10;
    return `10.${zone}.${low >>> 8}.${low & 255}`;
  }
  const value = first.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) + n;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** A machine id that depends on the host's name alone, so that adding hosts changes no other's. */
function machineId(name: string): string {
  const generator = createGenerator(0, `machine-id/${name}`);
  let id = "";
  for (let i = 0; i < 4; i++) id += nextUint32(generator).toString(16).padStart(8, "0");
  return id;
}
