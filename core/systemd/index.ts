export { BASE_UNITS } from "./base-units.js";
export {
  type CalendarField,
  type CalendarSpec,
  type CalendarTerm,
  formatCalendar,
  isUtc,
  parseCalendar,
} from "./calendar.js";
export { nextElapse } from "./calendar-next.js";
export * from "./client.js";
export { diagnoseUnit, type UnitDiagnosis, type UnitFault, type UnitFinding } from "./diagnose.js";
export type { EmergencyAction, HostAction } from "./emergency.js";
export { UNIT_DIRECTORIES } from "./files.js";
export { systemd } from "./manager.js";
export * from "./process.js";
export type { Job, ServiceRuntime, ServiceState, SystemdState, Unit } from "./state.js";
export * from "./types.js";
export { parseUnitFile, type UnitFile, type UnitOption } from "./unitfile.js";
export { type UnitView, viewUnit } from "./view.js";
