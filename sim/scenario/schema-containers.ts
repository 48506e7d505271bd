import { z } from "zod";
import {
  duration,
  durationSpan,
  keys,
  oneOrMore,
  positiveDuration,
  positiveDurationSpan,
  rate,
  size,
  text,
  version,
} from "./fields.js";

const port = z.int().min(1).max(65_535);

const layerSchema = z.union([keys({ id: text, size }), size]);

const imageSchema = keys({
  layers: z.array(layerSchema).min(1).max(128),
  present: z.boolean().default(false),
  listens: z.array(port).max(100).default([]),
  ready_after: durationSpan.prefault("1s"),
  exits: z
    .union([
      keys({ after: positiveDurationSpan, code: z.int().min(0).max(255).default(0) }),
      z.literal("never"),
    ])
    .default("never"),
  stop_takes: z.union([z.literal("never"), durationSpan]).prefault("200ms"),
  stop_code: z.int().min(0).max(255).default(0),
});

/** Container engines on every host, the registry and its images. */
export const containersSchema = keys({
  docker: version.default("1.12"),
  live_restore: z.boolean().default(false),
  daemon_start: durationSpan.prefault("500ms..1500ms"),
  flannel: version.default("0.7"),
  registry: keys({ bandwidth: rate.prefault("100MB/s") }).prefault({}),
  host_bandwidth: rate.prefault("50MB/s"),
  images: z.record(text, imageSchema).default({}),
});

/** What a variant may change of the engines. */
export const otherEnginesSchema = keys({
  docker: version.optional(),
  live_restore: z.boolean().optional(),
});

/** Users who ask for a page through the balancers of these hosts. */
export const usersSchema = keys({
  from: duration.prefault("0"),
  every: positiveDuration.prefault("500ms"),
  timeout: positiveDuration.prefault("2s"),
  through: oneOrMore(text),
});

export type RawContainers = z.output<typeof containersSchema>;
export type RawUsers = z.output<typeof usersSchema>;
