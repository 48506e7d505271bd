import { SECOND } from "../kernel/index.js";
import type { Image } from "./image.js";
import {
  arm,
  type ContainerState,
  type ContainerStep,
  disarm,
  type Fetch,
  type ImageStore,
  isDocker,
  type MissingLayer,
  type Pull,
} from "./state.js";

type Engine = Fetch["engine"];

/** A pull that has ended, and the processes that waited for it. */
export interface PullEnd {
  readonly engine: Engine;
  readonly image: string;
  readonly ok: boolean;
  readonly waiting: readonly number[];
}

/** Layers that docker fetches at once (its max-concurrent-downloads). */
const FETCHES_MAX = 3;

/** Docker tries a layer so often, and rests 5 s longer after each failure (distribution/xfer, 1.10). */
const ATTEMPTS_MAX = 5;

/**
 * Has a process wait for an image from the registry. One that is on the disk is asked for all the
 * same: the registry may have another under that name by now.
 */
export function pullImage(step: ContainerStep, engine: Engine, image: string, pid: number): void {
  const store = storeOf(step.state, engine);
  const under = store.pulls.get(image);
  if (under !== undefined) {
    under.waiting.push(pid);
    return;
  }
  const asking = note(step, { engine, image, layer: null });
  const pull: Pull = { image, waiting: [pid], asking, manifest: null, missing: [] };
  store.pulls.set(image, pull);
  step.out.effects.push({ kind: "fetch-manifest", id: asking, image });
}

/** The registry says what the image is made of, or that there is none. */
export function manifestCame(step: ContainerStep, id: number, image: Image | null): PullEnd | null {
  const { fetch, pull, store } = underWay(step, id);
  if (fetch === null || pull === null) return null;
  pull.asking = 0;
  if (image === null) return fail(step, fetch.engine, pull, "not-found");
  pull.manifest = image;
  pull.missing = image.layers
    .filter((layer) => !store.layers.has(layer.id))
    .map((layer) => ({ ...layer, failures: 0, fetch: 0, resting: false }));
  return goOn(step, fetch.engine, pull);
}

/** A layer is here. */
export function layerCame(step: ContainerStep, id: number): PullEnd | null {
  const { fetch, pull, store } = underWay(step, id);
  if (fetch === null || pull === null || fetch.layer === null) return null;
  pull.missing = pull.missing.filter((layer) => layer.id !== fetch.layer);
  store.layers.add(fetch.layer);
  return goOn(step, fetch.engine, pull);
}

/** A connection to the registry broke, or was not made. */
export function fetchBroke(step: ContainerStep, id: number): PullEnd | null {
  const { fetch, pull } = underWay(step, id);
  if (fetch === null || pull === null) return null;
  const layer = pull.missing.find((each) => each.fetch === id);
  const retries = fetch.engine === "docker" && isDocker(step.state, 1, 10);
  if (layer === undefined || !retries || layer.failures + 1 >= ATTEMPTS_MAX) {
    return fail(step, fetch.engine, pull, "unreachable");
  }
  layer.fetch = 0;
  layer.failures++;
  layer.resting = true;
  arm(step, `layer ${pull.image} ${layer.id}`, layer.failures * 5 * SECOND);
  return null;
}

/** A layer may be tried again. */
export function tryAgain(step: ContainerStep, timer: string): void {
  const [, image = "", id] = timer.split(" ");
  const pull = step.state.docker.pulls.get(image);
  const layer = pull?.missing.find((each) => each.id === id);
  if (pull === undefined || layer === undefined) return;
  layer.resting = false;
  goOn(step, "docker", pull);
}

/**
 * A process waits no longer. Since docker 1.10 a pull that nobody waits for is given up, and what was
 * fetched of it thrown away; before, the daemon goes on with it. rkt fetches in the process itself.
 */
export function leavePull(step: ContainerStep, engine: Engine, image: string, pid: number): void {
  const { state, out } = step;
  const store = storeOf(state, engine);
  const pull = store.pulls.get(image);
  if (pull === undefined) return;
  pull.waiting = pull.waiting.filter((each) => each !== pid);
  if (pull.waiting.length > 0 || (engine === "docker" && !isDocker(state, 1, 10))) return;
  drop(step, engine, pull);
  out.facts.push({ kind: "image.pull-cancelled", image, engine });
}

/** The daemon is gone, and its pulls with it. Whoever waited is told by the daemon's end. */
export function abandonPulls(step: ContainerStep): void {
  for (const pull of [...step.state.docker.pulls.values()])
    fail(step, "docker", pull, "daemon-gone");
}

function storeOf(state: ContainerState, engine: Engine): ImageStore {
  return engine === "docker" ? state.docker : state.rkt;
}

function note(step: ContainerStep, fetch: Fetch): number {
  const id = step.state.nextFetch++;
  step.state.fetches.set(id, fetch);
  return id;
}

/** What a fetch was for; it is over now. */
function underWay(
  { state }: ContainerStep,
  id: number,
): { readonly fetch: Fetch | null; readonly pull: Pull | null; readonly store: ImageStore } {
  const fetch = state.fetches.get(id) ?? null;
  state.fetches.delete(id);
  const store = storeOf(state, fetch?.engine ?? "docker");
  return { fetch, pull: fetch === null ? null : (store.pulls.get(fetch.image) ?? null), store };
}

/** Fetches what may be fetched now; the pull ends when nothing is missing. */
function goOn(step: ContainerStep, engine: Engine, pull: Pull): PullEnd | null {
  const { state, out } = step;
  const store = storeOf(state, engine);
  // Another pull may have brought a layer that this one waits for.
  pull.missing = pull.missing.filter((layer) => layer.fetch !== 0 || !store.layers.has(layer.id));
  if (pull.missing.length === 0 && pull.manifest !== null) {
    store.images.set(pull.image, pull.manifest);
    store.pulls.delete(pull.image);
    const bytes = pull.manifest.layers.reduce((sum, layer) => sum + layer.bytes, 0);
    out.facts.push({ kind: "image.pulled", image: pull.image, bytes, engine });
    return { engine, image: pull.image, ok: true, waiting: pull.waiting };
  }
  for (const layer of pull.missing) {
    if (layer.fetch !== 0 || layer.resting) continue;
    if (pull.missing.filter((each) => each.fetch !== 0).length >= FETCHES_MAX) break;
    layer.fetch = note(step, { engine, image: pull.image, layer: layer.id });
    out.effects.push({ kind: "fetch-layer", id: layer.fetch, bytes: layer.bytes });
  }
  return null;
}

function fail(
  step: ContainerStep,
  engine: Engine,
  pull: Pull,
  reason: "not-found" | "unreachable" | "daemon-gone",
): PullEnd {
  drop(step, engine, pull);
  step.out.facts.push({ kind: "image.pull-failed", image: pull.image, reason, engine });
  return { engine, image: pull.image, ok: false, waiting: pull.waiting };
}

/** Takes back what is under way. Layers that no image is made of go, as docker does it since 1.10. */
function drop(step: ContainerStep, engine: Engine, pull: Pull): void {
  const { state } = step;
  const store = storeOf(state, engine);
  store.pulls.delete(pull.image);
  if (pull.asking !== 0) cancel(step, pull.asking);
  for (const layer of pull.missing) dropLayer(step, pull, layer);
  if (engine === "docker" && !isDocker(state, 1, 10)) return;
  const others = [...store.pulls.values()].flatMap(({ manifest }) => (manifest ? [manifest] : []));
  const used = new Set(
    [...store.images.values(), ...others].flatMap(({ layers }) => layers.map(({ id }) => id)),
  );
  for (const id of [...store.layers]) if (!used.has(id)) store.layers.delete(id);
}

function dropLayer(step: ContainerStep, pull: Pull, layer: MissingLayer): void {
  if (layer.resting) disarm(step, `layer ${pull.image} ${layer.id}`);
  if (layer.fetch !== 0) cancel(step, layer.fetch);
}

function cancel({ state, out }: ContainerStep, id: number): void {
  // A fetch that broke or came is over already.
  if (state.fetches.delete(id)) out.effects.push({ kind: "cancel-fetch", id });
}
