export { HOST_LANES_MAX, type SpaceTimeOptions, spaceTime, UNIT_LANES_MAX } from "./space-time.js";
