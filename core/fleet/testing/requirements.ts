import type { Requirements } from "../requirements.js";

/** A unit that asks nothing of its machine. */
export const NOTHING: Requirements = {
  requiredTarget: null,
  metadata: [],
  peers: [],
  conflicts: [],
  replaces: [],
  global: false,
};
