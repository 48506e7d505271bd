import { RaftPanic } from "../raft/index.js";
import type { Alarm, AlarmRequest, AlarmType } from "./maintenance-api.js";
import type { EtcdProfile } from "./profile.js";

/** Alarms that members raised, under `alarm/member`; replicated. Source: etcd etcdserver/api/v3alarm. */
export type AlarmStore = Map<string, Alarm>;

/** What stands before the store when a committed request is applied; each member's own affair. */
export interface Applier {
  /** Permissions and quota. */
  checks: boolean;
  /** Nothing that takes room. */
  capped: boolean;
  /** Nothing at all. */
  corrupt: boolean;
}

/** What alarms change of a member. */
interface Guarded {
  readonly stores: { readonly alarms: AlarmStore };
  applier: Applier;
}

/** The id that stands for no member. */
const NO_MEMBER = "0000000000000000";

/** Alarms of a type, or ("none") all, by type and member. etcd lists them in no order. */
export function listAlarms(alarms: AlarmStore, type: AlarmType): Alarm[] {
  return [...alarms.keys()]
    .sort()
    .map((key) => alarms.get(key))
    .filter((alarm) => alarm !== undefined)
    .filter(({ alarm }) => type === "none" || alarm === type);
}

/** What stands before the store of a member that starts, or takes in a snapshot, with these alarms. */
export function applierFor(alarms: AlarmStore): Applier {
  return {
    checks: true,
    capped: listAlarms(alarms, "nospace").length > 0,
    corrupt: listAlarms(alarms, "corrupt").length > 0,
  };
}

/**
 * Applies a request about alarms; the alarms it tells of.
 *
 * @throws RaftPanic where etcd 3.4 ends, now and at every start: on an alarm of no type and no member
 */
export function applyAlarm(
  run: Guarded,
  profile: EtcdProfile,
  { action, member, alarm }: AlarmRequest,
): Alarm[] {
  const { alarms } = run.stores;
  if (action === "get") return listAlarms(alarms, alarm);
  if (alarm === "none" && action === "activate" && !profile.keepsAlarmNone) return [];
  const before = listAlarms(alarms, alarm).length;
  const key = `${alarm}/${member || NO_MEMBER}`;
  const known = alarms.get(key);
  if (action === "deactivate") {
    if (known === undefined) return [];
    alarms.delete(key);
  } else if (known === undefined) {
    if (alarm === "none" && key.endsWith(NO_MEMBER)) {
      // Its key in the database is empty, which bbolt takes as little as its caller a refusal.
      throw new RaftPanic("cannot put key into bucket (key required)");
    }
    alarms.set(key, { member: member || NO_MEMBER, alarm });
  }
  const after = listAlarms(alarms, alarm).length;
  if (!profile.alarmDropsChecks) run.applier = applierFor(alarms);
  else if (alarm !== "none") switchApplier(run, alarm, before, after);
  return [known ?? { member: member || NO_MEMBER, alarm }];
}

/**
 * etcd 3.4 puts the guard of the first alarm of a type in the place of everything that stood before the store,
 * and brings all of that back when the last alarm of a type goes, whatever other alarms there are.
 */
function switchApplier(
  run: Guarded,
  alarm: Exclude<AlarmType, "none">,
  before: number,
  after: number,
): void {
  if (before === 0 && after === 1) {
    run.applier = { checks: false, capped: alarm === "nospace", corrupt: alarm === "corrupt" };
  } else if (before > 0 && after === 0) {
    run.applier = { checks: true, capped: false, corrupt: false };
  }
}

/** An alarm as etcd's status tells of it: protobuf's text, with the id in decimal. */
export function alarmText({ member, alarm }: Alarm): string {
  const id = member === NO_MEMBER ? "" : `memberID:${BigInt(`0x${member}`)} `;
  return alarm === "none" ? id : `${id}alarm:${alarm.toUpperCase()} `;
}
