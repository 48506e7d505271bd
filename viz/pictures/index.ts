export { clientsPicture } from "./clients.js";
export { HISTORY_OPERATIONS_MAX, type HistoryPictureOptions, historyPicture } from "./history.js";
export { HOST_LANES_MAX, type SpaceTimeOptions, spaceTime, UNIT_LANES_MAX } from "./space-time.js";
